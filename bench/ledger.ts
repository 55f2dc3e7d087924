/**
 * The ledger, validators as processes on this machine: real streams, real LevelDB, every vote synced before it leaves, hybrid post-quantum
 * signatures. What is ordered are ids that every validator has admitted already. How many a second with so many in flight, how long one
 * takes at a fixed rate (counted from when it was due), with seven validators, with a faulty one, with a primary that dawdles; how long
 * nothing is ordered when a primary is killed; how fast those who were away read on. Beside it the floor, the normal case alone with the same
 * signatures and syncs, and etcd, which survives crashes but no lies.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { TERM_HEIGHTS } from "../src/consensus/limits.ts"
import { type Bench, median, type Result } from "./bench.ts"
import { etcdBeside } from "./etcd.ts"
import type { Behaviour } from "./ledger-byzantine.ts"
import { makeChain, writeChain } from "./ledger-chain.ts"
import {
  type ClusterOptions,
  directoryOf,
  genesisOf,
  LedgerCluster,
  newSecrets,
} from "./ledger-cluster.ts"
import { closedLoop, type Load, openLoop, rateUntil, type Span } from "./ledger-load.ts"

const SPAN: Span = { warmMs: 1_500, measureMs: 4_000 }
const MANY = 4_096
const OPEN_PER_SECOND = 2_000
const RUNS = 5
/** Beside faulty validators: enough to keep a primary busy, few enough to feel every pause. */
const SOME = 256
const DAWDLING_TERMS = 10
const KILLS = 5
const KILL_LOAD_PER_SECOND = 500
const KILL_EVERY_MS = 1_000
const CHAIN_BLOCKS = 2_000
const CHAIN_ITEMS = 16

export const ledgerBench: Bench = { name: "ledger", run }

async function run(): Promise<Result[]> {
  const normal = await inCluster({ validators: 4 }, normalCase)
  const faultFree = normal.find(({ metric }) => metric === `ledger.closed${SOME}_per_s`)?.value ?? 0
  const floor = await inCluster({ validators: 4, program: "floor" }, hybridFloor)
  return [
    ...normal,
    ...floor,
    ...(await inCluster({ validators: 7 }, sevenCase)),
    ...(await faulty("silent")),
    ...(await faulty("conflicting")),
    ...(await inCluster({ validators: 4, behaviours: ["dawdling"] }, async (cluster) => {
      const perSecond = await rateUntil(cluster, SOME, DAWDLING_TERMS * TERM_HEIGHTS)
      return [
        row("dawdling_per_s", perSecond, "/s"),
        row("dawdling_share", perSecond / faultFree, "ratio"),
      ]
    })),
    ...(await inCluster({ validators: 4 }, primaryKilled)),
    ...(await catchingUp()),
    ...(await inDirectory(etcdBeside)),
  ]
}

const row = (metric: string, value: number, unit: string, runs = 1): Result => ({
  metric: `ledger.${metric}`,
  value,
  unit,
  runs,
})

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const inCluster = <T>(
  options: Omit<ClusterOptions, "directory">,
  work: (cluster: LedgerCluster, directory: string) => Promise<T>,
): Promise<T> =>
  inDirectory(async (directory) => {
    const cluster = await LedgerCluster.start({ ...options, directory })
    try {
      return await work(cluster, directory)
    } finally {
      await cluster.stop()
    }
  })

async function repeated(load: () => Promise<Load>): Promise<Load> {
  const loads: Load[] = []
  for (let i = 0; i < RUNS; i++) loads.push(await load())
  const of = (key: keyof Load) => median(loads.map((each) => each[key]))
  return {
    perSecond: of("perSecond"),
    p50Ms: of("p50Ms"),
    p99Ms: of("p99Ms"),
    blocks: of("blocks"),
    cpuMsPerBlock: of("cpuMsPerBlock"),
  }
}

/** With few in flight; `prefix` stands before the metrics' names. */
async function fewInFlight(cluster: LedgerCluster, prefix = ""): Promise<Result[]> {
  const few: Result[] = []
  for (const inFlight of [1, 64, SOME]) {
    const { perSecond, p50Ms, p99Ms } = await closedLoop(cluster, inFlight, SPAN)
    few.push(
      row(`${prefix}closed${inFlight}_per_s`, perSecond, "/s"),
      row(`${prefix}closed${inFlight}_p50_ms`, p50Ms, "ms"),
      row(`${prefix}closed${inFlight}_p99_ms`, p99Ms, "ms"),
    )
  }
  return few
}

