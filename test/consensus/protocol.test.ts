/**
 * The replica against the paper (Castro and Liskov, OSDI '99), sentence by sentence, in small clusters whose schedule the test
 * writes itself. Section numbers are the paper's.
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { equal, toHex } from "../../src/crypto/bytes.ts"
import { encodeMessage } from "../../src/consensus/codec.ts"
import { viewChangePreimage, votePreimage } from "../../src/consensus/preimage.ts"
import { Inbox } from "../../src/consensus/inbox.ts"
import { EARLY_MESSAGES_PER_PEER } from "../../src/consensus/limits.ts"
import { batchOf, NULL_BATCH } from "../../src/consensus/item.ts"
import type {
  Input,
  Message,
  MessageType,
  Output,
  ViewChange,
  Vote,
} from "../../src/consensus/types.ts"
import { cluster } from "../sim/cluster.ts"
import type { Cluster } from "../sim/cluster.ts"
import { bench, hash, sign, work } from "./parts.ts"
import { certificateOf } from "../../src/consensus/certificate.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import { Replica } from "../../src/consensus/replica.ts"

/** What a node sent of one type: each message once, however often and to however many it went. */
function sentBy(c: Cluster, from: string, type: MessageType): Message[] {
  const found = new Map<string, Message>()
  for (const { from: sender, message } of c.sent)
    if (sender === from && !(message instanceof Uint8Array) && message.type === type)
      found.set(toHex(encodeMessage(message)), message)
  return [...found.values()]
}
const clean = (c: Cluster): void => assert.deepEqual(c.violations, [])
const executed = (c: Cluster): (number | undefined)[] =>
  c.nodes.map((node) => node.replica?.executed)

/** Signs as a Byzantine validator would, with its own key only. */
function forge<V extends Vote>(c: Cluster, id: string, vote: Omit<V, "signature" | "signer">): V {
  const fields = { ...vote, signer: Number(id) }
  const preimage = votePreimage(c.rules.meshId, fields)
  return { ...fields, signature: c.node(id).holder.sign(preimage) } as unknown as V
}

