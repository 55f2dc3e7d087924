/** A clock on which days pass at a word, and pauses fifty times as fast. */
import { UPDATE_EVERY_MS } from "../../src/chat/updates.ts"
import type { Clock } from "../../src/node/clock.ts"

export class Calendar implements Clock {
  #aheadMs = 0

  nowMs = (): number => Date.now() + this.#aheadMs

  after(ms: number, run: () => void): () => void {
    const timer = setTimeout(run, ms / 50)
    return () => clearTimeout(timer)
  }

  /** The moment after it. */
  aDayPasses(): number {
    this.#aheadMs += UPDATE_EVERY_MS
    return this.nowMs()
  }
}
