/**
 * What somebody in between learns. Alice and Bob are real processes that know each other's network only through a third peer, which is
 * this process: it records every byte that reaches it, after decryption, and everything that it stores, and then looks through it.
 */
import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { join } from "node:path"
import type { KadDHTComponents } from "@libp2p/kad-dht"
import { ClusterNode } from "../../scripts/testnet/cluster.ts"
import { type Address, addressBytes } from "../../src/crypto/address.ts"
import { type Bytes, concat, fromHex, toHex, utf8 } from "../../src/crypto/bytes.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES } from "../../src/crypto/envelope.ts"
import { decodeFragment } from "../../src/crypto/fragment.ts"
import { openIntro, openThread } from "../../src/crypto/envelope.ts"
import { introPrivate, type Identity, rootPublic } from "../../src/crypto/identity.ts"
import { openVault } from "../../src/crypto/keyfile.ts"
import { verifyCard } from "../../src/crypto/card.ts"
import { encodeTicket } from "../../src/crypto/ticket.ts"
import type { Channel } from "../../src/chat/channel.ts"
import { threadKey, threadTag } from "../../src/crypto/tags.ts"
import { tagOf } from "../../src/crypto/envelope.ts"
import { ChatRecords } from "../../src/node/chat/records.ts"
import { systemClock } from "../../src/node/clock.ts"
import { directoryServices } from "../../src/node/directory/directory.ts"
import type { NetworkParts } from "../../src/node/network/parts.ts"
import { Sealed } from "../../src/node/store/sealed.ts"
import { sealedShelf } from "../../src/node/store/sealed-store.ts"
import { openStore, type Store } from "../../src/node/store/store.ts"
import { readKeyfile } from "../../src/node/identity/vault.ts"
import { testMesh } from "../helpers/envelopes.ts"
import { filesIn, rowsOf } from "../helpers/files.ts"
import { testPeer, type TestPeer } from "../helpers/peers.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { found, shortTimeTraces, timeTraces, type Trace, tracesOf } from "../helpers/traces.ts"
import { befriend, received } from "./mesh.ts"
import { until } from "../helpers/wait.ts"

const NAMES = { alice: "Aliénor of Aquitaine", bob: "Bohemond of Taranto" }
const TEXTS = {
  alice: ["the ships sail before dawn", "grüße an alle im Kloster", "x".repeat(5_000)],
  bob: ["then we meet at the harbour", "bring the lantern and the letters"],
}

/** What one gossip message carried besides its topic and data. */
interface GossipMessage {
  readonly data?: Uint8Array
  readonly from?: unknown
  readonly seqno?: unknown
  readonly signature?: unknown
  readonly key?: unknown
}

interface Recorded {
  /** Every byte after decryption, in order of arrival. */
  readonly wire: Uint8Array[]
  readonly gossip: GossipMessage[]
}

/** A peer whose ears are open: what is inside its encrypted connections is written down. */
async function listener(t: TestContext, store: Store, mesh = testMesh()) {
  const recorded: Recorded = { wire: [], gossip: [] }
  const directory = directoryServices({
    meshId: mesh.meshId,
    store: marksIn(store),
    clock: systemClock,
  })
  const services = {
    ...directory,
    listening: (components: KadDHTComponents & { upgrader: Muxers }) => {
      listenIn(components.upgrader, recorded.wire)
      return {}
    },
  } as unknown as NonNullable<NetworkParts["services"]>
  const peer = await testPeer(t, mesh, { store, services })
  listenToGossip(peer, recorded.gossip)
  return { mesh, peer, recorded }
}

interface Muxers {
  getStreamMuxers(): Map<string, { createStreamMuxer(connection: EventTarget): unknown }>
}