describe("4.2 the normal case", () => {
  it("orders with pre-prepare, prepare, commit; the primary does not prepare; a batch waits for nobody at low load", () => {
    const c = cluster(4, { record: true })
    c.submit(1)
    c.run(100)
    clean(c)
    assert.deepEqual(executed(c), [1, 1, 1, 1])
    assert.equal(sentBy(c, "0", "pre-prepare").length, 1)
    assert.equal(sentBy(c, "0", "prepare").length, 0)
    for (const backup of ["1", "2", "3"]) assert.equal(sentBy(c, backup, "prepare").length, 1)
    for (const node of ["0", "1", "2", "3"]) assert.equal(sentBy(c, node, "commit").length, 1)
  })

  it('does not accept "a pre-prepare message for view v and sequence number n containing a different digest"', () => {
    const c = cluster(4, { record: true })
    const primary = c.byz("0")
    const items = c.submit(2)
    c.run(50)
    const proposals = items.map((item) => {
      const batch = batchOf([item])
      const vote = {
        type: "pre-prepare" as const,
        term: 0,
        view: 0,
        height: 1,
        digest: batch.digest,
      }
      return { ...forge<Vote<"pre-prepare">>(c, "0", vote), batch }
    })
    for (const proposal of proposals) {
      primary.send("1", proposal)
      c.run(50)
    }
    const prepares = sentBy(c, "1", "prepare") as Vote[]
    assert.equal(prepares.length, 1)
    assert.ok(equal(prepares[0]!.digest, proposals[0]!.digest))
    // Both are signed: kept as evidence, told to everyone, expelling nobody.
    c.run(100)
    assert.deepEqual([...new Set(c.evidence.map(({ node }) => node))].sort(), ["1", "2", "3"])
    clean(c)
  })

  it("prepares only what it has admitted itself: a stranger's envelope, or another spend, gets no vote", () => {
    const c = cluster(4, { record: true })
    const primary = c.byz("0")
    const [item] = c.submit(1)
    c.run(50)
    assert.ok(item?.type === "envelope")
    const lies = [batchOf([work("never admitted")]), batchOf([{ ...item, spend: hash("stolen") }])]
    lies.forEach((batch, i) => {
      const vote = {
        type: "pre-prepare" as const,
        term: 0,
        view: 0,
        height: i + 1,
        digest: batch.digest,
      }
      primary.send("*", { ...forge<Vote<"pre-prepare">>(c, "0", vote), batch })
    })
    c.run(500)
    for (const backup of ["1", "2", "3"]) assert.equal(sentBy(c, backup, "prepare").length, 0)
    assert.ok(c.runUntil(() => c.settled(), 30_000))
    clean(c)
  })

  it("takes no null request from a primary: there are no blocks without need", () => {
    const c = cluster(4, { record: true })
    const primary = c.byz("0")
    const vote = {
      type: "pre-prepare" as const,
      term: 0,
      view: 0,
      height: 1,
      digest: NULL_BATCH.digest,
    }
    primary.send("*", { ...forge<Vote<"pre-prepare">>(c, "0", vote), batch: NULL_BATCH })
    c.run(1000)
    for (const backup of ["1", "2", "3"]) assert.equal(sentBy(c, backup, "prepare").length, 0)
  })

  it("commits only when prepared: with 2f-1 backups nothing leaves", () => {
    const c = cluster(4, { record: true })
    c.drop({ type: "prepare", from: "2" })
    c.drop({ type: "prepare", from: "3" })
    c.submit(1)
    c.run(400)
    assert.equal(c.nodes.flatMap(({ id }) => sentBy(c, id, "commit")).length, 2)
    // 2 and 3 hear the prepare of 1 and have their own: they alone are prepared.
    assert.equal(sentBy(c, "0", "commit").length, 0)
    assert.equal(sentBy(c, "1", "commit").length, 0)
    clean(c)
  })

  it("judges no vote that a quorum has made needless, and yet finds its signer out who says something else as well", () => {
    const c = cluster(4)
    const liar = c.byz("3")
    c.submit(1)
    c.run(100)
    const { replica } = c.node(0)
    const digest = replica!.ledger.tip
    const commit = { type: "commit" as const, term: 0, view: 0, height: 1, digest }
    const agrees = forge<Vote<"commit">>(c, "3", commit)
    const differs = forge<Vote<"commit">>(c, "3", { ...commit, digest: hash("another block") })
    const isSetAside = (vote: Vote) => replica!.setAside(vote)
    assert.ok(!isSetAside(differs))
    assert.ok(!isSetAside({ ...agrees, height: 2 }))
    assert.ok(!isSetAside({ ...agrees, view: 1 }))
    assert.ok(!isSetAside({ ...agrees, signer: 0 }), "a vote of its own may be a forgotten one")
    for (const vote of [agrees, differs]) {
      liar.send("0", vote)
      c.run(50)
    }
    assert.ok(isSetAside(agrees))
    assert.ok(c.evidence.some(({ node }) => node === "0"))
    clean(c)
  })

  it("sends commits in the order of heights, though slots prepare side by side", () => {
    const c = cluster(4, { record: true, batch: 1, pipelineSlots: 4 })
    const open = c.hold({ type: "prepare", height: 1 })
    c.submit(4)
    c.run(200)
    assert.ok(sentBy(c, "1", "prepare").length >= 4)
    assert.equal(sentBy(c, "1", "commit").length, 0)
    open()
    c.release()
    c.run(200)
    assert.deepEqual(
      sentBy(c, "1", "commit").map((message) => (message as Vote).height),
      [1, 2, 3, 4],
    )
    assert.deepEqual(executed(c), [4, 4, 4, 4])
    clean(c)
  })

  it("holds a tick that comes too early, and takes it when its own timer agrees", () => {
    const c = cluster(4, { record: true, timing: { tickMs: 3000, requestMs: 4000, paceMs: 4000 } })
    c.node(0).clockRate = 0.2
    c.restart(0)
    c.crash(0)
    c.restart(0)
    c.run(700)
    c.submit(1)
    c.run(1000)
    assert.deepEqual(executed(c), [0, 0, 0, 0])
    assert.ok(c.runUntil(() => c.settled(), 3500))
    assert.equal(c.node(1).replica?.ledger.now.period, 1)
    assert.equal(c.node(1).replica?.view, 0)
    clean(c)
  })
})

