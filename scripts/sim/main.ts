/**
 * `npm run sim`: whole ledgers in one thread, wrecked by seed. See test/sim/README.md for the options, the scenario format and how
 * to write a schedule as a test. Exit status: 0 all that was expected holds, 1 it does not, 2 the question was wrong.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { parseArgs } from "node:util"
import type { CryptoKind } from "../../test/sim/keys.ts"
import { noRare } from "../../test/sim/rare.ts"
import type { Rare } from "../../test/sim/rare.ts"
import { healsAt, planOf } from "../../test/sim/plan.ts"
import { parseScenario, runScenario, ScenarioError } from "../../test/sim/scenario.ts"
import type { Outcome, Scenario } from "../../test/sim/scenario.ts"
import { shrink } from "../../test/sim/shrink.ts"
import { TWIN_SCHEDULES, TWIN_VALIDATORS, twinSchedule } from "../../test/sim/twins.ts"

const USAGE = `npm run sim -- [options]
  --seeds N          run N drawn schedules (default 100), from seed 1 or --from
  --from S           the first seed of --seeds, or the first Twins schedule
  --seed S           run this one schedule, exactly as before
  --validators n     that many validators instead of a drawn number
  --scenario FILE    run a schedule from a JSON file
  --twins            every Twins schedule, or those from number --from on
  --sample N         only N of the Twins schedules: spread over all, or in a row from --from on
  --crypto KIND      real or fast signatures (default fast)
  --keep DIR         where shrunk failing seeds go (default test/sim/seeds)
  --json             one JSON object on standard output
`

class UsageError extends Error {}

/** What is run, and the options that go with it; any other together with it would be passed over in silence. */
const KINDS = {
  scenario: ["crypto"],
  twins: ["from", "sample", "crypto", "keep"],
  seed: ["validators", "crypto", "keep"],
  seeds: ["from", "validators", "crypto", "keep"],
} as const
/** How often a long run says how far it is. */
const PROGRESS_MS = 2_000

interface Totals {
  runs: number
  messages: number
  steps: number
  virtualMs: number
  readonly rare: Rare
}

interface Failure {
  readonly name: string
  /** How to see it again. */
  readonly replay: string
  readonly failures: readonly string[]
  readonly violations: Outcome["violations"]
  /** The shortest schedule found that still fails; the given one where nothing could be taken away. */
  readonly shortest: Scenario
  readonly isShrunk: boolean
}

const totals: Totals = { runs: 0, messages: 0, steps: 0, virtualMs: 0, rare: noRare() }
const failures: Failure[] = []
/** A run goes on after a failure until this many were found. */
const FAILURES_MAX = 5

function count(outcome: Outcome): void {
  totals.runs++
  totals.messages += outcome.messages
  totals.steps += outcome.steps
  totals.virtualMs += outcome.virtualMs
  for (const key of Object.keys(totals.rare) as (keyof Rare)[])
    totals.rare[key] += outcome.rare[key]
}

let toldAt = performance.now()

/** On a terminal, now and then: which one is next. */
function progress(name: string): void {
  if (!process.stderr.isTTY || performance.now() - toldAt < PROGRESS_MS) return
  toldAt = performance.now()
  process.stderr.write(`\r\x1b[K${name} (${totals.runs} run, ${failures.length} failed)`)
}

function runOne(name: string, replay: string, scenario: Scenario, keepFrom: number): Outcome {
  progress(name)
  const outcome = runScenario(scenario)
  count(outcome)
  if (!outcome.ok) {
    // Without its load a schedule orders nothing either: an unmet count in a file shrinks to nothing, so it stays whole.
    const countsOnly = outcome.violations.length === 0 && scenario.expect?.settled !== true
    const shortest = countsOnly ? scenario : shrink(scenario, outcome, 300, keepFrom)
    const { violations, failures: reasons } = runScenario(shortest)
    const isShrunk = shortest !== scenario
    failures.push({ name, replay, failures: reasons, violations, shortest, isShrunk })
  }
  return outcome
}

function whole(
  text: string | undefined,
  name: string,
  low: number,
  high: number,
): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < low || value > high)
    throw new UsageError(`--${name} is a whole number from ${low} to ${high}, not "${text}"`)
  return value
}

