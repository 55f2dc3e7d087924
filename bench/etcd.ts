/**
 * What people run when they need one durable order and trust their machines: etcd, three nodes over loopback, each put synced (Raft, so
 * it survives crashes and no lies). Asked as its own clients do, gRPC over HTTP/2, keys of 32 bytes. Measured only where it is installed
 * (Debian: etcd-server).
 */
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2"
import { createServer, type AddressInfo } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { median, quantile, type Result } from "./bench.ts"

const PROGRAM = "/usr/bin/etcd"
const NODES = 3
const KEY_BYTES = 32
const WARM_MS = 1_000
const MEASURE_MS = 4_000
const START_DEADLINE_MS = 30_000

interface Node {
  readonly at: number
  readonly client: number
  readonly peer: number
  process: ChildProcess | undefined
  session: ClientHttp2Session | undefined
}

/** Rows beside the ledger's, or none, and then says why on standard error. */
export async function etcdBeside(directory: string): Promise<Result[]> {
  if (!existsSync(PROGRAM)) {
    process.stderr.write(`etcd is not measured: there is no ${PROGRAM}\n`)
    return []
  }
  const nodes = await startAll(directory)
  try {
    const rows: Result[] = []
    for (const inFlight of [64, 256]) rows.push(...(await load(nodes, inFlight)))
    rows.push(await leaderKilled(nodes))
    return rows
  } finally {
    for (const { session, process: child } of nodes) {
      session?.destroy()
      child?.kill("SIGKILL")
    }
  }
}

async function startAll(directory: string): Promise<Node[]> {
  const nodes: Node[] = []
  for (let at = 0; at < NODES; at++) {
    const [client, peer] = [await freePort(), await freePort()]
    nodes.push({ at, client, peer, process: undefined, session: undefined })
  }
  const url = (port: number) => `http://127.0.0.1:${port}`
  const cluster = nodes.map(({ at, peer }) => `n${at}=${url(peer)}`).join(",")
  for (const node of nodes) {
    const options = [
      `--name=n${node.at}`,
      `--data-dir=${join(directory, `etcd${node.at}`)}`,
      `--listen-client-urls=${url(node.client)}`,
      `--advertise-client-urls=${url(node.client)}`,
      `--listen-peer-urls=${url(node.peer)}`,
      `--initial-advertise-peer-urls=${url(node.peer)}`,
      `--initial-cluster=${cluster}`,
      "--initial-cluster-state=new",
    ]
    node.process = spawn(PROGRAM, options, { stdio: "ignore" })
  }
  const deadline = performance.now() + START_DEADLINE_MS
  for (const node of nodes)
    while (!(await put(node)) && performance.now() < deadline) await sleep(100)
  return nodes
}

/** So many puts in flight, spread over the nodes. */
async function load(nodes: readonly Node[], inFlight: number): Promise<Result[]> {
  let waits: number[] = []
  let giving = true
  const worker = async (at: number) => {
    const node = nodes[at % nodes.length]
    while (giving && node !== undefined) {
      const began = performance.now()
      if (await put(node)) waits.push(performance.now() - began)
    }
  }
  const workers = Array.from({ length: inFlight }, (_, at) => worker(at))
  await sleep(WARM_MS)
  waits = []
  await sleep(MEASURE_MS)
  const measured = waits
  giving = false
  await Promise.all(workers)
  const name = `peer.etcd_closed${inFlight}`
  return [
    { metric: `${name}_per_s`, value: (1000 * measured.length) / MEASURE_MS, unit: "/s", runs: 1 },
    { metric: `${name}_p50_ms`, value: median(measured), unit: "ms", runs: measured.length },
    {
      metric: `${name}_p99_ms`,
      value: quantile(measured, 0.99),
      unit: "ms",
      runs: measured.length,
    },
  ]
}

/** From killing the leader to the next put that one of the others acknowledges. */
async function leaderKilled(nodes: readonly Node[]): Promise<Result> {
  const leader = await leaderOf(nodes)
  const others = nodes.filter((node) => node !== leader)
  leader.process?.kill("SIGKILL")
  const began = performance.now()
  const attempts = others.map(async (node) => {
    while (!(await put(node, 500)) && performance.now() - began < START_DEADLINE_MS) await sleep(10)
  })
  await Promise.race(attempts)
  const value = performance.now() - began
  return { metric: "peer.etcd_leader_killed_ms", value, unit: "ms", runs: 1 }
}

/** The node whose own id stands as leader in its status: fields 1 (header, whose field 2 is the member) and 4. */
async function leaderOf(nodes: readonly Node[]): Promise<Node> {
  for (const node of nodes) {
    const reply = await call(node, "/etcdserverpb.Maintenance/Status", new Uint8Array(0), 2_000)
    if (reply === undefined) continue
    const header = fieldOf(reply, 1)
    const own = header instanceof Uint8Array ? fieldOf(header, 2) : undefined
    if (own !== undefined && own === fieldOf(reply, 4)) return node
  }
  throw new Error("etcd has no leader")
}

/** One synced put; false when it failed. A PutRequest's field 1 is the key. */
async function put(node: Node, timeoutMs = 5_000): Promise<boolean> {
  const request = new Uint8Array(2 + KEY_BYTES)
  request.set([0x0a, KEY_BYTES])
  request.set(randomBytes(KEY_BYTES), 2)
  return (await call(node, "/etcdserverpb.KV/Put", request, timeoutMs)) !== undefined
}

/** A unary gRPC call: one length-prefixed message each way, the status in the trailers. */
async function call(
  node: Node,
  path: string,
  message: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array | undefined> {
  if (node.session === undefined || node.session.destroyed) {
    node.session = connect(`http://127.0.0.1:${node.client}`)
    node.session.on("error", () => undefined)
  }
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  const stream = node.session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  })
  const chunks: Buffer[] = []
  let status: unknown
  stream.on("data", (chunk: Buffer) => chunks.push(chunk))
  const note = (headers: IncomingHttpHeaders) => (status ??= headers["grpc-status"])
  stream.on("trailers", note)
  stream.on("response", note)
  stream.on("error", () => undefined)
  stream.setTimeout(timeoutMs, () => stream.destroy())
  stream.end(frame)
  await once(stream, "close").catch(() => undefined)
  return status === "0" ? Buffer.concat(chunks).subarray(5) : undefined
}

/** A field of a protobuf message: a number for a varint, bytes for what has a length. */
function fieldOf(message: Uint8Array, wanted: number): bigint | Uint8Array | undefined {
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = Number(varint())
    let value: bigint | Uint8Array = varint()
    if ((key & 7) === 2) {
      const length = Number(value)
      value = message.subarray(at, at + length)
      at += length
    }
    if (key >> 3 === wanted) return value
  }
  return undefined
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}
