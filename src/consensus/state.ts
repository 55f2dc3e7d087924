/**
 * The small part of the ledger's state, which the root covers and which a block replaces: who is a member, who validates, and which
 * period it is. The large part (ids, spends) is covered by a hash that runs over every batch; `ledger` keeps it.
 */
import { Writer } from "../crypto/bytes.ts"
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

export function stateRootOf(fields: LedgerFields): Bytes {
  const writer = new Writer()
    .raw(STATE_DOMAIN)
    .raw(fields.members.root)
    .raw(fields.set.digest)
    .raw(fields.nextSet.digest)
    .u32(fields.setSince)
    .u32(fields.powOrdered)
    .raw(fields.history)
    .u8(fields.periods.length)
  for (const { period, anchor, members, powBits } of fields.periods)
    writer.u32(period).raw(anchor).raw(members.root).u16(powBits)
  return primitives.sha3_256(writer.finish())
}