function listenIn(upgrader: Muxers, wire: Uint8Array[]): void {
  for (const factory of upgrader.getStreamMuxers().values()) {
    const create = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => {
      connection.addEventListener("message", (event) => {
        const { data } = event as unknown as { data: { subarray(): Uint8Array } }
        wire.push(data.subarray().slice())
      })
      return create(connection)
    }
  }
}

function listenToGossip(peer: TestPeer, messages: GossipMessage[]): void {
  const service = peer.transport.gossip.service as unknown as {
    handleReceivedRpc(from: unknown, rpc: { messages: GossipMessage[] }): Promise<void>
  }
  const handle = service.handleReceivedRpc.bind(service)
  service.handleReceivedRpc = (from, rpc) => {
    messages.push(...rpc.messages)
    return handle(from, rpc)
  }
}

function marksIn(store: Store) {
  const keyOf = (key: string) => utf8(`directory ${key}`)
  return {
    get: (key: string) => store.get("mesh", keyOf(key)),
    put: (key: string, value: Bytes | undefined) =>
      store.batch([{ table: "mesh", key: keyOf(key), value }]),
  }
}

interface Known {
  readonly peerId: string
  readonly address: string
  readonly identity: Identity
  readonly channels: readonly Channel[]
  readonly thread: string
}

/** What the person themselves knows, read from their own disk once their process has ended. */
async function ownKnowledge(dataDir: string, about: Omit<Known, "identity" | "channels">) {
  const keyfile = await readKeyfile(join(dataDir, "vault"))
  assert(keyfile?.mode === "unprotected")
  const store = await openStore(join(dataDir, "store"))
  try {
    const records = new ChatRecords(new Sealed(openVault(keyfile.vaultKey), sealedShelf(store)))
    const identity = (await records.identity()) ?? assert.fail("no identity")
    return { ...about, identity, channels: await records.channels.all() }
  } finally {
    await store.close()
  }
}

function secretsOf(who: string, known: Known): Trace[] {
  const { identity, channels } = known
  const card = verifyCard(identity.card)
  const roots = rootPublic(identity.roots)
  return [
    ...tracesOf(`${who}'s address`, known.address),
    ...tracesOf(`${who}'s address`, addressBytes(known.address as Address)),
    ...tracesOf(`${who}'s Ed25519 root`, roots.ed25519),
    ...tracesOf(`${who}'s SLH-DSA root`, roots.slhDsa),
    ...tracesOf(`${who}'s leaf key`, card.leaf),
    ...tracesOf(`${who}'s leaf seed`, identity.leaf),
    ...tracesOf(`${who}'s intro key`, card.intro.x25519),
    ...tracesOf(`${who}'s intro KEM key`, card.intro.mlKem.subarray(0, 48)),
    ...tracesOf(`${who}'s key package`, card.lastResort.subarray(0, 48)),
    ...tracesOf(`${who}'s card`, identity.card.subarray(0, 48)),
    ...tracesOf(`${who}'s card's signatures`, identity.card.subarray(-48)),
    ...tracesOf("the thread's id", fromHex(known.thread)),
    ...channels.flatMap(({ groupId, epochs }) => [
      ...tracesOf("a group's id", groupId),
      ...epochs.flatMap(({ exporter }) => tracesOf("an exporter secret", exporter)),
    ]),
  ]
}

const sayings = () => [
  ...Object.entries(NAMES).flatMap(([who, name]) => tracesOf(`${who}'s name`, name)),
  ...[...TEXTS.alice, ...TEXTS.bob].flatMap((text) =>
    tracesOf("a text", text.length > 100 ? text.slice(0, 64) : text),
  ),
  ...tracesOf("a text", "hello, it is me"),
  ...tracesOf("a text", "hello to you"),
]

/** Kinds of the envelopes, as only those who hold the keys can tell. */
function kindsOf(envelopes: readonly Bytes[], meshId: Bytes, people: readonly Known[]) {
  const counts = { intro: 0, thread: 0, unknown: 0 }
  for (const envelope of envelopes) {
    if (people.some(({ identity }) => openIntro(meshId, introPrivate(identity.intro), envelope)))
      counts.intro++
    else if (people.some(({ channels }) => channels.some((one) => isOf(one, meshId, envelope))))
      counts.thread++
    else counts.unknown++
  }
  return counts
}

