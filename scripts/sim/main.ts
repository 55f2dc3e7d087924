/**
 * `npm run sim`: whole ledgers in one thread, wrecked by seed. See test/sim/README.md for the options, the scenario format and how
 * to write a schedule as a test. Exit status: 0 all that was expected holds, 1 it does not, 2 the question was wrong.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { parseArgs } from "node:util"
import type { CryptoKind } from "../../test/sim/keys.ts"
import { noRare } from "../../test/sim/cluster.ts"
import type { Rare } from "../../test/sim/cluster.ts"
import { healsAt, planOf } from "../../test/sim/plan.ts"
import { parseScenario, runScenario, ScenarioError } from "../../test/sim/scenario.ts"
import type { Outcome, Scenario } from "../../test/sim/scenario.ts"
import { shrink } from "../../test/sim/shrink.ts"
import { TWIN_SCHEDULES, TWIN_VALIDATORS, twinSchedule } from "../../test/sim/twins.ts"

const USAGE = `npm run sim -- [options]
  --seeds N          run N drawn schedules (default 100), from seed 1 or --from
  --from S           the first seed of --seeds
  --seed S           run this one schedule, exactly as before
  --validators n     that many validators instead of a drawn number
  --scenario FILE    run a schedule from a JSON file
  --twins            every Twins schedule; with --sample N only N of them, spread over all; with --from S those from number S on
  --crypto KIND      real or fast signatures (default fast)
  --keep DIR         where shrunk failing seeds go (default test/sim/seeds)
  --json             one JSON object on standard output
`

class UsageError extends Error {}

interface Totals {
  runs: number
  messages: number
  steps: number
  virtualMs: number
  readonly rare: Rare
}

interface Failure {
  readonly name: string
  readonly failures: readonly string[]
  readonly violations: Outcome["violations"]
  readonly shortest: Scenario
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

function runOne(name: string, scenario: Scenario, keepFrom: number): Outcome {
  const outcome = runScenario(scenario)
  count(outcome)
  if (!outcome.ok) {
    // Without its load a schedule orders nothing either: an unmet count in a file shrinks to nothing, so it stays whole.
    const countsOnly = outcome.violations.length === 0 && scenario.expect?.settled !== true
    const shortest = countsOnly ? scenario : shrink(scenario, outcome, 300, keepFrom)
    const { violations, failures: reasons } = runScenario(shortest)
    failures.push({ name, failures: reasons, violations, shortest })
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

function readScenario(file: string): Scenario {
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`)
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
  }
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
  for (const { name, failures: reasons, violations, shortest } of failures) {
    process.stdout.write(`\n${name} FAILED: ${reasons.join("; ")}\n`)
    for (const { at, node, what } of violations)
      process.stdout.write(`  at ${Math.round(at)} ms, validator ${node}: ${what}\n`)
    process.stdout.write(`  shortest schedule found:\n  ${JSON.stringify(shortest)}\n`)
  }
  const { runs, steps, messages, virtualMs, rare } = totals
  const seconds = elapsedMs / 1000
  process.stdout.write(
    `${runs} runs, ${failures.length} failed; ${steps} steps, ${messages} messages, ` +
      `${Math.round(virtualMs / 1000)} virtual s in ${seconds.toFixed(1)} s\n`,
  )
  for (const [name, times] of Object.entries(rare)) process.stdout.write(`  ${name}: ${times}\n`)
  if (single === undefined) return
  const { ordered, submitted, height, highestView } = single
  process.stdout.write(
    `  ordered ${ordered} of ${submitted}, height ${height}, highest view ${highestView}\n` +
      `  fingerprint ${single.fingerprint.slice(0, 120)}\n`,
  )
}

function main(): number {
  const chosen = options()
  if (chosen.help === true) {
    process.stdout.write(USAGE)
    return 0
  }
  const kinds: readonly string[] = ["real", "fast"]
  if (chosen.crypto !== undefined && !kinds.includes(chosen.crypto))
    throw new UsageError(`--crypto is real or fast, not "${chosen.crypto}"`)
  const crypto = chosen.crypto === undefined ? {} : { crypto: chosen.crypto as CryptoKind }
  const validators = whole(chosen.validators, "validators", 1, 64)
  const plan = { ...crypto, ...(validators === undefined ? {} : { validators }) }
  const started = performance.now()
  let single: Outcome | undefined
  if (chosen.scenario !== undefined) {
    const given = { ...readScenario(chosen.scenario), ...crypto }
    single = runOne(chosen.scenario, given, given.until)
  } else if (chosen.twins === true) {
    const all = TWIN_VALIDATORS * TWIN_SCHEDULES
    const from = whole(chosen.from, "from", 0, all - 1)
    const sample = whole(chosen.sample, "sample", 1, all - (from ?? 0)) ?? all - (from ?? 0)
    for (let i = 0; i < sample && failures.length < FAILURES_MAX; i++) {
      // Spread over everything there is, all twins in turn; or a stretch of it, so that all can be run piece by piece.
      const number = from === undefined ? Math.floor((i * all) / sample) : from + i
      const [twin, schedule] = [number % TWIN_VALIDATORS, Math.floor(number / TWIN_VALIDATORS)]
      runOne(`twin ${twin} schedule ${schedule}`, { ...twinSchedule(twin, schedule), ...crypto }, 0)
    }
  } else if (chosen.seed !== undefined) {
    const seed = whole(chosen.seed, "seed", 0, Number.MAX_SAFE_INTEGER) ?? 0
    const scenario = planOf(seed, plan)
    single = runOne(`seed ${seed}`, scenario, healsAt(scenario))
  } else {
    const seeds = whole(chosen.seeds, "seeds", 1, 1e9) ?? 100
    const from = whole(chosen.from, "from", 0, Number.MAX_SAFE_INTEGER) ?? 1
    for (let seed = from; seed < from + seeds && failures.length < FAILURES_MAX; seed++) {
      const scenario = planOf(seed, plan)
      runOne(`seed ${seed}`, scenario, healsAt(scenario))
    }
  }
  if (chosen.scenario === undefined) keep(chosen.keep ?? "test/sim/seeds")
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
