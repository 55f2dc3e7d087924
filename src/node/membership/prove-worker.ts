/**
 * The thread behind prove.ts: makes one membership proof after the other with snarkjs, on this thread alone. What it keeps between two
 * proofs (keys, curve) is gone with the thread.
 */
import { registerHooks } from "node:module"
import { parentPort } from "node:worker_threads"
import { equal } from "../../crypto/bytes.ts"
import { assert } from "../../crypto/errors.ts"
import { bytesOfNumber } from "../../crypto/membership/field.ts"
import { compressProof } from "../../crypto/membership/proof.ts"
import { witnessOf } from "../../crypto/membership/tree-path.ts"
import type { Proved, ProveReport, ProveTask } from "./prove.ts"
import { loadProvingKey, loadWitnessGenerator, threadFailure } from "../semaphore-files.ts"

// snarkjs brings a library for threads of its own, which inside a thread takes over its globals and fails. On one thread it is never
// called, so nothing stands in its place.
registerHooks({
  resolve: (name, context, next) =>
    name === "web-worker"
      ? { url: "data:text/javascript,export default undefined", shortCircuit: true }
      : next(name, context),
})
const { curves, groth16 } = await import("snarkjs")

/** snarkjs takes the curve that it finds here; its own would start a thread for each core and leave them running. */
const shared = globalThis as { curve_bn128?: unknown }

async function prepare() {
  shared.curve_bn128 = await curves.getCurveFromName("bn128", { singleThread: true })
  const [zkey, wasm] = await Promise.all([loadProvingKey(), loadWitnessGenerator()])
  return { zkey, wasm }
}

const files = prepare()

async function prove({ secret, path, signal, scope }: ProveTask): Promise<Proved | undefined> {
  const { zkey, wasm } = await files
  const { proof, publicSignals } = await groth16.fullProve(
    { ...witnessOf(secret, path, signal, scope) },
    { type: "mem", data: wasm },
    { type: "mem", data: zkey },
  )
  const [root, nullifier] = publicSignals.map((text) => bytesOfNumber(BigInt(text)))
  assert(root !== undefined && nullifier !== undefined, "the circuit has two outputs")
  if (!equal(root, path.root)) return undefined
  return { nullifier, proof: compressed(proof) }
}

function compressed({ pi_a, pi_b, pi_c }: Awaited<ReturnType<typeof groth16.fullProve>>["proof"]) {
  const number = (text: string | undefined) => BigInt(text ?? "0")
  const pair = (texts: readonly string[] | undefined) =>
    [number(texts?.[0]), number(texts?.[1])] as const
  return compressProof({ a: pair(pi_a), b: [pair(pi_b[0]), pair(pi_b[1])], c: pair(pi_c) })
}

const post = (report: ProveReport) => parentPort?.postMessage(report)

parentPort?.on("message", (task: ProveTask) => {
  prove(task).then(
    (proved) => post(proved === undefined ? { otherRoot: true } : { proved }),
    (error: unknown) => post({ failed: threadFailure(error) }),
  )
})
