/**
 * Work that would stop the event loop: stretching a passphrase (0.1 s), making root keys (0.1 s), signing a card (1 s), sealing a term
 * of the ledger (0.2 s), a safety number (30 ms). Each job gets a
 * worker thread of its own that ends with it; they are rare, so there is no pool to keep. Secrets travel by structured clone inside
 * this process and nowhere else. Mining, which is frequent, has its own worker (mine.ts).
 */
import { Worker } from "node:worker_threads"
import type { Bytes } from "../crypto/bytes.ts"
import type { RootKeys } from "../crypto/identity.ts"
import type { Argon2Cost } from "../crypto/primitives/types.ts"
import type { ValidatorSecrets } from "./ledger/validator-keys.ts"

export type HeavyJob =
  | {
      readonly job: "stretch"
      readonly passphrase: Bytes
      readonly salt: Bytes
      readonly cost: Argon2Cost
    }
  | { readonly job: "roots" }
  | { readonly job: "sign-card"; readonly roots: RootKeys; readonly body: Bytes }
  | { readonly job: "validator-keys" }
  | { readonly job: "member-secret" }
  /** Raw addresses, 64 bytes each. */
  | { readonly job: "safety-number"; readonly one: Bytes; readonly other: Bytes }
  /** `key`: SLH-DSA-SHA2-128s, private form, 64 bytes. */
  | { readonly job: "seal"; readonly key: Bytes; readonly message: Bytes }

export interface HeavyResult {
  /** 32 bytes. */
  readonly stretch: Bytes
  readonly roots: RootKeys
  readonly "sign-card": { readonly ed25519: Bytes; readonly slhDsa: Bytes }
  readonly "validator-keys": ValidatorSecrets
  /** 32 bytes each. */
  readonly "member-secret": { readonly secret: Bytes; readonly commitment: Bytes }
  /** 60 digits. */
  readonly "safety-number": string
  /** 7856 bytes. */
  readonly seal: Bytes
}

const PROGRAM = new URL("./heavy-worker.js", import.meta.url)
const SEAL_PROGRAM = new URL("./seal-worker.js", import.meta.url)

/** No job here takes longer on a machine that can run sotto at all. */
const DEADLINE_MS = 120_000

/** Runs one job. Rejects when `signal` aborts or the deadline passes; the thread is ended either way. */
export async function heavy<J extends HeavyJob["job"]>(
  job: Extract<HeavyJob, { job: J }>,
  signal?: AbortSignal,
): Promise<HeavyResult[J]> {
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  const stop = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
  stop.throwIfAborted()
  const program = job.job === "seal" ? SEAL_PROGRAM : PROGRAM
  const worker = new Worker(program, { workerData: job })
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(stop.reason as Error)
  stop.addEventListener("abort", onAbort, { once: true })
  try {
    const done = new Promise<HeavyResult[J]>((resolve, reject) => {
      worker.once("message", resolve)
      worker.once("error", reject)
      worker.once("exit", (code) =>
        reject(new Error(`worker ended with ${code} before it was done`)),
      )
    })
    return await Promise.race([done, aborted.promise])
  } finally {
    stop.removeEventListener("abort", onAbort)
    await worker.terminate()
  }
}
