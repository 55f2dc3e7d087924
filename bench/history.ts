/**
 * A profile with 100,000 messages: from opening its store, in a process that has the program loaded, to the last 50 of its thread through
 * the API, the network included; all in one thread, and spread over a thousand. Then scrolling back: pages of 200. The floor is the bare
 * LevelDB: the same store opened, and as many records of the same size read from its end.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startNode } from "../src/node/node.ts"
import { openStore } from "../src/node/store/store.ts"
import { type Bench, median, type Result } from "./bench.ts"
import { fillProfile, quietOptions } from "./filled-profile.ts"

const MESSAGES = 100_000
const THREADS = 1_000
const TEXT_BYTES = 256
const SHOWN = 50
const PAGE = 200
const PAGES = 50
const RUNS = 9

export const historyBench: Bench = { name: "history", run }

async function run(): Promise<Result[]> {
  const [one, many] = [await measure(1), await measure(THREADS)]
  const result = (metric: string, values: readonly number[]): Result => ({
    metric,
    value: median(values),
    unit: "ms",
    runs: values.length,
  })
  return [
    result("history.cold100k_ms", one.cold),
    result("history.threads1000_ms", many.cold),
    result("history.page_ms", one.pages),
    result("floor.level_ms", one.floor),
  ]
}

async function measure(threads: number) {
  const dataDir = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  const [cold, floor, pages]: number[][] = [[], [], []]
  try {
    const textOf = (n: number) => `${n} `.padEnd(TEXT_BYTES, "x")
    await fillProfile(dataDir, { messages: MESSAGES, threads, textOf })
    for (let i = 0; i <= RUNS; i++) {
      const [program, bare] = [await lastMessages(dataDir), await lastRecords(dataDir)]
      // the first is for warming up
      if (i === 0) continue
      cold?.push(program)
      floor?.push(bare)
    }
    if (threads === 1) pages?.push(...(await scrollBack(dataDir)))
    return { cold: cold ?? [], floor: floor ?? [], pages: pages ?? [] }
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** In the thread that was written into last. */
async function lastMessages(dataDir: string): Promise<number> {
  const began = performance.now()
  const node = await startNode(quietOptions(dataDir))
  const { threads } = await node.api.call("threads.list", {})
  const thread = threads[0]?.id ?? ""
  const { messages } = await node.api.call("messages.page", { thread, limit: SHOWN })
  const elapsed = performance.now() - began
  await node.stop()
  if (messages.at(-1)?.text.startsWith(`${MESSAGES} `) !== true || messages.length !== SHOWN)
    throw new Error("these are not the last messages")
  return elapsed
}

/** What each page takes on the way back. */
async function scrollBack(dataDir: string): Promise<number[]> {
  const node = await startNode(quietOptions(dataDir))
  const taken: number[] = []
  let before: string | null = null
  while (taken.length < PAGES) {
    const began = performance.now()
    const cursor: { before?: string } = before === null ? {} : { before }
    const page = await node.api.call("messages.page", { thread: "friend", limit: PAGE, ...cursor })
    taken.push(performance.now() - began)
    before = page.before
  }
  await node.stop()
  return taken
}

async function lastRecords(dataDir: string): Promise<number> {
  const began = performance.now()
  const store = await openStore(join(dataDir, "store"))
  let found = 0
  for await (const [, value] of store.range("sealed", { reverse: true, limit: SHOWN }))
    found += value.length
  const elapsed = performance.now() - began
  await store.close()
  if (found === 0) throw new Error("there are no records")
  return elapsed
}
