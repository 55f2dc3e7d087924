/**
 * A validator's own keys: Ed25519 and ML-DSA-65 for every vote, SLH-DSA-SHA2-128s for the seal at a term's end (DESIGN §7). They stand for
 * this installation and no person, and a validator starts without anybody there to type a passphrase: so they lie in the plain file
 * `validator.keys`, mode 0600, beside the peer key. Whoever copies them can vote in this validator's place.
 *
 * Beside keys that never signed stands the empty file `validator.new`. It goes when the guard of the first log takes over; keys
 * without either have lost the memory of what they signed.
 */
import { join } from "node:path"
import { primitives } from "#primitives"
import { hybridSigner, type Sign } from "../../consensus/hybrid.ts"
import type { ValidatorKeys } from "../../consensus/types.ts"
import { type Bytes, concat, Reader, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { GenesisValidator } from "../../crypto/genesis.ts"
import { ApiError } from "../api/errors.ts"
import { heavy } from "../heavy.ts"
import { readIfThere, writeWhole } from "../store/whole-file.ts"

const MAGIC = utf8("sotto validator keys 1\n")
const CHECK_BYTES = 8
const PUBLIC_PREFIX = "sotto-validator1"

/** Private forms: Ed25519 seed 32, ML-DSA-65 seed 32, SLH-DSA-SHA2-128s 64 bytes. */
export interface ValidatorSecrets {
  readonly ed25519: Bytes
  readonly mlDsa65: Bytes
  readonly slhDsa: Bytes
}

export interface Validator {
  readonly keys: ValidatorKeys
  readonly sign: Sign
  /** Signs a seal in a thread of its own: a fifth of a second of work. */
  seal(preimage: Bytes, signal: AbortSignal): Promise<Bytes>
}

export const keysPath = (dataDir: string) => join(dataDir, "validator.keys")
export const newMarkPath = (dataDir: string) => join(dataDir, "validator.new")

export function encodeSecrets({ ed25519, mlDsa65, slhDsa }: ValidatorSecrets): Bytes {
  const body = concat(MAGIC, ed25519, mlDsa65, slhDsa)
  return concat(body, primitives.sha3_256(body).subarray(0, CHECK_BYTES))
}

/** Throws CryptoError. */
export function decodeSecrets(bytes: Bytes): ValidatorSecrets {
  const body = bytes.subarray(0, Math.max(0, bytes.length - CHECK_BYTES))
  const check = primitives.sha3_256(body).subarray(0, CHECK_BYTES)
  const read = new Reader(bytes)
  const magic = read.raw(MAGIC.length)
  const secrets = { ed25519: read.raw(32), mlDsa65: read.raw(32), slhDsa: read.raw(64) }
  const found = read.raw(CHECK_BYTES)
  read.done()
  if (!MAGIC.every((byte, i) => magic[i] === byte) || !check.every((byte, i) => found[i] === byte))
    throw new CryptoError("BAD_ENCODING", "not a file of validator keys")
  return secrets
}

/** Private handles and public keys; SLH-DSA's public key is the second half of its private form (FIPS 205, figure 15). */
export function validatorFrom(secrets: ValidatorSecrets): Validator {
  const { ed25519, mlDsa65, slhDsaSha2_128s } = primitives
  return {
    keys: {
      ed25519: ed25519.publicFromPrivate(ed25519.importPrivate(secrets.ed25519)),
      mlDsa65: mlDsa65.publicFromPrivate(mlDsa65.importPrivate(secrets.mlDsa65)),
      slhDsa: slhDsaSha2_128s.publicFromPrivate(slhDsaSha2_128s.importPrivate(secrets.slhDsa)),
    },
    sign: hybridSigner(secrets.ed25519, secrets.mlDsa65),
    seal: (preimage, signal) =>
      heavy({ job: "seal", key: secrets.slhDsa, message: preimage }, signal),
  }
}

/** The keys of this data directory, or undefined. Throws ApiError STORE_DAMAGED. */
export async function storedValidator(dataDir: string): Promise<Validator | undefined> {
  const bytes = await readIfThere(keysPath(dataDir))
  if (bytes === undefined) return undefined
  try {
    return validatorFrom(decodeSecrets(bytes))
  } catch (cause) {
    throw new ApiError("STORE_DAMAGED", "the file of validator keys is damaged", { cause })
  }
}

/** The keys of this data directory, made if there are none. Without a directory: fresh ones that are written nowhere. */
export async function ownValidator(
  dataDir: string | undefined,
  signal?: AbortSignal,
): Promise<Validator> {
  const known = dataDir === undefined ? undefined : await storedValidator(dataDir)
  if (known !== undefined) return known
  const secrets = await heavy({ job: "validator-keys" }, signal)
  if (dataDir !== undefined) {
    // The mark first: a crash in between leaves a mark without keys, never keys that seem to have lost their memory.
    await writeWhole(newMarkPath(dataDir), new Uint8Array(0))
    await writeWhole(keysPath(dataDir), encodeSecrets(secrets))
  }
  return validatorFrom(secrets)
}

/** What a validator hands to whoever founds the mesh: its public keys in one word. */
export function publicKeyText({ ed25519, mlDsa65, slhDsa }: ValidatorKeys): string {
  const bytes = new Writer().raw(ed25519).raw(mlDsa65).raw(slhDsa).finish()
  const check = primitives.sha3_256(bytes).subarray(0, CHECK_BYTES)
  return PUBLIC_PREFIX + Buffer.from(concat(bytes, check)).toString("base64url")
}

/** Throws ApiError BAD_PARAMS. */
export function parsePublicKey(text: string): GenesisValidator {
  const wrong = (cause?: unknown) =>
    new ApiError("BAD_PARAMS", "that is not a validator's whole public key", { cause })
  const word = text.trim()
  if (!word.startsWith(PUBLIC_PREFIX)) throw wrong()
  const bytes = new Uint8Array(Buffer.from(word.slice(PUBLIC_PREFIX.length), "base64url"))
  try {
    const read = new Reader(bytes)
    const keys = { ed25519: read.raw(32), mlDsa65: read.raw(1952), slhDsaSha2: read.raw(32) }
    const check = read.raw(CHECK_BYTES)
    read.done()
    const right = primitives.sha3_256(bytes.subarray(0, -CHECK_BYTES))
    if (!check.every((byte, i) => right[i] === byte)) throw wrong()
    primitives.ed25519.importPublic(keys.ed25519)
    return keys
  } catch (cause) {
    if (cause instanceof CryptoError) throw wrong(cause)
    throw cause
  }
}

/** Who a new mesh begins with: those who were named; if nobody was, this peer alone (DESIGN §11). Throws ApiError BAD_PARAMS. */
export async function firstValidators(
  named: readonly string[] | undefined,
  own: () => Promise<Validator>,
): Promise<readonly GenesisValidator[]> {
  if (named !== undefined) return named.map(parsePublicKey)
  const { ed25519, mlDsa65, slhDsa } = (await own()).keys
  return [{ ed25519, mlDsa65, slhDsaSha2: slhDsa }]
}
