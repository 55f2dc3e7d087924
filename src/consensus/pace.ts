/**
 * Against a primary that is just quick enough for the request timer. Aardvark's lesson (Clement et al., NSDI '09): hold the
 * primary to the pace of the last n terms. Looked at every few hundred milliseconds: when something that waited at the last look
 * still waits, the interval was late. A term may have a few late ones, or twice the median of the last n terms;
 * beyond that the primary is voted out. Where all primaries are slow, the median grows and nobody is.
 */
import type { Core } from "./core.ts"
import { startViewChange } from "./view-change.ts"

/** Late intervals any primary may have in a term. */
const LATE_FLOOR = 2

function lateMax(core: Core): number {
  const sorted = [...core.pace.history].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  return Math.max(LATE_FLOOR, 2 * median)
}

/** Starts looking once something waits. */
export function watchPace(core: Core): void {
  if (core.pace.watching || !core.votes || core.pool.size === 0) return
  core.pace.watching = true
  core.pace.mark = core.pool.mark
  core.arm("pace", core.parts.timing.paceMs)
}

export function onPaceTimeout(core: Core): void {
  core.pace.watching = false
  if (!core.changing && core.pool.waitsSince(core.pace.mark)) core.pace.late++
  if (core.pace.late > lateMax(core) && core.failures === 0 && !core.leads && !core.changing) {
    const { late } = core.pace
    startViewChange(core, core.view + 1)
    core.pace.worst = Math.max(core.pace.worst, late)
    core.pace.late = 0
  }
  watchPace(core)
}

/** A term is over: what it was like is part of the measure for the next ones. */
export function closePace(core: Core): void {
  core.pace.history.push(Math.max(core.pace.worst, core.pace.late))
  if (core.pace.history.length > core.set.size) core.pace.history.shift()
  core.pace.late = 0
  core.pace.worst = 0
}
