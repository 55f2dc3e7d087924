import assert from "node:assert/strict"
import { describe, test, type TestContext } from "node:test"
import tls from "node:tls"
import { noise } from "@chainsafe/libp2p-noise"
import { yamux } from "@chainsafe/libp2p-yamux"
import { tcp } from "@libp2p/tcp"
import { tls as libp2pTls } from "@libp2p/tls"
import { multiaddr } from "@multiformats/multiaddr"
import fc from "fast-check"
import { createLibp2p } from "libp2p"
import { serverHelloGroup } from "../../../src/node/transport/handshake.ts"
import { newPeerKey } from "../../../src/node/transport/peer-key.ts"
import { startTransport, type TransportOptions } from "../../../src/node/transport/transport.ts"
import { portOf, relayTo } from "../../helpers/relay.ts"
import { until } from "../../helpers/wait.ts"

async function transportOf(t: TestContext, options: Partial<TransportOptions> = {}) {
  const transport = await startTransport({
    key: await newPeerKey(),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    topics: [],
    ...options,
  })
  t.after(() => transport.stop())
  return transport
}

/** A libp2p node that is not ours and speaks only what it is given. */
async function stranger(t: TestContext, encrypters: (typeof noise | typeof libp2pTls)[]) {
  const node = await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: encrypters.map((encrypter) => encrypter()),
    streamMuxers: [yamux()],
  })
  t.after(() => node.stop())
  return { peer: node.peerId.toString(), addresses: node.getMultiaddrs().map(String), node }
}

const soon = () => AbortSignal.timeout(10_000)

/** The bytes of the first ServerHello (handshake type 2 in a record of type 22) in what a target sent. */
function serverHelloIn(sent: Buffer): Buffer | undefined {
  for (let at = 0; at + 6 < sent.length; at++)
    if (sent[at] === 22 && sent[at + 1] === 3 && sent[at + 5] === 2) return sent.subarray(at)
  return undefined
}

describe("transport encryption", () => {
  test("two peers of ours agree on X25519MLKEM768, and both know it", async (t) => {
    const [a, b] = [await transportOf(t), await transportOf(t, { listen: [] })]
    await b.dial(a.addresses(), soon())
    await until("both are connected", () => a.links().length === 1)
    for (const [link] of [a.links(), b.links()]) {
      assert.equal(link?.encryption, "X25519MLKEM768")
      assert.equal(link.postQuantum, true)
    }
    assert.deepEqual([a.links()[0]?.direction, b.links()[0]?.direction], ["inbound", "outbound"])
  })

  test("the wire says so too: the server's key_share names group 0x11ec", async (t) => {
    const [a, b] = [await transportOf(t), await transportOf(t, { listen: [] })]
    const relay = await relayTo(t, portOf(a.addresses()[0]!))
    await b.dial([`${relay.address}/p2p/${a.peer}`], soon())
    const hello = serverHelloIn(relay.fromTarget())
    assert(hello !== undefined, "a ServerHello went by")
    // extension 51 of length 1124: the group, then 1120 bytes of key exchange (FIPS 203 ciphertext 1088 + X25519 32)
    const share = Buffer.from([0, 51, 4, 100, 0x11, 0xec, 4, 96])
    assert(hello.subarray(0, 2048).includes(share), "its key_share is a hybrid one")
    assert.equal(serverHelloGroup(hello), "X25519MLKEM768")
  })

  test("over WebSockets as well", async (t) => {
    const a = await transportOf(t, { listen: ["/ip4/127.0.0.1/tcp/0/ws"] })
    const b = await transportOf(t, { listen: [] })
    await b.dial(a.addresses(), soon())
    assert.equal(b.links()[0]?.encryption, "X25519MLKEM768")
  })

  test("Noise with a peer that has nothing else, in both directions", async (t) => {
    const other = await stranger(t, [noise])
    const ours = await transportOf(t)
    await ours.dial(other.addresses, soon())
    assert.equal(ours.links()[0]?.encryption, "Noise")
    assert.equal(ours.links()[0]?.postQuantum, false)

    const another = await stranger(t, [noise])
    const listening = await transportOf(t)
    await another.node.dial(multiaddr(listening.addresses()[0]), { signal: soon() })
    await until("it is connected", () => listening.links().length === 1)
    assert.equal(listening.links()[0]?.encryption, "Noise")
  })

  test("required: no connection without post-quantum agreement, whoever calls", async (t) => {
    const noiseOnly = await stranger(t, [noise])
    const ours = await transportOf(t, { postQuantum: "required" })
    await assert.rejects(ours.dial(noiseOnly.addresses, soon()), { code: "DIAL_FAILED" })
    const address = multiaddr(ours.addresses()[0])
    await assert.rejects(noiseOnly.node.dial(address, { signal: soon() }))
    assert.deepEqual(ours.links(), [])
  })

  test("required: TLS that ended in a classical group is cut off", async (t) => {
    const ours = await transportOf(t, { postQuantum: "required" })
    const tolerant = await transportOf(t)
    const group = tls.DEFAULT_ECDH_CURVE
    // what this process offers and takes from here on; a peer with an old OpenSSL is like that
    tls.DEFAULT_ECDH_CURVE = "X25519"
    t.after(() => (tls.DEFAULT_ECDH_CURVE = group))
    const old = await transportOf(t, { listen: [] })
    await old.dial(tolerant.addresses(), soon())
    assert.equal(old.links()[0]?.encryption, "X25519")
    assert.equal(old.links()[0]?.postQuantum, false)
    await old.dial(ours.addresses(), soon()).catch(() => undefined)
    await until("it was cut off", () => old.links().every(({ peer }) => peer !== ours.peer))
    assert.deepEqual(ours.links(), [])
  })

  test("required on both sides: they connect", async (t) => {
    const a = await transportOf(t, { postQuantum: "required" })
    const b = await transportOf(t, { postQuantum: "required", listen: [] })
    await b.dial(a.addresses(), soon())
    assert.equal(b.links()[0]?.postQuantum, true)
  })
})

describe("reading a ServerHello", () => {
  test("random bytes and cut ones name no group and do no harm", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const group = serverHelloGroup(bytes)
        assert(group === undefined || group.length > 0)
      }),
    )
    const start = [22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3, ...Array<number>(32).fill(7), 0]
    const rest = [0x13, 1, 0, 0, 46, 0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 0x1d, 0, 32]
    const hello = new Uint8Array([...start, ...rest, ...Array<number>(32).fill(9)])
    assert.equal(serverHelloGroup(hello), "X25519")
    const named = start.length + rest.length - 2
    for (let length = 0; length < named; length++)
      assert.equal(serverHelloGroup(hello.subarray(0, length)), undefined, `cut to ${length}`)
    const unknown = hello.slice()
    unknown.set([0x12, 0x34], named - 2)
    assert.equal(serverHelloGroup(unknown), "0x1234")
  })
})
