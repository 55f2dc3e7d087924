/** The thread behind checks.ts: checks hybrid signatures, job by job. Nothing else of the node runs here. */
import { parentPort } from "node:worker_threads"
import { hybridScheme } from "../../consensus/hybrid.ts"
import type { ValidatorKeys } from "../../consensus/types.ts"
import type { CheckJob, CheckReport } from "./checks.ts"

const scheme = hybridScheme()
const owners = new Map<number, ValidatorKeys>()

function check({ job, keys, claims }: CheckJob): CheckReport {
  for (const [owner, theirs] of keys) owners.set(owner, theirs)
  const good = Uint8Array.from(claims, ({ owner, preimage, signature }) => {
    const theirs = owners.get(owner)
    return theirs !== undefined && scheme.verify(theirs, preimage, signature) ? 1 : 0
  })
  return { job, good }
}

parentPort?.on("message", (job: CheckJob) => parentPort?.postMessage(check(job)))
