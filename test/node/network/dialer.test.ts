import assert from "node:assert/strict"
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { once } from "node:events"
import { join } from "node:path"
import { describe, test, type TestContext } from "node:test"
import { peerIdFromPrivateKey } from "@libp2p/peer-id"
import { AddressBook, BOOK_PEERS_MAX } from "../../../src/node/network/address-book.ts"
import { Dialer } from "../../../src/node/network/dialer.ts"
import { newPeerKey, peerKeyAt } from "../../../src/node/transport/peer-key.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import { startTransport, type Transport } from "../../../src/node/transport/transport.ts"
import { testMesh } from "../../helpers/envelopes.ts"
import { testPeer, untilLinked } from "../../helpers/peers.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"
import { until } from "../../helpers/wait.ts"

const mesh = testMesh()

async function testTransport(t: TestContext) {
  const transport = await startTransport({ key: await newPeerKey(), listen: [], topics: [] })
  t.after(() => transport.stop())
  return transport
}

/** Of a peer that remembers this other one. */
async function testDialer(t: TestContext, transport: Transport, met?: string): Promise<Dialer> {
  const store = await openMemoryStore()
  const book = await AddressBook.open(store)
  if (met !== undefined) await book.remember(met, [`/ip4/127.0.0.1/tcp/9/p2p/${met}`])
  const dialer = new Dialer({ transport, book, bootstrap: [], onChange: () => undefined })
  dialer.start()
  t.after(async () => {
    await dialer.stop()
    await store.close()
  })
  return dialer
}

