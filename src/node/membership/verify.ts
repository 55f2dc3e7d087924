/**
 * Membership proofs, checked off the event loop (DESIGN §6.1). A worker thread takes what is there at once when it is idle, and up to 32
 * together when there is more than it can do: a batch of 32 costs less than half of what 32 proofs cost one by one, and never
 * waits for company. Senders take turns, so a flood waits behind itself. Somebody new has one proof checked at a time, and twice as many
 * after each time that all of them held; whoever sent one false proof is new again, and has none of the others checked that wait. So
 * false proofs cost little more than one check a sender, however many they are. The thread starts with the first proof and ends when none came for a while.
 */
import type { Checked, Claim } from "../../crypto/membership/groth16.ts"
import { CodedError } from "../../crypto/errors.ts"
import { OnDemandWorker } from "../on-demand-worker.ts"
import { failedFiles, type ThreadFailure } from "../semaphore-files.ts"

/** Proofs checked together: some 50 ms of work. */
export const BATCH_MAX = 32
/** Proofs waiting; whoever brings another one is told to come again. */
export const VERIFYING_MAX = 512
/** Senders whose good proofs are remembered; of more, those that were checked longest ago are new again. */
export const SENDERS_KNOWN_MAX = 1024
const IDLE_MS = 60_000

export type VerifyErrorCode =
  /** Too many are waiting already. */
  | "QUEUE_FULL"
  /** Of the same sender another proof was false. */
  | "UNTRUSTED"
  /** The verifier was stopped. */
  | "STOPPING"
  /** The thread ended on its own, or could not do it. */
  | "VERIFIER_LOST"

export class VerifyError extends CodedError<VerifyErrorCode> {}

/** To the worker: claims by sender. */
export type VerifyJob = readonly (readonly Claim[])[]

/** From the worker. */
export type VerifyReport =
  { readonly holds: readonly (readonly Checked[])[] } | { readonly failed: ThreadFailure }

const lost = (cause: unknown) =>
  new VerifyError("VERIFIER_LOST", "the checking thread failed", { cause })

interface Waiting {
  readonly claim: Claim
  readonly done: { resolve(holds: boolean): void; reject(error: unknown): void }
}

export class ProofVerifier {
  readonly #worker = new OnDemandWorker<VerifyJob, VerifyReport>({
    program: new URL("./verify-worker.js", import.meta.url),
    idleMs: IDLE_MS,
    lost,
  })
  /** By sender, in the order in which it is their turn. */
  readonly #queues = new Map<string, Waiting[]>()
  /** By sender, how many of theirs go into one batch; who is not in here is new. */
  readonly #shares = new Map<string, number>()
  #waiting = 0
  #checking: Promise<void> | undefined
  readonly #stop = new AbortController()

  /** Whether there is a thread at present. */
  get running(): boolean {
    return this.#worker.running
  }

  /** Proofs waiting for their batch. */
  get waiting(): number {
    return this.#waiting
  }

  /** Whether the proof proves the statement. `sender`: whoever is to blame if not. Throws VerifyError. */
  async verify(claim: Claim, sender = ""): Promise<boolean> {
    this.#stop.signal.throwIfAborted()
    if (this.#waiting >= VERIFYING_MAX)
      throw new VerifyError("QUEUE_FULL", "too many proofs to be checked")
    const { promise, ...done } = Promise.withResolvers<boolean>()
    const queue = this.#queues.get(sender) ?? []
    this.#queues.set(sender, queue)
    queue.push({ claim, done })
    this.#waiting += 1
    this.#checking ??= this.#checkAll()
    return await promise
  }

  /** Starts the thread if there is none: the first proof then need not wait for it. */
  warm(): void {
    this.#worker.warm()
  }

  /** Gives up what is waiting and ends the thread. */
  async stop(): Promise<void> {
    const reason = new VerifyError("STOPPING", "the verifier was stopped")
    this.#stop.abort(reason)
    for (const sender of [...this.#queues.keys()]) this.#drop(sender, reason)
    await this.#worker.stop()
    await this.#checking
  }

  async #checkAll(): Promise<void> {
    // what comes in the same turn goes together
    await Promise.resolve()
    while (this.#waiting > 0) {
      const batch = this.#nextBatch()
      try {
        const holds = await this.#check([...batch.values()].map((group) => group.map(({ claim }) => claim))) // prettier-ignore
        for (const [i, [sender, group]] of [...batch].entries())
          this.#answer(sender, group, holds[i] ?? [])
      } catch (error) {
        const reason: unknown = this.#stop.signal.aborted ? this.#stop.signal.reason : error
        for (const { done } of [...batch.values()].flat()) done.reject(reason)
      }
    }
    this.#checking = undefined
  }

  /** One of each sender, then another one of each, until the batch is full or everybody has their share of it. */
  #nextBatch(): ReadonlyMap<string, Waiting[]> {
    const batch = new Map<string, Waiting[]>()
    const served = new Map<string, Waiting[]>()
    for (let taken = 0; taken < BATCH_MAX;) {
      const [next] = this.#queues
      if (next === undefined) break
      const [sender, queue] = next
      const group = batch.get(sender) ?? []
      const first = group.length < this.#shareOf(sender) ? queue.shift() : undefined
      // to the end of the line, or out of it until the next batch
      this.#queues.delete(sender)
      if (queue.length > 0) (first === undefined ? served : this.#queues).set(sender, queue)
      if (first === undefined) continue
      this.#waiting -= 1
      taken += 1
      batch.set(sender, group)
      group.push(first)
    }
    for (const [sender, queue] of served) this.#queues.set(sender, queue)
    return batch
  }

  #shareOf(sender: string): number {
    return this.#shares.get(sender) ?? 1
  }

  #trust(sender: string): void {
    const share = Math.min(BATCH_MAX, 2 * this.#shareOf(sender))
    this.#shares.delete(sender)
    this.#shares.set(sender, share)
    if (this.#shares.size <= SENDERS_KNOWN_MAX) return
    for (const oldest of this.#shares.keys()) {
      this.#shares.delete(oldest)
      return
    }
  }

  #answer(sender: string, group: readonly Waiting[], holds: readonly Checked[]): void {
    const untrusted = new VerifyError("UNTRUSTED", "another proof of the same sender was false")
    for (const [i, { done }] of group.entries()) {
      const held = holds[i]
      if (held === undefined) done.reject(untrusted)
      else done.resolve(held)
    }
    if (!holds.includes(false)) {
      this.#trust(sender)
      return
    }
    this.#shares.delete(sender)
    this.#drop(sender, untrusted)
  }

  #drop(sender: string, reason: VerifyError): void {
    const queue = this.#queues.get(sender) ?? []
    this.#queues.delete(sender)
    this.#waiting -= queue.length
    for (const { done } of queue) done.reject(reason)
  }

  #check(groups: VerifyJob): Promise<readonly (readonly Checked[])[]> {
    return this.#worker.run<readonly (readonly Checked[])[]>(groups, (report, end) => {
      if ("holds" in report) end.resolve(report.holds)
      else end.reject(failedFiles(report.failed) ?? lost(report.failed))
    })
  }
}