describe("4.3 checkpoints", () => {
  it("opens the next term only on a quorum's equal checkpoints, and rotates the primary", () => {
    const c = cluster(4, { record: true, termHeights: 2, batch: 1 })
    const held = c.hold({ type: "checkpoint" })
    c.submit(3)
    c.run(300)
    assert.deepEqual(executed(c), [2, 2, 2, 2])
    assert.deepEqual(
      c.nodes.map((node) => node.replica?.term),
      [0, 0, 0, 0],
    )
    held()
    c.release()
    c.run(300)
    assert.deepEqual(executed(c), [3, 3, 3, 3])
    assert.ok(sentBy(c, "1", "pre-prepare").length > 0)
    clean(c)
  })

  it("stops, loudly, when a quorum's state is not its own", () => {
    const c = cluster(4, { termHeights: 2, batch: 1 })
    c.drop({ type: "checkpoint" })
    c.drop({ type: "status" })
    c.submit(2)
    c.run(300)
    for (const id of ["1", "2", "3"]) {
      const vote = {
        type: "checkpoint" as const,
        term: 0,
        view: 0,
        height: 2,
        digest: hash("other"),
      }
      c.node(0).receive(1, forge<Vote<"checkpoint">>(c, id, vote))
    }
    assert.equal(c.node(0).replica?.mode, "halted")
    assert.match(c.violations[0]!.what, /STATE_DIVERGED/)
  })
})

describe("a change of the validators in an idle mesh", () => {
  it("comes into force: null blocks lead to the end of the term, and not one further", () => {
    for (const n of [1, 4]) {
      const c = cluster(n, { termHeights: 16 })
      c.submit(2)
      c.run(2000)
      c.changeValidators(1)
      assert.ok(c.runUntil(() => c.node(0).replica?.term === 1, 5000))
      c.run(60_000)
      for (const node of c.nodes) {
        assert.equal(node.replica?.executed, 16)
        assert.equal(node.replica.ledger.set.size, n + 1)
        assert.equal(node.replica.view, 0)
      }
      c.submit(1)
      assert.ok(c.runUntil(() => c.settled(), 20_000))
      clean(c)
    }
  })

  it("does not need the primary's good will: who leaves the term open is voted out", () => {
    const c = cluster(4, { record: true, termHeights: 16 })
    c.drop({ type: "pre-prepare", from: "0", height: 5 })
    c.changeValidators(1)
    assert.ok(c.runUntil(() => c.node(1).replica?.term === 1, 30_000))
    assert.ok(sentBy(c, "1", "view-change").length > 0)
    clean(c)
  })

  it("lets what people send go first", () => {
    const c = cluster(4, { termHeights: 64, batch: 4 })
    c.changeValidators(1)
    assert.ok(c.runUntil(() => (c.node(0).replica?.executed ?? 0) > 4, 5000))
    const height = c.node(0).replica?.executed ?? 0
    c.submit(1)
    // The new validator is told of it later: it is in no quorum yet.
    assert.ok(c.runUntil(() => c.checkers.missingAt("0") === 0, 5000))
    assert.ok((c.node(0).replica?.executed ?? 0) < height + 16, "not only when the term is over")
    clean(c)
  })

  it("holds a null batch until the state below it asks for one", () => {
    const c = cluster(4, { record: true, termHeights: 16 })
    const late = c.hold({ type: "commit", to: "3" })
    c.changeValidators(1)
    c.run(500)
    assert.equal(c.node(3).replica?.executed, 0)
    const prepared = () => sentBy(c, "3", "prepare").map((message) => (message as Vote).height)
    assert.deepEqual(prepared(), [1])
    late()
    c.release()
    assert.ok(c.runUntil(() => c.node(3).replica?.term === 1, 10_000))
    clean(c)
  })
})

