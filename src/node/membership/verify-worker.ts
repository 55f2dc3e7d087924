/** The thread behind verify.ts: judges batches of membership proofs with mcl, in the order they come. Nothing else runs here. */
import { parentPort } from "node:worker_threads"
import { membershipVerifier } from "../../crypto/membership/groth16.ts"
import { loadVerificationKey, threadFailure } from "../semaphore-files.ts"
import type { VerifyJob, VerifyReport } from "./verify.ts"

const verifier = loadVerificationKey().then(membershipVerifier)
const post = (report: VerifyReport) => parentPort?.postMessage(report)

parentPort?.on("message", (groups: VerifyJob) => {
  verifier.then(
    (ready) => post({ holds: ready.verifyGroups(groups) }),
    (error: unknown) => post({ failed: threadFailure(error) }),
  )
})
