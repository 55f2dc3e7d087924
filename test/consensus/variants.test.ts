/**
 * Envelopes that are paid for twice: anybody may put an admission of their own in front of somebody else's envelope, so validators
 * may hold different forms of it under one id. The proposal's form counts, and costs no view.
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { keysOf, sameItem } from "../../src/consensus/item.ts"
import { Pool } from "../../src/consensus/pool.ts"
import type { EnvelopeItem } from "../../src/consensus/types.ts"
import { cluster } from "../sim/cluster.ts"
import { hash, proof, work } from "./parts.ts"

const other = (item: EnvelopeItem): EnvelopeItem => ({
  type: "envelope",
  id: item.id,
  spend: hash("paid by another"),
})

describe("an envelope that is paid for twice", () => {
  it("is ordered once, in the form that is proposed, and votes nobody out", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const c = cluster(4, { seed, batch: 8, termHeights: 128, record: true })
      const items = c.submitVariants(40)
      assert.ok(c.runUntil(() => c.settled(), 3000))
      assert.deepEqual(c.violations, [])
      assert.deepEqual(
        c.nodes.map((node) => [node.replica?.term, node.replica?.view, node.replica?.waiting]),
        Array.from({ length: 4 }, () => [0, 0, 0]),
      )
      const ordered = c.delivered(0).flatMap(({ batch }) => batch.items)
      assert.equal(ordered.length, items.length)
      const forms = ordered.filter((item) => items.includes(item)).length
      assert.ok(forms > 0 && forms < items.length, "both forms were proposed")
    }
  })

  it("keeps its turn: who waits for it waits no longer for the other form", () => {
    const pool = new Pool()
    const [first, second] = [proof("one", "n", 0, "r"), work("two")]
    pool.admit(first)
    pool.admit(second)
    const { mark } = pool
    const paidAgain = other(first)
    assert.equal(pool.admit(paidAgain), false, "of itself the first form stays")
    assert.ok(pool.admits(first) && !pool.admits(paidAgain))
    assert.equal(pool.replace(paidAgain), true)
    assert.ok(pool.admits(paidAgain) && !pool.admits(first) && pool.holds(first))
    assert.equal(pool.oldest(), keysOf(first).id)
    assert.ok(pool.waitsSince(mark))
    // A proposal names it already; after a view change it is proposed again, before what came later.
    assert.equal(pool.freshSize, 1)
    pool.renew()
    assert.deepEqual(
      pool.take(2, 1000, () => 81),
      [paidAgain, second],
    )
    assert.equal(pool.replace(paidAgain), false)
    assert.equal(pool.replace(work("three")), false)
  })

  it("uses up what its new form uses, and nothing any more of its old one", () => {
    const pool = new Pool()
    const [first, rival] = [proof("one", "n", 0, "r"), proof("another", "n", 0, "r")]
    pool.admit(first)
    pool.admit(rival)
    const paidAgain = other(first)
    pool.replace(paidAgain)
    pool.ordered(rival)
    assert.ok(pool.admits(paidAgain), "the spend of its old form is the rival's alone")
    pool.ordered({ ...work("a third"), spend: paidAgain.spend })
    assert.equal(pool.size, 0)
  })

  it("is not turned over by who only asks for it: a form that no proposal names changes nothing", () => {
    const c = cluster(4, { batch: 8, record: true })
    const end = c.drop({ type: "pre-prepare" })
    const [item] = c.submit(1)
    c.run(50)
    const again = other(item as EnvelopeItem)
    c.checkers.variants.set(keysOf(again).id, again)
    // the primary of the next view, which will propose what it has
    c.node(1).receive(2, { type: "request", items: [again] })
    c.run(50)
    end()
    assert.ok(c.runUntil(() => c.settled(), 10_000))
    assert.deepEqual(c.violations, [])
    const ordered = c.delivered(0).flatMap(({ batch }) => batch.items)
    assert.ok(ordered.length === 1 && sameItem(ordered[0]!, item!))
  })
})