describe("4.4 view changes", () => {
  it("votes out a primary that does not order what waits, and carries on what had prepared", () => {
    const c = cluster(4, { record: true })
    c.drop({ type: "commit" })
    const [item] = c.submit(1)
    c.run(900)
    assert.deepEqual(executed(c), [0, 0, 0, 0])
    c.network.clear()
    c.drop({ from: "0" })
    assert.ok(c.runUntil(() => c.correct.every((n) => n.replica?.executed === 1), 20_000))
    const block = c.delivered("2")[0]!
    assert.deepEqual(block.batch.items, [item])
    assert.ok(block.certificate.view >= 1)
    clean(c)
  })

  it("fills a hole below a prepared slot with a null block that is chained like any other", () => {
    const c = cluster(4, { record: true, batch: 1, pipelineSlots: 4 })
    // Slot 1 never gets through, slot 2 prepares everywhere.
    c.drop({ type: "pre-prepare", height: 1 })
    c.drop({ type: "batch" })
    c.submit(2)
    c.run(700)
    c.network.clear()
    c.drop({ from: "0" })
    assert.ok(c.runUntil(() => c.checkers.height >= 3, 20_000))
    const [first, second] = c.delivered("2")
    assert.equal(first!.batch.items.length, 0)
    assert.equal(second!.batch.items.length, 1)
    assert.ok(c.runUntil(() => c.orderedEverywhere() === 2, 20_000))
    clean(c)
  })

  it("carries on what its voters hold, though the one that shows the proof keeps the batch to itself", () => {
    const c = cluster(4, { batch: 1 })
    for (const seat of ["0", "1", "2"]) c.hold({ to: seat, type: "prepare", view: 0 })
    c.submit(1)
    c.run(100)
    c.crash("0")
    for (const type of ["batch", "pre-prepare"] as const) c.hold({ from: "3", type })
    assert.ok(c.runUntil(() => c.node(1).replica?.executed === 1, 30_000))
    clean(c)
  })

  it("holds what its P entry names after a restart, also where the votes of others alone have prepared it", () => {
    const c = cluster(4, { batch: 1, record: true })
    const items = [work("admitted by three")]
    c.checkers.submit(items)
    for (const seat of ["0", "1", "2"]) c.hold({ to: seat, type: "prepare", view: 0 })
    const held = c.hold({ to: "3", type: "pre-prepare" })
    for (const seat of [0, 1, 2]) c.node(seat).input({ type: "admit", items })
    c.run(100)
    held()
    c.release({ to: "3", type: "pre-prepare" })
    while (sentBy(c, "3", "commit").length === 0) c.run(0.5)
    assert.equal(sentBy(c, "3", "prepare").length, 0, "it has not looked at the envelope yet")
    c.crash("3", "keep")
    c.crash("0")
    for (const type of ["batch", "pre-prepare"] as const) c.hold({ to: "3", type })
    c.run(50)
    c.restart("3")
    assert.ok(c.runUntil(() => c.node(3).replica?.executed === 1, 30_000))
    clean(c)
  })

  it('"stops accepting messages (other than checkpoint, view-change, and new-view)" once it asked for a view', () => {
    const c = cluster(4, { record: true })
    c.crash("0")
    c.drop({ type: "new-view" })
    const items = c.submit(1)
    assert.ok(c.runUntil(() => c.node(1).replica?.phase === "view-change", 5000))
    const batch = batchOf(items)
    const vote = { type: "pre-prepare" as const, term: 0, view: 0, height: 1, digest: batch.digest }
    c.node(1).receive(0, { ...forge<Vote<"pre-prepare">>(c, "0", vote), batch })
    c.run(100)
    assert.equal(sentBy(c, "1", "prepare").length, 0)
  })

  it("joins the smallest of f+1 views that others ask for, without a timeout of its own (4.5.2)", () => {
    const c = cluster(4, { record: true })
    const ask = (id: string, view: number): ViewChange => {
      const fields = {
        type: "view-change" as const,
        term: 0,
        view,
        prepared: [],
        signer: Number(id),
      }
      const signature = c.node(id).holder.sign(viewChangePreimage(c.rules.meshId, fields))
      return { ...fields, signature }
    }
    c.node(0).receive(2, ask("2", 5))
    assert.equal(c.node(0).replica?.view, 0, "one may be a liar")
    c.node(0).receive(3, ask("3", 3))
    assert.equal(c.node(0).replica?.view, 3)
    assert.equal(c.node(0).replica?.phase, "view-change")
  })

  it("starts the new-view timer only with 2f+1 view changes in hand (4.5.2)", () => {
    const c = cluster(4, { record: true })
    c.submit(1)
    c.partition([["0"], ["1"], ["2"], ["3"]])
    c.run(30_000)
    // Each asked once and waits; without a quorum nobody runs ahead through views.
    assert.deepEqual(
      c.nodes.map((node) => node.replica?.view),
      [1, 1, 1, 1],
    )
    c.heal()
    assert.ok(
      c.runUntil(() => c.settled(), 10_000),
      "and the view change is sent again",
    )
    clean(c)
  })

  it("waits twice as long for each view that does not come (4.5.2)", () => {
    const c = cluster(4, { record: true })
    c.drop({ type: "new-view" })
    c.submit(1)
    const asked: number[] = []
    let view = 0
    for (let i = 0; i < 2000 && asked.length < 6; i++) {
      c.run(10)
      const now = c.node(3).replica?.view ?? 0
      if (now > view) asked.push(c.scheduler.now)
      view = now
    }
    const waits = asked.slice(1).map((at, i) => at - asked[i]!)
    for (let i = 1; i < waits.length; i++)
      assert.ok(waits[i]! > 1.6 * waits[i - 1]!, `waits ${waits.join()}`)
  })

  it("is not held up by a null or unrelated block: the timer runs for the oldest item (4.4)", () => {
    const c = cluster(4, { record: true })
    const primary = c.byz("0")
    const [oldest] = c.submit(1)
    const others = c.submit(6)
    c.run(50)
    // The primary orders everything but the oldest.
    others.forEach((item, i) => {
      c.scheduler.after(250 * i, () => {
        const batch = batchOf([item])
        const vote = {
          type: "pre-prepare" as const,
          term: 0,
          view: 0,
          height: i + 1,
          digest: batch.digest,
        }
        primary.send("*", { ...forge<Vote<"pre-prepare">>(c, "0", vote), batch })
      })
    })
    assert.ok(c.runUntil(() => c.node(1).replica?.view === 1, 2000))
    assert.ok(c.runUntil(() => c.settled(), 10_000))
    assert.equal(c.node(1).replica?.ledger.has(oldest!), true)
    clean(c)
  })
})

