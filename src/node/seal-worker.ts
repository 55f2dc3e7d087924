/**
 * The thread behind a term's seal (heavy.ts). Nobody waits for a seal, and votes must not wait behind one: so this thread gives way to
 * everything else before it loads anything, which is half of its work. Where threads have no priority of their own, the process keeps its.
 */
import { constants, setPriority } from "node:os"
import { parentPort, workerData } from "node:worker_threads"
import type { HeavyJob } from "./heavy.ts"

if (process.platform === "linux") setPriority(constants.priority.PRIORITY_LOW)
// only now: what is imported by name is loaded first
const { primitives } = await import("#primitives")
const { key, message } = workerData as Extract<HeavyJob, { job: "seal" }>
const { slhDsaSha2_128s } = primitives
parentPort?.postMessage(slhDsaSha2_128s.sign(slhDsaSha2_128s.importPrivate(key), message))
