import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { describe, test, type TestContext } from "node:test"
import { multiaddr } from "@multiformats/multiaddr"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { envelopeId } from "../../../src/crypto/envelope.ts"
import { openStore } from "../../../src/node/store/store.ts"
import { paidEnvelope, paidEnvelopes, testMesh, unpaidEnvelope } from "../../helpers/envelopes.ts"
import { testPeer, type TestPeer, untilLinked } from "../../helpers/peers.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"
import { until } from "../../helpers/wait.ts"

const mesh = testMesh()
const has = (peer: TestPeer, envelope: Bytes) => peer.mailbox.knows(envelopeId(envelope))

/** Both ends of the gossip link from one peer to another, as gossipsub holds them. */
function gossipStreams(from: TestPeer, to: TestPeer) {
  interface Held {
    readonly rawStream: { abort(error: Error): void; close(): Promise<void> }
  }
  const pubsub = from.transport.libp2p.services["pubsub"] as {
    readonly streamsOutbound: ReadonlyMap<string, Held>
    readonly streamsInbound: ReadonlyMap<string, Held>
  }
  return {
    outbound: pubsub.streamsOutbound.get(to.id)!.rawStream,
    inbound: pubsub.streamsInbound.get(to.id)!.rawStream,
  }
}

const connectionsOf = ({ transport }: TestPeer) =>
  transport.libp2p.getConnections().map(({ id }) => id)
const linkUp = (from: TestPeer, to: TestPeer) => from.transport.gossip.linkUp(to.id)

describe("a gossip link that dies under a live connection", () => {
  const deaths: Record<string, (a: TestPeer, b: TestPeer) => void> = {
    "its outbound stream is reset": (a, b) => gossipStreams(a, b).outbound.abort(new Error("x")),
    "its inbound stream is reset": (a, b) => gossipStreams(a, b).inbound.abort(new Error("x")),
    "the other side closes it politely": (a, b) =>
      void gossipStreams(b, a)
        .outbound.close()
        .catch(() => undefined),
  }
  const recovers = async (t: TestContext, kill: (a: TestPeer, b: TestPeer) => void) => {
    const [a, b] = [await testPeer(t, mesh), await testPeer(t, mesh)]
    await a.transport.dial(b.addresses(), AbortSignal.timeout(10_000))
    await untilLinked(a, b)
    await until("they know each other", () => a.sync().state === "idle" && b.peers().length === 1)
    const [connection] = a.transport.libp2p.getConnections()
    kill(a, b)
    await until("the link to be dead", () => !(linkUp(a, b) && linkUp(b, a)))
    await until("the link to be mended", () => linkUp(a, b) && linkUp(b, a))
    await untilLinked(a, b)
    assert.deepEqual(connectionsOf(a), [connection?.id], "nobody had to hang up")
    const envelope = paidEnvelope(mesh)
    const posted = await a.post(envelope)
    assert.equal(posted.peers, 1, "handed on by gossip")
    await until("it arrived", () => has(b, envelope))
  }

  test(`comes back, and gossip flows again, whether ${Object.keys(deaths).join(", or ")}`, async (t) => {
    await Promise.all(Object.values(deaths).map((kill) => recovers(t, kill)))
  })
})

describe("a gossip link that was on one of two connections", () => {
  test("goes on over the other when that one ends", async (t) => {
    const [a, b] = [await testPeer(t, mesh), await testPeer(t, mesh)]
    await a.transport.dial(b.addresses(), AbortSignal.timeout(10_000))
    await untilLinked(a, b)
    const { libp2p } = a.transport
    const second = await libp2p.dial(
      b.addresses().map((address) => multiaddr(address)),
      { force: true },
    )
    const [first] = libp2p.getConnections().filter((connection) => connection !== second)
    assert(first !== undefined)
    await first.close()
    await until("the link to be mended", () => linkUp(a, b) && linkUp(b, a))
    assert.deepEqual(connectionsOf(a), [second.id])
    const envelope = paidEnvelope(mesh)
    await until("gossip", async () => (await a.post(envelope)).peers === 1 || has(b, envelope))
    await until("it arrived", () => has(b, envelope))
  })
})

describe("a gossip link that stays dead", () => {
  test("is hung up, so that everything starts anew", async (t) => {
    const [a, b] = [await testPeer(t, mesh), await testPeer(t, mesh)]
    await a.transport.dial(b.addresses(), AbortSignal.timeout(10_000))
    await untilLinked(a, b)
    for (const version of ["1.0.0", "1.1.0", "1.2.0"])
      await b.transport.libp2p.unhandle(`/meshsub/${version}`)
    gossipStreams(a, b).outbound.abort(new Error("x"))
    await until("the watchdog to hang up", () => a.peers().length === 0)
  })
})