describe("durability", () => {
  it("lets no vote out before it is on disk", () => {
    const c = cluster(4, { record: true })
    c.node(1).syncMs = 500
    c.submit(1)
    c.run(300)
    assert.equal(sentBy(c, "1", "prepare").length, 0)
    assert.ok(c.unsynced("1").some((write) => write.kind === "log" && write.record.kind === "vote"))
    c.crash("1", "lose-unsynced")
    c.restart("1")
    c.run(2000)
    assert.equal(c.node(1).replica?.mode, "voter")
    clean(c)
  })

  it("sends the identical bytes again after a restart, signed once (with real, hedged signatures)", () => {
    const c = cluster(4, { record: true, crypto: "real" })
    c.drop({ type: "commit" })
    c.submit(1)
    c.run(100)
    const [before] = sentBy(c, "2", "prepare")
    const [commit] = sentBy(c, "2", "commit")
    c.crash("2", "lose-unsynced")
    c.sent.length = 0
    c.restart("2")
    c.run(50)
    assert.deepEqual(encodeMessage(sentBy(c, "2", "prepare")[0]!), encodeMessage(before!))
    assert.deepEqual(encodeMessage(sentBy(c, "2", "commit")[0]!), encodeMessage(commit!))
    clean(c)
  })

  it("comes back into the view change it had asked for", () => {
    const c = cluster(4, { record: true })
    c.crash("0")
    c.drop({ type: "new-view" })
    c.submit(1)
    assert.ok(c.runUntil(() => c.node(2).replica?.phase === "view-change", 5000))
    const { view } = c.node(2).replica!
    c.crash("2", "lose-unsynced")
    c.restart("2")
    assert.equal(c.node(2).replica?.view, view)
    assert.equal(c.node(2).replica?.phase, "view-change")
    c.network.clear()
    assert.ok(c.runUntil(() => c.settled(), 20_000))
    clean(c)
  })

  it("makes an observer of a wiped disk until a term in which it cannot have voted", () => {
    const c = cluster(4, { termHeights: 4, batch: 1 })
    c.submit(6)
    c.run(1000)
    c.crash("2", "wiped")
    c.restart("2")
    assert.equal(c.node(2).replica?.mode, "observer")
    c.run(3000)
    const { term, mode, executed: height } = c.node(2).replica!
    assert.deepEqual(
      [term, mode, height],
      [1, "observer", 6],
      "caught up, and silent for this term",
    )
    c.crash("2", "lose-unsynced")
    c.restart("2")
    assert.equal(c.node(2).replica?.mode, "observer", "also after another restart")
    c.submit(4)
    c.run(3000)
    assert.equal(c.node(2).replica?.term, 2)
    assert.equal(c.node(2).replica?.mode, "voter")
    clean(c)
  })

  it("says nothing about an old term's last height when that height's proposal ends the term of its silence", () => {
    const c = cluster(4, { termHeights: 4, batch: 1, record: true })
    c.submit(6)
    c.run(1000)
    c.crash("3", "wiped")
    c.restart("3")
    c.run(3000)
    assert.equal(c.node(3).replica?.mode, "observer")
    // Not the next term's primary, who prepares nothing. Everything about height 8 is there but what was proposed: the proposal then decides, ends the term and opens the next.
    for (const type of ["blocks", "batch"] as const) c.hold({ to: "3", type })
    const held = c.hold({ to: "3", type: "pre-prepare", height: 8 })
    c.submit(2)
    c.runUntil(() => c.node(0).replica?.term === 2 && c.node(3).replica?.executed === 7, 5000)
    held()
    c.release({ type: "pre-prepare" })
    c.run(300)
    const { term, mode } = c.node(3).replica!
    assert.deepEqual([term, mode], [2, "voter"])
    assert.deepEqual(
      sentBy(c, "3", "prepare").filter((vote) => (vote as Vote).height === 8),
      [],
    )
    clean(c)
  })

  it("gives its CHECKPOINT after a crash that came between the boundary block and it", () => {
    const c = cluster(4, { termHeights: 2, batch: 1 })
    c.crash("2")
    c.submit(1)
    c.run(100)
    const held = c.hold({ to: "3", type: "commit" })
    c.hold({ to: "3", type: "blocks" })
    c.submit(1)
    c.run(100)
    c.node(3).syncMs = 1000
    held()
    c.release({ type: "commit" })
    c.run(50)
    assert.equal(c.node(3).replica?.executed, 2)
    c.crash("3", { torn: 1 })
    c.node(3).syncMs = 1
    c.restart("3")
    assert.equal(c.node(3).replica?.executed, 2, "the block was stored")
    c.run(3000)
    // One is down: the term ends by the checkpoints of these three, or not at all.
    assert.deepEqual(
      [0, 1, 3].map((seat) => c.node(seat).replica?.term),
      [1, 1, 1],
    )
    clean(c)
  })

  it("stops voting when others show it a vote of its own that it has forgotten", () => {
    const c = cluster(4)
    const vote = {
      type: "prepare" as const,
      term: 0,
      view: 0,
      height: 1,
      digest: hash("forgotten"),
    }
    c.node(2).receive(1, forge<Vote<"prepare">>(c, "2", vote))
    assert.equal(c.node(2).replica?.mode, "observer")
    assert.equal(c.node(2).replica?.voteFromTerm, 1)
  })
})

