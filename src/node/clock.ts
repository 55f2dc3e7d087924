/** The clock and the timers of the node, as something that is passed in: tests bring one whose days pass at a word. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number
  /** Calls `run` once after `delayMs`; the returned function takes it back. */
  after(delayMs: number, run: () => void): () => void
}

/** The real one. Its timers alone keep no process alive. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
