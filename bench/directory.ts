/**
 * Finding a card from an address among thirty peers in one process, a fifth of whom have just been replaced; and what lies cost: the same
 * question among five honest peers, and among those and as many that lie.
 */
import { churn } from "../test/helpers/directory-churn.ts"
import { amongLiars, type Lookups } from "../test/helpers/directory-liars.ts"
import { type Bench, median, type Result } from "./bench.ts"

export const directoryBench: Bench = { name: "directory", run }

const LOOKUPS = 120
const AMONG_LIARS = 40
const LIARS = 5

async function run(): Promise<Result[]> {
  const { asked, found, timesMs } = await churn(LOOKUPS)
  const honest = await amongLiars(0, AMONG_LIARS)
  const lied = await amongLiars(LIARS, AMONG_LIARS)
  return [
    ...times("lookup", timesMs),
    { metric: "directory.success", value: found / asked, unit: "ratio", runs: asked },
    ...times("honest", honest.timesMs),
    ...times("liars", lied.timesMs),
    wrongOf(lied),
  ]
}

function times(what: string, timesMs: readonly number[]): Result[] {
  const sorted = timesMs.toSorted((a, b) => a - b)
  const p99 = sorted[Math.ceil(0.99 * sorted.length) - 1] ?? NaN
  const runs = sorted.length
  return [
    { metric: `directory.${what}_p50_ms`, value: median(sorted), unit: "ms", runs },
    { metric: `directory.${what}_p99_ms`, value: p99, unit: "ms", runs },
  ]
}

const wrongOf = ({ wrong, timesMs }: Lookups): Result => ({
  metric: "directory.liars_wrong",
  value: wrong,
  unit: "cards",
  runs: timesMs.length,
})
