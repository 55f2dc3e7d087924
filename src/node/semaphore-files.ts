/**
 * The files behind membership proofs: proving key and verification key of Semaphore's ceremony, shipped as data (data/semaphore), and the
 * witness generator that the build compiled from the circuit's source. Keys are believed only if they are, byte for byte, the ones
 * whose ceremony was checked; a false key would let its maker forge admission.
 */
import { readFile } from "node:fs/promises"
import { primitives } from "#primitives"
import { type Bytes, toHex } from "../crypto/bytes.ts"
import { CodedError } from "../crypto/errors.ts"
import { readVerificationKey, type VerificationKey } from "../crypto/membership/verification-key.ts"
import { plain } from "./plain-bytes.ts"

export type ProofFilesErrorCode =
  /** A file of the program is missing or is not the one that was shipped: install it again. */
  "PROOF_FILES_DAMAGED"

export class ProofFilesError extends CodedError<ProofFilesErrorCode> {}

/** What a thread could not do, as it says so: an error that is handed over to another thread loses its code. */
export interface ThreadFailure {
  readonly code: ProofFilesErrorCode | undefined
  readonly message: string
}

export const threadFailure = (error: unknown): ThreadFailure => ({
  code: error instanceof ProofFilesError ? error.code : undefined,
  message: error instanceof Error ? error.message : String(error),
})

/** The error again, as far as it has a code. */
export const failedFiles = ({ code, message }: ThreadFailure): ProofFilesError | undefined =>
  code === undefined ? undefined : new ProofFilesError(code, message)

/** SHA-256 of what is shipped. */
export const PROVING_KEY_SHA256 = "33f9a067a80c7daf90e085449073613a9559a1904dd40aeb6d603afb7988c2cc"
export const VERIFICATION_KEY_SHA256 =
  "6fda771369c19517c8f7575cb9f1d18a8846e46baa1dc0c032bac9492c29559e"

// The same from dist/src/node and from the bundle in dist/bundle/cli.
const KEYS = new URL("../../../data/semaphore/", import.meta.url)
const CIRCUIT = new URL("../../circuit/", import.meta.url)

async function load(name: string, from: URL, sha256?: string): Promise<Bytes> {
  let bytes: Bytes
  try {
    bytes = plain(await readFile(new URL(name, from)))
  } catch (cause) {
    throw new ProofFilesError("PROOF_FILES_DAMAGED", `${name} cannot be read`, { cause })
  }
  if (sha256 !== undefined && toHex(primitives.sha256(bytes)) !== sha256)
    throw new ProofFilesError("PROOF_FILES_DAMAGED", `${name} is not what was shipped`)
  return bytes
}

/** 3.9 MB. Throws ProofFilesError. */
export const loadProvingKey = (): Promise<Bytes> =>
  load("semaphore-20.zkey", KEYS, PROVING_KEY_SHA256)

/** Throws ProofFilesError. */
export const loadVerificationKey = async (): Promise<VerificationKey> =>
  readVerificationKey(await load("semaphore-20.json", KEYS, VERIFICATION_KEY_SHA256))

/** WebAssembly, 1.8 MB. A false one could make no proof that holds. Throws ProofFilesError. */
export const loadWitnessGenerator = (): Promise<Bytes> => load("semaphore-20.wasm", CIRCUIT)
