/**
 * The small part of the ledger's state, which the root covers and which a block replaces: who is a member, who validates, and which
 * period it is. The large part (ids, spends) is covered by a hash that runs over every batch; `ledger` keeps it.
 */
import { Reader, Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { primitives } from "#primitives"
import type { Membership } from "./membership.ts"
import type { ValidatorSet } from "./quorum.ts"

/** Periods whose beginnings are remembered: the one that is, and the two before, which proofs of the last still speak of. */
export const PERIODS_KEPT = 3

const STATE_DOMAIN = new Writer().text("sotto/state/2", 1).finish()

/** How things stood when a period began: after the last block before it. */
export interface PeriodStart {
  readonly period: number
  /** Hash of that block; before the first block the mesh id. Work of this period is bound to it. */
  readonly anchor: Bytes
  /** Proofs of the next period are made under this tree. */
  readonly members: Membership
  /** Proof-of-work difficulty of this period, bits. */
  readonly powBits: number
}

/** The small part of the state: what the root covers, and what a plan replaces. */
export interface LedgerFields {
  readonly members: Membership
  readonly set: ValidatorSet
  /** In force from the next term on. */
  readonly nextSet: ValidatorSet
  /** The term in which `set` came into force. */
  readonly setSince: number
  /** The period that is first, then those before it; PERIODS_KEPT at most. */
  readonly periods: readonly [PeriodStart, ...PeriodStart[]]
  /** Proof-of-work envelopes ordered in this period. */
  readonly powOrdered: number
  /** Runs over every batch and which of its items were applied: stands for ids, spends and nullifiers. */
  readonly history: Bytes
}

/** What the state root is the hash of, behind its domain. */
export function encodeState(fields: LedgerFields): Bytes {
  const writer = new Writer()
    .raw(fields.members.root)
    .raw(fields.set.digest)
    .raw(fields.nextSet.digest)
    .u32(fields.setSince)
    .u32(fields.powOrdered)
    .raw(fields.history)
    .u8(fields.periods.length)
  for (const { period, anchor, members, powBits } of fields.periods)
    writer.u32(period).raw(anchor).raw(members.root).u16(powBits)
  return writer.finish()
}

/** Longest encoded state: PERIODS_KEPT periods. */
export const STATE_BYTES_MAX = 137 + 70 * PERIODS_KEPT

export const rootOfState = (encoded: Bytes): Bytes => primitives.sha3_256(STATE_DOMAIN, encoded)

export const stateRootOf = (fields: LedgerFields): Bytes => rootOfState(encodeState(fields))

/** What an encoded state says to whoever does not follow the chain. */
export interface StateWords {
  /** Digest of the validators in force, 32 bytes; and of those from the next term on. */
  readonly set: Bytes
  readonly nextSet: Bytes
  readonly setSince: number
  /** 32 bytes; see `historyAfter`. */
  readonly history: Bytes
}

/** The first fields of an encoded state; its root vouches for the rest. Throws CryptoError BAD_LENGTH. */
export function readState(encoded: Bytes): StateWords {
  const read = new Reader(encoded)
  read.raw(32)
  const [set, nextSet, setSince] = [read.raw(32), read.raw(32), read.u32()]
  read.u32()
  return { set, nextSet, setSince, history: read.raw(32) }
}

const HISTORY_DOMAIN = new Writer().text("sotto/history/1", 1).finish()

/** Before the first block. */
export const historyAtStart = (meshId: Bytes): Bytes => primitives.sha3_256(HISTORY_DOMAIN, meshId)

/** After a batch of this digest; `applied`: one bit for each of its items, the lowest bit of the first byte for the first. */
export const historyAfter = (before: Bytes, digest: Bytes, applied: Bytes): Bytes =>
  primitives.sha3_256(HISTORY_DOMAIN, before, digest, applied)
