/** Small makings of ledger values for tests. */
import { utf8 } from "../../src/crypto/bytes.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { primitives } from "#primitives"
import { certificateOf } from "../../src/consensus/certificate.ts"
import { votePreimage } from "../../src/consensus/preimage.ts"
import { batchOf } from "../../src/consensus/item.ts"
import type { Ledger, LedgerRules } from "../../src/consensus/ledger.ts"
import type { ValidatorSet } from "../../src/consensus/quorum.ts"
import type { BlockRecord, EnvelopeItem, Item, Vote } from "../../src/consensus/types.ts"
import { keyring } from "../sim/keys.ts"
import type { CryptoKind, Keyholder, Keyring } from "../sim/keys.ts"

export const hash = (text: string): Bytes => primitives.sha3_256(utf8(text))

export interface Bench {
  readonly ring: Keyring
  readonly rules: LedgerRules
  /** The holder of each seat's keys. */
  readonly holderOf: (set: ValidatorSet, seat: number) => Keyholder
}

export function bench(n: number, crypto: CryptoKind = "fast", termHeights = 8): Bench {
  const ring = keyring(crypto)
  const holders = Array.from({ length: n + 8 }, (_, i) => ring.holder(i))
  return {
    ring,
    rules: {
      meshId: hash("a mesh"),
      validators: holders.slice(0, n).map(({ keys }) => keys),
      termHeights,
      blockItemsMax: 16,
      powBits: 8,
      retentionTerms: 4,
    },
    holderOf: (set, seat) => {
      const keys = set.members[seat]!
      return holders.find((holder) => holder.keys.ed25519.join() === keys.ed25519.join())!
    },
  }
}

export function sign<V extends Vote>(
  { rules, holderOf }: Bench,
  set: ValidatorSet,
  vote: Omit<V, "signature">,
): V {
  const { sign: signer } = holderOf(set, vote.signer)
  return { ...vote, signature: signer(votePreimage(rules.meshId, vote)) } as V
}

/** Orders a batch: the block, certified by all of the ledger's validators. */
export function certify(parts: Bench, ledger: Ledger, items: readonly Item[]): BlockRecord {
  const plan = ledger.plan(batchOf(items))
  const { set, term } = ledger
  const votes = set.members.map((_, signer) =>
    sign<Vote<"commit">>(parts, set, {
      type: "commit",
      term,
      view: 0,
      height: plan.height,
      digest: plan.hash,
      signer,
    }),
  )
  const { height, parent, stateRoot, batch } = plan
  ledger.apply(plan)
  return { height, parent, stateRoot, batch, certificate: certificateOf(votes) }
}

export const work = (name: string): EnvelopeItem => ({
  type: "envelope",
  id: hash(name),
  spend: hash(`${name} spent`),
})

/** A membership proof's envelope: `nullifier` and key index make the spend, `root` is what the nullifier is bound to. */
export function proof(name: string, nullifier: string, index: number, root: string): EnvelopeItem {
  const spend = hash(nullifier).slice()
  spend[31] = index
  return { type: "envelope", id: hash(name), spend, root: hash(root).slice(0, 16) }
}
