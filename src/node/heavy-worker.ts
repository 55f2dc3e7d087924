/** The thread behind heavy.ts: does one job, posts its result, ends. Nothing else of the node runs here. */
import { constants, setPriority } from "node:os"
import { parentPort, workerData } from "node:worker_threads"
import { primitives } from "#primitives"
import { cardSigningBytes } from "../crypto/card.ts"
import { generateRoots } from "../crypto/identity.ts"
import { commitmentOf, newSecret } from "../crypto/membership/secret.ts"
import { safetyNumber } from "../crypto/safety-number.ts"
import type { HeavyJob, HeavyResult } from "./heavy.ts"

function run(job: HeavyJob): HeavyResult[HeavyJob["job"]] {
  switch (job.job) {
    case "stretch":
      return primitives.argon2id(job.passphrase, job.salt, job.cost, 32)
    case "roots":
      return generateRoots()
    case "sign-card": {
      const { ed25519, slhDsaShake256s } = primitives
      const message = cardSigningBytes(job.body)
      return {
        ed25519: ed25519.sign(ed25519.importPrivate(job.roots.ed25519), message),
        slhDsa: slhDsaShake256s.sign(slhDsaShake256s.importPrivate(job.roots.slhDsa), message),
      }
    }
    case "validator-keys": {
      const { ed25519, mlDsa65, slhDsaSha2_128s } = primitives
      return {
        ed25519: ed25519.generate(),
        mlDsa65: mlDsa65.generate(),
        slhDsa: slhDsaSha2_128s.generate(),
      }
    }
    case "safety-number":
      return safetyNumber(job.one, job.other)
    case "member-secret": {
      const secret = newSecret()
      return { secret, commitment: commitmentOf(secret) }
    }
    case "seal": {
      // Nobody waits for it, and votes do not wait behind it. Where threads have no priority of their own, the process keeps its.
      if (process.platform === "linux") setPriority(constants.priority.PRIORITY_LOW)
      const { slhDsaSha2_128s } = primitives
      return slhDsaSha2_128s.sign(slhDsaSha2_128s.importPrivate(job.key), job.message)
    }
  }
}

parentPort?.postMessage(run(workerData as HeavyJob))
