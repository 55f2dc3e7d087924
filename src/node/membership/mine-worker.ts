/**
 * The thread behind mine.ts: tries nonces in turn from a random start, BLAKE3 in WebAssembly, and looks between two runs whether it
 * should stop.
 */
import { parentPort } from "node:worker_threads"
import { createBLAKE3 } from "hash-wasm"
import { primitives } from "#primitives"
import type { Bytes } from "../../crypto/bytes.ts"
import { leadingZeroBits, NONCE_BYTES } from "../../crypto/pow.ts"
import type { MineJob, MineReport } from "./mine.ts"

/** Some ten milliseconds of work. */
const RUN = 4096
/** Runs between two reports of progress. */
const REPORT_RUNS = 16

const hasher = await createBLAKE3()

function search({ prefix, bits, stop }: MineJob, report: (tried: number) => void) {
  const preimage = new Uint8Array(prefix.length + NONCE_BYTES)
  preimage.set(prefix)
  const nonce = preimage.subarray(prefix.length)
  nonce.set(primitives.randomBytes(NONCE_BYTES))
  for (let run = 1; Atomics.load(stop, 0) === 0; run++) {
    for (let i = 0; i < RUN; i++) {
      if (leadingZeroBits(hasher.init().update(preimage).digest("binary")) >= bits)
        return nonce.slice()
      increment(nonce)
    }
    if (run % REPORT_RUNS === 0) report(run * RUN)
  }
  return undefined
}

function increment(counter: Bytes): void {
  for (let at = counter.length - 1; at >= 0; at--) {
    const next = ((counter[at] ?? 0) + 1) & 255
    counter[at] = next
    if (next !== 0) return
  }
}

const post = (report: MineReport) => parentPort?.postMessage(report)
parentPort?.on("message", (job: MineJob) =>
  post({ nonce: search(job, (tried) => post({ tried })) }),
)