describe("a burst of a thousand envelopes", () => {
  test("loses none, with a peer in the middle and whatever gossip drops", async (t) => {
    const first = await testPeer(t, mesh)
    const middle = await testPeer(t, mesh, { bootstrap: first.addresses() })
    await untilLinked(first, middle)
    const last = await testPeer(t, mesh, { bootstrap: middle.addresses() })
    await untilLinked(middle, last)
    const envelopes = paidEnvelopes(mesh, 1000)
    await Promise.all(envelopes.map((envelope) => first.post(envelope)))
    for (const peer of [middle, last])
      await until("all arrived", () => peer.mailbox.count === envelopes.length, 60_000)
    const heard = new Set<string>()
    for (const { id } of await last.mailbox.entriesAfter(0, 2000)) heard.add(toHex(id))
    assert(envelopes.every((envelope) => heard.has(toHex(envelopeId(envelope)))))
  })
})

describe("an envelope that gossip lost", () => {
  test("is there a few seconds later, though nobody reconnected", async (t) => {
    const a = await testPeer(t, mesh)
    const b = await testPeer(t, mesh, { bootstrap: a.addresses() })
    await untilLinked(a, b)
    const [gossiped, envelope] = [paidEnvelope(mesh), paidEnvelope(mesh)]
    await a.post(gossiped)
    await until("gossip works", () => has(b, gossiped))
    // stored like any other, and never published
    await a.mailbox.admit(envelope, { from: "local" })
    await until("it arrived", () => has(b, envelope))
  })
})

describe("what the people above see", () => {
  test("peers with their encryption, an envelope in the order of arrival, and who is gone", async (t) => {
    let changes = 0
    const a = await testPeer(t, mesh, { onPeers: () => (changes += 1) })
    const b = await testPeer(t, mesh, { bootstrap: a.addresses() })
    await untilLinked(a, b)
    assert(changes > 0)
    const [peer] = b.peers()
    assert.deepEqual(
      { ...peer, address: undefined },
      {
        peerId: a.id,
        address: undefined,
        direction: "outbound",
        encryption: "X25519MLKEM768",
        postQuantum: true,
        gossip: true,
      },
    )
    const heard: number[] = []
    b.mailbox.onStored(({ seq }) => heard.push(seq))
    for (const envelope of [unpaidEnvelope(), unpaidEnvelope(), unpaidEnvelope()])
      await a.post(await a.pay(envelope))
    await until("all three arrived", () => heard.length === 3)
    assert.deepEqual(heard, [1, 2, 3])
    const before = changes
    await b.stop()
    await b.stop()
    await until("a noticed", () => changes > before && a.peers().length === 0)
  })

  test("a store of another mesh is refused", async (t) => {
    const directory = temporaryDirectory(t)
    const store = await openStore(directory)
    t.after(() => store.close())
    const one = await testPeer(t, mesh, { store })
    await one.stop()
    await assert.rejects(testPeer(t, testMesh("another"), { store }), { code: "OTHER_MESH" })
  })
})

describe("a peer in a process of its own", () => {
  async function peerProcess(t: TestContext, bootstrap: readonly string[]) {
    const program = new URL("../../helpers/peer-process.js", import.meta.url).pathname
    const args = [program, toHex(mesh.genesis), temporaryDirectory(t), ...bootstrap]
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] })
    t.after(() => child.kill("SIGKILL"))
    const exit = once(child, "exit")
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const next = async () => {
      const answer = await answers.next()
      return answer.done === true ? "" : answer.value
    }
    assert.equal(await next(), toHex(mesh.meshId), "it is up")
    const tell = async (line: string) => {
      child.stdin.write(`${line}\n`)
      return await next()
    }
    return { tell, exit, child }
  }

  test("that is busy for six seconds is not lost: envelopes flow afterwards, both ways", async (t) => {
    const here = await testPeer(t, mesh)
    const busy = await peerProcess(t, here.addresses())
    await until(
      "linked",
      async () => here.peers().length === 1 && (await busy.tell("peers")) === "1",
    )
    const unblocked = busy.tell("block 6000")
    const meanwhile = paidEnvelope(mesh)
    await here.post(meanwhile)
    assert.equal(await unblocked, "unblocked")
    await until(
      "what was posted meanwhile is there",
      async () => (await busy.tell("count")) === "1",
    )
    await until("still, or again, linked", async () => (await busy.tell("peers")) === "1")
    assert.equal(await busy.tell("post 1"), "posted")
    await until("what it posted is here", () => here.mailbox.count === 2)
  })

  test("that is stopped ends by itself: nothing is left running", async (t) => {
    const here = await testPeer(t, mesh)
    const other = await peerProcess(t, here.addresses())
    await until("linked", async () => (await other.tell("peers")) === "1")
    assert.equal(await other.tell("post 5"), "posted")
    await until("they came", () => here.mailbox.count === 5)
    const left = await other.tell("stop")
    // no kill, no process.exit: whatever is left running would keep it alive
    const ended = await Promise.race([
      other.exit,
      new Promise<[string]>((resolve) => setTimeout(() => resolve(["alive"]), 10_000).unref()),
    ])
    assert.equal(ended[0], 0, `still alive, with ${left}`)
  })
})
