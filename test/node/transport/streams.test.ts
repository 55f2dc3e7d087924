import assert from "node:assert/strict"
import { describe, test, type TestContext } from "node:test"
import { type Bytes, utf8 } from "../../../src/crypto/bytes.ts"
import { newPeerKey } from "../../../src/node/transport/peer-key.ts"
import {
  type Frames,
  StreamError,
  type StreamErrorCode,
  Streams,
} from "../../../src/node/transport/streams.ts"
import { startTransport } from "../../../src/node/transport/transport.ts"
import { until } from "../../helpers/wait.ts"

const PROTOCOL = "/sotto/test/1"

async function end(t: TestContext, listen: string[]) {
  const transport = await startTransport({ key: await newPeerKey(), listen, topics: [] })
  const faults: unknown[] = []
  const streams = new Streams(transport.libp2p, (error) => faults.push(error))
  t.after(async () => {
    await streams.stop()
    await transport.stop()
  })
  return { transport, streams, faults, peer: transport.peer }
}

async function pair(t: TestContext) {
  const server = await end(t, ["/ip4/127.0.0.1/tcp/0"])
  const client = await end(t, [])
  await client.transport.dial(server.transport.addresses(), AbortSignal.timeout(10_000))
  const ask = (request: Bytes, options: { deadlineMs?: number; replyBytesMax?: number } = {}) =>
    client.streams.request(server.peer, PROTOCOL, request, { replyBytesMax: 1000, ...options })
  return { server, client, ask }
}

const fails = (code: StreamErrorCode) => (error: unknown) => {
  assert(error instanceof StreamError, String(error))
  assert.equal(error.code, code)
  return true
}

