/**
 * Whom a busy ledger blames. "Waiting for a request" (section 4.4 of the paper) is no fault of a primary that has proposed it, nor of
 * one that has more to propose than all of them together can order; one that could propose and does not is voted out.
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { votePreimage } from "../../src/consensus/preimage.ts"
import { batchOf } from "../../src/consensus/item.ts"
import type { PrePrepare } from "../../src/consensus/types.ts"
import { type Cluster, cluster } from "../sim/cluster.ts"
import type { ClusterConfig } from "../sim/cluster-config.ts"

/** Links on which a block takes about a second. */
const SLOW = { delayMs: [200, 380] } as const
const ONE_TERM: ClusterConfig = { termHeights: 128, record: true }

const typesSent = (c: Cluster) =>
  new Set(c.sent.map(({ message }) => (message instanceof Uint8Array ? "" : message.type)))

/** The highest view that some correct validator asked for or entered. */
const highestView = (c: Cluster) => Math.max(...c.nodes.map(({ replica }) => replica?.view ?? 0))

/** The first primary's place taken by the test, which proposes so many of these items in a batch, so often. */
function primaryProposes(c: Cluster, perBatch: number, everyMs: number): void {
  const liar = c.byz(0)
  const items = [...c.submit(256)]
  const next = (height: number) => {
    const batch = batchOf(items.splice(0, perBatch))
    const vote = { type: "pre-prepare", term: 0, view: 0, height, digest: batch.digest } as const
    const signature = liar.holder.sign(votePreimage(c.rules.meshId, { ...vote, signer: 0 }))
    const message: PrePrepare = { ...vote, signer: 0, signature, batch }
    liar.send("*", message)
    if (items.length > 0) c.scheduler.after(everyMs, () => next(height + 1))
  }
  c.scheduler.after(50, () => next(1))
}

describe("a working primary keeps its view", () => {
  it("with a backlog that nobody could order in time", () => {
    const c = cluster(4, { ...ONE_TERM, batch: 16, pipelineSlots: 4, links: SLOW })
    c.submit(1500)
    assert.ok(c.runUntil(() => c.settled(), 120_000))
    assert.ok(c.scheduler.now > 10_000, `all was ordered within ${c.scheduler.now} ms`)
    assert.deepEqual(c.violations, [])
    assert.equal(typesSent(c).has("view-change"), false)
  })

  it("while more comes in than can be ordered", () => {
    const c = cluster(4, { ...ONE_TERM, batch: 16, pipelineSlots: 4, links: SLOW })
    for (let at = 0; at < 15_000; at += 25) c.scheduler.after(at, () => void c.submit(3))
    c.run(20_000)
    assert.ok(
      c.nodes.every(({ replica }) => (replica?.waiting ?? 0) > 200),
      "no backlog",
    )
    assert.deepEqual(c.violations, [])
    assert.equal(typesSent(c).has("view-change"), false)
  })
})

describe("a primary that could and does not is voted out", () => {
  it("when each of its proposals comes just before the others lose patience", () => {
    const c = cluster(4, { ...ONE_TERM, batch: 64 })
    c.hold({ from: "0", type: "pre-prepare" })
    for (let at = 0; at < 10_000; at += 900) {
      c.scheduler.after(at + 850, () => c.release({ from: "0", type: "pre-prepare" }))
      c.scheduler.after(at, () => void c.submit(20))
    }
    assert.ok(c.runUntil(() => highestView(c) > 0, 6_000))
    assert.ok((c.node(1).replica?.executed ?? 0) > 0, "it was quick enough for the request timer")
    assert.ok(c.runUntil(() => c.settled(), 30_000))
    assert.deepEqual(c.violations, [])
  })

  it("when it proposes crumbs and leaves out what has waited for long", () => {
    const c = cluster(4, { ...ONE_TERM, batch: 64 })
    primaryProposes(c, 1, 60)
    assert.ok(c.runUntil(() => highestView(c) > 0, 6_000))
    assert.ok((c.node(1).replica?.executed ?? 0) > 20, "it proposed all the time")
    assert.ok(c.runUntil(() => c.settled(), 30_000))
    assert.deepEqual(c.violations, [])
  })
})

describe("what is proposed beside others", () => {
  it("grows with what is under way: few large blocks when blocks are slow", () => {
    const c = cluster(4, { ...ONE_TERM, batch: 1024, pipelineSlots: 16, links: SLOW })
    for (let at = 0; at < 4_000; at += 5) c.scheduler.after(at, () => void c.submit(10))
    assert.ok(c.runUntil(() => c.scheduler.now > 4_000 && c.settled(), 60_000))
    const sizes = c.delivered("1").map(({ batch }) => batch.items.length)
    assert.ok(sizes.length < 20, `${sizes.length} blocks for 8,000 items`)
    assert.ok(Math.max(...sizes) >= 512, `the largest block holds ${Math.max(...sizes)}`)
  })

  it("carries nothing twice that a new view has carried on and that comes in afterwards", () => {
    const c = cluster(4, { ...ONE_TERM, batch: 8 })
    const open = c.drop({ type: "commit" })
    c.submit(24)
    c.run(200)
    c.crash(0)
    c.run(1_500)
    open()
    c.restart(0)
    assert.ok(c.runUntil(() => c.settled(), 30_000))
    const ids = c
      .delivered("1")
      .flatMap(({ batch }) => batch.items.map((item) => ("id" in item ? item.id.join() : "")))
    assert.equal(ids.length, 24)
    assert.equal(new Set(ids).size, 24)
    assert.deepEqual(c.violations, [])
  })
})