async function normalCase(cluster: LedgerCluster): Promise<Result[]> {
  const few = await fewInFlight(cluster)
  const many = await repeated(() => closedLoop(cluster, MANY, SPAN))
  const open = await repeated(() => openLoop(cluster, OPEN_PER_SECOND, SPAN))
  return [
    row("per_s", many.perSecond, "/s", RUNS),
    row("p50_ms", open.p50Ms, "ms", RUNS),
    row("p99_ms", open.p99Ms, "ms", RUNS),
    row(`closed${MANY}_p50_ms`, many.p50Ms, "ms", RUNS),
    row(`closed${MANY}_cpu_ms`, many.cpuMsPerBlock, "ms", RUNS),
    row("open_cpu_ms", open.cpuMsPerBlock, "ms", RUNS),
    ...few,
  ]
}

/** The same load on processes that do the normal case and nothing else. */
async function hybridFloor(cluster: LedgerCluster): Promise<Result[]> {
  const open = await repeated(() => openLoop(cluster, OPEN_PER_SECOND, SPAN))
  const of = (metric: string, value: number) => ({
    ...row(metric, value, "ms", RUNS),
    metric: `floor.hybrid_${metric}`,
  })
  return [of("p50_ms", open.p50Ms), of("p99_ms", open.p99Ms), of("cpu_ms", open.cpuMsPerBlock)]
}

async function sevenCase(cluster: LedgerCluster): Promise<Result[]> {
  const many = await closedLoop(cluster, MANY, SPAN)
  const open = await openLoop(cluster, OPEN_PER_SECOND, SPAN)
  return [
    row("n7_per_s", many.perSecond, "/s"),
    row("n7_p50_ms", open.p50Ms, "ms"),
    row("n7_p99_ms", open.p99Ms, "ms"),
    ...(await fewInFlight(cluster, "n7_")),
  ]
}

/** One of four lies from the start: never as the first primary, so that what is measured is a backup. */
const faulty = (behaviour: Behaviour) =>
  inCluster(
    { validators: 4, behaviours: ["honest", "honest", "honest", behaviour] },
    async (cluster) => {
      const { perSecond } = await closedLoop(cluster, SOME, SPAN)
      return [row(`${behaviour}_per_s`, perSecond, "/s")]
    },
  )

/** Under load, again and again: from the kill to the next block that somebody else proposed. */
async function primaryKilled(cluster: LedgerCluster): Promise<Result[]> {
  const load = setInterval(() => cluster.submit(KILL_LOAD_PER_SECOND / 100), 10)
  const waits: number[] = []
  try {
    for (let i = 0; i < KILLS; i++) {
      await sleep(KILL_EVERY_MS)
      const victim = cluster.primary
      const first = cluster.blocks.length
      await cluster.kill(victim)
      const began = performance.now()
      const next = () =>
        cluster.blocks.slice(first).find((block) => cluster.proposer(block) !== victim)
      await cluster.until("another primary", () => next() !== undefined)
      waits.push((next()?.at ?? NaN) - began)
      await cluster.restart(victim)
      await cluster.linked()
      const height = cluster.height
      await cluster.until("it to be back", () => cluster.heightOf(victim) >= height)
    }
  } finally {
    clearInterval(load)
  }
  return [
    row("viewchange_ms", median(waits), "ms", KILLS),
    row("viewchange_max_ms", Math.max(...waits), "ms", KILLS),
  ]
}

/** A validator and then a follower without any of it, from the first block to the last; every signature is checked. */
const catchingUp = () =>
  inDirectory(async (directory) => {
    const secrets = newSecrets(4)
    const genesis = genesisOf(secrets)
    const made = makeChain(genesis, secrets, CHAIN_BLOCKS, CHAIN_ITEMS)
    const last = secrets.length - 1
    for (let seat = 0; seat < last; seat++) await writeChain(directoryOf(directory, seat), made)
    const options = { directory, validators: secrets.length, secrets, genesis, absent: [last] }
    const cluster = await LedgerCluster.start(options)
    try {
      const rate = async (metric: string, at: number) => {
        let began = 0
        await cluster.until("all blocks", () => {
          const height = cluster.heightOf(at)
          if (began === 0 && height > 0) began = performance.now()
          return height >= CHAIN_BLOCKS
        })
        return row(metric, (1000 * CHAIN_BLOCKS) / (performance.now() - began), "blocks/s")
      }
      await cluster.restart(last)
      const validator = await rate("catchup_per_s", last)
      const follower = await cluster.follow(join(directory, "follower"))
      return [validator, await rate("follow_per_s", follower)]
    } finally {
      await cluster.stop()
    }
  })
