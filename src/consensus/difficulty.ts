/**
 * The price of proof of work, as an integer rule on what the last period ordered, so that all peers agree on it. It moves one
 * bit at a time: up when the period ordered more than twice the target, down when less than half of it, and never below what
 * the genesis asks for.
 */

/** Proof-of-work envelopes that a period should order. */
export const WORK_PER_PERIOD = 256
/** Bits that difficulty may climb above the genesis; at the limit it stays. */
export const DIFFICULTY_CLIMB_MAX = 16

/** Difficulty of the period that begins, in bits. */
export function difficultyAfter(bits: number, ordered: number, floor: number): number {
  if (ordered > 2 * WORK_PER_PERIOD) return Math.min(bits + 1, floor + DIFFICULTY_CLIMB_MAX)
  if (2 * ordered < WORK_PER_PERIOD) return Math.max(bits - 1, floor)
  return bits
}
