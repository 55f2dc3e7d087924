/**
 * Changes of the validators that do not go together: two that are approved in one term, a validator added and removed at once, the
 * primary taken out of the set, a set that becomes too small to bear a fault. Each has one outcome, the same at everybody, and costs
 * nobody a view.
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { batchOf } from "../../src/consensus/item.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import { validatorsChange } from "../../src/consensus/proposals.ts"
import { cluster } from "../sim/cluster.ts"
import type { Cluster } from "../sim/cluster.ts"
import { bench } from "./parts.ts"

const sizes = (c: Cluster) => c.nodes.map((node) => node.replica?.ledger.set.size)
const views = (c: Cluster) => c.nodes.map((node) => node.replica?.view)

/** Until every node that is there has opened this term. */
const opened = (c: Cluster, term: number) =>
  c.runUntil(() => c.nodes.every((node) => (node.replica?.term ?? 0) >= term), 30_000)

describe("two changes of the validators that a quorum has approved in one term", () => {
  it("one comes into force, at everybody the same; nobody waits for the other, and it counts in no later set", () => {
    const c = cluster(4, { termHeights: 8, batch: 4 })
    const [first, second] = [c.changeValidators(1), c.changeValidators(1)]
    c.submit(6)
    assert.ok(opened(c, 1))
    c.run(5000)
    assert.deepEqual(c.violations, [])
    const voters = c.nodes.slice(0, 4)
    for (const node of voters) {
      const { ledger } = node.replica!
      assert.equal(ledger.set.size, 5)
      assert.equal(node.replica!.waiting, 0, "what cannot come any more is waited for by nobody")
      assert.deepEqual([ledger.allows(first), ledger.allows(second)], [false, false])
    }
    assert.equal(new Set(voters.map((node) => node.replica!.ledger.set.digest.join())).size, 1)
    assert.deepEqual(new Set(voters.map((node) => node.replica!.view)), new Set([0]))
  })

  it("in one batch, the first one counts and the other leaves no trace", () => {
    const parts = bench(4)
    const ledger = new Ledger(parts.rules)
    const [a, b] = [parts.ring.holder(4).keys, parts.ring.holder(5).keys]
    const changes = [validatorsChange(0, [a], []), validatorsChange(0, [b], [])]
    const plan = ledger.plan(batchOf(changes))
    assert.deepEqual(plan.applied, [changes[0]])
    assert.equal(plan.fields.nextSet.size, 5)
    // One removes a validator that the other would need: again the first of them decides.
    const [leaving] = ledger.set.members
    const remove = validatorsChange(0, [], [leaving!.ed25519])
    assert.deepEqual(ledger.plan(batchOf([remove, changes[0]!])).applied, [remove])
  })
})

describe("a validator that is added and removed by one change", () => {
  it("stays what it was, in one seat", () => {
    const parts = bench(4)
    const ledger = new Ledger(parts.rules)
    const [member] = ledger.set.members
    const after = ledger.setAfter(validatorsChange(0, [member!], [member!.ed25519]))
    assert.deepEqual(after?.digest, ledger.set.digest)
    // Not in the set, it cannot be taken out of it; in the set already, it cannot come again.
    const stranger = parts.ring.holder(7).keys
    assert.equal(ledger.setAfter(validatorsChange(0, [stranger], [stranger.ed25519])), undefined)
    assert.equal(ledger.setAfter(validatorsChange(0, [member!], [])), undefined)
  })
})

describe("a primary that is taken out of the set", () => {
  it("leads to the end of its term, and the next one leads on: no view is lost", () => {
    const c = cluster(5, { termHeights: 4, batch: 2 })
    // Seat 0 leads the term in which it is taken out.
    c.changeValidators(0, ["0"])
    c.submit(8)
    assert.ok(opened(c, 1))
    c.submit(6)
    assert.ok(c.runUntil(() => c.settled(), 30_000))
    assert.deepEqual(c.violations, [])
    assert.deepEqual(sizes(c).slice(1), [4, 4, 4, 4])
    assert.deepEqual(views(c).slice(1), [0, 0, 0, 0])
    assert.equal(c.node(0).replica?.ledger.set.size, 4, "it goes on following")
  })
})

describe("a set that becomes smaller than four", () => {
  it("goes on ordering, without bearing a faulty one: all that is left have to agree with two of three", () => {
    const c = cluster(4, { termHeights: 4, batch: 2 })
    c.changeValidators(0, ["3"])
    assert.ok(opened(c, 1))
    const { set } = c.node(0).replica!.ledger
    assert.deepEqual([set.size, set.faulty, set.quorum], [3, 0, 2])
    c.submit(6)
    assert.ok(c.runUntil(() => c.settled(), 30_000))
    assert.deepEqual(c.violations, [])
  })

  it("never becomes none", () => {
    const parts = bench(4)
    const ledger = new Ledger(parts.rules)
    const all = ledger.set.members.map(({ ed25519 }) => ed25519)
    assert.equal(ledger.setAfter(validatorsChange(0, [], all)), undefined)
    assert.equal(ledger.setAfter(validatorsChange(0, [], all.slice(1)))?.size, 1)
  })
})
