/**
 * Is the simulator any good? Twelve deliberate bugs, each put into a copy of the built program by exact replacement of text, must
 * each be found within a stated number of seeds. `node dist/scripts/sim/mutants.js [--only NAME] [--json]`; `--fit` only looks whether the replacements fit. Exit status 1 when one
 * survives, 2 when a replacement no longer fits the program.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

interface Patch {
  readonly file: string
  readonly find: string
  readonly put: string
}

interface Mutant {
  readonly name: string
  /** Seeds, from 1 on, within which it must be found. */
  readonly seeds: number
  readonly patches: readonly Patch[]
}

const MUTANTS: readonly Mutant[] = [
  {
    name: "quorum 2f",
    seeds: 100,
    patches: [
      {
        file: "quorum.js",
        find: "Math.ceil((n + faulty(n) + 1) / 2)",
        put: "Math.max(1, Math.ceil((n + faulty(n) + 1) / 2) - 1)",
      },
    ],
  },
  {
    name: "missing prepared certificate check",
    seeds: 1000,
    patches: [
      {
        file: "certificate.js",
        find: 'if (prepares.length < set.quorum - 1)\n        return "NO_QUORUM";',
        put: "",
      },
    ],
  },
  {
    name: "duplicate signer counted twice",
    seeds: 300,
    patches: [
      {
        file: "certificate.js",
        find: "signer <= before || signer >= size",
        put: "signer >= size",
      },
    ],
  },
  {
    name: "vote before persist",
    seeds: 300,
    patches: [
      {
        file: "core.js",
        find: 'this.emit({ type: "persist", term: this.term, record });',
        put: 'if (record.kind !== "vote" && record.kind !== "proposal") this.emit({ type: "persist", term: this.term, record });',
      },
    ],
  },
  {
    name: "no null request in new view",
    seeds: 300,
    patches: [
      {
        file: "new-view.js",
        find: "proposals.push({ height, digest: newest.get(height)?.digest ?? NULL_BATCH.digest });",
        put: "const found = newest.get(height)?.digest; if (found !== undefined) proposals.push({ height, digest: found });",
      },
    ],
  },
  {
    name: "watermark off by one",
    seeds: 100,
    patches: [
      {
        file: "block.js",
        find: "height <= highMark(term, termHeights)",
        put: "height <= highMark(term, termHeights) + 1",
      },
      {
        file: "propose.js",
        find: "return height > core.high || isFull",
        put: "return height > core.high + 1 || isFull",
      },
    ],
  },
  {
    name: "stale new-view accepted",
    seeds: 1000,
    patches: [
      {
        file: "view-change.js",
        find: "if (message.view < core.view || (message.view === core.view && !core.changing))\n        return;\n    if (message.signer",
        put: "if (message.view === core.view && !core.changing)\n        return;\n    if (message.signer",
      },
      {
        file: "view-change.js",
        find: "if (message.view > core.view)\n        moveTo",
        put: "if (message.view !== core.view)\n        moveTo",
      },
    ],
  },
  {
    name: "commit without prepare",
    seeds: 300,
    patches: [
      {
        file: "normal.js",
        find: "if (matching.length < core.set.quorum - 1)\n        return;",
        put: "",
      },
    ],
  },
  {
    name: "checkpoint without quorum",
    seeds: 100,
    patches: [
      {
        file: "checkpoint.js",
        find: "if (equals.length < core.set.quorum)\n            continue;",
        put: "",
      },
    ],
  },
  {
    name: "view-change without proofs",
    seeds: 1000,
    patches: [
      {
        file: "view-change.js",
        find: "prepared: core.slotsAbove(core.executed).flatMap(({ prepared }) => prepared ?? []),",
        put: "prepared: [],",
      },
    ],
  },
  {
    name: "unsorted map in a hash",
    seeds: 300,
    patches: [
      {
        file: "membership.js",
        find: "for (const member of [...this.#members.values()].sort(compare))",
        put: "for (const member of this.#members.values())",
      },
    ],
  },
  {
    name: "timer never doubled",
    seeds: 300,
    patches: [
      {
        file: "core.js",
        find: "return baseMs * 2 ** Math.min(this.failures, DOUBLINGS_MAX);",
        put: "return baseMs;",
      },
    ],
  },
]

const dist = join(dirname(fileURLToPath(import.meta.url)), "../..")

/** A copy of what the simulator needs, inside dist so that `#primitives` and the dependencies resolve. */
function plant(mutant: Mutant): string {
  const home = join(dist, "mutants", `${mutant.name.replaceAll(" ", "-")}-${process.pid}`)
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  for (const part of ["src/consensus", "src/crypto", "test/sim", "scripts/sim"])
    cpSync(join(dist, part), join(home, part), { recursive: true })
  for (const { file, find, put } of mutant.patches) {
    const path = join(home, "src/consensus", file)
    const before = readFileSync(path, "utf8")
    if (before.split(find).length !== 2) {
      process.stderr.write(`${mutant.name}: the text to replace is not once in ${file}\n`)
      process.exit(2)
    }
    writeFileSync(path, before.replace(find, put))
  }
  return home
}

interface Verdict {
  readonly name: string
  readonly seedsAllowed: number
  readonly foundAt: number | undefined
  readonly how: string
  readonly ms: number
}

function hunt(mutant: Mutant): Verdict {
  const home = plant(mutant)
  const started = performance.now()
  const run = spawnSync(
    process.execPath,
    [join(home, "scripts/sim/hunt.js"), String(mutant.seeds)],
    { encoding: "utf8", maxBuffer: 1 << 26 },
  )
  rmSync(home, { recursive: true, force: true })
  const ms = Math.round(performance.now() - started)
  if (run.status !== 0 && run.status !== 1) throw new Error(`${mutant.name}: ${run.stderr}`)
  const { foundAt, how } = JSON.parse(run.stdout) as { foundAt?: number; how?: string }
  return { name: mutant.name, seedsAllowed: mutant.seeds, foundAt, how: how ?? "", ms }
}

const { values } = parseArgs({
  options: { only: { type: "string" }, json: { type: "boolean" }, fit: { type: "boolean" } },
})
const chosen = MUTANTS.filter(({ name }) => values.only === undefined || name.includes(values.only))
if (values.fit === true) {
  for (const mutant of chosen) {
    rmSync(plant(mutant), { recursive: true, force: true })
    process.stdout.write(`${mutant.name}\n`)
  }
  process.exit(0)
}
const verdicts = chosen.map((mutant) => {
  const verdict = hunt(mutant)
  const found = verdict.foundAt === undefined ? "SURVIVES" : `seed ${verdict.foundAt}`
  if (values.json !== true)
    process.stdout.write(
      `${verdict.name}: ${found} of ${verdict.seedsAllowed}, ${verdict.ms} ms. ${verdict.how}\n`,
    )
  return verdict
})
if (values.json === true) process.stdout.write(`${JSON.stringify(verdicts)}\n`)
process.exitCode = verdicts.every(({ foundAt }) => foundAt !== undefined) ? 0 : 1
