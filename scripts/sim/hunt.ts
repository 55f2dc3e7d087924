/** Runs drawn schedules from seed 1 on until one fails; prints which, or nothing found, as JSON. Used on mutants. */
import { planOf } from "../../test/sim/plan.ts"
import { runScenario } from "../../test/sim/scenario.ts"

const seeds = Number(process.argv[2])
let found: { foundAt: number; how: string } | undefined
for (let seed = 1; seed <= seeds && found === undefined; seed++) {
  try {
    const { ok, failures, violations } = runScenario(planOf(seed))
    const what = violations[0]?.what.split("\n")[0]
    if (!ok) found = { foundAt: seed, how: what ?? failures.join("; ") }
  } catch (error) {
    found = { foundAt: seed, how: String(error) }
  }
}
process.stdout.write(JSON.stringify(found ?? {}))
process.exitCode = found === undefined ? 1 : 0