/** A peer id that sorts before (-1) or after (1) another. */
async function peerIdWhere(other: string, side: -1 | 1): Promise<string> {
  for (;;) {
    const id = peerIdFromPrivateKey(await newPeerKey()).toString()
    if (side === (id < other ? -1 : 1)) return id
  }
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

describe("a peer that is alone", () => {
  test("says why: nobody is known", async (t) => {
    const peer = await testPeer(t, mesh)
    assert.deepEqual(peer.alone(), { reason: "no peer is known", retryInMs: 0 })
  })

  test("calls again until somebody answers, and says when", async (t) => {
    const port = await freePort()
    const address = `/ip4/127.0.0.1/tcp/${port}`
    const caller = await testPeer(t, mesh, { bootstrap: [address] })
    await until("a call went unanswered", () => /nobody answers/.test(caller.alone()?.reason ?? ""))
    const { retryInMs } = caller.alone()!
    assert(retryInMs >= 0 && retryInMs < 60_000)
    const late = await testPeer(t, mesh, { listen: [address] })
    await untilLinked(caller, late)
    assert.equal(caller.alone(), null)
  })

  test("calls sooner when it hears of another address", async (t) => {
    const key = await newPeerKey()
    const name = `/p2p/${peerIdFromPrivateKey(key).toString()}`
    const caller = await testPeer(t, mesh, {
      bootstrap: [`/ip4/127.0.0.1/tcp/${await freePort()}${name}`],
    })
    await until("a long pause", () => (caller.alone()?.retryInMs ?? 0) > 2_500)
    const moved = await testPeer(t, mesh, { key })
    caller.reach(moved.addresses())
    const { retryInMs } = caller.alone() ?? { retryInMs: 0 }
    assert(retryInMs < 1_500, `calls in ${retryInMs} ms`)
    await untilLinked(caller, moved)
  })

  test("refuses to start with an address that is none", async (t) => {
    await assert.rejects(testPeer(t, mesh, { bootstrap: ["not an address"] }), {
      code: "BAD_PEER_ADDRESS",
    })
    await assert.rejects(testPeer(t, mesh, { listen: ["/ip4/300.1.1.1/tcp/1"] }), {
      code: "BAD_PEER_ADDRESS",
    })
  })

  test("LISTEN_FAILED when the port is taken", async (t) => {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const listen = [`/ip4/127.0.0.1/tcp/${port}`]
    await assert.rejects(testPeer(t, mesh, { listen }), { code: "LISTEN_FAILED" })
  })
})

describe("a peer that lost its connections", () => {
  test("calls again, whoever hung up", async (t) => {
    const home = await testPeer(t, mesh)
    const caller = await testPeer(t, mesh, { bootstrap: home.addresses() })
    for (const [from, to] of [
      [home, caller],
      [caller, home],
    ] as const) {
      await untilLinked(home, caller)
      const gone = new Promise((resolve) =>
        to.transport.libp2p.addEventListener("peer:disconnect", resolve, { once: true }),
      )
      await from.transport.hangUp(to.id)
      await gone
    }
    await untilLinked(home, caller)
  })

  test("calls again who listens already and is not ready to sync: it was here before", async (t) => {
    const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
    const key = await newPeerKey()
    const home = await testPeer(t, mesh, { listen, key })
    const caller = await testPeer(t, mesh)
    await caller.transport.dial(home.addresses(), AbortSignal.timeout(10_000))
    await untilLinked(caller, home)
    await until("they know each other", () => caller.sync().state === "idle" && home.sync().state === "idle") // prettier-ignore
    await home.transport.libp2p.unhandle("/sotto/sync/1")
    let met = 0
    caller.transport.libp2p.addEventListener("peer:connect", () => met++)
    await caller.transport.hangUp(home.id)
    await until("it was met unready and left again", () => met > 0 && caller.peers().length === 0)
    await home.stop()
    const again = await testPeer(t, mesh, { listen, key })
    await untilLinked(caller, again)
  })

  test("finds its peers again after a restart, without a ticket", async (t) => {
    const port = await freePort()
    const listen = [`/ip4/127.0.0.1/tcp/${port}`]
    const home = await testPeer(t, mesh, { listen })
    const store = await openMemoryStore()
    t.after(() => store.close())
    const key = await newPeerKey()
    const first = await testPeer(t, mesh, { store, key, bootstrap: home.addresses() })
    await until("home is remembered", async () => {
      const book = await AddressBook.open(store)
      return book.addressesOf(home.id).length > 0
    })
    await first.stop()
    const again = await testPeer(t, mesh, { store, key })
    await untilLinked(again, home)
  })
})

describe("peers that hear of each other", () => {
  test("are introduced by a third, and connect", async (t) => {
    const home = await testPeer(t, mesh)
    const [a, b] = [
      await testPeer(t, mesh, { bootstrap: home.addresses() }),
      await testPeer(t, mesh, { bootstrap: home.addresses() }),
    ]
    await untilLinked(a, b)
  })

  test("by hearsay: only plain addresses of named peers are called", async (t) => {
    const home = await testPeer(t, mesh)
    const [address] = home.addresses()
    const transport = await testTransport(t)
    const dialer = new Dialer({
      transport,
      book: await AddressBook.open(home.store),
      bootstrap: [],
      onChange: () => undefined,
    })
    dialer.start()
    t.after(() => dialer.stop())
    const nonsense = [
      "",
      "nonsense",
      "/ip4/127.0.0.1/tcp/1",
      `/dnsaddr/example.org/p2p/${home.id}`,
      `${address}/p2p-circuit/p2p/${home.id}`,
      "/ip4/127.0.0.1/tcp/1/p2p/nobody",
      `/ip4/999.0.0.1/tcp/1/p2p/${home.id}`,
    ]
    for (const text of nonsense) dialer.found([text])
    assert.deepEqual(dialer.alone(), { reason: "no peer is known", retryInMs: 0 })
    dialer.found([address!])
    await until("it was called", () => dialer.alone() === null)
    assert.deepEqual(transport.peers(), [home.id])
  })

  test("and know each other: the one with the lower id calls at once, the other leaves it the time", async (t) => {
    const transport = await testTransport(t)
    const [lower, higher] = [
      await peerIdWhere(transport.peer, -1),
      await peerIdWhere(transport.peer, 1),
    ]
    for (const [peer, atOnce] of [
      [higher, true],
      [lower, false],
    ] as const) {
      const dialer = await testDialer(t, transport)
      dialer.found([`/ip4/127.0.0.1/tcp/9/p2p/${peer}`])
      const { retryInMs } = dialer.alone()!
      assert.equal(retryInMs < 500, atOnce, `${retryInMs} ms`)
    }
  })

  test("are called at the start nearly at once, by either: who was here before does not know that we are back", async (t) => {
    const transport = await testTransport(t)
    for (const side of [-1, 1] as const) {
      const peer = await peerIdWhere(transport.peer, side)
      const dialer = await testDialer(t, transport, peer)
      assert(dialer.alone()!.retryInMs <= 125)
    }
  })

  test("of another mesh are hung up and not called again", async (t) => {
    const other = await testPeer(t, testMesh("another"))
    const lost = await testPeer(t, mesh, { bootstrap: other.addresses() })
    await until("they met and parted", () => /not of this mesh/.test(lost.alone()?.reason ?? ""))
    assert(lost.alone()!.retryInMs > 60_000, "called again much later, in case that changed")
    assert.deepEqual(lost.peers(), [])
  })
})

describe("the address book", () => {
  test("remembers who was met last, durably and bounded", async (t) => {
    const store = await openMemoryStore()
    t.after(() => store.close())
    const book = await AddressBook.open(store)
    const address = (i: number) => [`/ip4/192.0.2.1/tcp/${i}`]
    for (let i = 0; i < BOOK_PEERS_MAX; i++) await book.remember(`peer ${i}`, address(i))
    await book.remember("peer 0", address(0))
    await book.remember("one more", [...address(99), "x".repeat(1000)])
    await book.forget("peer 2")
    const again = await AddressBook.open(store)
    assert.deepEqual(again.addressesOf("one more"), address(99), "what is too long is left out")
    assert.deepEqual(again.addressesOf("peer 0"), address(0))
    assert.deepEqual(again.addressesOf("peer 1"), [], "the one not met for longest is forgotten")
    assert.deepEqual(again.addressesOf("peer 2"), [])
    assert.equal(again.entries().length, BOOK_PEERS_MAX - 1)
  })

  test("takes a damaged entry for none", async (t) => {
    const store = await openMemoryStore()
    t.after(() => store.close())
    await (await AddressBook.open(store)).remember("p", ["/ip4/192.0.2.1/tcp/1"])
    for await (const [key] of store.range("mesh"))
      await store.batch([{ table: "mesh", key, value: new Uint8Array([9, 9]) }])
    assert.deepEqual((await AddressBook.open(store)).entries(), [])
  })
})

describe("the peer key", () => {
  test("is made once, for its owner's eyes only, and read ever after", async (t) => {
    const path = join(temporaryDirectory(t), "peer.key")
    const made = await peerKeyAt(path)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert((await peerKeyAt(path)).equals(made))
    assert(!(await newPeerKey()).equals(made))
  })

  test("STORE_DAMAGED for a file that is no key, which is left as it is", async (t) => {
    const path = join(temporaryDirectory(t), "peer.key")
    writeFileSync(path, "damage")
    await assert.rejects(peerKeyAt(path), { code: "STORE_DAMAGED" })
    assert(existsSync(path))
    assert.equal(readFileSync(path, "utf8"), "damage")
  })
})
