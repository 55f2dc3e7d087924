/**
 * What a peer's part in the ledger is to the rest of the node: a validator's (validator.ts) and a follower's
 * (follower.ts) look alike from outside. Which of the two a peer plays, ledger.ts decides when it joins.
 */
import type { Ledger } from "../../consensus/ledger.ts"
import type { Item } from "../../consensus/types.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import type { Verdict } from "../../crypto/verdict.ts"
import type { LedgerProblem, LedgerStatus } from "../api/types.ts"

export interface LedgerPart {
  /** The state after the last block that was taken. */
  readonly ledger: Ledger
  readonly role: LedgerStatus["role"]
  /** Ed25519 keys of the validators that votes flow to; null at a follower. */
  readonly linked: readonly Bytes[] | null
  /** Highest height that somebody has shown a block of; not proven. */
  readonly announced: number
  /** Whether somebody who was asked knew of no block after the last one here, and nobody has shown one. */
  readonly isNewest: boolean
  readonly problem: LedgerProblem | null
  /** Peers that propose what is ordered, the present primary first; none at a follower. */
  readonly proposers: readonly string[]
  /** The operator's word that it may vote again; "no" where nothing waits for it. */
  resume(): Promise<"now" | "next-start" | "no">
  /** Items that wait for a proposal; undefined where nothing is proposed. */
  readonly pooled: number | undefined
  /** Items that were admitted here may be ordered. */
  admit(items: readonly Item[]): void
  /** The same for items that no proposal lacks: many of them go in together. */
  admitSoon(items: readonly Item[]): void
  /** An envelope waits for its place now, and none did before. */
  awaits(): void
  /** A block from gossip, as it came. Throws CryptoError for bytes that are none. */
  heard(bytes: Bytes, peer: string): Verdict | Promise<Verdict>
  connected(peer: string): void
  disconnected(peer: string): void
  stop(): Promise<void>
}
