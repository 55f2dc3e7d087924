/**
 * A worker thread that is there while there is something to do: it starts with the first job, does one job at a time, and ends when none
 * came for a while. One that dies is replaced by the next job. A thread without work keeps no process awake. What waits, in which
 * order and for how long, is its owner's business (prove.ts, verify.ts, mine.ts).
 */
import { Worker } from "node:worker_threads"
import { assert } from "../crypto/errors.ts"

export interface OnDemandWorkerParts {
  /** The thread's program. */
  readonly program: URL
  readonly idleMs: number
  /** What a job fails with whose thread ended before it was done. */
  readonly lost: (cause: unknown) => Error
}

/** How a job ends; what it is told after that is passed over. */
export interface JobEnd<T> {
  resolve(result: T): void
  reject(error: unknown): void
}

export class OnDemandWorker<Job, Report> {
  readonly #parts: OnDemandWorkerParts
  #worker: Worker | undefined
  #isBusy = false
  #idle: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(parts: OnDemandWorkerParts) {
    this.#parts = parts
  }

  /** Whether there is a thread at present. */
  get running(): boolean {
    return this.#worker !== undefined
  }

  /** Starts the thread if there is none: the first job then need not wait for it. */
  warm(): void {
    if (this.#isStopped) return
    this.#worker ??= this.#start()
    if (!this.#isBusy) this.#endSoon()
  }

  /** Gives the thread a job, while it has no other. `hear` is given all that it reports, and says when that is the end. */
  async run<T>(job: Job, hear: (report: Report, end: JobEnd<T>) => void): Promise<T> {
    assert(!this.#isBusy, "a thread has one job at a time")
    assert(!this.#isStopped, "who stops a thread gives it no more jobs")
    this.#isBusy = true
    clearTimeout(this.#idle)
    const worker = (this.#worker ??= this.#start())
    worker.ref()
    const { promise, ...end } = Promise.withResolvers<T>()
    const onMessage = (report: Report) => hear(report, end)
    const onLost = (cause: unknown) => end.reject(this.#parts.lost(cause))
    worker.on("message", onMessage).once("error", onLost).once("exit", onLost)
    try {
      worker.postMessage(job)
      return await promise
    } finally {
      worker.off("message", onMessage).off("error", onLost).off("exit", onLost)
      this.#isBusy = false
      this.#endSoon()
    }
  }

  /** Ends the thread; the job that it has is lost. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#idle)
    await this.#end()
  }

  #start(): Worker {
    const worker = new Worker(this.#parts.program)
    const gone = () => {
      if (this.#worker === worker) this.#worker = undefined
    }
    worker.on("error", gone).on("exit", gone)
    return worker
  }

  #endSoon(): void {
    clearTimeout(this.#idle)
    if (this.#isStopped) return
    this.#idle = setTimeout(() => void this.#end(), this.#parts.idleMs)
    this.#idle.unref()
    this.#worker?.unref()
  }

  async #end(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }
}
