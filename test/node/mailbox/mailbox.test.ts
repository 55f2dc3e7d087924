import assert from "node:assert/strict"
import { describe, test, type TestContext } from "node:test"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { ADMISSION_BYTES, envelopeId, tagOf } from "../../../src/crypto/envelope.ts"
import { POW_KIND } from "../../../src/crypto/pow.ts"
import { ACCEPT, type Verdict } from "../../../src/crypto/verdict.ts"
import type { Gossip } from "../../../src/node/transport/gossip.ts"
import { JUDGING_MAX, JUDGING_PER_PEER_MAX, Mailbox } from "../../../src/node/mailbox/mailbox.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import {
  paid,
  paidEnvelope,
  paidEnvelopes,
  testMesh,
  unpaidEnvelope,
} from "../../helpers/envelopes.ts"

const mesh = testMesh()
const PEER = "a peer"

async function mailboxOf(t: TestContext, admissions = mesh.admissions) {
  const store = await openMemoryStore()
  const faults: unknown[] = []
  const onFault = (error: unknown) => faults.push(error)
  const mailbox = await Mailbox.open({ store, meshId: mesh.meshId, admissions, onFault })
  t.after(async () => {
    await mailbox.stop()
    await store.close()
    assert.deepEqual(faults, [])
  })
  const gossiped = (bytes: Bytes, peer = PEER) => mailbox.rule().judge(bytes, peer)
  return { store, mailbox, gossiped }
}

const said = (verdict: Verdict) =>
  verdict.verdict === "accept" ? "accept" : `${verdict.verdict} ${verdict.code}`

const changed = (bytes: Bytes, at: number) => {
  const out = bytes.slice()
  out[at]! ^= 1
  return out
}

describe("the judge, whichever way an envelope comes", () => {
  const good = paidEnvelope(mesh)
  // one bit of the content: the id is another, and the work was not done for it
  let spoilt = changed(good, 4095)
  for (
    let at = 4094;
    said(mesh.admissions.get(POW_KIND)!(spoilt, { from: "local" }) as Verdict) === "accept";
    at--
  )
    spoilt = changed(good, at)
  const table: [string, Bytes, string][] = [
    ["nothing", new Uint8Array(0), "reject BAD_LENGTH"],
    ["4095 bytes", good.slice(0, 4095), "reject BAD_LENGTH"],
    ["4097 bytes", new Uint8Array([...good, 0]), "reject BAD_LENGTH"],
    ["no admission", unpaidEnvelope(), "reject UNKNOWN_ADMISSION"],
    ["admission of kind 1", changed(changed(good, 0), 0).fill(1, 0, 1), "reject UNKNOWN_ADMISSION"],
    ["padding that is not zero", changed(good, ADMISSION_BYTES - 1), "reject POW_PADDING"],
    ["work on another anchor", changed(good, 1), "ignore POW_ANCHOR"],
    ["work for another content", spoilt, "reject POW_BITS"],
    ["a good one", good, "accept"],
  ]
  for (const [what, bytes, verdict] of table)
    test(`${what}: ${verdict}`, async (t) => {
      const kept = verdict === "accept" ? 1 : 0
      const byGossip = await mailboxOf(t)
      assert.equal(said(await byGossip.gossiped(bytes)), verdict)
      await byGossip.mailbox.stop()
      assert.equal(byGossip.mailbox.count, kept)

      const bySync = await mailboxOf(t)
      assert.equal(said(await bySync.mailbox.admit(bytes, { from: "sync", peer: PEER })), verdict)
      assert.equal(bySync.mailbox.count, kept)

      const local = await mailboxOf(t)
      if (verdict === "accept") await local.mailbox.post(bytes)
      else await assert.rejects(local.mailbox.post(bytes), { code: "NOT_ADMITTED" })
      assert.equal(local.mailbox.count, kept)
    })

  test("the same twice: ignore DUPLICATE", async (t) => {
    const { mailbox, gossiped } = await mailboxOf(t)
    assert.equal(said(await gossiped(good)), "accept")
    assert.equal(said(await gossiped(good)), "ignore DUPLICATE")
    assert.equal(said(await mailbox.admit(good, { from: "sync", peer: PEER })), "ignore DUPLICATE")
  })

  test("a copy with a spoilt admission does not keep anybody from the good one", async (t) => {
    const { mailbox, gossiped } = await mailboxOf(t)
    const broken = changed(good, ADMISSION_BYTES - 1)
    assert.deepEqual(envelopeId(broken), envelopeId(good))
    assert.equal(said(await gossiped(broken)), "reject POW_PADDING")
    assert.equal(said(await gossiped(good)), "accept")
    await mailbox.stop()
    assert.equal(mailbox.count, 1)
  })

  test("two copies at once, judged by something slow: one is kept", async (t) => {
    const slow = new Map([[POW_KIND, () => Promise.resolve(ACCEPT)]])
    const { mailbox } = await mailboxOf(t, slow)
    const verdicts = await Promise.all([
      mailbox.admit(good, { from: "sync", peer: "one" }),
      mailbox.admit(good, { from: "sync", peer: "another" }),
    ])
    assert.deepEqual(verdicts.map(said).sort(), ["accept", "ignore DUPLICATE"])
    assert.equal(mailbox.count, 1)
  })
})