function options() {
  try {
    return parseArgs({
      options: {
        seeds: { type: "string" },
        from: { type: "string" },
        seed: { type: "string" },
        validators: { type: "string" },
        scenario: { type: "string" },
        twins: { type: "boolean" },
        sample: { type: "string" },
        crypto: { type: "string" },
        keep: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean" },
      },
      strict: true,
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

type Options = ReturnType<typeof options>

/** What is to be run. Throws UsageError for options that do not go together. */
function kindOf(chosen: Options): keyof typeof KINDS {
  const named = (["scenario", "twins", "seed", "seeds"] as const).filter(
    (kind) => chosen[kind] !== undefined,
  )
  if (named.length > 1)
    throw new UsageError(`--${named.join(" and --")} are different runs: choose one`)
  const kind = named[0] ?? "seeds"
  const allowed: readonly string[] = [kind, "json", ...KINDS[kind]]
  const other = Object.keys(chosen).find((name) => !allowed.includes(name))
  if (other !== undefined) throw new UsageError(`--${other} does not go with --${kind}`)
  return kind
}

function readScenario(file: string): Scenario {
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
  try {
    return parseScenario(JSON.parse(text))
  } catch (error) {
    if (error instanceof ScenarioError || error instanceof SyntaxError)
      throw new UsageError(`${file}: ${error.message}`)
    throw error
  }
}

/** A kept seed is a scenario file, run by the tests from then on. */
function keep(directory: string): void {
  for (const { name, shortest } of failures) {
    const path = join(directory, `${name.replaceAll(/[^a-z0-9]+/gi, "-")}.json`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${JSON.stringify(shortest, null, 2)}\n`)
    process.stderr.write(`kept as ${path}\n`)
  }
}

/** What rare things are called in the report. */
const RARE: Readonly<Record<keyof Rare, string>> = {
  nullBlocks: "null blocks delivered",
  preparedFromTwoViews: "new views with proofs from two views",
  viewChangeDuringTransfer: "blocks taken while changing views",
  termEndDuringViewChange: "terms that ended during a view change",
  tornTails: "torn tails of a log cut",
  joinsByFewer: "view changes joined before an own timeout",
}

function report(json: boolean, elapsedMs: number, single: Outcome | undefined): void {
  if (json) {
    const outcome = single && { outcome: single }
    const text = JSON.stringify({
      ok: failures.length === 0,
      ...totals,
      elapsedMs,
      failures,
      ...outcome,
    })
    process.stdout.write(`${text}\n`)
    return
  }
  for (const { name, replay, failures: reasons, violations, shortest, isShrunk } of failures) {
    process.stdout.write(`\n${name} FAILED: ${reasons.join("; ")}\n`)
    for (const { at, node, what } of violations)
      process.stdout.write(`  at ${Math.round(at)} ms, validator ${node}: ${what}\n`)
    process.stdout.write(`  again: npm run sim -- ${replay}\n`)
    if (isShrunk)
      process.stdout.write(`  shortest schedule found:\n  ${JSON.stringify(shortest)}\n`)
  }
  const { runs, steps, messages, virtualMs, rare } = totals
  const seconds = elapsedMs / 1000
  process.stdout.write(
    `${runs} runs, ${failures.length} failed; ${steps} steps, ${messages} messages, ` +
      `${Math.round(virtualMs / 1000)} virtual s in ${seconds.toFixed(1)} s\n`,
  )
  for (const [name, times] of Object.entries(rare))
    process.stdout.write(`  ${RARE[name as keyof Rare]}: ${times}\n`)
  if (single === undefined) return
  const { ordered, submitted, height, highestView } = single
  process.stdout.write(
    `  ordered ${ordered} of ${submitted}, height ${height}, highest view ${highestView}\n` +
      `  fingerprint ${single.fingerprint.slice(0, 120)}\n`,
  )
}

interface Crypto {
  readonly crypto?: CryptoKind
}

function runFile(chosen: Options, crypto: Crypto): Outcome {
  const file = chosen.scenario ?? ""
  const given = { ...readScenario(file), ...crypto }
  return runOne(file, `--scenario ${file}`, given, given.until)
}

function runTwins(chosen: Options, crypto: Crypto): undefined {
  const all = TWIN_VALIDATORS * TWIN_SCHEDULES
  const from = whole(chosen.from, "from", 0, all - 1)
  const sample = whole(chosen.sample, "sample", 1, all - (from ?? 0)) ?? all - (from ?? 0)
  for (let i = 0; i < sample && failures.length < FAILURES_MAX; i++) {
    // Spread over everything there is, all twins in turn; or a stretch of it, so that all can be run piece by piece.
    const number = from === undefined ? Math.floor((i * all) / sample) : from + i
    const [twin, schedule] = [number % TWIN_VALIDATORS, Math.floor(number / TWIN_VALIDATORS)]
    const scenario = { ...twinSchedule(twin, schedule), ...crypto }
    runOne(`twin ${twin} schedule ${schedule}`, `--twins --from ${number} --sample 1`, scenario, 0)
  }
}

function runSeed(chosen: Options, seed: number, crypto: Crypto): Outcome {
  const validators = whole(chosen.validators, "validators", 1, 64)
  const scenario = planOf(seed, { ...crypto, ...(validators === undefined ? {} : { validators }) })
  const more = Object.entries({ validators: chosen.validators, crypto: chosen.crypto })
    .map(([name, value]) => (value === undefined ? "" : ` --${name} ${value}`))
    .join("")
  return runOne(`seed ${seed}`, `--seed ${seed}${more}`, scenario, healsAt(scenario))
}

function runSeeds(chosen: Options, crypto: Crypto): undefined {
  const seeds = whole(chosen.seeds, "seeds", 1, 1e9) ?? 100
  const from = whole(chosen.from, "from", 0, Number.MAX_SAFE_INTEGER) ?? 1
  for (let seed = from; seed < from + seeds && failures.length < FAILURES_MAX; seed++)
    runSeed(chosen, seed, crypto)
}

/** The outcome where one schedule was run. */
const RUNS = {
  scenario: runFile,
  twins: runTwins,
  seed: (chosen: Options, crypto: Crypto) =>
    runSeed(chosen, whole(chosen.seed, "seed", 0, Number.MAX_SAFE_INTEGER) ?? 0, crypto),
  seeds: runSeeds,
} as const

function main(): number {
  const chosen = options()
  if (chosen.help === true) {
    process.stdout.write(USAGE)
    return 0
  }
  const kind = kindOf(chosen)
  const kinds: readonly string[] = ["real", "fast"]
  if (chosen.crypto !== undefined && !kinds.includes(chosen.crypto))
    throw new UsageError(`--crypto is real or fast, not "${chosen.crypto}"`)
  const crypto = chosen.crypto === undefined ? {} : { crypto: chosen.crypto as CryptoKind }
  const started = performance.now()
  const single = RUNS[kind](chosen, crypto)
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K")
  if (kind !== "scenario") keep(chosen.keep ?? "test/sim/seeds")
  report(chosen.json === true, performance.now() - started, single)
  return failures.length === 0 ? 0 : 1
}

try {
  process.exitCode = main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 2
}
