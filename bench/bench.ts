/** What a benchmark is, and how it repeats and sums up. A benchmark measures and asserts nothing; tests assert and measure nothing. */

export interface Result {
  /** As in DESIGN: `envelope.decap_us`. The last word is the unit. */
  readonly metric: string
  /** The median of `runs`. */
  readonly value: number
  readonly unit: string
  /** How many measurements the median is of. */
  readonly runs: number
}

export interface Bench {
  readonly name: string
  run(): Promise<Result[]>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = NaN, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1)
  return (low + high) / 2
}

/** The value that this share of all does not exceed: `quantile(values, 0.99)` is the 99th percentile. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1] ?? NaN
}

/** How long one measurement of a repeated call goes on: long against the clock and a garbage collection. */
const MEASURE_MS = 60
const RUNS = 7

/** Median time of one call in microseconds, over `runs` measurements of as many calls as fit; the first is for warming up. */
export function timeCall(metric: string, call: () => unknown, runs = RUNS): Result {
  const measure = () => {
    const start = performance.now()
    let calls = 0
    let elapsed = 0
    for (; elapsed < MEASURE_MS; calls++) {
      call()
      elapsed = performance.now() - start
    }
    return (1000 * elapsed) / calls
  }
  measure()
  const value = median(Array.from({ length: runs }, measure))
  return { metric, value, unit: "us", runs }
}
