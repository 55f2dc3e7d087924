/** Which vector file is checked how, and by which suites. */
import {
  type CiphersuiteImpl,
  type CiphersuiteName,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
} from "ts-mls"
import { SUITE_IDS, suites } from "../../src/crypto/session/suite.ts"
import {
  cryptoBasics,
  keySchedule,
  pskSecret,
  secretTree,
  transcriptHashes,
  treeMath,
} from "./basics.ts"
import { Fields } from "./fields.ts"
import { messages, vectorLengths } from "./messages.ts"
import { passiveClient } from "./passive-client.ts"
import { messageProtection } from "./protection.ts"
import { treeKem } from "./treekem.ts"
import { treeOperations, treeValidation } from "./trees.ts"
import { welcome } from "./welcome.ts"

type Check = (vector: Fields, suite: CiphersuiteImpl) => Promise<void> | void

/** By file name without `.json`, as the MLS working group publishes them. */
const CHECKS: Readonly<Record<string, Check>> = {
  "tree-math": treeMath,
  "crypto-basics": cryptoBasics,
  "secret-tree": secretTree,
  "key-schedule": keySchedule,
  psk_secret: pskSecret,
  "transcript-hashes": transcriptHashes,
  "tree-operations": treeOperations,
  "tree-validation": treeValidation,
  treekem: treeKem,
  "message-protection": messageProtection,
  messages,
  deserialization: vectorLengths,
  welcome,
  "passive-client-welcome": passiveClient,
  "passive-client-handling-commit": passiveClient,
  "passive-client-random": passiveClient,
}

export const KINDS: readonly string[] = Object.keys(CHECKS)

/**
 * Suites of RFC 9420 §17.1 that ts-mls runs on the runtime's own cryptography, and ours. The others need packages that sotto has no
 * other use for (ChaCha20-Poly1305, X448), so their vectors are counted as left out.
 */
const SUITES: ReadonlyMap<number, CiphersuiteName> = new Map([
  [1, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"],
  [2, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256"],
  [5, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521"],
  [7, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384"],
])

async function suiteOf(id: number): Promise<CiphersuiteImpl | undefined> {
  if (id === SUITE_IDS.ed25519) return suites.ed25519
  const name = SUITES.get(id)
  return name === undefined ? undefined : getCiphersuiteImpl(getCiphersuiteFromName(name))
}

export interface Outcome {
  readonly passed: number
  /** Of suites that are not run here. */
  readonly leftOut: number
  /** What failed, by number in the file. */
  readonly failures: readonly { readonly index: number; readonly why: string }[]
}

/** Checks all vectors of one file. `kind` is one of KINDS. */
export async function checkVectors(kind: string, vectors: unknown): Promise<Outcome> {
  const check = CHECKS[kind]
  if (check === undefined || !Array.isArray(vectors)) throw new TypeError(`no vectors of ${kind}`)
  let [passed, leftOut] = [0, 0]
  const failures: { index: number; why: string }[] = []
  for (const [index, each] of vectors.entries())
    try {
      const vector = new Fields(each)
      const id = vector.has("cipher_suite") ? vector.number("cipher_suite") : SUITE_IDS.ed25519
      const suite = await suiteOf(id)
      if (suite === undefined) leftOut++
      else {
        await check(vector, suite)
        passed++
      }
    } catch (error) {
      failures.push({ index, why: error instanceof Error ? error.message : String(error) })
    }
  return { passed, leftOut, failures }
}
