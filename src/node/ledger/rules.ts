/**
 * How this mesh uses the ledger core: the rules that its genesis stands for, and which item an envelope becomes (DESIGN §7). All peers
 * of a mesh must agree on every number here, so none of them is a setting.
 */
import { primitives } from "#primitives"
import type { LedgerRules } from "../../consensus/ledger.ts"
import { MemberTree } from "../../consensus/member-tree.ts"
import { BLOCK_ITEMS_MAX, TERM_HEIGHTS } from "../../consensus/limits.ts"
import type { EnvelopeItem, ValidatorKeys } from "../../consensus/types.ts"
import { type Bytes, toHex, utf8 } from "../../crypto/bytes.ts"
import type { GenesisValidator } from "../../crypto/genesis.ts"
import { MEMBERSHIP_KIND, membershipTags } from "../../crypto/membership/admission.ts"
import type { Mesh } from "../mesh/mesh.ts"

/** Terms for which the state remembers what was ordered; an id that is older cannot come again while peers keep less than this. */
export const RETENTION_TERMS = 256

export const ledgerTopic = (meshId: Bytes) => `/sotto/${toHex(meshId)}/ledger/1`

/** A validator of the genesis as the ledger names its keys. */
export const ledgerKeys = ({ ed25519, mlDsa65, slhDsaSha2 }: GenesisValidator): ValidatorKeys => ({
  ed25519,
  mlDsa65,
  slhDsa: slhDsaSha2,
})

export function ledgerRules({ genesis, meshId }: Pick<Mesh, "genesis" | "meshId">): LedgerRules {
  return {
    meshId,
    validators: genesis.validators.map(ledgerKeys),
    termHeights: TERM_HEIGHTS,
    blockItemsMax: BLOCK_ITEMS_MAX,
    powBits: genesis.powBits,
    retentionTerms: RETENTION_TERMS,
    membership: { empty: () => MemberTree.empty(), restore: (list) => MemberTree.restore(list) },
  }
}

const SPEND_DOMAIN = utf8("sotto/work-spend/1")

/**
 * The item of an envelope that was paid for by work. Its spend is a hash of its id alone: the work binds the id already, and anybody
 * could mine other admission fields for the same id, which must not make two items of one envelope.
 */
export const workItem = (id: Bytes): EnvelopeItem => ({
  type: "envelope",
  id,
  spend: primitives.sha3_256(SPEND_DOMAIN, id),
})

/**
 * The item of an envelope of 4096 bytes that was admitted here: by proof it has the spend and the key root of its proof, otherwise the spend of
 * work. One that came in on the ledger's word has no item any more: it was ordered.
 */
export function itemOf(id: Bytes, envelope: Bytes): EnvelopeItem {
  const tags = envelope[0] === MEMBERSHIP_KIND ? membershipTags(envelope) : undefined
  return tags === undefined ? workItem(id) : { type: "envelope", id, ...tags }
}
