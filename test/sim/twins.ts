/**
 * Twins, enumerated (Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021): one validator of four runs as two instances of one
 * key, and in each of four phases the five instances are split in one of the sixteen ways there are to make one or two groups.
 * All 16^4 = 65,536 schedules for each choice of the twin; a schedule is a number, so a sample is a list of numbers.
 */
import type { Scenario, Step } from "./scenario.ts"

export const TWIN_VALIDATORS = 4
export const TWIN_PHASES = 4
const WAYS = 16
export const TWIN_SCHEDULES = WAYS ** TWIN_PHASES

/** Long enough for a view to change within a phase, and not for much more. */
const PHASE_MS = 2500

/** Groups of the way `way`: bit i says whether instance i+1 sides with instance 0. */
function groupsOf(ids: readonly string[], way: number): string[][] {
  const groups: string[][] = [[], []]
  ids.forEach((id, i) => {
    const apart = i > 0 && ((way >> (i - 1)) & 1) === 1
    groups[apart ? 1 : 0]!.push(id)
  })
  return groups.filter((group) => group.length > 0)
}

/** The schedule with this number for this twin. After the phases all links work, and everything must be ordered. */
export function twinSchedule(twin: number, schedule: number): Scenario {
  const ids = Array.from({ length: TWIN_VALIDATORS }, (_, i) =>
    i === twin ? [`${i}a`, `${i}b`] : [String(i)],
  ).flat()
  const steps: Step[] = []
  let rest = schedule
  for (let phase = 0; phase < TWIN_PHASES; phase++) {
    const at = phase * PHASE_MS
    steps.push({ at, partition: groupsOf(ids, rest % WAYS) })
    steps.push({ at: at + 1, submit: 2 })
    rest = Math.floor(rest / WAYS)
  }
  const end = TWIN_PHASES * PHASE_MS
  steps.push({ at: end, heal: true })
  return {
    validators: TWIN_VALIDATORS,
    seed: schedule,
    batch: 2,
    termHeights: 3,
    pipeline: 3,
    twins: [twin],
    steps,
    until: end + 200_000,
    expect: { agree: true, settled: true },
  }
}
