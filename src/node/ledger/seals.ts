/**
 * When a validator makes its seal under a term's boundary block (SLH-DSA, a fifth of a second of work off the event loop). Nobody waits for
 * one: at most one a minute, of the newest boundary then, and not in the moment in which the term opens, when validators on one machine
 * would all begin.
 */
import { setTimeout as after } from "node:timers/promises"
import type { Bytes } from "../../crypto/bytes.ts"

/** Before a seal, on average. */
const SEAL_REST_MS = 10_000
/** From one seal to the next at least: terms follow each other in seconds under load. */
const SEAL_EVERY_MS = 60_000

export interface SealsParts {
  readonly sign: (preimage: Bytes, signal: AbortSignal) => Promise<Bytes>
  /** For the core. */
  readonly sealed: (height: number, signature: Bytes) => void
  readonly note: (line: string) => void
}

export class Seals {
  readonly #parts: SealsParts
  readonly #signal: AbortSignal
  #working: Promise<void> | undefined
  /** The newest boundary whose seal was asked for and not begun. */
  #next: { readonly height: number; readonly preimage: Bytes } | undefined
  #madeAt = -Infinity

  constructor(parts: SealsParts, signal: AbortSignal) {
    this.#parts = parts
    this.#signal = signal
  }

  /** One at a time, of the newest boundary then: its chain of hashes covers those that are skipped. */
  want(height: number, preimage: Bytes): void {
    this.#next = { height, preimage }
    this.#working ??= this.#all().finally(() => (this.#working = undefined))
  }

  /** Resolves once the signal has aborted and nothing is being made. */
  async idle(): Promise<void> {
    await this.#working
  }

  async #all(): Promise<void> {
    const { sign, sealed, note } = this.#parts
    const signal = this.#signal
    for (;;) {
      const sinceMs = performance.now() - this.#madeAt
      const restMs = Math.max(SEAL_REST_MS * (0.5 + Math.random()), SEAL_EVERY_MS - sinceMs)
      await after(restMs, undefined, { signal, ref: false }).catch(() => undefined)
      const next = this.#take()
      if (next === undefined) return
      this.#madeAt = performance.now()
      try {
        sealed(next.height, await sign(next.preimage, signal))
      } catch (error) {
        if (!signal.aborted) note(`ledger: a seal was not made: ${String(error)}`)
      }
    }
  }

  #take() {
    const next = this.#signal.aborted ? undefined : this.#next
    this.#next = undefined
    return next
  }
}
