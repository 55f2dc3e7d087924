/** Tells that the status changed, at most five times a second however often it does. */
import type { Clock } from "./clock.ts"

const INTERVAL_MS = 200

export class StatusNews {
  readonly #clock: Clock
  readonly #tell: () => void
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(clock: Clock, tell: () => void) {
    this.#clock = clock
    this.#tell = tell
  }

  changed(): void {
    if (this.#stopped || this.#cancel !== undefined) return
    this.#cancel = this.#clock.after(INTERVAL_MS, () => {
      this.#cancel = undefined
      this.#tell()
    })
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }
}