describe("the core", () => {
  it("is a function of its inputs: a recorded trace gives the same outputs again", () => {
    const c = cluster(4, {
      termHeights: 4,
      batch: 2,
      seed: 5,
      links: { lossPercent: 10, delayMs: [1, 80] },
    })
    const node = c.node(1)
    const trace: { input: Input; outputs: readonly Output[] }[] = []
    const looked = c.stepped.bind(c)
    c.stepped = (who, input, outputs) => {
      if (who === node && input !== undefined) trace.push({ input, outputs })
      looked(who, input, outputs)
    }
    for (let i = 0; i < 10; i++) {
      c.submit(5)
      c.run(400)
    }
    assert.ok(trace.length > 200)
    const nothing = { blocks: [], records: [], past: "intact" } as const
    const again = new Replica(c.partsFor(node), new Ledger(c.rules), nothing)
    again.start()
    for (const { input, outputs } of trace) assert.deepEqual(again.step(input), outputs)
    assert.equal(again.executed, node.replica?.executed)
    clean(c)
  })

  it("runs the simulator's example as its README shows it", () => {
    const c = cluster(4, { seed: 7, batch: 1, record: true })
    const open = c.hold({ type: "prepare", height: 1 })
    c.submit(4)
    c.run(200)
    c.crash(2, { torn: 1 })
    c.restart(2)
    open()
    c.release()
    const liar = c.byz(0)
    assert.equal(liar.holder, c.node(0).holder)
    assert.ok(c.runUntil(() => c.settled(), 30_000))
    assert.deepEqual(c.violations, [])
  })

  it("answers a peer that is behind with blocks it can check, and believes none that it cannot", () => {
    const c = cluster(4, { termHeights: 4, batch: 1 })
    c.partition([["0", "1", "2"]])
    c.submit(10)
    c.run(3000)
    assert.equal(c.node(3).replica?.executed, 0)
    const { records } = c.node(0).answer(0)
    const [first, second] = records
    const forged = [
      {
        ...first!,
        certificate: {
          ...first!.certificate,
          signatures: first!.certificate.signatures.slice(0, 2),
        },
      },
      { ...first!, batch: second!.batch },
      { ...first!, certificate: second!.certificate },
      second!,
    ]
    for (const record of forged) {
      // from nobody that the cluster knows
      c.node(3).receive(9, { type: "blocks", records: [record] })
      assert.equal(c.node(3).replica?.executed, 0)
    }
    c.node(3).receive(1, { type: "blocks", records })
    // The fifth block opens the next term: its certificate says that others have.
    assert.equal(c.node(3).replica?.executed, 10)
    clean(c)
  })

  it("halts on two certificates for one height", () => {
    const c = cluster(4, { batch: 1 })
    const [item] = c.submit(1)
    c.run(100)
    const fork = new Ledger(c.rules)
    const plan = fork.plan(batchOf([item!, work("forked")]))
    const votes = ["0", "1", "2"].map((id) =>
      forge<Vote<"commit">>(c, id, {
        type: "commit",
        term: 0,
        view: 0,
        height: 1,
        digest: plan.hash,
      }),
    )
    const { height, parent, stateRoot, batch } = plan
    const record = { height, parent, stateRoot, batch, certificate: certificateOf(votes) }
    c.node(3).receive(0, { type: "blocks", records: [record] })
    assert.equal(c.node(3).replica?.mode, "halted")
    assert.match(c.violations[0]!.what, /TWO_CERTIFICATES/)
  })
})