describe("too many at once", () => {
  /** A judge that answers when the test says so. */
  function slowJudge() {
    const gate = Promise.withResolvers<Verdict>()
    return {
      admissions: new Map([[POW_KIND, () => gate.promise]]),
      open: () => gate.resolve(ACCEPT),
    }
  }
  const anyEnvelope = () => {
    const envelope = unpaidEnvelope()
    envelope[0] = POW_KIND
    return envelope
  }

  test("one peer's flood is ignored beyond its budget; others are still heard", async (t) => {
    const { admissions, open } = slowJudge()
    const { mailbox, gossiped } = await mailboxOf(t, admissions)
    const shed: string[] = []
    mailbox.onShed((peer) => shed.push(peer))
    const flood = Array.from({ length: JUDGING_PER_PEER_MAX }, () =>
      gossiped(anyEnvelope(), "flooder"),
    )
    assert.equal(said(await gossiped(anyEnvelope(), "flooder")), "ignore OVERLOADED")
    assert.deepEqual(shed, ["flooder"], "so that sync can ask for it later")
    const other = gossiped(anyEnvelope(), "another")
    open()
    assert.equal(said(await other), "accept")
    assert((await Promise.all(flood)).every((verdict) => said(verdict) === "accept"))
    await mailbox.stop()
    assert.equal(
      said(await gossiped(anyEnvelope(), "flooder")),
      "accept",
      "the budget is free again",
    )
  })

  test("all together are bounded too, and own envelopes still get in", async (t) => {
    const { admissions, open } = slowJudge()
    const { mailbox, gossiped } = await mailboxOf(t, admissions)
    const flood = Array.from({ length: JUDGING_MAX }, (_, i) =>
      gossiped(anyEnvelope(), `peer ${i % 8}`),
    )
    assert.equal(said(await gossiped(anyEnvelope(), "a late one")), "ignore OVERLOADED")
    const own = mailbox.post(anyEnvelope())
    open()
    assert.equal((await own).peers, 0)
    await Promise.all(flood)
  })
})

describe("what overtook gossip by sync", () => {
  test("is passed on once when gossip brings it, if it is byte for byte the same", async (t) => {
    const { mailbox, gossiped } = await mailboxOf(t)
    const envelope = paidEnvelope(mesh)
    await mailbox.admit(envelope, { from: "sync", peer: PEER })
    const other = changed(envelope, ADMISSION_BYTES - 1)
    assert.equal(said(await gossiped(other)), "ignore DUPLICATE")
    assert.equal(said(await gossiped(envelope)), "accept")
    assert.equal(said(await gossiped(envelope)), "ignore DUPLICATE")
    assert.equal(mailbox.count, 1)
  })
})

