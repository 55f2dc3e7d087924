/** The thread behind heavy.ts: does one job, posts its result, ends. Nothing else of the node runs here. Seals have their own (seal-worker.ts). */
import { parentPort, workerData } from "node:worker_threads"
import { primitives } from "#primitives"
import { cardSigningBytes } from "../crypto/card.ts"
import { generateRoots } from "../crypto/identity.ts"
import { commitmentOf, newSecret } from "../crypto/membership/secret.ts"
import { safetyNumber } from "../crypto/safety-number.ts"
import type { HeavyJob, HeavyResult } from "./heavy.ts"

type Job = Exclude<HeavyJob, { job: "seal" }>

function run(job: Job): HeavyResult[Job["job"]] {
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
  }
}

parentPort?.postMessage(run(workerData as Job))