describe("seals", () => {
  it("follow the boundary, are checked, and hold nothing up", () => {
    const c = cluster(4, { termHeights: 2, batch: 1 })
    const asked: { preimage: Uint8Array; height: number }[] = []
    const looked = c.observe.bind(c)
    c.observe = (who, output) => {
      if (output.type === "seal" && who.id === "1") asked.push(output)
      looked(who, output)
    }
    c.submit(2)
    c.run(500)
    assert.equal(c.node(1).replica?.term, 1)
    const [seal] = asked
    const signature = c.node(1).holder.sign(seal!.preimage)
    c.node(1).input({ type: "sealed", height: seal!.height, signature })
    c.run(100)
    for (const id of [0, 1, 2, 3]) assert.deepEqual(c.node(id).replica?.sealedBy, [1])
    const forgedSeal = {
      type: "seal" as const,
      term: 0,
      height: 2,
      digest: c.node(0).replica!.ledger.tip,
    }
    c.node(0).receive(2, { ...forgedSeal, signer: 2, signature })
    assert.deepEqual(c.node(0).replica?.sealedBy, [1])
    clean(c)
  })
})

describe("the inbox", () => {
  it("holds the next term's messages, so many for each peer, and no others", () => {
    const parts = bench(4)
    const { set } = new Ledger(parts.rules)
    const court = { ...parts.rules, scheme: parts.ring.scheme, term: 0, set }
    const inbox = new Inbox(() => court)
    const vote = (term: number): Message =>
      sign<Vote<"prepare">>(parts, set, {
        type: "prepare",
        term,
        view: 0,
        height: 8 * term + 1,
        digest: hash("d"),
        signer: 1,
      })
    for (let i = 0; i < EARLY_MESSAGES_PER_PEER; i++)
      assert.equal(inbox.take(7, vote(1)), undefined)
    assert.deepEqual(inbox.take(7, vote(1)), { verdict: "ignore", code: "TOO_EARLY" })
    assert.equal(inbox.take(8, vote(1)), undefined)
    assert.deepEqual(inbox.take(7, vote(2)), { verdict: "ignore", code: "OTHER_TERM" })
    assert.equal(inbox.release().length, EARLY_MESSAGES_PER_PEER + 1)
    assert.equal(inbox.heldMessages, 0)
    assert.deepEqual(inbox.takeBytes(7, Uint8Array.of(1, 99)), {
      verdict: "reject",
      code: "BAD_ENCODING",
    })
  })
})
