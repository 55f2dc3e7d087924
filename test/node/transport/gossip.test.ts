import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { primitives } from "#primitives"
import { utf8 } from "../../../src/crypto/bytes.ts"
import { envelopeId } from "../../../src/crypto/envelope.ts"
import { paidEnvelope, paidEnvelopes, testMesh, unpaidEnvelope } from "../../helpers/envelopes.ts"
import {
  DATA,
  type Field,
  FROM,
  gossipStranger,
  KEY,
  SEQNO,
  SIGNATURE,
  TOPIC,
} from "../../helpers/gossip-stranger.ts"
import { testPeer, type TestPeer, testPeers, untilLinked } from "../../helpers/peers.ts"
import { until } from "../../helpers/wait.ts"

const mesh = testMesh()
const nothingToCall = { bootstrap: [] }

describe("what a gossip frame says about its author", () => {
  test("nothing: a message is its data and its topic, whether own or passed on", async (t) => {
    const author = await testPeer(t, mesh)
    const relay = await testPeer(t, mesh, { bootstrap: author.addresses() })
    await untilLinked(author, relay)
    const { topic } = author.mailbox
    const beside = await gossipStranger(t, author.addresses()[0]!, topic)
    const behind = await gossipStranger(t, relay.addresses()[0]!, topic)
    const inMesh = ({ transport: { gossip } }: TestPeer, id: string) =>
      gossip.meshPeers(topic).includes(id) && gossip.linkUp(id)
    await until("both strangers are in the mesh", () =>
      [inMesh(author, beside.id), inMesh(relay, behind.id)].every(Boolean),
    )
    const envelope = paidEnvelope(mesh)
    await author.post(envelope)
    for (const stranger of [beside, behind]) {
      await until("the message came", () => stranger.messages.length > 0)
      const fields = stranger.messages[0]!
      assert.deepEqual(
        fields.map(([number]) => number),
        [DATA, TOPIC],
        "no from (1), seqno (3), signature (5) or key (6)",
      )
      assert.deepEqual(fields[0]![1], envelope)
    }
    assert.deepEqual(beside.messages[0], behind.messages[0], "own and passed on look the same")
  })
})

describe("messages that claim an author", () => {
  const somebody = primitives.randomBytes(38)
  const forgeries: [string, Field][] = [
    ["a from", [FROM, somebody]],
    ["a sequence number", [SEQNO, primitives.randomBytes(8)]],
    ["a signature", [SIGNATURE, primitives.randomBytes(64)]],
    ["a key", [KEY, primitives.randomBytes(36)]],
  ]

  test("are dropped and not passed on; the same data without the claim is welcome", async (t) => {
    const relay = await testPeer(t, mesh)
    const behind = await testPeer(t, mesh, { bootstrap: relay.addresses() })
    await untilLinked(relay, behind)
    const { topic } = relay.mailbox
    const stranger = await gossipStranger(t, relay.addresses()[0]!, topic)
    for (const [what, claim] of forgeries) {
      const envelope = paidEnvelope(mesh)
      const honest: Field[] = [
        [DATA, envelope],
        [TOPIC, utf8(topic)],
      ]
      const before = relay.transport.gossip.dropped
      await stranger.send([claim, ...honest])
      await until(`${what} was dropped`, () => relay.transport.gossip.dropped === before + 1)
      assert(!relay.mailbox.knows(envelopeId(envelope)), `${what}: not kept`)
      assert(!behind.mailbox.knows(envelopeId(envelope)), `${what}: not passed on`)
      await stranger.send(honest)
      await until(`without ${what} it passes`, () => behind.mailbox.knows(envelopeId(envelope)))
    }
  })
})

