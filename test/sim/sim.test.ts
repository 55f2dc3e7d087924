/** The simulator as a test: drawn schedules, Twins schedules, scenario files, and seeds that once failed. */
import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, it } from "node:test"
import { noRare } from "./rare.ts"
import { planOf } from "./plan.ts"
import { parseScenario, runScenario } from "./scenario.ts"
import type { Outcome, Scenario } from "./scenario.ts"
import { TWIN_SCHEDULES, TWIN_VALIDATORS, twinSchedule } from "./twins.ts"

const home = join(dirname(fileURLToPath(import.meta.url)), "../../..")

const explain = (name: string, { failures, violations }: Outcome): string =>
  `${name}: ${failures.join("; ")} ${violations.map(({ node, what }) => `${node}: ${what}`).join("; ")}`

function holds(name: string, scenario: Scenario): Outcome {
  const outcome = runScenario(scenario)
  assert.ok(outcome.ok, explain(name, outcome))
  return outcome
}

describe("drawn schedules", () => {
  it("order everything and break no rule in 700 seeds, and meet each rare event 20 times", (t) => {
    const rare = noRare()
    for (let seed = 1; seed <= 700; seed++) {
      const outcome = holds(`npm run sim -- --seed ${seed}`, planOf(seed))
      for (const key of Object.keys(rare) as (keyof typeof rare)[]) rare[key] += outcome.rare[key]
    }
    t.diagnostic(
      Object.entries(rare)
        .map(([event, times]) => `${event} ${times}`)
        .join(", "),
    )
    for (const [event, times] of Object.entries(rare))
      assert.ok(times >= 20, `${event} happened ${times} times`)
  })

  it("hold with real signatures", () => {
    for (const seed of [3, 10])
      holds(`seed ${seed}`, planOf(seed, { crypto: "real", validators: 4 }))
  })

  it("hold for other numbers of validators", () => {
    for (const validators of [1, 2, 3, 10, 13])
      holds(`${validators} validators`, planOf(700 + validators, { validators }))
  })

  it("are the same run each time", () => {
    for (const seed of [11, 42, 77])
      assert.equal(runScenario(planOf(seed)).fingerprint, runScenario(planOf(seed)).fingerprint)
  })
})

describe("Twins", () => {
  it("two instances of one key split nobody: 2,000 of the 262,144 schedules", () => {
    const all = TWIN_VALIDATORS * TWIN_SCHEDULES
    for (let i = 0; i < 2000; i++) {
      // A stride coprime to everything spreads the sample over twins and phases alike.
      const number = (i * 130_811) % all
      const [twin, schedule] = [number % TWIN_VALIDATORS, Math.floor(number / TWIN_VALIDATORS)]
      holds(`twin ${twin}, schedule ${schedule}`, twinSchedule(twin, schedule))
    }
  })
})

describe("scenario files", () => {
  for (const folder of ["scenarios", "seeds"]) {
    const files = readdirSync(join(home, "test/sim", folder)).filter((f) => f.endsWith(".json"))
    for (const file of files)
      it(`${folder}/${file}`, () => {
        const text = readFileSync(join(home, "test/sim", folder, file), "utf8")
        holds(file, parseScenario(JSON.parse(text)))
      })
  }

  it("are refused with the reason when they are wrong", () => {
    const good = { validators: 4, steps: [], until: 1000 }
    const step = (action: object) => ({ ...good, steps: [{ at: 0, ...action }] })
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [[], /not an object/],
      [{ ...good, validators: 0 }, /validators is not a number from 1/],
      [{ ...good, colour: 1 }, /unknown field "colour"/],
      [{ validators: 4, steps: [] }, /until/],
      [{ ...good, twins: [4] }, /twins/],
      [step({}), /exactly one action/],
      [step({ submit: 1, heal: true }), /exactly one action/],
      [step({ submit: 1.5 }), /whole number/],
      [step({ partition: [["0", "9"]] }), /no validator "9"/],
      [step({ crash: 1, disk: "melted" }), /none of keep, torn/],
      [step({ heal: true, disk: "keep" }), /belongs to a crash/],
      [step({ byzantine: { id: "0", behaviour: "rude" } }), /none of silent/],
      [step({ drop: { type: "postcard" } }), /none of pre-prepare/],
      [{ ...good, expect: { agree: "yes" } }, /neither true nor false/],
    ]
    for (const [value, reason] of cases) assert.throws(() => parseScenario(value), reason)
    assert.deepEqual(parseScenario(good), good)
  })
})
