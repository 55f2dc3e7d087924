/** What people are shown of the ledger: its last block, its validators, and a check of the whole chain. */
import { Follower } from "../../consensus/follower.ts"
import { hybridScheme } from "../../consensus/hybrid.ts"
import { Ledger, type LedgerRules } from "../../consensus/ledger.ts"
import { APPROVAL_TERMS } from "../../consensus/limits.ts"
import { approvers, type Proposal, unproven } from "../../consensus/proposals.ts"
import { faulty, seatOf } from "../../consensus/quorum.ts"
import type { BlockRecord, ValidatorKeys, ValidatorsItem } from "../../consensus/types.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import type { LedgerView, ProposalView, ValidatorView } from "../api/types.ts"
import type { LedgerChain } from "./chain.ts"
import { headHeight, headOf, UsesSoFar } from "./snapshot.ts"

const SLICE_MS = 8

/** `lastSet` is the validator set of the block's term. */
export function blockView(
  { certificate, parent, batch }: BlockRecord,
  lastSet: Ledger["lastSet"],
): NonNullable<LedgerView["last"]> {
  const { digest, term, view, signatures } = certificate
  return {
    hash: toHex(digest),
    parent: toHex(parent),
    items: batch.items.length,
    term,
    view,
    signers: signatures.map(({ signer }) =>
      toHex(lastSet.members[signer]?.ed25519 ?? new Uint8Array(0)),
    ),
  }
}

/** Those in force by seat, then those of the next term. `linked`: to whom votes flow, null at a follower. */
export function validatorViews(
  { set, fields: { nextSet } }: Pick<Ledger, "set" | "fields">,
  own: Bytes | undefined,
  linked: readonly Bytes[] | null,
): ValidatorView[] {
  const shown = ({ ed25519 }: ValidatorKeys) => ({
    key: toHex(ed25519),
    own: own !== undefined && equal(own, ed25519),
    linked: linked === null ? null : linked.some((key) => equal(key, ed25519)),
  })
  const next = nextSet.members.filter(({ ed25519 }) => seatOf(set, ed25519) < 0)
  return [
    ...set.members.map((keys, seat) => ({
      ...shown(keys),
      seat,
      standing: seatOf(nextSet, keys.ed25519) < 0 ? ("leaving" as const) : ("in force" as const),
    })),
    ...next.map((keys) => ({ ...shown(keys), seat: null, standing: "joining" as const })),
  ]
}

/** A change as far as it has come. `own`: this peer's Ed25519 key; `open`: everything that is proposed. */
export function proposalView(
  proposal: Proposal,
  ledger: Pick<Ledger, "set" | "term">,
  own: Bytes | undefined,
  open: readonly Proposal[],
): ProposalView {
  const { id, item } = proposal
  const { set, term } = ledger
  const waiting = unproven(proposal)
  const by = approvers(proposal).flatMap((seat) => set.members[seat] ?? [])
  return {
    id: toHex(id),
    kind: item.type,
    add:
      item.type === "validators"
        ? item.add.map(({ keys }) => ({
            key: toHex(keys.ed25519),
            proved: !waiting.includes(keys),
          }))
        : [],
    remove: item.type === "validators" ? item.remove.map(toHex) : [toHex(item.commitment)],
    approvals: by.map(({ ed25519 }) => toHex(ed25519)),
    needed: set.quorum,
    own: own !== undefined && by.some(({ ed25519 }) => equal(ed25519, own)),
    termsLeft: item.term + APPROVAL_TERMS - term,
    after: item.type === "validators" ? sizeAfter(set.size, item) : null,
    rivals:
      item.type === "validators"
        ? open
            .filter((other) => other.item.type === "validators" && !equal(other.id, id))
            .map((other) => toHex(other.id))
        : [],
  }
}

function sizeAfter(now: number, { add, remove }: ValidatorsItem) {
  const validators = now + add.length - remove.length
  return { validators, faulty: faulty(validators) }
}

/**
 * Checks the whole stored chain again, from the genesis on: every link, every state, every signature, and whether the snapshot that a start
 * goes on from is what the chain leads to (SNAPSHOT_DIFFERS: it is dropped, and the next start replays). A peer that lives in memory may not
 * keep the first blocks any more (BLOCKS_NOT_KEPT). Throws StoreError.
 */
export async function verifyStored(
  chain: LedgerChain,
  rules: LedgerRules,
  progress: (done: number, total: number) => void,
): Promise<{ height: number; code: string | null }> {
  if (chain.hasLetGo(0)) return { height: chain.oldest - 1, code: "BLOCKS_NOT_KEPT" }
  // Nothing remembered: what is checked now is checked now.
  const follower = new Follower(new Ledger(rules), hybridScheme())
  const total = chain.height
  const head = await chain.head()
  const headAt = head && headHeight(rules, head)
  let uses = UsesSoFar.atGenesis(rules)
  let began = performance.now()
  for await (const record of chain.records()) {
    if (record.height > total) break
    const taken = follower.take(record)
    if (!taken.ok) return { height: record.height, code: taken.code }
    uses = uses.after(record.height, taken.applied).next
    if (
      head !== undefined &&
      record.height === headAt &&
      !equal(head, headOf(follower.ledger, uses))
    ) {
      await chain.dropHead()
      return { height: record.height, code: "SNAPSHOT_DIFFERS" }
    }
    if (performance.now() - began < SLICE_MS) continue
    progress(record.height, total)
    await new Promise((resolve) => setImmediate(resolve))
    began = performance.now()
  }
  return { height: follower.ledger.height, code: null }
}
