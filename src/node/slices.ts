/** Long work on the event loop, cut into slices: between two of them whatever else waits gets its turn. */

/** How long one slice may hold the event loop. */
const SLICE_MS = 4

export class Slices {
  #until = performance.now() + SLICE_MS

  /** Gives the event loop to others when this slice has lasted long enough; else returns at once. */
  async pause(): Promise<void> {
    if (performance.now() < this.#until) return
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.#until = performance.now() + SLICE_MS
  }
}
