/**
 * Long work on the event loop, cut into slices: between two of them whatever else waits gets its turn. Work within work shares one slice:
 * each of them alone would be short, and all of them one after the other not.
 */

/** How long one slice may hold the event loop. */
const SLICE_MS = 4

/** When the slice of this turn of the event loop ends; undefined in a turn without any. */
let until: number | undefined

function endOfSlice(): number {
  if (until === undefined) {
    until = performance.now() + SLICE_MS
    setImmediate(() => {
      until = undefined
    })
  }
  return until
}

export class Slices {
  constructor() {
    endOfSlice()
  }

  /** Gives the event loop to others when this slice has lasted long enough; else returns at once. */
  async pause(): Promise<void> {
    if (performance.now() < endOfSlice()) return
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
