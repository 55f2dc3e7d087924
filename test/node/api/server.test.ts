import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, existsSync, mkdirSync, renameSync, statSync, writeFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { dirname, join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { connectApi } from "../../../src/node/api/client.ts"
import type { ConnectionLimits } from "../../../src/node/api/connection.ts"
import { ApiError } from "../../../src/node/api/errors.ts"
import { CONNECTIONS_MAX, serveApi } from "../../../src/node/api/server.ts"
import type { Api, ApiEvent, Method } from "../../../src/node/api/types.ts"
import { LineSplitter } from "../../../src/node/api/wire.ts"
import { NodeDouble } from "../../helpers/node-double.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

async function serve(t: TestContext, api: Api, limits: Partial<ConnectionLimits> = {}) {
  const socketPath = join(temporaryDirectory(t), "run", "node.sock")
  const log: string[] = []
  const server = await serveApi({ socketPath, api, limits, log: (line) => log.push(line) })
  t.after(() => server.stop())
  const client = async () => {
    const connected = await connectApi(socketPath)
    t.after(() => connected.close())
    return connected
  }
  return { socketPath, server, log, client }
}

/** A client that says whatever it likes. */
async function raw(t: TestContext, socketPath: string) {
  const socket = connect(socketPath)
  t.after(() => socket.destroy())
  await once(socket, "connect")
  const splitter = new LineSplitter(1 << 20)
  const received: Record<string, unknown>[] = []
  socket.on("data", (chunk: Buffer) => {
    for (const line of splitter.push(chunk))
      received.push(JSON.parse(line) as Record<string, unknown>)
  })
  const lines = () => received
  const until = async (count: number) => {
    while (lines().length < count) await once(socket, "data")
    return lines()
  }
  return { socket, lines, until, say: (line: string) => socket.write(`${line}\n`) }
}

const ended = async (socket: Socket) => {
  if (!socket.closed) await once(socket, "close")
}

/** An `Api` whose calls do what the test says. */
function scripted(call: (method: Method, signal?: AbortSignal) => Promise<unknown>): Api {
  return {
    call: (method, _params, options) => call(method, options?.signal) as Promise<never>,
    events: () => () => undefined,
    closed: () => () => undefined,
    close: () => Promise.resolve(),
  }
}

const code = async (promise: Promise<unknown>) => {
  try {
    await promise
  } catch (error) {
    assert(error instanceof ApiError, String(error))
    return error.code
  }
  return assert.fail("should have failed")
}

const signals = () => {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  return { promise, resolve: () => resolve(undefined) }
}

describe("api: calls over a real socket", () => {
  it("carries results, errors with their hints, and events", async (t) => {
    const node = new NodeDouble()
    const { client } = await serve(t, node)
    const api = await client()
    assert.equal(await code(api.call("id", {})), "NO_IDENTITY")
    const made = await api.call("profile.create", { name: "alice", passphrase: null })
    assert.match(made.address, /^sotto1/)
    const events: ApiEvent[] = []
    const seen = signals()
    api.events((event) => {
      events.push(event)
      seen.resolve()
    })
    await api.call("contacts.add", { code: "sotto1bob", name: "bob" })
    await seen.promise
    assert.deepEqual(
      events.map((event) => event.type),
      ["contact"],
    )
    assert.equal((await api.call("subscribe", {})).status.name, "alice")
    assert.equal(node.listening, 1, "a second subscription of one connection adds nothing")
  })

  it("answers many calls at once, each its own answer, more than may be under way at once", async (t) => {
    const { client } = await serve(t, new NodeDouble())
    const api = await client()
    await api.call("profile.create", { name: "alice", passphrase: null })
    await api.call("contacts.add", { code: "sotto1bob", name: "bob" })
    const texts = Array.from({ length: 300 }, (_, i) => `message ${i}`)
    const sent = await Promise.all(
      texts.map((text) => api.call("messages.send", { to: "bob", text })),
    )
    assert.deepEqual(
      sent.map(({ message }) => message.text),
      texts,
    )
  })

  it("does not let one slow call hold up another", async (t) => {
    const slow = signals()
    const api = scripted(async (method) => {
      if (method === "unlock") await slow.promise
      return { method }
    })
    const { client } = await serve(t, api)
    const connected = await client()
    const first = connected.call("unlock", { passphrase: "x" })
    assert.deepEqual(await connected.call("id", {}), { method: "id" })
    slow.resolve()
    assert.deepEqual(await first, { method: "unlock" })
  })

  it("tells the caller of an unexpected failure only INTERNAL, and the log the rest", async (t) => {
    const { client, log } = await serve(
      t,
      scripted(() => Promise.reject(new Error("secret path /home/alice"))),
    )
    const api = await client()
    await assert.rejects(api.call("id", {}), (error: unknown) => {
      assert(error instanceof ApiError)
      assert.equal(error.code, "INTERNAL")
      assert(!error.message.includes("secret"))
      return true
    })
    assert.match(log.join("\n"), /id failed: Error: secret path/)
  })
})

describe("api: what is not a proper request", () => {
  it("is answered by its JSON-RPC code, and the connection goes on", async (t) => {
    const { socketPath } = await serve(t, new NodeDouble())
    const { say, until } = await raw(t, socketPath)
    say("{nonsense")
    say('{"jsonrpc":"2.0","id":2,"method":"no.such"}')
    say('{"jsonrpc":"2.0","id":"3","method":"unlock","params":{"passphrase":7}}')
    say('[{"jsonrpc":"2.0","id":4,"method":"status"}]')
    say('{"jsonrpc":"2.0","method":"status"}')
    say('{"jsonrpc":"2.0","id":5,"method":"toString"}')
    say('{"jsonrpc":"2.0","id":6,"method":"status"}')
    const answers = await until(6)
    const short = answers.map(({ id, error }) => {
      const { code: rpcCode, data } = (error ?? {}) as { code?: number; data?: { code: string } }
      return [id, rpcCode, data?.code]
    })
    const byId = (a: unknown[], b: unknown[]) => String(a[0]).localeCompare(String(b[0]))
    assert.deepEqual(
      short.sort(byId),
      [
        [null, -32700, "BAD_PARAMS"],
        [null, -32600, "BAD_PARAMS"],
        [2, -32601, "UNKNOWN_METHOD"],
        ["3", -32602, "BAD_PARAMS"],
        [5, -32601, "UNKNOWN_METHOD"],
        [6, undefined, undefined],
      ].sort(byId),
    )
  })

  it("ends the connection when a line is over the limit, with the reason", async (t) => {
    const { socketPath } = await serve(t, new NodeDouble())
    const { socket, say, lines } = await raw(t, socketPath)
    say(`{"jsonrpc":"2.0","id":1,"method":"${"x".repeat(1 << 20)}"}`)
    await ended(socket)
    assert.equal(lines().length, 2)
    assert.deepEqual(lines()[1]?.["params"], { code: "BAD_LINE" })
  })

  it("leaves other connections alone when one sends noise", async (t) => {
    const { socketPath, client } = await serve(t, new NodeDouble())
    const api = await client()
    const { socket } = await raw(t, socketPath)
    socket.write(Buffer.from([0xff, 0xfe, 10]))
    await ended(socket)
    assert.equal((await api.call("status", {})).identity, "none")
  })
})

describe("api: limits of a connection", () => {
  it("refuses a call too many as BUSY and takes the next once one is done", async (t) => {
    const gate = signals()
    const { socketPath } = await serve(
      t,
      scripted(async (method) => {
        if (method === "id") await gate.promise
        return {}
      }),
      { inFlightMax: 2 },
    )
    const { say, until } = await raw(t, socketPath)
    for (const id of [1, 2, 3]) say(`{"jsonrpc":"2.0","id":${id},"method":"id"}`)
    const [refused] = await until(1)
    assert.equal(refused?.["id"], 3)
    assert.equal((refused["error"] as { data: { code: string } }).data.code, "BUSY")
    gate.resolve()
    await until(3)
    say('{"jsonrpc":"2.0","id":4,"method":"status"}')
    assert.deepEqual((await until(4))[3], { jsonrpc: "2.0", id: 4, result: {} })
  })

  it("gives a call that never ends its deadline, and aborts it", async (t) => {
    const aborted = signals()
    const { client } = await serve(
      t,
      scripted((_method, signal) => {
        signal?.addEventListener("abort", aborted.resolve)
        return new Promise(() => undefined)
      }),
      { callTimeoutMs: 20 },
    )
    const api = await client()
    assert.equal(await code(api.call("id", {})), "BUSY")
    await aborted.promise
  })

  it("cancels at the node what the caller no longer wants", async (t) => {
    const started = signals()
    const aborted = signals()
    const { client } = await serve(
      t,
      scripted((method, signal) => {
        if (method === "status") return Promise.resolve({})
        signal?.addEventListener("abort", aborted.resolve)
        started.resolve()
        return new Promise(() => undefined)
      }),
    )
    const api = await client()
    const abort = new AbortController()
    const call = api.call("id", {}, { signal: abort.signal })
    await started.promise
    abort.abort(new Error("changed my mind"))
    await assert.rejects(call, /changed my mind/)
    await aborted.promise
    await api.call("status", {})
  })

  it("cuts off a subscriber that does not read, with TOO_SLOW; the others miss nothing", async (t) => {
    const node = new NodeDouble()
    const { socketPath, client } = await serve(t, node, { unreadBytesMax: 64 << 10 })
    const quick = await client()
    let events = 0
    const all = signals()
    quick.events(() => {
      if (++events === 2000) all.resolve()
    })
    await quick.call("subscribe", {})
    const slow = await raw(t, socketPath)
    slow.say('{"jsonrpc":"2.0","id":1,"method":"subscribe"}')
    await slow.until(1)
    slow.socket.pause()
    for (let i = 0; i < 2000; i++) {
      node.tell({ type: "progress", what: "x".repeat(1000), done: i, total: 2000 })
      // the quick reader gets its chance to read
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await all.promise
    slow.socket.resume()
    await ended(slow.socket)
    assert.deepEqual(slow.lines().at(-1)?.["params"], { code: "TOO_SLOW" })
    assert(slow.lines().length < 2000)
    assert.equal(node.listening, 1)
  })

  it("stops reading from a client that does not read its answers", async (t) => {
    let answered = 0
    const { socketPath } = await serve(
      t,
      scripted(() => {
        answered++
        return Promise.resolve("x".repeat(100_000))
      }),
      { inFlightMax: 4096 },
    )
    const { socket, say, until } = await raw(t, socketPath)
    socket.pause()
    const filler = "y".repeat(60_000)
    for (let id = 0; id < 300; id++)
      say(`{"jsonrpc":"2.0","id":${id},"method":"status","filler":"${filler}"}`)
    // until a while goes by in which no more are taken
    for (let quiet = 0, last = 0; quiet < 50; quiet++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (answered !== last) quiet = 0
      last = answered
    }
    assert(answered < 300, `${answered} of 300 were taken though none was read`)
    socket.resume()
    await until(300)
    assert.equal(answered, 300)
  })

  it("turns away connections over the limit", async (t) => {
    const { socketPath } = await serve(t, new NodeDouble())
    const taken = []
    for (let i = 0; i < CONNECTIONS_MAX; i++) {
      const one = await raw(t, socketPath)
      one.say('{"jsonrpc":"2.0","id":1,"method":"status"}')
      await one.until(1)
      taken.push(one)
    }
    const extra = await raw(t, socketPath)
    await ended(extra.socket)
    assert.deepEqual(extra.lines()[0]?.["params"], { code: "BUSY" })
  })

  it("still answers a client that has closed its own direction", async (t) => {
    const { socketPath } = await serve(t, new NodeDouble())
    const { socket, lines } = await raw(t, socketPath)
    socket.end('{"jsonrpc":"2.0","id":1,"method":"status"}\n')
    await ended(socket)
    assert.equal(lines()[0]?.["id"], 1)
  })
})

describe("api: the socket", () => {
  it("is 0600 in a directory of 0700, even where that was open to others", async (t) => {
    const directory = join(temporaryDirectory(t), "run")
    mkdirSync(directory)
    chmodSync(directory, 0o755)
    const socketPath = join(directory, "node.sock")
    const server = await serveApi({ socketPath, api: new NodeDouble() })
    assert.equal(statSync(socketPath).mode & 0o777, 0o600)
    assert.equal(statSync(directory).mode & 0o777, 0o700)
    await server.stop()
    assert(!existsSync(socketPath))
  })

  it("is BUSY while its owner lives, replaced once it is dead", async (t) => {
    const { socketPath, server } = await serve(t, new NodeDouble())
    assert.equal(await code(serveApi({ socketPath, api: new NodeDouble() })), "BUSY")
    await server.stop()
    const holder = `require("node:net").createServer().listen(process.argv[1], () => console.log("up"))`
    const child = spawn(process.execPath, ["-e", holder, socketPath], { stdio: "pipe" })
    t.after(() => child.kill("SIGKILL"))
    await once(child.stdout, "data")
    assert.equal(await code(serveApi({ socketPath, api: new NodeDouble() })), "BUSY")
    child.kill("SIGKILL")
    await once(child, "exit")
    assert(existsSync(socketPath), "a killed process leaves its socket behind")
    assert.equal(await code(connectApi(socketPath)), "GONE")
    const next = await serveApi({ socketPath, api: new NodeDouble() })
    await (await connectApi(socketPath)).close()
    await next.stop()
  })

  it("does not remove a socket that another process has put in its place", async (t) => {
    const { socketPath, server } = await serve(t, new NodeDouble())
    writeFileSync(`${socketPath}.other`, "")
    renameSync(`${socketPath}.other`, socketPath)
    await server.stop()
    assert(existsSync(socketPath))
  })

  it("is GONE where there is none, and its absence is quick to find out", async (t) => {
    const directory = temporaryDirectory(t)
    assert.equal(await code(connectApi(join(directory, "none.sock"))), "GONE")
    const abort = AbortSignal.abort(new Error("not today"))
    await assert.rejects(connectApi(join(directory, "none.sock"), { signal: abort }), /not today/)
    assert(existsSync(dirname(join(directory, "none.sock"))))
  })
})

describe("api: the end", () => {
  it("lets calls under way finish, then tells every client STOPPING", async (t) => {
    const gate = signals()
    const started = signals()
    const { client, server } = await serve(
      t,
      scripted(async (method) => {
        if (method !== "id") return {}
        started.resolve()
        await gate.promise
        return { done: true }
      }),
    )
    const busy = await client()
    const idle = await client()
    await idle.call("status", {})
    const reasons: string[] = []
    const told = signals()
    const note = (reason: string) => {
      reasons.push(reason)
      if (reasons.length === 2) told.resolve()
    }
    busy.closed(note)
    idle.closed(note)
    const call = busy.call("id", {})
    await started.promise
    const stopped = server.stop()
    gate.resolve()
    assert.deepEqual(await call, { done: true })
    await stopped
    await told.promise
    assert.deepEqual(reasons, ["STOPPING", "STOPPING"])
    assert.equal(await code(busy.call("status", {})), "STOPPING")
    const late = signals()
    busy.closed(late.resolve)
    await late.promise
  })

  it("answers the stop call even when stopping ends the connection first", async (t) => {
    const node = new NodeDouble({ onStop: () => void server.stop() })
    const { client, server } = await serve(t, node)
    assert.deepEqual(await (await client()).call("stop", {}), {})
    const waits = scripted(async () => {
      await second.server.stop()
      return {}
    })
    const second = await serve(t, waits)
    assert.deepEqual(await (await second.client()).call("stop", {}), {})
  })

  it("rejects what is under way as GONE when the node dies without a word", async (t) => {
    const { socketPath } = await serve(t, new NodeDouble())
    const holder = `require("node:net").createServer((s) => s.on("data", () => process.kill(process.pid, "SIGKILL"))).listen(process.argv[1], () => console.log("up"))`
    const path = join(dirname(socketPath), "other.sock")
    const child = spawn(process.execPath, ["-e", holder, path], { stdio: "pipe" })
    t.after(() => child.kill("SIGKILL"))
    await once(child.stdout, "data")
    const api = await connectApi(path)
    const reason = new Promise((resolve) => api.closed(resolve))
    assert.equal(await code(api.call("status", {})), "GONE")
    assert.equal(await reason, "GONE")
    await api.close()
  })

  it("does not tell a client of an end it asked for itself", async (t) => {
    const { client } = await serve(t, new NodeDouble())
    const api = await client()
    api.closed(() => assert.fail("closed was told"))
    await api.close()
    assert.equal(await code(api.call("status", {})), "GONE")
  })

  it("keeps no listener on the node once its clients have left", async (t) => {
    const node = new NodeDouble()
    const { client, server } = await serve(t, node)
    const api = await client()
    await api.call("subscribe", {})
    assert.equal(node.listening, 1)
    await api.close()
    await server.stop()
    assert.equal(node.listening, 0)
  })
})
