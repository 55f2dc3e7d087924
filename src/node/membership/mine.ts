/**
 * Proof of work: finds the nonce that lets an envelope in (DESIGN §6, crypto/pow.ts). The work is done in a worker thread, one envelope at a
 * time, in the order asked for; the thread starts with the first and ends when there was nothing to do for a while.
 */
import type { Bytes } from "../../crypto/bytes.ts"
import { envelopeId } from "../../crypto/envelope.ts"
import { CodedError } from "../../crypto/errors.ts"
import { powPrefix, writeProofOfWork } from "../../crypto/pow.ts"
import { OnDemandWorker } from "../on-demand-worker.ts"

/** Envelopes waiting for their proof. */
export const MINING_MAX = 1024
const IDLE_MS = 10_000

export type MineErrorCode =
  /** Too many are waiting already. */
  | "QUEUE_FULL"
  /** The miner was stopped. */
  | "STOPPING"
  /** The thread ended on its own. */
  | "MINER_LOST"

export class MineError extends CodedError<MineErrorCode> {}

export interface WorkRule {
  /** 32 bytes. */
  readonly meshId: Bytes
  /** 32 bytes: a recent block's hash, or the mesh id. */
  readonly anchor: Bytes
  /** Leading zero bits, 0 to 64. */
  readonly bits: number
}

export interface MineOptions {
  readonly signal?: AbortSignal
  /** Hashes tried, and how many it takes on average; it may take several times that. */
  readonly onProgress?: (tried: number, expected: number) => void
}

/** To the worker. `stop` is one shared 32-bit word: anything but 0 ends the search. */
export interface MineJob {
  readonly prefix: Bytes
  readonly bits: number
  readonly stop: Int32Array<SharedArrayBuffer>
}

/** From the worker. */
export type MineReport =
  | { readonly tried: number }
  /** 8 bytes; `undefined` when it was stopped. */
  | { readonly nonce: Bytes | undefined }

export class Miner {
  readonly #worker = new OnDemandWorker<MineJob, MineReport>({
    program: new URL("./mine-worker.js", import.meta.url),
    idleMs: IDLE_MS,
    lost: (cause) => new MineError("MINER_LOST", "the mining thread ended", { cause }),
  })
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0
  readonly #stop = new AbortController()

  /** A copy of the envelope with its proof of work. Throws MineError, or the signal's reason. */
  async mine(envelope: Bytes, rule: WorkRule, options: MineOptions = {}): Promise<Bytes> {
    const nonce = await this.nonceFor(envelopeId(envelope), rule, options)
    return writeProofOfWork(envelope, rule.anchor, nonce)
  }

  /** The nonce (8 bytes) that the work for an id of 32 bytes takes. Throws MineError, or the signal's reason. */
  async nonceFor(id: Bytes, rule: WorkRule, options: MineOptions = {}): Promise<Bytes> {
    if (this.#waiting >= MINING_MAX) throw new MineError("QUEUE_FULL", "too much to be mined")
    this.#waiting += 1
    const turn = this.#last.then(() => this.#mineOne(id, rule, options))
    this.#last = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      this.#waiting -= 1
    }
  }

  /** Whether there is a thread at present. */
  get running(): boolean {
    return this.#worker.running
  }

  /** Gives up what is waiting and ends the thread. */
  async stop(): Promise<void> {
    this.#stop.abort(new MineError("STOPPING", "the miner was stopped"))
    await this.#last
    await this.#worker.stop()
  }

  async #mineOne(id: Bytes, rule: WorkRule, options: MineOptions): Promise<Bytes> {
    const signals = [this.#stop.signal, ...(options.signal === undefined ? [] : [options.signal])]
    const signal = AbortSignal.any(signals)
    signal.throwIfAborted()
    const prefix = powPrefix(rule.meshId, rule.anchor, id)
    const nonce = await this.#search(prefix, rule.bits, signal, options.onProgress)
    signal.throwIfAborted()
    if (nonce === undefined) throw new MineError("MINER_LOST", "the search ended without a result")
    return nonce
  }

  async #search(
    prefix: Bytes,
    bits: number,
    signal: AbortSignal,
    onProgress: MineOptions["onProgress"],
  ): Promise<Bytes | undefined> {
    const stop = new Int32Array(new SharedArrayBuffer(4))
    const onAbort = () => void Atomics.store(stop, 0, 1)
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      return await this.#worker.run<Bytes | undefined>({ prefix, bits, stop }, (report, end) => {
        if ("tried" in report) onProgress?.(report.tried, 2 ** bits)
        else end.resolve(report.nonce)
      })
    } finally {
      signal.removeEventListener("abort", onAbort)
    }
  }
}
