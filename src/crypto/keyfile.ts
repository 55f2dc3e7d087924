/**
 * The key file: a random vault key (32 bytes) wrapped under a passphrase, and the seal of every private record under that key
 * (DESIGN §4, at rest). Argon2id stretches the passphrase; its cost stands in the file, so it can grow with the years.
 *
 *   protected    version 1 · mode 1 · memory KiB 4 · passes 1 · lanes 1 · salt 16 · nonce 12 · AES-256-GCM(vault key) 48
 *   unprotected  version 1 · mode 2 · vault key 32
 *
 * The unprotected form exists because people may choose it; it keeps out nobody who has the disk, and the screens say so. Stretching
 * takes a tenth of a second and is done elsewhere (a worker): here come in the bytes it gave.
 */
import { primitives } from "#primitives"
import { type Bytes, concat, exactly, Reader, utf8, Writer } from "./bytes.ts"
import { CryptoError } from "./errors.ts"
import { derive, domain } from "./kdf.ts"
import type { Argon2Cost } from "./primitives/types.ts"

const VERSION = 1
const PROTECTED = 1
const UNPROTECTED = 2
const SALT_BYTES = 16
const NONCE_BYTES = 12

export const VAULT_KEY_BYTES = 32
/** RFC 9106's second recommendation: 64 MiB, 3 passes. */
export const ARGON2_COST: Argon2Cost = { memoryKiB: 64 * 1024, passes: 3, lanes: 1 }
/** A key file that asks for more than this is not ours (1 GiB, 16 passes). */
const ARGON2_COST_MAX: Argon2Cost = { memoryKiB: 1024 * 1024, passes: 16, lanes: 16 }

export type Keyfile =
  | { readonly mode: "unprotected"; readonly vaultKey: Bytes }
  | {
      readonly mode: "protected"
      readonly cost: Argon2Cost
      /** 16 bytes. */
      readonly salt: Bytes
      readonly nonce: Bytes
      readonly wrapped: Bytes
    }

/** Throws CryptoError BAD_VERSION, BAD_LENGTH or BAD_ENCODING. */
export function decodeKeyfile(bytes: Bytes): Keyfile {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `key file version ${version}`)
  const mode = read.u8()
  if (mode === UNPROTECTED) {
    const vaultKey = read.raw(VAULT_KEY_BYTES)
    read.done()
    return { mode: "unprotected", vaultKey }
  }
  if (mode !== PROTECTED) throw new CryptoError("BAD_ENCODING", `key file mode ${mode}`)
  const cost = { memoryKiB: read.u32(), passes: read.u8(), lanes: read.u8() }
  checkCost(cost)
  const salt = read.raw(SALT_BYTES)
  const nonce = read.raw(NONCE_BYTES)
  const wrapped = read.raw(VAULT_KEY_BYTES + 16)
  read.done()
  return { mode: "protected", cost, salt, nonce, wrapped }
}

/** Throws CryptoError BAD_ENCODING for a cost beyond ARGON2_COST_MAX or none at all. */
export function checkCost({ memoryKiB, passes, lanes }: Argon2Cost): void {
  const max = ARGON2_COST_MAX
  const small = memoryKiB < 8 * lanes || passes < 1 || lanes < 1
  if (small || memoryKiB > max.memoryKiB || passes > max.passes || lanes > max.lanes)
    throw new CryptoError("BAD_ENCODING", "an impossible Argon2 cost")
}

export function encodeUnprotected(vaultKey: Bytes): Bytes {
  return concat(new Uint8Array([VERSION, UNPROTECTED]), exactly(vaultKey, 32, "vault key"))
}

/** What Argon2id is asked for: the passphrase as UTF-8 in NFC, this salt and cost, 32 bytes out. */
export interface Stretching {
  readonly cost: Argon2Cost
  readonly salt: Bytes
}

export const newStretching = (): Stretching => ({
  cost: ARGON2_COST,
  salt: primitives.randomBytes(SALT_BYTES),
})

export const passphraseBytes = (passphrase: string): Bytes => utf8(passphrase.normalize("NFC"))

const keyfileAssociated = ({ cost, salt }: Stretching) =>
  new Writer().raw(domain("key file")).u32(cost.memoryKiB).u8(cost.passes).u8(cost.lanes).raw(salt)

/** `stretched`: the 32 bytes that Argon2id gave. */
export function wrapVaultKey(vaultKey: Bytes, stretching: Stretching, stretched: Bytes): Bytes {
  const nonce = primitives.randomBytes(NONCE_BYTES)
  const associated = keyfileAssociated(stretching).finish()
  const key = exactly(stretched, 32, "stretched passphrase")
  const wrapped = primitives.aesGcmSeal(key, nonce, exactly(vaultKey, 32, "vault key"), associated)
  const { cost, salt } = stretching
  const head = new Writer().u8(VERSION).u8(PROTECTED)
  return head
    .u32(cost.memoryKiB)
    .u8(cost.passes)
    .u8(cost.lanes)
    .raw(salt)
    .raw(nonce)
    .raw(wrapped)
    .finish()
}

/** Throws CryptoError WRONG_PASSPHRASE (or the file was altered: the two look alike). */
export function unwrapVaultKey(file: Keyfile & { mode: "protected" }, stretched: Bytes): Bytes {
  const associated = keyfileAssociated(file).finish()
  const key = primitives.aesGcmOpen(stretched, file.nonce, file.wrapped, associated)
  if (key === undefined)
    throw new CryptoError("WRONG_PASSPHRASE", "the passphrase does not open it")
  return key
}

/** A vault: seals private records and hides their names. Holds the keys derived from the vault key, not the key itself. */
export interface Vault {
  readonly sealing: Bytes
  readonly naming: Bytes
}

export function openVault(vaultKey: Bytes): Vault {
  const none = new Uint8Array(0)
  return {
    sealing: derive("vault records", vaultKey, none, 32),
    naming: derive("vault names", vaultKey, none, 32),
  }
}

/** The same seal over names blinded under another key (32 bytes): records that came from elsewhere keep theirs. */
export const namedVault = (vault: Vault, naming: Bytes): Vault => ({
  sealing: vault.sealing,
  naming: exactly(naming, 32, "naming key"),
})

/** 16 bytes that stand for a name in the store: a thief learns that there is a record, not of what. */
export function blindName(vault: Vault, name: string): Bytes {
  return primitives.hmacSha3_256(vault.naming, domain("record name"), utf8(name)).subarray(0, 16)
}

/** nonce 12 ‖ AES-256-GCM; bound to the record's stored key, so records cannot be swapped. */
export function sealRecord(vault: Vault, storedKey: Bytes, plaintext: Bytes): Bytes {
  const nonce = primitives.randomBytes(NONCE_BYTES)
  return concat(nonce, primitives.aesGcmSeal(vault.sealing, nonce, plaintext, storedKey))
}

/** Throws CryptoError BAD_SIGNATURE: the store was altered, or it is another vault's. */
export function openRecord(vault: Vault, storedKey: Bytes, sealed: Bytes): Bytes {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const plaintext =
    nonce.length === NONCE_BYTES
      ? primitives.aesGcmOpen(vault.sealing, nonce, sealed.subarray(NONCE_BYTES), storedKey)
      : undefined
  if (plaintext === undefined)
    throw new CryptoError("BAD_SIGNATURE", "a sealed record does not open: altered or foreign")
  return plaintext
}
