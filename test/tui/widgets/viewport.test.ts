import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { atOldest, reachesOldest, scrolled, visible } from "../../../src/tui/widgets/viewport.ts"
import type { Anchor, Blocks } from "../../../src/tui/widgets/viewport.ts"

const blocksOf = (rows: readonly number[], from = 0): Blocks => ({
  count: rows.length,
  idAt: (index) => `m${from + index}`,
  rowsAt: (index) => rows[index] ?? 1,
  indexOf: (id) => Number(id.slice(1)) - from,
})

/** Every visible row as `message.row`, top down. */
const drawn = (blocks: Blocks, anchor: Anchor, height: number): string[] =>
  visible(blocks, anchor, height).flatMap(({ index, first, last }) =>
    Array.from({ length: last - first }, (_, i) => `${blocks.idAt(index)}.${first + i}`),
  )

const allRows = (blocks: Blocks): string[] =>
  Array.from({ length: blocks.count }, (_, i) => i).flatMap((index) =>
    Array.from({ length: blocks.rowsAt(index) }, (_, row) => `${blocks.idAt(index)}.${row}`),
  )

const heights = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 30 })
const walk = fc.array(fc.integer({ min: -15, max: 15 }), { maxLength: 20 })

test("the view is the same as cutting a screen out of all rows", () => {
  fc.assert(
    fc.property(heights, fc.integer({ min: 1, max: 25 }), walk, (rows, height, steps) => {
      const blocks = blocksOf(rows)
      const all = allRows(blocks)
      // The naive model: how many rows are below the lower edge.
      let below = 0
      let anchor: Anchor = null
      for (const step of steps) {
        anchor = scrolled(blocks, anchor, height, step)
        below = Math.max(0, Math.min(Math.max(0, all.length - height), below - step))
        const end = all.length - below
        assert.deepEqual(drawn(blocks, anchor, height), all.slice(Math.max(0, end - height), end))
        assert.equal(anchor === null, below === 0)
      }
    }),
    { numRuns: 500 },
  )
})

test("new messages and older pages leave a scrolled view where it is", () => {
  const rows = Array.from({ length: 50 }, (_, i) => 1 + (i % 3))
  const before = blocksOf(rows, 100)
  const anchor = scrolled(before, null, 10, -23)
  const seen = drawn(before, anchor, 10)
  const more = blocksOf([...rows, 2, 2], 100)
  assert.deepEqual(drawn(more, anchor, 10), seen)
  const older = blocksOf([...Array.from({ length: 40 }, () => 2), ...rows], 60)
  assert.deepEqual(drawn(older, anchor, 10), seen)
})

test("at a new width the message at the lower edge stays in sight", () => {
  const anchor = scrolled(blocksOf([3, 3, 3, 3, 3, 3]), null, 5, -4)
  assert.deepEqual(anchor, { id: "m4", hidden: 1 })
  const narrow = blocksOf([6, 6, 6, 6, 6, 6])
  assert.ok(drawn(narrow, anchor, 5).some((row) => row.startsWith("m4.")))
  const wide = blocksOf([1, 1, 1, 1, 1, 1])
  assert.ok(drawn(wide, anchor, 5).some((row) => row.startsWith("m4.")))
})

test("the oldest is at the top, and fewer rows than the screen need no scrolling", () => {
  const blocks = blocksOf([2, 2, 2, 2])
  const top = atOldest(blocks, 3)
  assert.deepEqual(drawn(blocks, top, 3), ["m0.0", "m0.1", "m1.0"])
  assert.equal(reachesOldest(blocks, top, 3), true)
  assert.equal(reachesOldest(blocks, null, 3), false)
  assert.equal(atOldest(blocks, 20), null)
  assert.equal(scrolled(blocks, null, 20, -5), null)
})

test("an empty history draws nothing and cannot be scrolled", () => {
  const none = blocksOf([])
  assert.deepEqual(visible(none, null, 10), [])
  assert.equal(scrolled(none, null, 10, -3), null)
  assert.equal(atOldest(none, 10), null)
})

test("an anchor that has gone falls back to the newest", () => {
  const blocks: Blocks = { ...blocksOf([1, 1, 1]), indexOf: () => -1 }
  assert.deepEqual(drawn(blocks, { id: "gone", hidden: 0 }, 2), ["m1.0", "m2.0"])
})
