/** Makes a failing schedule shorter: takes steps away, in ever smaller pieces, as long as it still fails. */
import { runScenario } from "./scenario.ts"
import type { Outcome, Scenario, Step } from "./scenario.ts"

const failsLike = (before: Outcome, after: Outcome): boolean =>
  !after.ok && before.violations.length > 0 === after.violations.length > 0

/** The shortest failing schedule found within so many runs. Steps from `keepFrom` on (the final healing) stay. */
export function shrink(
  scenario: Scenario,
  outcome: Outcome,
  runsMax = 300,
  keepFrom = Infinity,
): Scenario {
  let best = scenario
  let runs = 0
  const attempt = (steps: readonly Step[]): boolean => {
    if (runs++ >= runsMax) return false
    const candidate = { ...best, steps }
    let after: Outcome
    try {
      after = runScenario(candidate)
    } catch {
      return false
    }
    if (!failsLike(outcome, after)) return false
    best = candidate
    return true
  }
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.steps.length;) {
      const rest = best.steps.filter(
        (step, i) => i < from || i >= from + size || step.at >= keepFrom,
      )
      if (rest.length === best.steps.length || !attempt(rest)) from += size
    }
  }
  return best
}
