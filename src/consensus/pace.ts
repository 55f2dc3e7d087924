/**
 * Against a primary that is just quick enough for the request timer. Aardvark's lesson (Clement et al., NSDI '09): hold the
 * primary to the pace of the last n terms. Looked at every few hundred milliseconds. What waits long because there is more than
 * anybody can order, or because the others are slow, is not the primary's doing, and another one would only have the old work to do
 * again. So an interval was late only
 * - when nothing of the primary's that we could vote for was under way in it, and something waited all the while;
 * - when nothing was under way at its beginning nor at its end, and something waited all the while that no proposal names: whoever cannot
 *   keep up is found at work, nearly always; or
 * - when it proposed less than half a full batch, and that left out what had waited for an interval before.
 * A term may have a few late ones, or twice the median of the last n terms; beyond that the primary is voted out, and the next one of the
 * term may have twice as many. Where all primaries are slow, the median grows and nobody is.
 */
import type { Core } from "./core.ts"
import { BATCH_MAX_BYTES } from "./limits.ts"
import type { Batch } from "./types.ts"
import { startViewChange } from "./view-change.ts"

/** How the primary of this term and those of the last ones kept up. */
export interface Pace {
  watching: boolean
  /** Late intervals of this primary. */
  late: number
  /** The most that an earlier primary of this term had. */
  worst: number
  /** What had arrived at the last look, and at the one before. */
  mark: number
  markBefore: number
  /** At the last look nothing was under way. */
  beganIdle: boolean
  /** Since the last look: something was under way. */
  worked: boolean
  /** Since the last look: it proposed a small batch. */
  proposedLittle: boolean
  /** The most of each of the last n terms. */
  readonly history: number[]
}

export const newPace = (): Pace => ({
  watching: false,
  late: 0,
  worst: 0,
  mark: 0,
  markBefore: 0,
  beganIdle: false,
  worked: true,
  proposedLittle: false,
  history: [],
})

/** Late intervals any primary may have in a term. */
const LATE_FLOOR = 2

function lateMax({ pace }: Core): number {
  const sorted = [...pace.history].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  return Math.max(LATE_FLOOR, 2 * median, 2 * pace.worst)
}

/** We voted, or a block was decided: more than that is not up to the primary. */
export function noteWork({ pace }: Core): void {
  pace.worked = true
}

/** A batch came with a proposal of this view. */
export function notePaceOf({ pace, ledger }: Core, batch: Batch): void {
  const isMuch =
    2 * batch.items.length >= ledger.rules.blockItemsMax ||
    2 * batch.bytes.length >= BATCH_MAX_BYTES
  if (!isMuch) pace.proposedLittle = true
}

/** Starts looking once something waits. */
export function watchPace(core: Core): void {
  const { pace, pool } = core
  if (pace.watching || !core.votes || pool.size === 0) return
  pace.watching = true
  pace.mark = pool.mark
  pace.worked = isUnderWay(core)
  pace.beganIdle = !pace.worked
  pace.proposedLittle = false
  core.arm("pace", core.parts.timing.paceMs)
}

/** Something that we voted for in this view is not decided yet. */
const isUnderWay = (core: Core): boolean =>
  core.slotsAbove(core.executed).some(({ preparedIn }) => preparedIn === core.view)

function wasLate(core: Core): boolean {
  const { pace, pool } = core
  if (!pace.worked) return pool.waitsSince(pace.mark)
  if (pace.beganIdle && !isUnderWay(core) && pool.passedOverSince(pace.mark)) return true
  return pace.proposedLittle && pool.passedOverSince(pace.markBefore)
}

export function onPaceTimeout(core: Core): void {
  const { pace } = core
  pace.watching = false
  if (!core.changing && wasLate(core)) pace.late++
  pace.markBefore = pace.mark
  if (pace.late > lateMax(core) && core.failures === 0 && !core.leads && !core.changing)
    startViewChange(core, core.view + 1)
  watchPace(core)
}

/** Another primary: it answers for nothing of the one before. */
export function turnPace({ pace }: Core): void {
  pace.worst = Math.max(pace.worst, pace.late)
  pace.late = 0
  pace.mark = 0
  pace.markBefore = 0
  pace.beganIdle = false
  pace.worked = true
}

/** A term is over: what it was like is part of the measure for the next ones. */
export function closePace(core: Core): void {
  const { pace } = core
  turnPace(core)
  pace.history.push(pace.worst)
  if (pace.history.length > core.set.size) pace.history.shift()
  pace.worst = 0
}
