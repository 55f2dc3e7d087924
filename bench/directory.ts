/** Finding a card from an address among thirty peers in one process, a fifth of whom have just been replaced. */
import { churn } from "../test/helpers/directory-churn.ts"
import { type Bench, median, type Result } from "./bench.ts"

export const directoryBench: Bench = { name: "directory", run }

const LOOKUPS = 120

async function run(): Promise<Result[]> {
  const { asked, found, timesMs: unsorted } = await churn(LOOKUPS)
  const timesMs = unsorted.toSorted((a, b) => a - b)
  const p99 = timesMs[Math.ceil(0.99 * timesMs.length) - 1] ?? NaN
  return [
    { metric: "directory.lookup_p50_ms", value: median(timesMs), unit: "ms", runs: timesMs.length },
    { metric: "directory.lookup_p99_ms", value: p99, unit: "ms", runs: timesMs.length },
    { metric: "directory.success", value: found / asked, unit: "ratio", runs: asked },
  ]
}
