/**
 * The ledger, validators as processes on this machine: real streams, real LevelDB, every vote synced before it leaves, hybrid post-quantum
 * signatures. What is ordered are ids that every validator has admitted already. How many a second with so many in flight, how long one
 * takes at a fixed rate (counted from when it was due), with seven validators, with a faulty one, with a primary that dawdles; how long
 * nothing is ordered when a primary is killed; how fast those who were away read on. etcd, which survives crashes but no lies, beside it.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Bench, Result } from "./bench.ts"
import { median } from "./bench.ts"
import type { Behaviour } from "./ledger-byzantine.ts"
import { LedgerCluster } from "./ledger-cluster.ts"
import { closedLoop, type Load, openLoop, type Span } from "./ledger-load.ts"

const OPEN_PER_SECOND = 2_000
const MANY = 4_096

export const ledgerBench: Bench = { name: "ledger", run }

async function run(): Promise<Result[]> {
  return [...(await normalCase())]
}

const row = (metric: string, value: number, unit: string, runs = 1): Result => ({
  metric: `ledger.${metric}`,
  value,
  unit,
  runs,
})

async function withCluster<T>(
  options: { validators: number; behaviours?: readonly Behaviour[] },
  work: (cluster: LedgerCluster, directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  let cluster: LedgerCluster | undefined
  try {
    cluster = await LedgerCluster.start({ ...options, directory })
    return await work(cluster, directory)
  } finally {
    await cluster?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

const SPAN: Span = { warmMs: 2_000, measureMs: 5_000 }

async function repeated(times: number, load: () => Promise<Load>): Promise<Load> {
  const loads: Load[] = []
  for (let i = 0; i < times; i++) loads.push(await load())
  const of = (key: keyof Load) => median(loads.map((each) => each[key]))
  return {
    perSecond: of("perSecond"),
    p50Ms: of("p50Ms"),
    p99Ms: of("p99Ms"),
    blocks: of("blocks"),
  }
}

async function normalCase(): Promise<Result[]> {
  return await withCluster({ validators: 4 }, async (cluster) => {
    const results: Result[] = []
    for (const inFlight of [1, 64, 256]) {
      const load = await closedLoop(cluster, inFlight, SPAN)
      results.push(
        row(`closed${inFlight}_per_s`, load.perSecond, "/s"),
        row(`closed${inFlight}_p50_ms`, load.p50Ms, "ms"),
        row(`closed${inFlight}_blocks`, load.blocks, "blocks"),
      )
    }
    const many = await repeated(3, () => closedLoop(cluster, MANY, SPAN))
    const open = await repeated(3, () => openLoop(cluster, OPEN_PER_SECOND, SPAN))
    return [
      row("per_s", many.perSecond, "/s", 3),
      row("many_p50_ms", many.p50Ms, "ms", 3),
      row("many_blocks", many.blocks, "blocks", 3),
      row("p50_ms", open.p50Ms, "ms", 3),
      row("p99_ms", open.p99Ms, "ms", 3),
      row("open_blocks", open.blocks, "blocks", 3),
      ...results,
    ]
  })
}