describe("posting", () => {
  /** Takes everything, and says how far behind its slowest peer is. */
  function gossipDouble(backlog: () => number = () => 0) {
    const published: string[] = []
    const double = {
      subscribers: () => ["a peer", "another"],
      get backlogBytes() {
        return backlog()
      },
      publish: (_topic: string, data: Bytes) => {
        published.push(toHex(envelopeId(data)))
        return Promise.resolve(2)
      },
    }
    return { published, gossip: double as unknown as Gossip }
  }

  test("publishes at once and stores meanwhile, has stored it when it says how many took it", async (t) => {
    const { mailbox } = await mailboxOf(t)
    const { gossip, published } = gossipDouble()
    mailbox.publishThrough(gossip)
    const publishedFirst: boolean[] = []
    mailbox.onStored(({ id }) => publishedFirst.push(published.includes(toHex(id))))
    const envelope = paidEnvelope(mesh)
    const posted = await mailbox.post(envelope)
    assert.equal(posted.peers, 2)
    assert.deepEqual(posted.id, envelopeId(envelope))
    assert.deepEqual(publishedFirst, [true])
    assert.equal(mailbox.count, 1)
  })

  test("posting again publishes again and stores nothing twice", async (t) => {
    const { mailbox } = await mailboxOf(t)
    const { gossip, published } = gossipDouble()
    const envelope = paidEnvelope(mesh)
    assert.equal((await mailbox.post(envelope)).peers, 0, "nobody is there yet")
    mailbox.publishThrough(gossip)
    assert.equal((await mailbox.post(envelope)).peers, 2)
    assert.equal(mailbox.count, 1)
    assert.equal(published.length, 1)
  })

  test("waits while a peer is behind, and goes on when it has caught up", async (t) => {
    const { mailbox } = await mailboxOf(t)
    let looks = 0
    const { gossip, published } = gossipDouble(() => (looks++ < 3 ? 2 * 1024 * 1024 : 0))
    mailbox.publishThrough(gossip)
    const posting = mailbox.post(paidEnvelope(mesh))
    await posting
    assert(looks > 3, "it looked until there was room")
    assert.equal(published.length, 1)
  })

  test("publishes in the order of posting", async (t) => {
    const { mailbox } = await mailboxOf(t)
    const { gossip, published } = gossipDouble()
    mailbox.publishThrough(gossip)
    const envelopes = paidEnvelopes(mesh, 50)
    await Promise.all(envelopes.map((envelope) => mailbox.post(envelope)))
    assert.deepEqual(
      published,
      envelopes.map((envelope) => toHex(envelopeId(envelope))),
    )
  })
})

describe("reading", () => {
  test("by place, by tag, and as it comes", async (t) => {
    const { mailbox } = await mailboxOf(t)
    const envelopes = paidEnvelopes(mesh, 3)
    const heard: number[] = []
    const end = mailbox.onStored(({ seq }) => heard.push(seq))
    for (const envelope of envelopes.slice(0, 2)) await mailbox.post(envelope)
    end()
    await mailbox.post(envelopes[2]!)
    assert.deepEqual(heard, [1, 2], "a listener that was ended hears nothing more")
    assert.equal(mailbox.count, 3)
    assert.deepEqual(
      (await mailbox.entriesAfter(1, 5)).map(({ seq }) => seq),
      [2, 3],
    )
    assert.equal((await mailbox.byTag(tagOf(envelopes[1]!))).length, 1)
  })

  test("a listener that throws is a fault of ours and stops nobody else", async () => {
    const store = await openMemoryStore()
    const faults: unknown[] = []
    const mailbox = await Mailbox.open({ store, ...mesh, onFault: (error) => faults.push(error) })
    const heard: number[] = []
    mailbox.onStored(() => {
      throw new Error("a bug")
    })
    mailbox.onStored(({ seq }) => heard.push(seq))
    await mailbox.post(paid(unpaidEnvelope(), mesh))
    assert.deepEqual(heard, [1])
    assert.equal(faults.length, 1)
    await mailbox.stop()
    await store.close()
  })
})
