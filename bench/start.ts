/**
 * What it costs to have a node, as processes of the real program: until it is ready, what it then holds, what it says to its
 * peers when nobody speaks, and how long a command takes beside it. The floor is a bare Node process in the same run.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { nodeOf, PROGRAM, startCluster, type Cluster } from "../scripts/testnet/cluster.ts"
import { median, type Bench, type Result } from "./bench.ts"

const START_RUNS = 7
const SEND_RUNS = 15
/** A new mesh talks more than an idle one: peers introduce themselves, the directory fills, and who used a key package has it replaced. */
const SETTLE_MS = 90_000
const IDLE_MS = 60_000
const HOUR_MS = 3_600_000

export const startBench: Bench = { name: "start", run: measure }

async function measure(): Promise<Result[]> {
  const directory = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  let cluster: Cluster | null = null
  try {
    cluster = await startCluster({ nodes: 3, directory, identities: ["alice", "bob"] })
    await cluster.meshed()
    const results = [await floor(), await ready(cluster), await send(cluster)]
    await cluster.meshed()
    await sleep(SETTLE_MS)
    results.push(memory(cluster), ...(await idle(cluster)))
    return results
  } finally {
    await cluster?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

const result = (metric: string, unit: string, values: readonly number[]): Result => ({
  metric,
  value: median(values),
  unit,
  runs: values.length,
})

async function repeat(runs: number, run: () => Promise<number>): Promise<number[]> {
  await run()
  const values: number[] = []
  for (let i = 0; i < runs; i++) values.push(await run())
  return values
}

/** Runs a program to its end; milliseconds. */
async function timed(program: string, args: readonly string[]): Promise<number> {
  const began = performance.now()
  const child = spawn(program, [...args], { stdio: ["ignore", "ignore", "inherit"] })
  const [code] = (await once(child, "exit")) as [number | null]
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code ?? "a signal"}`)
  return performance.now() - began
}

const floor = async () =>
  result(
    "floor.node_start_ms",
    "ms",
    await repeat(SEND_RUNS, () => timed(process.execPath, ["-e", "0"])),
  )

/** From starting the process to its ready line, on a profile with an identity, in a mesh whose others are up. */
async function ready(cluster: Cluster): Promise<Result> {
  const node = nodeOf(cluster, 1)
  const values = await repeat(START_RUNS, async () => {
    await node.stop()
    const began = performance.now()
    await node.start()
    return performance.now() - began
  })
  return result("start.ready_ms", "ms", values)
}

/** `sotto send` as a process, from its start to its end, the message durable. */
async function send(cluster: Cluster): Promise<Result> {
  const [alice, bob] = [nodeOf(cluster, 0), nodeOf(cluster, 1)]
  const { address } = await (await bob.api()).call("id", {})
  await (await alice.api()).call("contacts.add", { code: address, name: "bob" })
  const args = [...alice.arguments, "send", "bob", "-m", "x".repeat(256)]
  return result("start.cli_send_ms", "ms", await repeat(SEND_RUNS, () => timed(PROGRAM, args)))
}

/** Resident memory of each node; Linux only, elsewhere not measured (NaN). */
function memory(cluster: Cluster): Result {
  const values = cluster.nodes.map(({ pid }) => {
    const status = readFileSync(`/proc/${pid ?? "self"}/status`, "utf8")
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
  })
  return result("start.rss_mib", "MiB", values)
}

/** Bytes each node sent and received over its TCP connections while nobody spoke, as the kernel counts them. */
async function idle(cluster: Cluster): Promise<Result[]> {
  const before = traffic()
  if (before === null) return []
  const began = performance.now()
  await sleep(IDLE_MS)
  const after = traffic()
  if (after === null) throw new Error("ss counted once and then no more")
  const elapsed = performance.now() - began
  const values = cluster.nodes.map(({ pid = 0 }) => {
    const bytes = (after.get(pid) ?? 0) - (before.get(pid) ?? 0)
    return (bytes * HOUR_MS) / elapsed
  })
  return [result("start.idle_bytes_per_h", "bytes/h", values)]
}

/** Bytes by process id, from `ss`; null where there is none. */
function traffic(): Map<number, number> | null {
  const { status, stdout } = spawnSync("ss", ["-tinpH"], { encoding: "utf8", maxBuffer: 64 << 20 })
  if (status !== 0) return null
  const bytes = new Map<number, number>()
  let pid = 0
  for (const line of stdout.split("\n")) {
    pid = Number(/pid=(\d+)/.exec(line)?.[1] ?? pid)
    for (const [, count] of line.matchAll(/bytes_(?:sent|received):(\d+)/g))
      bytes.set(pid, (bytes.get(pid) ?? 0) + Number(count))
  }
  return bytes
}