const LIMITS = { requestBytesMax: 1000 }
const echo = (request: Bytes) => Promise.resolve(request)
const never = (_: Bytes, __: string, signal: AbortSignal) =>
  new Promise<Bytes>((_resolve, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  )

describe("one request, one reply", () => {
  test("the handler gets the request and who asks, the asker the reply", async (t) => {
    const { server, client, ask } = await pair(t)
    await server.streams.serve(PROTOCOL, LIMITS, (request, peer) =>
      Promise.resolve(utf8(`${peer}:${new TextDecoder().decode(request)}`)),
    )
    assert.deepEqual(await ask(utf8("hello")), utf8(`${client.peer}:hello`))
    assert.deepEqual(await ask(utf8("")), utf8(`${client.peer}:`))
  })

  test("leaves no stream open, however often", async (t) => {
    const { server, client, ask } = await pair(t)
    await server.streams.serve(PROTOCOL, LIMITS, echo)
    for (let i = 0; i < 100; i++) await ask(utf8("again"))
    await Promise.all(Array.from({ length: 16 }, () => ask(utf8("at once"))))
    const open = ({ transport }: typeof server) =>
      transport.libp2p
        .getConnections()
        .flatMap((connection) => connection.streams)
        .filter(({ protocol }) => protocol === PROTOCOL).length
    await until("all streams are closed", () => open(server) + open(client) === 0)
  })

  test("NOT_CONNECTED without a connection: nothing is dialed behind the dialer's back", async (t) => {
    const { client } = await pair(t)
    const stranger = await end(t, ["/ip4/127.0.0.1/tcp/0"])
    await assert.rejects(
      client.streams.request(stranger.peer, PROTOCOL, utf8("x"), { replyBytesMax: 10 }),
      fails("NOT_CONNECTED"),
    )
  })

  test("UNSUPPORTED when the peer does not speak the protocol", async (t) => {
    const { ask } = await pair(t)
    await assert.rejects(ask(utf8("x")), fails("UNSUPPORTED"))
  })

  test("TIMEOUT when no answer comes in time, and when the asker gives up", async (t) => {
    const { server, client, ask } = await pair(t)
    await server.streams.serve(PROTOCOL, LIMITS, never)
    await assert.rejects(ask(utf8("x"), { deadlineMs: 100 }), fails("TIMEOUT"))
    const giveUp = new AbortController()
    const options = { signal: giveUp.signal, replyBytesMax: 10 }
    const asking = client.streams.request(server.peer, PROTOCOL, utf8("x"), options)
    giveUp.abort()
    await assert.rejects(asking, fails("TIMEOUT"))
  })

  test("a handler has a deadline too; the asker sees the stream go", async (t) => {
    const { server, ask } = await pair(t)
    await server.streams.serve(PROTOCOL, { ...LIMITS, deadlineMs: 100 }, never)
    await assert.rejects(ask(utf8("x")), fails("GONE"))
  })

  test("TOO_LARGE for a reply beyond the limit; a request beyond it is not served", async (t) => {
    const { server, ask } = await pair(t)
    let served = 0
    await server.streams.serve(PROTOCOL, LIMITS, () => {
      served += 1
      return Promise.resolve(new Uint8Array(2000))
    })
    await assert.rejects(ask(utf8("x")), fails("TOO_LARGE"))
    assert.equal(served, 1)
    await assert.rejects(ask(new Uint8Array(1001), { replyBytesMax: 5000 }), fails("GONE"))
    assert.equal(served, 1)
    assert.equal((await ask(new Uint8Array(1000), { replyBytesMax: 5000 })).length, 2000)
  })

  test("GONE when the handler fails; a bug in it is a fault of ours and harms no other request", async (t) => {
    const { server, ask } = await pair(t)
    let first = true
    await server.streams.serve(PROTOCOL, LIMITS, (request) => {
      if (!first) return Promise.resolve(request)
      first = false
      throw new Error("a bug")
    })
    await assert.rejects(ask(utf8("x")), fails("GONE"))
    assert.equal(server.faults.length, 1)
    assert.deepEqual(await ask(utf8("y")), utf8("y"))
  })

  test("GONE when the connection breaks in the middle", async (t) => {
    const { server, client, ask } = await pair(t)
    const asked = Promise.withResolvers<undefined>()
    await server.streams.serve(PROTOCOL, LIMITS, (request, peer, signal) => {
      asked.resolve(undefined)
      return never(request, peer, signal)
    })
    const failing = assert.rejects(ask(utf8("x")), fails("GONE"))
    await asked.promise
    await client.transport.hangUp(server.peer)
    await failing
  })

  test("stopping ends what is under way on both sides", async (t) => {
    const { server, client, ask } = await pair(t)
    await server.streams.serve(PROTOCOL, LIMITS, never)
    const asking = ask(utf8("x"))
    await until("served", () =>
      server.transport.libp2p
        .getConnections()
        .some(({ streams }) => streams.some(({ protocol }) => protocol === PROTOCOL)),
    )
    await Promise.all([assert.rejects(asking, fails("GONE")), client.streams.stop()])
    await server.streams.stop()
  })

  test("one peer cannot hold more than its share of streams", async (t) => {
    const { server, client, ask } = await pair(t)
    let serving = 0
    let most = 0
    const open = Promise.withResolvers<undefined>()
    await server.streams.serve(PROTOCOL, LIMITS, async (request) => {
      most = Math.max(most, ++serving)
      await open.promise
      serving -= 1
      return request
    })
    const asking = Array.from({ length: 40 }, () => ask(utf8("x")).catch((e: unknown) => e))
    await until("the share is used up", () => serving >= 16)
    open.resolve(undefined)
    const answers = await Promise.all(asking)
    assert(most <= 16, `${most} at a time`)
    assert(answers.some((answer) => answer instanceof StreamError && answer.code === "GONE"))
    assert.deepEqual(await ask(utf8("later")), utf8("later"), "afterwards all is well")
    assert.equal(client.faults.length, 0)
  })
})

describe("streams of frames", () => {
  test("carry frames both ways, in order, until one end is done", async (t) => {
    const { server, client } = await pair(t)
    const signal = AbortSignal.timeout(20_000)
    await server.streams.handle(PROTOCOL, { frameBytesMax: 70_000 }, async (frames) => {
      for (;;) await frames.send(await frames.receive(signal), signal)
    })
    const frames = await client.streams.open(
      server.peer,
      PROTOCOL,
      { frameBytesMax: 70_000 },
      signal,
    )
    for (let i = 0; i < 20; i++) {
      const frame = new Uint8Array(i * 3500).fill(i)
      await frames.send(frame, signal)
      assert.deepEqual(await frames.receive(signal), frame)
    }
    await frames.close()
    assert.equal(server.faults.length, 0, "an end that is done is no fault")
  })

  test("a sender that ignores the reader loses the stream, not our memory", async (t) => {
    const { server, client } = await pair(t)
    const signal = AbortSignal.timeout(20_000)
    const held = Promise.withResolvers<Frames>()
    const over = Promise.withResolvers<undefined>()
    await server.streams.handle(PROTOCOL, { frameBytesMax: 1024 * 1024 }, async (frames) => {
      held.resolve(frames)
      await over.promise
    })
    const frames = await client.streams.open(server.peer, PROTOCOL, { frameBytesMax: 10 }, signal)
    const flood = async () => {
      for (let i = 0; i < 64; i++) await frames.send(new Uint8Array(512 * 1024), signal)
    }
    await assert.rejects(flood(), fails("GONE"))
    await assert.rejects((await held.promise).receive(signal), StreamError)
    over.resolve(undefined)
  })
})
