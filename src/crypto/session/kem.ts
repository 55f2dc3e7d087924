/**
 * The hybrid KEM of sotto's MLS suite: X25519 (RFC 7748) beside ML-KEM-1024 (FIPS 203). Secret as long as either of them holds.
 *
 * This is our own construction, not a registered one. X-Wing is the model, but its shortcut (leaving the ML-KEM ciphertext and key
 * out of the hash) is argued for ML-KEM-768 alone, so here everything goes in:
 *
 *   ss = SHA3-256("sotto/kem/x25519-ml-kem-1024/1" ‖ ssM ‖ ssX ‖ ctM ‖ epkX ‖ pkX ‖ pkM)
 *
 * Every field has a fixed length, so the input is injective. A private key is a 32-byte seed that HKDF-SHA3-256 expands to the
 * ML-KEM seed d‖z (64 bytes) and the X25519 scalar (32 bytes). Public key: pkM ‖ pkX. Ciphertext: ctM ‖ epkX.
 */
import { primitives } from "#primitives"
import { type Bytes, concat, exactly, utf8 } from "../bytes.ts"
import { CryptoError } from "../errors.ts"
import type { Handle } from "../primitives/types.ts"

const { x25519, mlKem1024 } = primitives

const POINT_BYTES = 32

/** Bytes of the seed, the public key, the ciphertext and the shared secret. */
export const HYBRID_SEED_BYTES = 32
export const HYBRID_PUBLIC_BYTES = mlKem1024.publicBytes + POINT_BYTES
export const HYBRID_CIPHERTEXT_BYTES = mlKem1024.ciphertextBytes + POINT_BYTES
export const HYBRID_SECRET_BYTES = 32

const COMBINER_LABEL = utf8("sotto/kem/x25519-ml-kem-1024/1")
const EXPAND_LABEL = utf8("sotto/kem/x25519-ml-kem-1024/1/expand")
const DERIVE_LABEL = utf8("sotto/kem/x25519-ml-kem-1024/1/derive")

export interface HybridPublicKey {
  readonly raw: Bytes
  readonly lattice: Handle<"ml-kem-1024-public">
  readonly point: Bytes
}

export interface HybridPrivateKey {
  readonly seed: Bytes
  readonly lattice: Handle<"ml-kem-1024-private">
  readonly scalar: Handle<"x25519-private">
  readonly publicRaw: Bytes
}

/** Throws CryptoError BAD_LENGTH or BAD_KEY. */
export function importHybridPublic(raw: Bytes): HybridPublicKey {
  exactly(raw, HYBRID_PUBLIC_BYTES, "hybrid public key")
  return {
    raw,
    lattice: mlKem1024.importPublic(raw.slice(0, mlKem1024.publicBytes)),
    point: raw.slice(mlKem1024.publicBytes),
  }
}

/** Throws CryptoError BAD_LENGTH unless the seed has 32 bytes. */
export function importHybridPrivate(seed: Bytes): HybridPrivateKey {
  exactly(seed, HYBRID_SEED_BYTES, "hybrid private key")
  const expanded = primitives.hkdfExpandSha3_256(
    primitives.hkdfExtractSha3_256(seed, new Uint8Array(0)),
    EXPAND_LABEL,
    mlKem1024.seedBytes + POINT_BYTES,
  )
  const lattice = mlKem1024.privateFromSeed(expanded.slice(0, mlKem1024.seedBytes))
  const scalar = x25519.importPrivate(expanded.slice(mlKem1024.seedBytes))
  const publicRaw = concat(mlKem1024.publicFromPrivate(lattice), x25519.publicFromPrivate(scalar))
  return { seed, lattice, scalar, publicRaw }
}

export const generateHybrid = (): HybridPrivateKey =>
  importHybridPrivate(primitives.randomBytes(HYBRID_SEED_BYTES))

/** RFC 9180 DeriveKeyPair: the same key for the same secret, of any length. */
export const deriveHybrid = (secret: Bytes): HybridPrivateKey =>
  importHybridPrivate(
    primitives.hkdfSha3_256(secret, new Uint8Array(0), DERIVE_LABEL, HYBRID_SEED_BYTES),
  )

/** Throws CryptoError BAD_KEY when the X25519 half is a point of small order. */
export function encapsulateHybrid(to: HybridPublicKey): { ciphertext: Bytes; secret: Bytes } {
  const lattice = mlKem1024.encapsulate(to.lattice)
  const ephemeral = x25519.importPrivate(primitives.randomBytes(POINT_BYTES))
  const shared = x25519.agree(ephemeral, to.point)
  if (shared === undefined) throw new CryptoError("BAD_KEY", "X25519 point of small order")
  const ciphertext = concat(lattice.ciphertext, x25519.publicFromPrivate(ephemeral))
  return { ciphertext, secret: combine(lattice.secret, shared, ciphertext, to.raw) }
}

/**
 * A ciphertext made for another key gives a pseudo-random secret. Throws CryptoError BAD_LENGTH, or BAD_KEY when the
 * ephemeral X25519 point has small order.
 */
export function decapsulateHybrid(key: HybridPrivateKey, ciphertext: Bytes): Bytes {
  exactly(ciphertext, HYBRID_CIPHERTEXT_BYTES, "hybrid ciphertext")
  const split = mlKem1024.ciphertextBytes
  const shared = x25519.agree(key.scalar, ciphertext.slice(split))
  if (shared === undefined) throw new CryptoError("BAD_KEY", "X25519 point of small order")
  const lattice = mlKem1024.decapsulate(key.lattice, ciphertext.slice(0, split))
  return combine(lattice, shared, ciphertext, key.publicRaw)
}

function combine(lattice: Bytes, shared: Bytes, ciphertext: Bytes, publicRaw: Bytes): Bytes {
  const split = mlKem1024.publicBytes
  return primitives.sha3_256(
    COMBINER_LABEL,
    lattice,
    shared,
    ciphertext,
    publicRaw.subarray(split),
    publicRaw.subarray(0, split),
  )
}
