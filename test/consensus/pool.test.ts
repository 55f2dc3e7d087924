/** The pool: what waits, in the order of arrival; who leaves with whom. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { POOL_ITEMS_MAX } from "../../src/consensus/limits.ts"
import { Pool } from "../../src/consensus/pool.ts"
import type { Item } from "../../src/consensus/types.ts"
import { hash, proof, work } from "./parts.ts"

const poolOf = (...items: readonly Item[]): Pool => {
  const pool = new Pool()
  for (const item of items) pool.admit(item)
  return pool
}
const take = (pool: Pool, count: number): Item[] => pool.take(count, Infinity, () => 1)

describe("the pool", () => {
  it("gives the oldest first, each once a view, and all again in a new one", () => {
    const items = ["a", "b", "c"].map(work)
    const pool = poolOf(...items)
    assert.deepEqual(take(pool, 2), items.slice(0, 2))
    assert.equal(pool.freshSize, 1)
    assert.deepEqual(take(pool, 2), items.slice(2))
    assert.deepEqual(take(pool, 2), [])
    pool.renew()
    assert.deepEqual(take(pool, 9), items)
  })
  it("stops at so many bytes, though one item always goes", () => {
    const pool = poolOf(work("a"), work("b"), work("c"))
    assert.equal(pool.take(3, 2, () => 1).length, 2)
    assert.equal(pool.take(3, 2, () => 5).length, 1)
  })
  it("lets rivals leave with the winner: the same spend, another root under one nullifier, and nobody else", () => {
    const winner = proof("a", "n", 0, "root")
    const sameSpend = { ...winner, id: hash("b") }
    const otherRoot = proof("c", "n", 1, "other")
    const sameRoot = proof("d", "n", 2, "root")
    const pool = poolOf(winner, sameSpend, otherRoot, sameRoot, work("e"))
    pool.ordered(winner)
    assert.deepEqual(pool.firstItems(9), [sameRoot, work("e")])
  })
  it("does not give what a proposal of this view named before it came, until the next one", () => {
    const pool = poolOf(work("a"))
    pool.proposed(work("b"))
    pool.admit(work("b"))
    assert.equal(pool.freshSize, 1)
    assert.deepEqual(take(pool, 9), [work("a")])
    pool.renew()
    assert.deepEqual(take(pool, 9), [work("a"), work("b")])
  })
  it("knows what no proposal has named for how long", () => {
    const pool = poolOf(work("a"), work("b"))
    const { mark } = pool
    pool.admit(work("c"))
    assert.equal(pool.passedOverSince(mark), true)
    pool.proposed(work("a"))
    assert.equal(pool.passedOverSince(mark), true)
    pool.proposed(work("b"))
    assert.equal(pool.passedOverSince(mark), false)
    assert.equal(pool.passedOverSince(pool.mark), true)
    assert.equal(pool.waitsSince(mark), true)
  })
  it("tells an item from another with its id", () => {
    const pool = poolOf(work("a"))
    assert.equal(pool.admits(work("a")), true)
    assert.equal(pool.admits({ ...work("a"), spend: hash("stolen") }), false)
    assert.equal(pool.holds({ ...work("a"), spend: hash("stolen") }), true)
  })
  it("keeps content it would not admit, and admission may be withdrawn", () => {
    const pool = poolOf(work("a"))
    pool.hold(work("b"))
    assert.equal(pool.admits(work("b")), false)
    assert.equal(pool.holds(work("b")), true)
    pool.withdraw(work("a"))
    assert.equal(pool.admits(work("a")), false)
    assert.equal(pool.holds(work("a")), true)
    assert.equal(pool.oldest(), undefined)
  })
  it("has room for so many, and for what a proposal names", () => {
    const pool = new Pool()
    const numbered = (n: number): Item => {
      const id = new Uint8Array(32)
      new DataView(id.buffer).setUint32(0, n)
      return { type: "envelope", id, spend: id }
    }
    for (let i = 0; i < POOL_ITEMS_MAX; i++) assert.equal(pool.admit(numbered(i)), true)
    assert.equal(pool.admit(numbered(POOL_ITEMS_MAX)), false)
    assert.equal(pool.admit(numbered(POOL_ITEMS_MAX), true), true)
    for (let i = 0; i < POOL_ITEMS_MAX + 10; i++) pool.hold(numbered(1_000_000 + i))
    assert.equal(pool.heldSize, POOL_ITEMS_MAX)
  })
  it("counts right under any sequence of calls", () => {
    const step = fc.record({ kind: fc.nat(4), which: fc.nat(7) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pool = new Pool()
        const waiting = new Map<string, boolean>()
        const named = new Set<string>()
        const items = Array.from({ length: 8 }, (_, i) => work(String(i)))
        for (const { kind, which } of steps) {
          const [item, key] = [items[which]!, String(which)]
          if (kind === 0 && pool.admit(item)) waiting.set(key, !named.has(key))
          if (kind === 1) {
            pool.ordered(item)
            named.delete(key)
            waiting.delete(key)
          }
          if (kind === 2) {
            const expected = [...waiting].filter(([, fresh]) => fresh).slice(0, 2)
            assert.deepEqual(
              take(pool, 2),
              expected.map(([name]) => items[Number(name)]),
            )
            for (const [name] of expected) waiting.set(name, false)
          }
          if (kind === 3) {
            pool.renew()
            named.clear()
            for (const name of waiting.keys()) waiting.set(name, true)
          }
          if (kind === 4) {
            pool.proposed(item)
            if (waiting.has(key)) waiting.set(key, false)
            else named.add(key)
          }
          assert.equal(pool.size, waiting.size)
          assert.equal(pool.freshSize, [...waiting.values()].filter(Boolean).length)
        }
      }),
    )
  })
})
