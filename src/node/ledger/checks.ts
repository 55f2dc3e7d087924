/**
 * Signatures of the ledger checked off the event loop, many at once: an answer of blocks, a view change, a new view rest on dozens to
 * hundreds of them, a fifth of a millisecond each. What threads find good is told to the remembering scheme, and the core's own check,
 * which decides, finds it there. A single vote is checked where it comes in: handing it over would cost as much.
 */
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import type { Claim } from "../../consensus/claims.ts"
import type { RememberingScheme } from "../../consensus/hybrid.ts"
import type { ValidatorKeys } from "../../consensus/types.ts"
import type { Bytes } from "../../crypto/bytes.ts"

/** Fewer are a few milliseconds, and stay on the event loop. */
const TOGETHER_MIN = 12
const THREADS_MAX = 4
/** Claims that one thread is given at a time. */
const JOB_MAX = 64
const IDLE_MS = 10_000

/** To the thread. Keys are sent once and then go by their number. */
export interface CheckJob {
  readonly job: number
  readonly keys: readonly (readonly [number, ValidatorKeys])[]
  readonly claims: readonly {
    readonly owner: number
    readonly preimage: Bytes
    readonly signature: Bytes
  }[]
}

/** From the thread: one byte a claim, 1 for a signature that verifies. */
export interface CheckReport {
  readonly job: number
  readonly good: Bytes
}

/** By what the scheme will remember it. */
interface NamedClaim extends Claim {
  readonly name: string
}

interface Thread {
  readonly worker: Worker
  readonly known: Set<ValidatorKeys>
  readonly jobs: Map<number, (good: Bytes | undefined) => void>
}

export class SignatureChecks {
  readonly #scheme: RememberingScheme
  readonly #threads: Thread[] = []
  readonly #owners = new Map<ValidatorKeys, number>()
  #jobs = 0
  #next = 0
  #open = 0
  #idle: NodeJS.Timeout | undefined
  #stopped = false

  constructor(scheme: RememberingScheme) {
    this.#scheme = scheme
  }

  /** Threads there are at present. */
  get threads(): number {
    return this.#threads.length
  }

  /**
   * Resolves when the scheme remembers those that verify. Never rejects: what a thread did not do, whoever judges the message does
   * himself.
   */
  async prove(claims: readonly Claim[]): Promise<void> {
    const unknown = claims
      .map((claim) => ({
        ...claim,
        name: this.#scheme.nameOf(claim.keys, claim.preimage, claim.signature),
      }))
      .filter(({ name }) => !this.#scheme.remembers(name))
    if (unknown.length < TOGETHER_MIN || this.#stopped) return
    clearTimeout(this.#idle)
    this.#open++
    const threads = Math.min(THREADS_MAX, availableParallelism())
    const size = Math.min(JOB_MAX, Math.ceil(unknown.length / threads))
    const parts: Promise<void>[] = []
    for (let at = 0; at < unknown.length; at += size)
      parts.push(this.#check(this.#thread(threads), unknown.slice(at, at + size)))
    await Promise.all(parts)
    this.#open--
    if (this.#open === 0) this.#endSoon()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#idle)
    await this.#end()
  }

  async #check(thread: Thread, claims: readonly NamedClaim[]): Promise<void> {
    const job = ++this.#jobs
    const keys: [number, ValidatorKeys][] = []
    const sent = claims.map(({ keys: signer, preimage, signature }) => {
      const owner = this.#ownerOf(signer)
      if (!thread.known.has(signer)) keys.push([owner, signer])
      thread.known.add(signer)
      return { owner, preimage, signature }
    })
    const good = await new Promise<Bytes | undefined>((resolve) => {
      thread.jobs.set(job, resolve)
      thread.worker.postMessage({ job, keys, claims: sent } satisfies CheckJob)
    })
    claims.forEach(({ name }, i) => {
      if (good?.[i] === 1) this.#scheme.remember(name)
    })
  }

  #ownerOf(keys: ValidatorKeys): number {
    let owner = this.#owners.get(keys)
    if (owner === undefined) {
      owner = this.#owners.size
      this.#owners.set(keys, owner)
    }
    return owner
  }

  /** One after the other in turn. */
  #thread(threads: number): Thread {
    this.#next = (this.#next + 1) % threads
    return this.#threads[this.#next] ?? this.#start()
  }

  #start(): Thread {
    const worker = new Worker(new URL("./checks-worker.js", import.meta.url))
    const thread: Thread = { worker, known: new Set(), jobs: new Map() }
    const finish = (job: number, good: Bytes | undefined) => {
      thread.jobs.get(job)?.(good)
      thread.jobs.delete(job)
    }
    worker.on("message", ({ job, good }: CheckReport) => finish(job, good))
    const gone = () => {
      const at = this.#threads.indexOf(thread)
      if (at >= 0) this.#threads.splice(at, 1)
      for (const job of [...thread.jobs.keys()]) finish(job, undefined)
    }
    worker.on("error", gone).on("exit", gone)
    // a thread without work keeps nobody awake, and whoever waits for it has a stream open
    worker.unref()
    this.#threads.push(thread)
    return thread
  }

  #endSoon(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => void this.#end(), IDLE_MS)
    this.#idle.unref()
  }

  async #end(): Promise<void> {
    // numbers of keys begin anew with new threads
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()))
    if (this.#threads.length === 0) this.#owners.clear()
  }
}
