/** Files on their way, as a screen shows them: how far, how fast, how long still. Told at most four times a second each. */
import type { Transfer } from "../api/types.ts"
import type { Clock } from "../clock.ts"

/** Files on their way at a time. */
export const TRANSFERS_MAX = 32
/** Transfers that have ended and are still listed. */
const ENDED_MAX = 32
const TELL_MS = 250
/** The speed is that of about the last three seconds. */
const SPEED_MS = 3_000

interface Moving {
  transfer: Transfer
  readonly stop: AbortController
  measuredAtMs: number
  measured: number
  toldAtMs: number
}

export type TransferStart = Pick<
  Transfer,
  "id" | "thread" | "direction" | "name" | "size" | "state"
>

export class Transfers {
  readonly #clock: Clock
  readonly #tell: (transfer: Transfer) => void
  readonly #moving = new Map<string, Moving>()
  readonly #ended = new Map<string, Transfer>()

  constructor(clock: Clock, tell: (transfer: Transfer) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  get isFull(): boolean {
    return this.#moving.size >= TRANSFERS_MAX
  }

  list(): Transfer[] {
    return [
      ...this.#ended.values(),
      ...Array.from(this.#moving.values(), ({ transfer }) => transfer),
    ]
  }

  of(id: string): Transfer | undefined {
    return this.#moving.get(id)?.transfer ?? this.#ended.get(id)
  }

  isMoving(id: string): boolean {
    return this.#moving.has(id)
  }

  /** The signal aborts when it is called off. */
  begin(start: TransferStart): AbortSignal {
    const now = this.#clock.nowMs()
    const moving: Moving = {
      transfer: { ...start, done: 0, bytesPerS: 0, leftS: null, path: null, failure: null },
      stop: new AbortController(),
      measuredAtMs: now,
      measured: 0,
      toldAtMs: -Infinity,
    }
    this.#ended.delete(start.id)
    this.#moving.set(start.id, moving)
    this.#say(moving)
    return moving.stop.signal
  }

  /** `done`: bytes of the file; a lower number than before begins a new part of the work. */
  progress(id: string, state: Transfer["state"], done: number): void {
    const moving = this.#moving.get(id)
    if (moving === undefined) return
    const now = this.#clock.nowMs()
    const before = moving.transfer
    if (state !== before.state || done < moving.measured) {
      moving.measured = done
      moving.measuredAtMs = now
    }
    const passedMs = now - moving.measuredAtMs
    let { bytesPerS } = state === before.state ? before : { bytesPerS: 0 }
    if (passedMs >= TELL_MS) {
      const fresh = ((done - moving.measured) * 1000) / passedMs
      const weight = bytesPerS === 0 ? 1 : Math.min(1, passedMs / SPEED_MS)
      bytesPerS += (fresh - bytesPerS) * weight
      moving.measured = done
      moving.measuredAtMs = now
    }
    const left = before.size - done
    const leftS = bytesPerS > 0 ? Math.ceil(left / bytesPerS) : null
    moving.transfer = { ...before, state, done, bytesPerS: Math.round(bytesPerS), leftS }
    if (now - moving.toldAtMs >= TELL_MS || state !== before.state) this.#say(moving)
  }

  end(id: string, how: { readonly path?: string; readonly failure?: string }): void {
    const moving = this.#moving.get(id)
    if (moving === undefined) return
    this.#moving.delete(id)
    const { transfer } = moving
    const { failure = null, path = null } = how
    const state = failure === null ? "done" : "failed"
    const done = failure === null ? transfer.size : transfer.done
    moving.transfer = { ...transfer, state, done, failure, path, leftS: null }
    this.#ended.set(id, moving.transfer)
    const [oldest] = this.#ended.keys()
    if (this.#ended.size > ENDED_MAX && oldest !== undefined) this.#ended.delete(oldest)
    this.#say(moving)
  }

  cancel(id: string, reason: Error): boolean {
    const moving = this.#moving.get(id)
    moving?.stop.abort(reason)
    return moving !== undefined
  }

  cancelAll(reason: Error): void {
    for (const { stop } of this.#moving.values()) stop.abort(reason)
  }

  #say(moving: Moving): void {
    moving.toldAtMs = this.#clock.nowMs()
    this.#tell(moving.transfer)
  }
}
