/** Waiting for something to become true, with a deadline that says what did not happen. */
import { setTimeout as after } from "node:timers/promises"

const LOOK_AGAIN_MS = 10

/** Looks every ten milliseconds. For facts that no event announces; the deadline only bounds a failing test. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`did not happen in ${deadlineMs} ms: ${what}`)
    await after(LOOK_AGAIN_MS)
  }
}