describe("messages that are none", () => {
  test("too long, or of another topic: dropped unseen, and the link stays up", async (t) => {
    const peer = await testPeer(t, mesh, nothingToCall)
    const { topic } = peer.mailbox
    const stranger = await gossipStranger(t, peer.addresses()[0]!, topic)
    await stranger.send([
      [DATA, primitives.randomBytes(4097)],
      [TOPIC, utf8(topic)],
    ])
    await stranger.send([
      [DATA, paidEnvelope(mesh)],
      [TOPIC, utf8("/sotto/another/1")],
    ])
    await stranger.send([[TOPIC, utf8(topic)]])
    await until("all were dropped", () => peer.transport.gossip.dropped === 3)
    await stranger.send([
      [DATA, paidEnvelope(mesh)],
      [TOPIC, utf8(topic)],
    ])
    await until("a good one still comes in", () => peer.mailbox.count === 1)
  })

  test("a frame of nearly the longest that there may be is taken whole", async (t) => {
    const peer = await testPeer(t, mesh, nothingToCall)
    const { topic } = peer.mailbox
    const stranger = await gossipStranger(t, peer.addresses()[0]!, topic)
    const frame = paidEnvelopes(mesh, 850).map((envelope): Field[] => [
      [DATA, envelope],
      [TOPIC, utf8(topic)],
    ])
    await stranger.send(...frame)
    await until("all came in", () => peer.mailbox.count === frame.length)
  })

  test("a frame longer than that costs the sender its connection, and nobody else's", async (t) => {
    const peer = await testPeer(t, mesh)
    const other = await testPeer(t, mesh, { bootstrap: peer.addresses() })
    await untilLinked(peer, other)
    const { topic } = peer.mailbox
    const stranger = await gossipStranger(t, peer.addresses()[0]!, topic)
    await until("the stranger's link is up", () => peer.transport.gossip.linkUp(stranger.id))
    await stranger.send([[DATA, new Uint8Array(5 * 1024 * 1024)]])
    await until("gossip has cut it off", () => !peer.transport.gossip.linkUp(stranger.id))
    await until("the watchdog has hung up", () => !stranger.connected())
    const envelope = paidEnvelope(mesh)
    await peer.post(envelope)
    await until("the others go on", () => other.mailbox.knows(envelopeId(envelope)))
  })

  test("rejected ones cost the sender its standing: soon nobody listens to it", async (t) => {
    const peer = await testPeer(t, mesh, nothingToCall)
    const { topic } = peer.mailbox
    const stranger = await gossipStranger(t, peer.addresses()[0]!, topic)
    const junk = Array.from({ length: 6 }, () => [
      [DATA, unpaidEnvelope()] as const,
      [TOPIC, utf8(topic)] as const,
    ])
    await stranger.send(...junk)
    const listened = async () => {
      const envelope = paidEnvelope(mesh)
      await stranger.send([
        [DATA, envelope],
        [TOPIC, utf8(topic)],
      ])
      // a frame that is not listened to leaves no trace: what follows it on the same link tells that it was read
      const marker = peer.transport.gossip.dropped
      await stranger.send([
        [DATA, envelope],
        [TOPIC, utf8("/sotto/marker/1")],
      ])
      await until("the marker was read", () => peer.transport.gossip.dropped === marker + 1)
      return peer.mailbox.knows(envelopeId(envelope))
    }
    await until("it is not listened to any more", async () => !(await listened()))
  })
})

describe("fourteen peers on one machine", () => {
  test("form a mesh, and an envelope of each reaches all", async (t) => {
    const peers = await testPeers(t, mesh, 14)
    const { topic } = peers[0]!.mailbox
    await until(
      "everybody is in the mesh",
      () => peers.every(({ transport }) => transport.gossip.meshPeers(topic).length > 0),
      60_000,
    )
    const envelopes = peers.map(() => paidEnvelope(mesh))
    const posted = await Promise.all(peers.map((peer, i) => peer.post(envelopes[i]!)))
    assert(
      posted.every(({ peers: took }) => took > 0),
      "everybody found somebody to hand it to",
    )
    await until(
      "everybody has everything",
      () => peers.every(({ mailbox }) => mailbox.count === peers.length),
      60_000,
    )
  })
})
