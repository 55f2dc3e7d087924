/**
 * The clocks of a validator: one timer a name, the last one asked for. A timer that comes late says that this process had no processor
 * for so long, and what others sent in that time lies unread. Where a timer costs a primary its view, it therefore waits as long again: or
 * whoever is held up himself would accuse others of it.
 */
import type { TimerName } from "../../consensus/types.ts"

/** Timers that cost a primary its view. */
const PATIENT: ReadonlySet<TimerName> = new Set(["request", "view", "pace"])
/** A timer that comes so much later than it was due has waited for the processor. */
const HELD_UP_MS = 20

export class LedgerTimers {
  readonly #ended: (timer: TimerName, token: number) => void
  readonly #timers = new Map<TimerName, NodeJS.Timeout>()
  #stopped = false

  constructor(ended: (timer: TimerName, token: number) => void) {
    this.#ended = ended
  }

  /** Replaces the one of this name: its token is stale. */
  arm(timer: TimerName, token: number, afterMs: number): void {
    if (this.#stopped) return
    // twice as long at most, and once: whoever is held up for good still has to say something
    const extraMsMax = PATIENT.has(timer) ? afterMs : 0
    this.#wait(timer, afterMs, extraMsMax, () => this.#ended(timer, token))
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #wait(timer: TimerName, afterMs: number, extraMsMax: number, done: () => void): void {
    clearTimeout(this.#timers.get(timer))
    const due = performance.now() + afterMs
    const armed = setTimeout(() => {
      const extraMs = Math.min(performance.now() - due, extraMsMax)
      if (extraMs < HELD_UP_MS) done()
      else this.#wait(timer, extraMs, 0, done)
    }, afterMs)
    armed.unref()
    this.#timers.set(timer, armed)
  }
}
