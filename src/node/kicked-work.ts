/**
 * Work that is looked at again whenever something may have changed: by name (a group), one run at a time for each name, once more after
 * a run during which there was a kick, and later by the clock when a run asks for it. Does not know what the work is, nor repeats it by
 * itself when it fails.
 */
import type { Clock } from "./clock.ts"

export interface KickedWorkParts {
  readonly clock: Pick<Clock, "after">
  readonly run: (name: string) => Promise<void>
  /** A run failed; not called for what a stop has ended. */
  readonly onFailed: (name: string, error: unknown) => void
}

export class KickedWork {
  readonly #parts: KickedWorkParts
  readonly #stopping = new AbortController()
  readonly #running = new Map<string, Promise<void>>()
  readonly #again = new Set<string>()
  readonly #timers = new Map<string, () => void>()

  constructor(parts: KickedWorkParts) {
    this.#parts = parts
  }

  /** Aborted by the stop. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  /** There may be something to do; takes the place of what was to be looked at later. */
  kick(name: string): void {
    if (this.signal.aborted) return
    if (this.#running.has(name)) {
      this.#again.add(name)
      return
    }
    this.#forgetTimer(name)
    const running = this.#parts
      .run(name)
      .catch((error: unknown) => {
        if (!this.signal.aborted) this.#parts.onFailed(name, error)
      })
      .finally(() => {
        this.#running.delete(name)
        if (this.#again.delete(name)) this.kick(name)
      })
    this.#running.set(name, running)
  }

  kickLater(name: string, afterMs: number): void {
    this.#forgetTimer(name)
    if (this.signal.aborted) return
    const cancel = this.#parts.clock.after(afterMs, () => {
      this.#timers.delete(name)
      this.kick(name)
    })
    this.#timers.set(name, cancel)
  }

  /** No run begins any more; waits for those that have. Harmless when repeated. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const name of [...this.#timers.keys()]) this.#forgetTimer(name)
    await Promise.allSettled(this.#running.values())
  }

  #forgetTimer(name: string): void {
    this.#timers.get(name)?.()
    this.#timers.delete(name)
  }
}
