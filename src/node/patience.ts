/**
 * Ends waiting that takes too long, with one timer for a whole stream: an AbortSignal for each of thousands of frames a second costs more
 * than what it watches.
 */
export class Patience {
  readonly #late = new AbortController()
  readonly #timer: NodeJS.Timeout
  #waiting = false
  /** Aborts when the stream is to end, or when something was waited for too long. */
  readonly signal: AbortSignal

  constructor(stopped: AbortSignal, deadlineMs: number) {
    this.signal = AbortSignal.any([stopped, this.#late.signal])
    this.#timer = setTimeout(() => {
      if (this.#waiting) this.#late.abort()
    }, deadlineMs).unref()
  }

  /** From now on, if it was not so before. */
  wait(): void {
    if (!this.#waiting) this.#timer.refresh()
    this.#waiting = true
  }

  /** What was waited for has come. */
  rest(): void {
    this.#waiting = false
  }

  /** Whoever still waits gives up. */
  end(): void {
    clearTimeout(this.#timer)
    this.#late.abort()
  }
}
