/**
 * A group of eight, each a process of the program, in a mesh whose envelopes cost no work: from `messages.send` at one to the event at the
 * last of the seven others, each writing in turn, and the processor time that all eight spend on one, blocks and receipts included; and
 * how many texts a second everybody has when all write at once.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type Cluster, nodeOf, startCluster } from "../scripts/testnet/cluster.ts"
import type { Api } from "../src/node/api/types.ts"
import { until } from "../test/e2e/mesh.ts"
import { type Bench, median, quantile, type Result } from "./bench.ts"
import { cpuMsOf } from "./cpu.ts"

const NAMES = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal"]
const GROUP = "crew"
const TEXT_BYTES = 256
const WARM_UP = 16
const ROUNDS = 120
const BURST_EACH = 50
const BURST_RUNS = 3
/** By then the receipts of the last texts have gone out, too. */
const RECEIPTS_MS = 4_000
const DEADLINE_MS = 120_000

export const group8Bench: Bench = { name: "group8", run }

async function run(): Promise<Result[]> {
  const directory = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  const cluster = await startCluster({
    nodes: NAMES.length,
    directory,
    identities: NAMES,
    founding: { powBits: 0 },
  })
  try {
    await cluster.meshed()
    const apis = await Promise.all(NAMES.map((_, at) => nodeOf(cluster, at).api()))
    await gathered(apis)
    const values: number[] = []
    let before = 0
    for (let i = 0; i < WARM_UP + ROUNDS; i++) {
      if (i === WARM_UP) before = cpuMs(cluster)
      const taken = await said(apis, i % apis.length)
      if (i >= WARM_UP) values.push(taken)
    }
    await sleep(RECEIPTS_MS)
    const cpu = (cpuMs(cluster) - before) / ROUNDS
    const bursts: number[] = []
    for (let i = 0; i <= BURST_RUNS; i++) {
      const rate = await burst(apis)
      // the first is for warming up
      if (i > 0) bursts.push(rate)
    }
    return [
      { metric: "chat.group8_p50_ms", value: median(values), unit: "ms", runs: ROUNDS },
      { metric: "chat.group8_p99_ms", value: quantile(values, 0.99), unit: "ms", runs: ROUNDS },
      { metric: "chat.group8_cpu_ms", value: cpu, unit: "ms", runs: 1 },
      { metric: "chat.group8_per_s", value: median(bursts), unit: "/s", runs: BURST_RUNS },
    ]
  } finally {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Of all eight. */
const cpuMs = (cluster: Cluster): number =>
  cluster.nodes.reduce((sum, { pid }) => sum + cpuMsOf(pid), 0)

/** All know the first, who founds the group; resolves when all are in it and nothing of it changes any more. */
async function gathered(apis: readonly Api[]): Promise<void> {
  const [first, ...others] = apis
  if (first === undefined) throw new Error("somebody founds it")
  const { address } = await first.call("id", {})
  for (const [i, other] of others.entries()) {
    const { address: theirs } = await other.call("id", {})
    await first.call("contacts.add", { code: theirs, name: NAMES[i + 1] ?? "" })
    await other.call("contacts.add", { code: address, name: NAMES[0] ?? "" })
  }
  for (const api of apis)
    await until(
      api,
      async () => (await api.call("contacts.list", {})).contacts,
      (contacts) => contacts.every(({ state }) => state === "accepted"),
      { timeoutMs: DEADLINE_MS },
    )
  await first.call("groups.create", { name: GROUP, members: NAMES.slice(1) })
  for (const api of apis)
    await until(
      api,
      () => isSettled(api),
      (is) => is,
      { timeoutMs: DEADLINE_MS },
    )
}

async function isSettled(api: Api): Promise<boolean> {
  const { threads } = await api.call("threads.list", {})
  if (threads.every(({ title }) => title !== GROUP)) return false
  const { group } = await api.call("groups.show", { group: GROUP })
  const { members, pending, changing } = group
  return (
    members.length === NAMES.length &&
    members.every(({ here }) => here) &&
    pending.length === 0 &&
    !changing
  )
}

let counter = 0
const nextText = () => `${++counter} `.padEnd(TEXT_BYTES, "x")

/** Resolves when so many texts of others have come. */
function arrived(api: Api, wanted: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => reject(new Error("a text did not come")), DEADLINE_MS)
  let seen = 0
  const stop = api.events((event) => {
    if (event.type !== "message" || event.message.mine || ++seen < wanted) return
    clearTimeout(timer)
    stop()
    resolve(undefined)
  })
  return promise
}

async function said(apis: readonly Api[], by: number): Promise<number> {
  const others = apis.filter((_, at) => at !== by)
  const began = performance.now()
  const all = Promise.all(others.map((api) => arrived(api, 1)))
  await apis[by]?.call("messages.send", { to: GROUP, text: nextText() })
  await all
  return performance.now() - began
}

/** Texts a second that everybody has. */
async function burst(apis: readonly Api[]): Promise<number> {
  const began = performance.now()
  const all = apis.map((api) => arrived(api, BURST_EACH * (apis.length - 1)))
  const sent = apis.flatMap((api) =>
    Array.from({ length: BURST_EACH }, () =>
      api.call("messages.send", { to: GROUP, text: nextText() }),
    ),
  )
  await Promise.all([...sent, ...all])
  return (1000 * BURST_EACH * apis.length) / (performance.now() - began)
}
