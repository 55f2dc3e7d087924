/** A signal that aborts at a deadline of a clock that is passed in, or when any of the given signals does. */
import { setMaxListeners } from "node:events"
import type { Clock } from "./clock.ts"

export interface Deadline {
  readonly signal: AbortSignal
  /** To be called when the work is done: takes the timer back. */
  readonly clear: () => void
}

/** The reason is a DOMException `TimeoutError` at the deadline, the other signal's own reason otherwise. */
export function deadline(
  clock: Clock,
  ms: number,
  ...signals: readonly (AbortSignal | undefined)[]
): Deadline {
  const timeout = new AbortController()
  const cancel = clock.after(ms, () =>
    timeout.abort(new DOMException("the deadline has passed", "TimeoutError")),
  )
  const others = signals.filter((signal) => signal !== undefined)
  const signal = AbortSignal.any([timeout.signal, ...others])
  // One query of libp2p listens once for every peer it asks: more than the ten after which Node suspects a leak.
  setMaxListeners(Infinity, signal)
  return { signal, clear: cancel }
}

/** `work`, or the signal's reason as soon as it aborts. What was begun goes on: half of it done could be worse than all of it. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason as Error)
  signal.addEventListener("abort", onAbort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener("abort", onAbort)
  }
}