function isOf(channel: Channel, meshId: Bytes, envelope: Bytes): boolean {
  const tag = toHex(tagOf(envelope))
  return channel.epochs.some(({ keys, ownLeaf, next }) => {
    for (let counter = 0; counter < next; counter++) {
      if (toHex(threadTag(keys, ownLeaf, counter)) !== tag) continue
      const plaintext = openThread(meshId, threadKey(keys, ownLeaf, counter), envelope)
      return plaintext !== undefined && decodeFragment(plaintext).count > 0
    }
    return false
  })
}

describe("a peer between Alice and Bob", () => {
  it("learns nothing from what it hears and stores but that there are envelopes, all alike", async (t) => {
    const began = Date.now()
    const directory = temporaryDirectory(t)
    const store = await openStore(join(directory, "carrier"))
    t.after(() => store.close())
    const { mesh, peer, recorded } = await listener(t, store)
    const ticket = encodeTicket({ meshId: mesh.meshId, peers: peer.addresses() })
    const nodes: ClusterNode[] = []
    t.after(() => Promise.all(nodes.map((node) => node.stop())))
    for (const [at, name] of [NAMES.alice, NAMES.bob].entries()) {
      const node = await ClusterNode.prepare({ nodes: 2, directory }, at)
      nodes.push(node)
      await node.start()
      await (await node.api()).call("profile.create", { name, passphrase: null, ticket })
    }
    const [aliceNode, bobNode] = nodes
    assert(aliceNode && bobNode)
    await befriend(aliceNode, bobNode)
    const [alice, bob] = [await aliceNode.api(), await bobNode.api()]
    for (const text of TEXTS.alice)
      await received(bob, NAMES.alice, [text], () =>
        alice.call("messages.send", { to: NAMES.bob, text }),
      )
    for (const text of TEXTS.bob)
      await received(alice, NAMES.bob, [text], () =>
        bob.call("messages.send", { to: NAMES.alice, text }),
      )
    const most = async () =>
      Math.max((await aliceNode.status()).envelopes, (await bobNode.status()).envelopes)
    await until("the carrier to hold all", async () => peer.mailbox.count >= (await most()))
    const people: Known[] = []
    for (const [node, api] of [
      [aliceNode, alice],
      [bobNode, bob],
    ] as const) {
      const { address } = await api.call("id", {})
      const thread = (await api.call("threads.list", {})).threads[0]?.id ?? assert.fail()
      const listen = (await api.call("status", {})).listen[0] ?? assert.fail()
      const peerId = listen.split("/p2p/")[1] ?? assert.fail()
      await node.stop()
      people.push(await ownKnowledge(node.dataDir, { address, thread, peerId }))
    }
    const ended = Date.now()

    const envelopes = (await rowsOf(store, "envelopes")).map(([, value]) => value)
    const wire = concat(...recorded.wire)
    const secrets = [
      ...sayings(),
      ...people.flatMap((known, at) => secretsOf(`person ${at}`, known)),
    ]
    const times = timeTraces(began, ended)

    await t.test("every envelope has 4096 bytes, and both kinds were among them", () => {
      assert.deepEqual([...new Set(envelopes.map(({ length }) => length))], [ENVELOPE_BYTES])
      for (const { data } of recorded.gossip) assert.equal(data?.length, ENVELOPE_BYTES)
      const kinds = kindsOf(envelopes, mesh.meshId, people)
      assert(kinds.intro >= 2, `${kinds.intro} intro envelopes`)
      assert(kinds.thread >= 8, `${kinds.thread} thread envelopes`)
      assert.equal(kinds.unknown, 0)
    })

    await t.test("no two of them share eight bytes outside what the mesh gives them all", () => {
      const seen = new Map<string, number>()
      const common: string[] = []
      for (const [at, envelope] of envelopes.entries()) {
        const content = Buffer.from(envelope.subarray(ADMISSION_BYTES))
        const nonce = Buffer.from(envelope.subarray(33, 41))
        for (const part of [content, nonce])
          for (let from = 0; from + 8 <= part.length; from++) {
            const run = part.toString("hex", from, from + 8)
            if (seen.has(run)) common.push(`${run} in ${seen.get(run) ?? 0} and ${at}`)
            seen.set(run, at)
          }
        // the rest of the admission: kind and anchor, the same for everybody, and zeros
        assert.equal(toHex(envelope.subarray(1, 33)), toHex(mesh.meshId))
        assert(envelope.subarray(41, ADMISSION_BYTES).every((byte) => byte === 0))
      }
      assert.deepEqual(common, [])
    })

    await t.test("gossip messages name no author", () => {
      assert(recorded.gossip.length > 0)
      for (const message of recorded.gossip) {
        const { from, seqno, signature, key } = message
        for (const field of [from, seqno, signature, key])
          assert(field === undefined || field === null)
        assert.deepEqual(Object.keys(message).toSorted(), ["data", "topic"])
      }
    })

    await t.test("nothing of either of them is in any byte that came over the network", () => {
      assert(wire.length > envelopes.length * ENVELOPE_BYTES, `${wire.length} bytes were recorded`)
      assert.deepEqual(
        found("the wire", wire, tracesOf("the topic", peer.mailbox.topic)).length > 0,
        true,
      )
      assert.deepEqual(found("the wire", wire, secrets), [])
      assert.deepEqual(
        found("gossip", concat(...recorded.gossip.map((m) => m.data ?? utf8(""))), times),
        [],
      )
    })

    await t.test(
      "beside the envelopes stands no time, and not through whom they came",
      async () => {
        const peers = people.flatMap(({ peerId }) => tracesOf("a peer id", peerId))
        const shortTimes = shortTimeTraces(began, ended)
        for (const table of ["envelopes", "arrival", "tags"] as const)
          for (const [key, value] of await rowsOf(store, table)) {
            const row = concat(key, value)
            assert.deepEqual(found(table, row, [...peers, ...secrets, ...times]), [])
          }
        // an envelope's place in the order of arrival, which stands in two tables, is all that there is
        const places = new Map<string, string>()
        for (const [place, id] of await rowsOf(store, "arrival"))
          places.set(toHex(id), toHex(place))
        assert.equal(places.size, envelopes.length)
        for (const [key, value] of await rowsOf(store, "tags"))
          assert.equal(toHex(value), places.get(toHex(key.subarray(16))))
        for (const envelope of envelopes)
          assert.deepEqual(
            found("admission", envelope.subarray(0, ADMISSION_BYTES), shortTimes),
            [],
          )
        for (const [key, value] of await rowsOf(store, "mesh"))
          assert.deepEqual(found("mesh", concat(key, value), [...secrets, ...times]), [])
        assert.deepEqual(await rowsOf(store, "sealed"), [])
      },
    )

    await t.test("nothing of it is on its disk", async () => {
      await peer.stop()
      await store.close()
      let bytes = 0
      for (const [name, content] of filesIn(join(directory, "carrier"))) {
        bytes += content.length
        assert.deepEqual(found(name, content, secrets), [])
        // LevelDB's own diary says when it was opened; no time of an envelope is in it, or anywhere else.
        if (!/LOG(\.old)?$/.test(name)) assert.deepEqual(found(name, content, times), [])
        assert.equal(/\d{10}/.test(name), false, `${name} is called after a time`)
      }
      assert(bytes > envelopes.length * ENVELOPE_BYTES, "the files hold the envelopes")
    })
  })
})
