import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { BLOCK_ITEMS_MAX } from "../../../src/consensus/limits.ts"
import type { Input, Item, Message } from "../../../src/consensus/types.ts"
import { Arrivals, ARRIVALS_WITHIN_MS, needsArrivals } from "../../../src/node/ledger/arrivals.ts"
import { work } from "../../consensus/parts.ts"

const items = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => work(`item ${from + i}`))

/** What went into the core, step by step. */
function arriving() {
  const steps: (readonly Item[])[] = []
  const arrivals = new Arrivals((admitted) => steps.push(admitted))
  return { arrivals, steps }
}

describe("envelopes on their way into the core", () => {
  it("go in at once when nothing is under way: whoever is alone must not wait", () => {
    const { arrivals, steps } = arriving()
    const some = items(2)
    arrivals.add(some, false)
    assert.deepEqual(steps, [some])
    assert.equal(arrivals.size, 0)
  })

  it("go in together with the next message while something is under way, none of them twice", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] })
    const { arrivals, steps } = arriving()
    const [a, b, c] = items(3)
    for (const item of [a!, b!, c!]) arrivals.add([item], true)
    assert.deepEqual(steps, [])
    assert.equal(arrivals.size, 3)
    arrivals.flush()
    assert.deepEqual(steps, [[a, b, c]])
    t.mock.timers.tick(2 * ARRIVALS_WITHIN_MS)
    assert.equal(steps.length, 1, "the timer has nothing left to do")
  })

  it("wait for no message that does not come", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] })
    const { arrivals, steps } = arriving()
    arrivals.add(items(1), true)
    t.mock.timers.tick(ARRIVALS_WITHIN_MS - 1)
    arrivals.add(items(1, 1), true)
    assert.equal(steps.length, 0)
    t.mock.timers.tick(1)
    assert.deepEqual(steps, [items(2)], "counted from the first that came")
    arrivals.add(items(1, 2), true)
    arrivals.stop()
    t.mock.timers.tick(2 * ARRIVALS_WITHIN_MS)
    assert.equal(steps.length, 1, "nothing goes in after the end")
  })

  it("keep their order and are never more than a block in one step", () => {
    const counts = fc.array(fc.tuple(fc.nat(3 * BLOCK_ITEMS_MAX), fc.boolean()), { maxLength: 6 })
    const pool = items(6 * 3 * BLOCK_ITEMS_MAX)
    fc.assert(
      fc.property(counts, (adds) => {
        const { arrivals, steps } = arriving()
        let given = 0
        for (const [count, isBusy] of adds) {
          arrivals.add(pool.slice(given, given + count), isBusy)
          given += count
          assert.equal(steps.flat().length + arrivals.size, given)
        }
        arrivals.flush()
        assert(steps.every(({ length }) => length > 0 && length <= BLOCK_ITEMS_MAX))
        assert(steps.flat().every((item, i) => item === pool[i]))
        assert.equal(steps.flat().length, given)
      }),
      { numRuns: 30 },
    )
  })

  it("are there before anything that may propose, judge or decide them: only a PREPARE does none of it", () => {
    const message = (type: Message["type"]) =>
      ({ type: "message", from: 0, message: { type } }) as unknown as Input
    for (const type of ["pre-prepare", "commit", "new-view", "view-change", "blocks", "batch"])
      assert(needsArrivals(message(type as Message["type"])), type)
    assert(needsArrivals({ type: "timeout", timer: "request", token: 1 }))
    assert(!needsArrivals(message("prepare")))
  })
})
