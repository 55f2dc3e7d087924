/** Streams between validators, when the other end lies: what is wrong ends the stream and costs the liar its standing, and nothing more. */
import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { hybridScheme, type Sign } from "../../../src/consensus/hybrid.ts"
import type { ValidatorKeys } from "../../../src/consensus/types.ts"
import { type Bytes, toHex, Writer } from "../../../src/crypto/bytes.ts"
import {
  FRAME_BYTES_MAX,
  helloPreimage,
  LedgerLinks,
  PBFT_PROTOCOL,
} from "../../../src/node/ledger/links.ts"
import { newPeerKey } from "../../../src/node/transport/peer-key.ts"
import { type Frames, Streams } from "../../../src/node/transport/streams.ts"
import { startTransport } from "../../../src/node/transport/transport.ts"
import { ownValidator } from "../../../src/node/ledger/validator-keys.ts"
import { until } from "../../helpers/wait.ts"

const meshId = new Uint8Array(32).fill(3)
const [ada, bob, eve] = await Promise.all([1, 2, 3].map(() => ownValidator(undefined)))
assert(ada !== undefined && bob !== undefined && eve !== undefined)
const soon = () => AbortSignal.timeout(10_000)
const limits = { frameBytesMax: 2 * FRAME_BYTES_MAX }

async function peerOf(t: TestContext) {
  const transport = await startTransport({
    key: await newPeerKey(),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    topics: [],
    ipColocationWeight: 0,
  })
  const faults: unknown[] = []
  const streams = new Streams(transport.libp2p, (error) => faults.push(error))
  t.after(async () => {
    await streams.stop()
    await transport.stop()
    assert.deepEqual(faults, [])
  })
  return { transport, streams, faults }
}

/** Ada, an honest validator in a mesh of ada and bob, and a peer that is connected to her and may say anything. */
async function adaAndSomebody(t: TestContext) {
  const [hers, theirs] = await Promise.all([peerOf(t), peerOf(t)])
  const received: Bytes[] = []
  const liars: string[] = []
  const links = new LedgerLinks({
    streams: hers.streams,
    meshId,
    peer: hers.transport.peer,
    keys: ada!.keys,
    sign: ada!.sign,
    scheme: hybridScheme(),
    validators: () => [ada!.keys, bob!.keys],
    // what begins with 255 is wrong
    receive: (_, message) => {
      received.push(message)
      return message[0] === 255 ? "reject" : "taken"
    },
    lied: (peer) => liars.push(peer),
    onChange: () => undefined,
    onFault: (error) => hers.faults.push(error),
  })
  await links.start()
  t.after(() => links.stop())
  await theirs.transport.dial(hers.transport.addresses(), soon())
  const open = () => theirs.streams.open(hers.transport.peer, PBFT_PROTOCOL, limits, soon())
  const [from, to] = [theirs.transport.peer, hers.transport.peer]
  const hello = (
    who: { keys: ValidatorKeys; sign: Sign },
    { version = 1, mesh = meshId, preimage = helloPreimage(meshId, from, to) } = {},
  ) => new Writer().u8(version).raw(mesh).raw(who.keys.ed25519).raw(who.sign(preimage)).finish()
  /** Says this first; the answer, or undefined when the stream has ended. */
  const greeted = async (first: Bytes): Promise<{ frames: Frames; answer: Bytes | undefined }> => {
    const frames = await open()
    await frames.send(first, soon())
    return { frames, answer: await frames.receive(soon()).catch(() => undefined) }
  }
  return { links, received, liars, hello, greeted, from, theirs, hers }
}

const framed = (...messages: readonly Bytes[]) => {
  const writer = new Writer()
  for (const message of messages) writer.bytes(message, 4)
  return writer.finish()
}
const message = (first: number, length = 8) => new Uint8Array(length).fill(first)

/** The other end has cut the stream. */
const isCut = (frames: Frames) =>
  until("the stream to end", async () =>
    frames.receive(AbortSignal.timeout(200)).then(
      () => false,
      (error: unknown) => (error as { code: string }).code === "GONE",
    ),
  )

