/**
 * What a channel holds until the ledger's order says what it comes to: commits of its epoch, whole or in blobs, and what members state
 * about those. Values only; the rules stand in commits.ts and confirmations.ts.
 */
import type { Address } from "../crypto/address.ts"
import type { BlobRef } from "../crypto/blob.ts"
import type { Bytes } from "../crypto/bytes.ts"
import type { SessionState } from "../crypto/session.ts"
import type { Wish } from "./wishes.ts"

/** Where the ledger put something: a block, and how far into it. */
export interface Place {
  readonly height: number
  readonly index: number
}

/** Before everything that was ever ordered. */
export const BEGINNING: Place = { height: 0, index: 0 }

/** Whether the first stands behind the second. */
export const isBehind = (at: Place, other: Place): boolean =>
  at.height > other.height || (at.height === other.height && at.index > other.index)

/**
 * A commit that waits for its place. Others' are kept as they came, and judged only when they are ordered: whether a commit is valid
 * depends on the state of its epoch alone, and most of many never count.
 */
export interface HeldCommit {
  /** Envelope that completed it, 32 bytes: when that is ordered, the commit may count. Of one in a blob: what says where it lies. */
  readonly envelope: Bytes
  readonly leaf: number
  /** Our own; others' have a payload instead. */
  readonly own: OwnCommit | null
  /** The commit. Empty for our own in envelopes, and for one in a blob while its bytes are not here. */
  readonly payload: Bytes
  /** It lies in a blob; null: it came in envelopes. */
  readonly far: FarPart | null
}

export interface FarPart {
  readonly ref: BlobRef
  /** Where the order was seen to put its envelope; null until then. Confirmations count behind it. */
  readonly ordered: Place | null
}

/** A member says that they have the bytes of a commit in a blob, and that it is one. */
export interface HeldConfirmation {
  /** Envelope that completed it, 32 bytes. */
  readonly envelope: Bytes
  readonly leaf: number
  /** Envelope of the commit that it names, 32 bytes. */
  readonly commit: Bytes
  /** Where the order was seen to put it; null until then. */
  readonly ordered: Place | null
}

export interface FarPast {
  /** Envelope of the commit, 32 bytes. */
  readonly envelope: Bytes
  readonly ref: BlobRef
}

export interface OwnCommit {
  /** The state after it. */
  readonly next: SessionState
  /** For those it adds, once it counts; empty when it adds nobody. */
  readonly welcome: Bytes
  readonly invited: readonly Address[]
  /** Wishes that come true with it. */
  readonly grants: readonly Wish[]
  /** It gives us new keys. */
  readonly renews: boolean
  readonly madeAtMs: number
}
