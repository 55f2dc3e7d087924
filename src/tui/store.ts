/**
 * Holds the model outside of React, so that a key sees what the key before it did even when both came in one chunk. Keys
 * are applied and shown at once. What the API tells is gathered and applied at most ten times a second: drawing for every
 * message would make the echo of a key wait behind a busy mesh.
 */
import type { ApiEvent } from "../node/api/types.ts"
import type { Action, Effect, Model } from "./model.ts"
import { update } from "./update.ts"

export interface Store {
  readonly get: () => Model
  readonly subscribe: (listener: () => void) => () => void
  dispatch(action: Action): void
  /** Something the API told; applied with the others of this tenth of a second. */
  tell(event: ApiEvent): void
  stop(): void
}

export interface StoreParts {
  readonly initial: Model
  readonly now: () => number
  readonly perform: (effect: Effect) => void
}

export const BATCH_MS = 100
/** What gathers while the event loop is busy; beyond, the batch is applied at once. */
export const BATCH_MAX = 5000
/** Countdowns and notices move by the second. */
const TICK_MS = 1000

export function createStore({ initial, now, perform }: StoreParts): Store {
  let model: Model = { ...initial, nowMs: now() }
  let batch: ApiEvent[] = []
  let batchTimer: NodeJS.Timeout | null = null
  let batchedAt = Number.NEGATIVE_INFINITY
  let ticker: NodeJS.Timeout | null = null
  let stopped = false
  const listeners = new Set<() => void>()

  function dispatch(action: Action): void {
    if (stopped) return
    const before = model
    const step = update({ ...model, nowMs: now() }, action)
    // The time alone is no change worth drawing, except where it is on screen.
    const changed = Object.keys(step.model).some(
      (key) => key !== "nowMs" && step.model[key as keyof Model] !== before[key as keyof Model],
    )
    if (changed || action.type === "tick") {
      model = step.model
      for (const listener of listeners) listener()
    }
    for (const effect of step.effects) perform(effect)
    schedule()
  }

  /** A clock only while something on screen depends on it: an idle chat costs nothing. */
  function schedule(): void {
    const passes = model.notice !== null || (model.status?.alone ?? null) !== null
    const wanted = !stopped && (passes || model.writers.size > 0)
    if (wanted && ticker === null)
      ticker = setInterval(() => dispatch({ type: "tick" }), TICK_MS).unref()
    if (!wanted && ticker !== null) {
      clearInterval(ticker)
      ticker = null
    }
  }

  function flush(): void {
    batchTimer = null
    batchedAt = now()
    const events = batch
    batch = []
    if (events.length > 0) dispatch({ type: "events", events })
  }

  return {
    get: () => model,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    dispatch,
    tell(event) {
      if (stopped) return
      batch.push(event)
      if (batch.length >= BATCH_MAX) {
        if (batchTimer !== null) clearTimeout(batchTimer)
        flush()
      } else
        // The first after a quiet while is shown with the next turn of the loop.
        batchTimer ??= setTimeout(
          flush,
          Math.min(BATCH_MS, Math.max(0, batchedAt + BATCH_MS - now())),
        )
    },
    stop() {
      stopped = true
      if (batchTimer !== null) clearTimeout(batchTimer)
      if (ticker !== null) clearInterval(ticker)
      batchTimer = null
      ticker = null
      listeners.clear()
    },
  }
}
