/**
 * Everyone who is not a validator: takes blocks in order, checks each against the validator set it derived itself from the
 * genesis on, and so holds the same chain. Nothing is trusted but the genesis. `verifyChain` does the same for a whole chain.
 */
import { equal } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { blockHash, termOf } from "./block.ts"
import { certificateFault } from "./certificate.ts"
import type { Scheme } from "./hybrid.ts"
import { Ledger } from "./ledger.ts"
import type { LedgerRules } from "./ledger.ts"
import type { BlockRecord, Item } from "./types.ts"

export type BlockFault =
  | "NOT_NEXT"
  | "WRONG_PARENT"
  | "WRONG_STATE"
  | "WRONG_TERM"
  | "WRONG_BLOCK"
  | "BAD_SIGNERS"
  | "NO_QUORUM"
  | "BAD_SIGNATURE"
  | "TWO_CERTIFICATES"

export type Followed =
  | { readonly ok: true; readonly applied: readonly Item[] }
  | { readonly ok: false; readonly code: BlockFault }

const no = (code: BlockFault): Followed => ({ ok: false, code })

export class Follower {
  readonly ledger: Ledger
  readonly #scheme: Scheme

  constructor(ledger: Ledger, scheme: Scheme) {
    this.ledger = ledger
    this.#scheme = scheme
  }

  /** Takes the next block, or says why it is not one. Cheap checks first; nothing changes on failure. */
  take(record: BlockRecord): Followed {
    const { ledger } = this
    const { certificate } = record
    const { meshId, termHeights } = ledger.rules
    if (record.height !== ledger.height + 1) return no("NOT_NEXT")
    if (!equal(record.parent, ledger.tip))
      return no(this.#isForked(record) ? "TWO_CERTIFICATES" : "WRONG_PARENT")
    if (certificate.type !== "commit" || certificate.height !== record.height)
      return no("WRONG_BLOCK")
    // A certificate is checked with the set of its own height, and only that term's votes count for it.
    if (certificate.term !== termOf(record.height, termHeights)) return no("WRONG_TERM")
    const plan = ledger.plan(record.batch)
    if (!equal(plan.stateRoot, record.stateRoot)) return no("WRONG_STATE")
    if (!equal(plan.hash, certificate.digest)) return no("WRONG_BLOCK")
    const fault = certificateFault(certificate, meshId, ledger.set, this.#scheme)
    if (fault !== undefined) return no(fault as BlockFault)
    ledger.apply(plan)
    return { ok: true, applied: plan.applied }
  }

  /** A certified block that stands on another than ours: whoever signed it decided our last height otherwise. */
  #isForked({ height, parent, stateRoot, batch, certificate }: BlockRecord): boolean {
    const { set, rules } = this.ledger
    const { meshId, termHeights } = rules
    const hash = blockHash(meshId, { height, parent, digest: batch.digest, stateRoot })
    return (
      this.ledger.height > 0 &&
      certificate.type === "commit" &&
      certificate.height === height &&
      certificate.term === termOf(height, termHeights) &&
      equal(hash, certificate.digest) &&
      certificateFault(certificate, meshId, set, this.#scheme) === undefined
    )
  }
}

export type ChainVerdict =
  | { readonly ok: true; readonly height: number; readonly tip: Bytes }
  | { readonly ok: false; readonly height: number; readonly code: BlockFault }

/** Re-checks a whole chain from the genesis: every link, every state, every signature. */
export function verifyChain(
  rules: LedgerRules,
  records: Iterable<BlockRecord>,
  scheme: Scheme,
): ChainVerdict {
  const follower = new Follower(new Ledger(rules), scheme)
  for (const record of records) {
    const taken = follower.take(record)
    if (!taken.ok) return { ok: false, height: record.height, code: taken.code }
  }
  return { ok: true, height: follower.ledger.height, tip: follower.ledger.tip }
}
