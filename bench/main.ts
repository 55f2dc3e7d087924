/**
 * `npm run bench -- NAME [--json]`: runs one benchmark and prints a table, or with --json one object
 * `{"name", "machine", "node", "results": [{"metric", "value", "unit", "runs"}]}`. Without a known name it lists the names
 * and exits 2. A benchmark is loaded only when it is asked for, so that one's imports never weigh on another's memory.
 */
import { availableParallelism, cpus, totalmem } from "node:os"
import type { Bench, Result } from "./bench.ts"

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  admission: async () => (await import("./admission.ts")).admissionBench,
  chat: async () => (await import("./chat.ts")).chatBench,
  directory: async () => (await import("./directory.ts")).directoryBench,
  envelope: async () => (await import("./envelope.ts")).envelopeBench,
  files: async () => (await import("./files.ts")).filesBench,
  ledger: async () => (await import("./ledger.ts")).ledgerBench,
  group8: async () => (await import("./group8.ts")).group8Bench,
  groups: async () => (await import("./groups.ts")).groupsBench,
  history: async () => (await import("./history.ts")).historyBench,
  primitives: async () => (await import("./primitives.ts")).primitivesBench,
  search: async () => (await import("./search.ts")).searchBench,
  start: async () => (await import("./start.ts")).startBench,
  tags: async () => (await import("./tags.ts")).tagsBench,
  tui: async () => (await import("./tui.ts")).tuiBench,
}

/** Enough to compare by: processor, how many of them, memory, system. */
function machine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown processor"
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  return `${model}, ${availableParallelism()} cores, ${gibibytes} GiB, ${process.platform}-${process.arch}`
}

/** Four significant digits: the noise is in the third. */
const rounded = (value: number) => Number(value.toPrecision(4))

function table(results: readonly Result[]): string {
  const rows = results.map(({ metric, value, unit, runs }) => [
    metric,
    String(rounded(value)),
    unit,
    `median of ${runs}`,
  ])
  const widths = [0, 1, 2, 3].map((i) => Math.max(0, ...rows.map((row) => row[i]?.length ?? 0)))
  const pad = (cell: string, i: number) =>
    i === 1 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)
  return rows.map((row) => row.map(pad).join("  ").trimEnd()).join("\n")
}

async function main(words: readonly string[]): Promise<number> {
  const [name, ...others] = words.filter((word) => !word.startsWith("--"))
  const options = words.filter((word) => word.startsWith("--"))
  const load = name !== undefined && Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
  if (load === undefined || others.length > 0 || options.some((option) => option !== "--json")) {
    process.stderr.write("usage: npm run bench -- NAME [--json]\n")
    process.stderr.write(`benchmarks: ${Object.keys(BENCHES).sort().join(", ")}\n`)
    return 2
  }
  const bench = await load()
  const results = (await bench.run()).map((result) => ({ ...result, value: rounded(result.value) }))
  const about = { name: bench.name, machine: machine(), node: process.version }
  const text = options.includes("--json")
    ? JSON.stringify({ ...about, results })
    : `${about.name}: ${about.machine}, Node ${about.node}\n${table(results)}`
  process.stdout.write(`${text}\n`)
  return 0
}

process.exitCode = await main(process.argv.slice(2))
