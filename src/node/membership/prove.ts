/**
 * Membership proofs, made off the event loop (DESIGN §6.1). One at a time in a worker thread, which starts with the first and ends when
 * there was nothing to do for a while: it holds some 240 MB. What somebody waits for goes before what is made ahead. Each proof
 * takes about a second of one core.
 */
import type { Bytes } from "../../crypto/bytes.ts"
import { CodedError } from "../../crypto/errors.ts"
import { isZero } from "../../crypto/membership/field.ts"
import { TREE_DEPTH_MAX } from "../../crypto/membership/statement.ts"
import type { TreePath } from "../../crypto/membership/tree-path.ts"
import { OnDemandWorker } from "../on-demand-worker.ts"
import { failedFiles, type ThreadFailure } from "../semaphore-files.ts"

/** Proofs waiting to be made. */
export const PROVING_MAX = 256
const IDLE_MS = 10_000

export type ProveErrorCode =
  /** Too many are waiting already. */
  | "QUEUE_FULL"
  /** The prover was stopped. */
  | "STOPPING"
  /** The thread ended on its own, or could not do it. */
  | "PROVER_LOST"
  /** From this secret's leaf the path does not lead to its root. */
  | "NO_MEMBER"

export class ProveError extends CodedError<ProveErrorCode> {}

/** To the worker. Field elements of 32 bytes. */
export interface ProveTask {
  readonly secret: Bytes
  readonly path: TreePath
  readonly signal: Bytes
  readonly scope: Bytes
}

export interface Proved {
  /** 32 bytes. */
  readonly nullifier: Bytes
  /** 128 bytes. */
  readonly proof: Bytes
}

/** From the worker. */
export type ProveReport =
  | { readonly proved: Proved }
  /** From this leaf the path leads to another root. */
  | { readonly otherRoot: true }
  | { readonly failed: ThreadFailure }

const lost = (cause: unknown) =>
  new ProveError("PROVER_LOST", "the proving thread failed", { cause })
const noMember = () => new ProveError("NO_MEMBER", "this secret has no leaf under this root")

export interface ProveOptions {
  /** Somebody waits for it. */
  readonly urgent?: boolean
  readonly signal?: AbortSignal
}

interface Waiting {
  readonly task: ProveTask
  readonly urgent: boolean
  readonly signal: AbortSignal | undefined
  readonly done: { resolve(proved: Proved): void; reject(error: unknown): void }
}

export class Prover {
  readonly #worker = new OnDemandWorker<ProveTask, ProveReport>({
    program: new URL("./prove-worker.js", import.meta.url),
    idleMs: IDLE_MS,
    lost,
  })
  #waiting: Waiting[] = []
  #proving: Promise<void> | undefined
  readonly #stop = new AbortController()

  /** Whether there is a thread at present. */
  get running(): boolean {
    return this.#worker.running
  }

  /** Throws ProveError, or the signal's reason; one that is under way is then made and thrown away. */
  async prove(task: ProveTask, options: ProveOptions = {}): Promise<Proved> {
    const { urgent = false, signal } = options
    this.#stop.signal.throwIfAborted()
    signal?.throwIfAborted()
    // the circuit gives a valid proof of root 0 for a path longer than it knows
    if (task.path.siblings.length > TREE_DEPTH_MAX || isZero(task.path.root)) throw noMember()
    if (this.#waiting.length >= PROVING_MAX)
      throw new ProveError("QUEUE_FULL", "too many proofs to be made")
    const { promise, ...done } = Promise.withResolvers<Proved>()
    const waiting = { task, urgent, signal, done }
    const at = urgent ? this.#waiting.findIndex((each) => !each.urgent) : -1
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, waiting)
    const onAbort = () => {
      this.#waiting = this.#waiting.filter((each) => each !== waiting)
      done.reject(signal?.reason)
    }
    signal?.addEventListener("abort", onAbort, { once: true })
    this.#proving ??= this.#proveAll()
    try {
      return await promise
    } finally {
      signal?.removeEventListener("abort", onAbort)
    }
  }

  /** Gives up what is waiting and ends the thread. */
  async stop(): Promise<void> {
    const reason = new ProveError("STOPPING", "the prover was stopped")
    this.#stop.abort(reason)
    for (const { done } of this.#waiting.splice(0)) done.reject(reason)
    await this.#worker.stop()
    await this.#proving
  }

  async #proveAll(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      try {
        next.done.resolve(await this.#proveOne(next.task))
      } catch (error) {
        next.done.reject(this.#stop.signal.aborted ? this.#stop.signal.reason : error)
      }
    this.#proving = undefined
  }

  #proveOne(task: ProveTask): Promise<Proved> {
    return this.#worker.run<Proved>(task, (report, end) => {
      if ("proved" in report) end.resolve(report.proved)
      else if ("otherRoot" in report) end.reject(noMember())
      else end.reject(failedFiles(report.failed) ?? lost(report.failed))
    })
  }
}
