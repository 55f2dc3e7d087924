/** A clock whose time passes only when a test says so. */
import type { Clock } from "../../src/node/clock.ts"

export class ManualClock implements Clock {
  #nowMs: number
  readonly #timers = new Map<symbol, { readonly atMs: number; readonly run: () => void }>()

  constructor(nowMs: number) {
    this.#nowMs = nowMs
  }

  /** Timers that have neither run nor been taken back. */
  get waiting(): number {
    return this.#timers.size
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const name = Symbol()
    this.#timers.set(name, { atMs: this.#nowMs + delayMs, run })
    return () => void this.#timers.delete(name)
  }

  /** Lets time pass: every timer that falls due runs at its own moment, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const due = [...this.#timers].filter(([, { atMs }]) => atMs <= untilMs)
      const next = due.sort(([, a], [, b]) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#timers.delete(next[0])
      this.#nowMs = Math.max(this.#nowMs, next[1].atMs)
      next[1].run()
    }
    this.#nowMs = untilMs
  }
}
