/**
 * The price of proof of work, as an integer rule on what the last period ordered, so that all peers agree on it. A bit doubles the
 * work, so whoever floods with a given machine orders half as much for each: the price rises by as many bits as the last period was
 * over its target (in doublings, a few at a time), falls likewise when it was under half of it, and never below what the genesis
 * asks for.
 */

/** Proof-of-work envelopes that a period should order. */
export const WORK_PER_PERIOD = 256
/** Bits that difficulty may climb above the genesis; at the limit it stays. */
export const DIFFICULTY_CLIMB_MAX = 16
/** Bits from one period to the next, upwards: a flood is answered within two or three periods. */
export const RISE_MAX = 4
/** The same downwards: pausing for a period is no trick to make a flood cheap again. */
export const FALL_MAX = 2

/** Difficulty of the period that begins, in bits. */
export function difficultyAfter(bits: number, ordered: number, floor: number): number {
  let step = 0
  for (let over = ordered; over > 2 * WORK_PER_PERIOD && step < RISE_MAX; over /= 2) step++
  for (let under = ordered; 2 * under < WORK_PER_PERIOD && step > -FALL_MAX; under *= 2) step--
  return Math.max(floor, Math.min(bits + step, floor + DIFFICULTY_CLIMB_MAX))
}
