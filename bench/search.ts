/**
 * Searching a profile of 100,000 messages of about 256 bytes, through the API: making the index when the first question comes, then
 * questions of different kinds. Words are drawn as in a language: the n-th most frequent about 1/n times as often as the first. Beside it
 * the longest time that the event loop of the node was held up while the index was made and while questions were answered.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startNode } from "../src/node/node.ts"
import { type Bench, median, type Result } from "./bench.ts"
import { watchLoop } from "./loop-hold.ts"
import { fillProfile, quietOptions } from "./filled-profile.ts"

const MESSAGES = 100_000
const THREADS = 50
const WORDS = 50_000
const WORDS_A_TEXT = 40
const RUNS = 9
const LIMIT = 50

/** The most frequent, a rare one, several, a beginning, neighbours, filters. */
const QUESTIONS = {
  common: wordOf(0),
  rare: `${wordOf(40_000)} `,
  several: `${wordOf(3)} ${wordOf(70)} ${wordOf(200)} `,
  prefix: wordOf(9).slice(0, 2),
  phrase: `"${wordOf(0)} ${wordOf(1)} ${wordOf(2)}"`,
  filters: `${wordOf(5)} from:friend7 before:1970-02-20`,
  nothing: "zzzz",
} as const

export const searchBench: Bench = { name: "search", run }

async function run(): Promise<Result[]> {
  const dataDir = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  try {
    const random = seeded(7)
    const textOf = () =>
      Array.from({ length: WORDS_A_TEXT }, () => wordOf(Math.floor(WORDS ** random()) - 1)).join(
        " ",
      )
    await fillProfile(dataDir, { messages: MESSAGES, threads: THREADS, textOf })
    return await measure(dataDir)
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function measure(dataDir: string): Promise<Result[]> {
  const node = await startNode(quietOptions(dataDir))
  const ask = async (query: string) => {
    const began = performance.now()
    const { hits } = await node.api.call("messages.search", { query, limit: LIMIT })
    return { elapsed: performance.now() - began, hits: hits.length }
  }
  global.gc?.()
  const before = process.memoryUsage()
  const making = watchLoop()
  const { elapsed: build } = await ask(QUESTIONS.nothing)
  const buildHeld = making.stop()
  global.gc?.()
  const after = process.memoryUsage()
  const asking = watchLoop()
  const results: Result[] = []
  const all: number[] = []
  for (const [name, query] of Object.entries(QUESTIONS)) {
    const taken: number[] = []
    for (let i = 0; i < RUNS; i++) taken.push((await ask(query)).elapsed)
    all.push(...taken)
    results.push({ metric: `search.${name}_ms`, value: median(taken), unit: "ms", runs: RUNS })
  }
  const askHeld = asking.stop()
  const mib = (memory: NodeJS.MemoryUsage) => (memory.heapUsed + memory.arrayBuffers) / 2 ** 20
  const one = (metric: string, value: number, unit: string) => ({ metric, value, unit, runs: 1 })
  await node.stop()
  return [
    one("history.search100k_ms", Math.max(...results.map(({ value }) => value)), "ms"),
    one("search.worst_ms", Math.max(...all), "ms"),
    one("search.build_ms", build, "ms"),
    one("search.build_loop_max_ms", buildHeld, "ms"),
    one("search.loop_max_ms", askHeld, "ms"),
    one("search.memory_mib", mib(after) - mib(before), "MiB"),
    ...results,
  ]
}

/** A made-up word, the same for the same number: frequent ones are short. */
function wordOf(n: number): string {
  const syllables = ["ka", "lo", "mi", "te", "ru", "so", "ne", "vi", "do", "pa", "gu", "fe", "zi"]
  let word = ""
  for (let rest = n + 1; rest > 0; rest = Math.floor(rest / syllables.length))
    word += syllables[rest % syllables.length] ?? ""
  return word
}

/** The same texts in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