describe("a stream between validators", () => {
  it("carries messages of whoever proves to be one", async (t) => {
    const { received, liars, hello, greeted } = await adaAndSomebody(t)
    const { frames, answer } = await greeted(hello(bob))
    assert.equal(toHex(answer!.slice(33, 65)), toHex(ada.keys.ed25519))
    await frames.send(framed(message(1), message(2)), soon())
    await until("both to come", () => received.length === 2)
    assert.deepEqual(liars, [])
    frames.abort()
  })

  it("is not for a key that is no validator's here; that may change, and is no lie", async (t) => {
    const { received, liars, hello, greeted } = await adaAndSomebody(t)
    const { frames, answer } = await greeted(hello(eve))
    assert.equal(answer, undefined)
    await frames.send(framed(message(1)), soon()).catch(() => undefined)
    assert.deepEqual([received, liars], [[], []])
  })

  it("is refused, and the standing lost, for a proof that is none", async (t) => {
    const { received, liars, hello, greeted, from, hers } = await adaAndSomebody(t)
    const elsewhere = new Uint8Array(32)
    const lies = [
      hello({ keys: bob.keys, sign: eve.sign }),
      hello(bob, { mesh: elsewhere }),
      hello(bob, { version: 2 }),
      // said by bob to somebody else
      hello(bob, { preimage: helloPreimage(meshId, from, from) }),
      hello(bob, { preimage: helloPreimage(elsewhere, from, hers.transport.peer) }),
      hello(bob).slice(0, -1),
      new Uint8Array([...hello(bob), 0]),
      new Uint8Array(0),
    ]
    for (const [i, lie] of lies.entries()) {
      const { answer } = await greeted(lie)
      assert.equal(answer, undefined, `lie ${i}`)
      await until("standing to be lost", () => liars.length === i + 1)
    }
    assert.deepEqual(received, [])
  })

  it("ends with a frame that is none, or is too long", async (t) => {
    const { liars, hello, greeted, received } = await adaAndSomebody(t)
    const lies = [
      Uint8Array.of(0, 0, 0, 9, 1),
      Uint8Array.of(255, 255, 255, 255),
      Uint8Array.of(0, 0),
      new Uint8Array(FRAME_BYTES_MAX + 1),
    ]
    for (const [i, lie] of lies.entries()) {
      const { frames } = await greeted(hello(bob))
      await frames.send(lie, soon()).catch(() => undefined)
      await isCut(frames)
      await until("standing to be lost", () => liars.length === i + 1)
    }
    assert.deepEqual(received, [])
  })

  it("bears some wrong messages, and ends with one too many", async (t) => {
    const { liars, hello, greeted, received } = await adaAndSomebody(t)
    const { frames } = await greeted(hello(bob))
    for (let n = 0; n < 16; n++) await frames.send(framed(message(255), message(1)), soon())
    await until("all to come", () => received.length === 32)
    assert.deepEqual(liars, [])
    await frames.send(framed(message(255)), soon())
    await isCut(frames)
    assert.equal(liars.length, 1)
  })

  it("holds no more than its bound for a validator that does not read, and counts the rest", async (t) => {
    const { links, theirs, hers, from } = await adaAndSomebody(t)
    const stuck = Promise.withResolvers<undefined>()
    await theirs.streams.handle(PBFT_PROTOCOL, limits, async (frames) => {
      await frames.receive(soon())
      const to = hers.transport.peer
      const preimage = helloPreimage(meshId, from, to)
      const { keys, sign } = bob
      await frames.send(
        new Writer().u8(1).raw(meshId).raw(keys.ed25519).raw(sign(preimage)).finish(),
        soon(),
      )
      await stuck.promise
    })
    links.reach(from)
    await until("the link to stand", () => links.connected.length === 1)
    const mebibyte = new Uint8Array(1024 * 1024)
    for (let n = 0; n < 40; n++) links.broadcast(mebibyte, [bob.keys])
    assert(links.dropped >= 40 - 9, `${links.dropped} dropped`)
    links.broadcast(new Uint8Array(FRAME_BYTES_MAX), [bob.keys])
    links.lost(from)
    stuck.resolve(undefined)
    assert.deepEqual(links.connected, [])
  })

  it("does not believe that more was taken than was sent", async (t) => {
    const { links, theirs, hers, from } = await adaAndSomebody(t)
    let opened = 0
    await theirs.streams.handle(PBFT_PROTOCOL, limits, async (frames) => {
      opened++
      await frames.receive(soon())
      const preimage = helloPreimage(meshId, from, hers.transport.peer)
      const { keys, sign } = bob
      await frames.send(
        new Writer().u8(1).raw(meshId).raw(keys.ed25519).raw(sign(preimage)).finish(),
        soon(),
      )
      await frames.send(new Writer().u32(1_000_000).finish(), soon())
      await frames.receive(soon())
    })
    links.reach(from)
    await until("the stream to be opened again", () => opened >= 2)
  })
})
