/**
 * The lengths of everything the primitives take and give, in bytes, and the checks that both implementations make before
 * they touch a key: FIPS 203 table 3, FIPS 204 table 2, FIPS 205 table 2, RFC 7748, RFC 8032, RFC 5869, RFC 9106.
 * A library's own idea of a bad length is never relied on, so that both refuse the same inputs with the same code.
 */
import { exactly } from "../bytes.ts"
import type { Bytes } from "../bytes.ts"
import { CryptoError } from "../errors.ts"
import type { Argon2Cost } from "./types.ts"

export const X25519_BYTES = 32
export const ED25519 = {
  name: "ed25519",
  privateBytes: 32,
  publicBytes: 32,
  signatureBytes: 64,
} as const
export const ML_KEM_1024 = {
  name: "ml-kem-1024",
  seedBytes: 64,
  publicBytes: 1568,
  ciphertextBytes: 1568,
  secretBytes: 32,
} as const
export const ML_DSA_65 = {
  name: "ml-dsa-65",
  privateBytes: 32,
  publicBytes: 1952,
  signatureBytes: 3309,
} as const
export const ML_DSA_87 = {
  name: "ml-dsa-87",
  privateBytes: 32,
  publicBytes: 2592,
  signatureBytes: 4627,
} as const
export const SLH_DSA_SHAKE_256S = {
  name: "slh-dsa-shake-256s",
  privateBytes: 128,
  publicBytes: 64,
  signatureBytes: 29792,
} as const
export const SLH_DSA_SHA2_128S = {
  name: "slh-dsa-sha2-128s",
  privateBytes: 64,
  publicBytes: 32,
  signatureBytes: 7856,
} as const

export const HASH_BYTES = 32
export const AES_KEY_BYTES = 32
export const GCM_NONCE_BYTES = 12
export const GCM_TAG_BYTES = 16
/** FIPS 204 section 5.2, FIPS 205 section 10.2. */
export const CONTEXT_MAX_BYTES = 255
/** RFC 5869 section 2.3: 255 blocks. */
export const HKDF_MAX_BYTES = 255 * HASH_BYTES
/** RFC 9106 section 3.1 allows 8 bytes of salt and 4 bytes of output; the upper bounds are ours. */
export const ARGON2_SALT_MIN_BYTES = 8
export const ARGON2_OUTPUT_MIN_BYTES = 4
export const ARGON2_FIELD_MAX_BYTES = 1024
export const ARGON2_LANES_MAX = 16
export const ARGON2_PASSES_MAX = 64
export const ARGON2_MEMORY_MAX_KIB = 1 << 20
/** One call's randomness: nothing here needs more, and a wild length should fail before it allocates. */
export const RANDOM_MAX_BYTES = 1 << 24

function within(length: number, least: number, most: number, what: string): void {
  if (!Number.isInteger(length) || length < least || length > most)
    throw new CryptoError("BAD_LENGTH", `${what}: ${length} bytes, not ${least} to ${most}`)
}

export const checkRandom = (length: number) => within(length, 0, RANDOM_MAX_BYTES, "randomness")
export const checkHkdf = (length: number) => within(length, 1, HKDF_MAX_BYTES, "HKDF output")
/** RFC 5869 section 2.3: a pseudo-random key of at least one hash. */
export const checkPrk = (prk: Bytes) => exactly(prk, HASH_BYTES, "HKDF pseudo-random key")

export function checkContext(context: Bytes | undefined): void {
  if (context !== undefined) within(context.length, 0, CONTEXT_MAX_BYTES, "signature context")
}

export function checkAes(key: Bytes, nonce: Bytes): void {
  exactly(key, AES_KEY_BYTES, "AES-256-GCM key")
  exactly(nonce, GCM_NONCE_BYTES, "AES-256-GCM nonce")
}

/**
 * RFC 9106 section 3.1: at least one pass, one lane, and 8 KiB a lane. The upper bounds are ours, because a cost is read from
 * a file: a wild one would take hours or all memory. A cost outside is BAD_LENGTH too.
 */
export function checkArgon2(salt: Bytes, cost: Argon2Cost, length: number): void {
  within(salt.length, ARGON2_SALT_MIN_BYTES, ARGON2_FIELD_MAX_BYTES, "Argon2 salt")
  within(length, ARGON2_OUTPUT_MIN_BYTES, ARGON2_FIELD_MAX_BYTES, "Argon2 output")
  const isFrom = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most
  if (
    !isFrom(cost.lanes, 1, ARGON2_LANES_MAX) ||
    !isFrom(cost.passes, 1, ARGON2_PASSES_MAX) ||
    !isFrom(cost.memoryKiB, 8 * cost.lanes, ARGON2_MEMORY_MAX_KIB)
  )
    throw new CryptoError("BAD_LENGTH", "Argon2 cost out of bounds")
}
