/** Encodes a picture for the terminal off the event loop, which has keys to answer. */
import { Worker } from "node:worker_threads"
import type { Preview } from "../node/api/types.ts"
import type { DrawnStyle } from "./widgets/picture.ts"

export interface DrawJob {
  readonly style: DrawnStyle
  readonly preview: Preview
}

/** No picture takes longer on a machine that can run sotto at all. */
const DEADLINE_MS = 20_000

/** What to write to the terminal; empty for a picture that is damaged. Rejects when the signal aborts or the deadline passes. */
export async function draw(job: DrawJob, signal: AbortSignal): Promise<string> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
  const worker = new Worker(new URL("./drawing-worker.js", import.meta.url), { workerData: job })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const onAbort = () => reject(stop.reason as Error)
  stop.addEventListener("abort", onAbort, { once: true })
  worker.once("message", resolve)
  worker.once("error", reject)
  worker.once("exit", () => reject(new Error("the thread ended before it was done")))
  try {
    return await promise
  } finally {
    stop.removeEventListener("abort", onAbort)
    await worker.terminate()
  }
}
