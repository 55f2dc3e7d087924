/**
 * What must hold after every step, whatever came in. Left on in production: a replica whose own state is impossible stops
 * rather than votes. Cheap enough to run each time.
 */
import { assert } from "../crypto/errors.ts"
import type { Core } from "./core.ts"

export interface Mark {
  readonly term: number
  readonly view: number
  readonly executed: number
}

export const markOf = (core: Core): Mark => ({
  term: core.term,
  view: core.view,
  executed: core.executed,
})

export function checkInvariants(core: Core, before: Mark): void {
  assert(core.executed >= before.executed, "the chain never shrinks")
  assert(core.term >= before.term, "terms never go back")
  assert(core.term > before.term || core.view >= before.view, "views never go back within a term")
  assert(core.executed >= core.low && core.executed <= core.high, "the chain ends in the open term")
  assert(core.slots.length <= core.termHeights, "the log holds one term")
  assert(core.carriedLow <= core.carriedHigh, "a new view carries an interval")
  assert(core.tip === undefined || core.tip.height === core.executed, "the tip is the last block")
  assert(
    core.tip !== undefined || core.executed === core.low,
    "every block executed in this term has a certificate",
  )
  const next = core.slots[core.executed - core.low]
  if (next !== undefined) {
    assert(next.height === core.executed + 1, "slots are where their height says")
    assert(next.decided === undefined, "only executed slots are decided")
    assert(next.committedIn <= core.view, "no vote for a view that is not entered")
    assert(
      next.prepared === undefined || next.prepared.view <= core.view,
      "nothing prepared in a later view",
    )
  }
}
