/**
 * The way to the end of a term that nothing else leads to. There are no blocks without need; but a change of the validators comes into
 * force only with the next term, and in a mesh that is idle by then the term would never end. While the state says that a change
 * waits, the primary proposes null batches, a few at a time, and the others demand them as they would demand an item.
 *
 * Whether a block is needed is a question to the ledger state alone, and once yes it stays yes until the term ends: so all agree on
 * it, and what is proposed side by side does not depend on what came in between.
 */
import type { Core } from "./core.ts"

/** Null batches proposed in one go: a validator that is alone decides them in the same step, some 3 ms each. */
export const FILL_SLOTS = 3

/** A change of the validators waits for the end of this term. */
export function needsBlocks(core: Core): boolean {
  const { set, nextSet } = core.ledger.fields
  return nextSet !== set && core.executed < core.high
}

/** Looks after the need once there is one. What comes in meanwhile goes first. */
export function watchFill(core: Core): void {
  if (core.filling || !core.leads || !needsBlocks(core)) return
  core.filling = true
  core.arm("fill", core.parts.timing.fillMs)
}
