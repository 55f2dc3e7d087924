/**
 * The primitives everything else is built on, as one interface with two implementations: `native.ts` (node:crypto, OpenSSL 3.5)
 * and `portable.ts` (noble; browsers and cross-checks). Import them as `#primitives`, never by file, outside of tests.
 * Keys are opaque handles, because importing a raw key costs as much as using it: import once, keep the handle.
 * All functions are synchronous and pure but for the randomness that key generation, encapsulation and hedged signing draw
 * themselves. Inputs are neither mutated nor kept; results are the caller's own, plain and never views of something larger.
 * Wrong lengths, signatures to verify included, throw CryptoError BAD_LENGTH; a failed authentication is a value (`undefined`
 * or `false`). Every bound is named in `sizes.ts`.
 */
import type { Bytes } from "../bytes.ts"

declare const handle: unique symbol
/** An imported key. Opaque: only the implementation that made it can use it, and it shows nothing when logged. */
export interface Handle<Kind extends string> {
  readonly [handle]: Kind
}

export interface Kem<Name extends string> {
  readonly name: Name
  /** Bytes of the private seed, public key, ciphertext and shared secret. */
  readonly seedBytes: number
  readonly publicBytes: number
  readonly ciphertextBytes: number
  readonly secretBytes: number
  /** Expands a seed (d‖z for ML-KEM, 64 bytes). */
  privateFromSeed(seed: Bytes): Handle<`${Name}-private`>
  publicFromPrivate(key: Handle<`${Name}-private`>): Bytes
  /** Throws CryptoError BAD_KEY when the encoding is not a public key. */
  importPublic(raw: Bytes): Handle<`${Name}-public`>
  encapsulate(key: Handle<`${Name}-public`>): { ciphertext: Bytes; secret: Bytes }
  /** Implicit rejection: a foreign ciphertext gives a pseudo-random secret, never an error. */
  decapsulate(key: Handle<`${Name}-private`>, ciphertext: Bytes): Bytes
}

export interface Signer<Name extends string> {
  readonly name: Name
  /** Bytes of the private form (`seed` for Ed25519 and ML-DSA, skSeed‖skPrf‖pkSeed‖pkRoot for SLH-DSA). */
  readonly privateBytes: number
  readonly publicBytes: number
  readonly signatureBytes: number
  /** Fresh random private key in its raw form. */
  generate(): Bytes
  importPrivate(raw: Bytes): Handle<`${Name}-private`>
  /**
   * Throws CryptoError BAD_KEY when the encoding is not a public key: for Ed25519 non-canonical or of small order. Ed25519
   * bytes off the curve are imported and verify nothing; in ML-DSA and SLH-DSA all bytes of the right length are a key.
   */
  importPublic(raw: Bytes): Handle<`${Name}-public`>
  publicFromPrivate(key: Handle<`${Name}-private`>): Bytes
  /**
   * ML-DSA and SLH-DSA are hedged (two signatures of one message differ) and take a `context` of at most 255 bytes (FIPS 204
   * and 205), where none and the empty one are the same. Ed25519 is deterministic and throws when a context is given.
   */
  sign(key: Handle<`${Name}-private`>, message: Bytes, context?: Bytes): Bytes
  verify(key: Handle<`${Name}-public`>, message: Bytes, signature: Bytes, context?: Bytes): boolean
}

/** As `sign` and `verify`, off the event loop where the runtime has somewhere else to work. What those throw, these reject with. */
export interface AsideSigner<Name extends string> extends Signer<Name> {
  signAside(key: Handle<`${Name}-private`>, message: Bytes, context?: Bytes): Promise<Bytes>
  verifyAside(
    key: Handle<`${Name}-public`>,
    message: Bytes,
    signature: Bytes,
    context?: Bytes,
  ): Promise<boolean>
}

export interface Argon2Cost {
  readonly memoryKiB: number
  readonly passes: number
  readonly lanes: number
}

export interface Primitives {
  readonly implementation: "native" | "portable"

  /** From the system's generator; at most 16 MiB at once. */
  randomBytes(length: number): Bytes

  sha256(...parts: readonly Bytes[]): Bytes
  /** FIPS 180-4, 64 bytes. */
  sha512(...parts: readonly Bytes[]): Bytes
  /** FIPS 202, 32 bytes. */
  sha3_256(...parts: readonly Bytes[]): Bytes
  /** 32 bytes; natively about 0.1 ms for 256 KiB. Keyed and derivation modes are not used here. */
  blake3(...parts: readonly Bytes[]): Bytes
  /** 32 bytes. */
  hmacSha3_256(key: Bytes, ...parts: readonly Bytes[]): Bytes
  /** RFC 5869 over HMAC-SHA3-256; `info` of any length, output 1 to 255 * 32 bytes, `prk` 32 bytes. */
  hkdfSha3_256(secret: Bytes, salt: Bytes, info: Bytes, length: number): Bytes
  hkdfExtractSha3_256(secret: Bytes, salt: Bytes): Bytes
  hkdfExpandSha3_256(prk: Bytes, info: Bytes, length: number): Bytes

  /** AES-256-GCM: key 32, nonce 12 bytes; returns ciphertext ‖ 16-byte tag. */
  aesGcmSeal(key: Bytes, nonce: Bytes, plaintext: Bytes, associated?: Bytes): Bytes
  /** `undefined` when the tag does not verify or the input is shorter than a tag. */
  aesGcmOpen(key: Bytes, nonce: Bytes, sealed: Bytes, associated?: Bytes): Bytes | undefined

  /** RFC 7748. */
  readonly x25519: {
    importPrivate(raw: Bytes): Handle<"x25519-private">
    publicFromPrivate(key: Handle<"x25519-private">): Bytes
    /** 32 bytes; `undefined` when the result is all zero (a small-order point). */
    agree(key: Handle<"x25519-private">, publicRaw: Bytes): Bytes | undefined
  }

  /** RFC 8032. Verification is cofactorless, with S < L, canonical A and R, neither of small order: see `ed25519-points.ts`. */
  readonly ed25519: Signer<"ed25519">
  /** FIPS 203. */
  readonly mlKem1024: Kem<"ml-kem-1024">
  /** FIPS 204. */
  readonly mlDsa65: Signer<"ml-dsa-65">
  readonly mlDsa87: AsideSigner<"ml-dsa-87">
  /** FIPS 205. Signing takes about a second: never on the event loop. */
  readonly slhDsaShake256s: Signer<"slh-dsa-shake-256s">
  readonly slhDsaSha2_128s: Signer<"slh-dsa-sha2-128s">

  /**
   * RFC 9106, version 1.3, no secret and no associated data; salt 8 to 1024 bytes, output 4 to 1024. A cost outside the bounds
   * (at most 1 GiB, 64 passes, 16 lanes) is BAD_LENGTH. Takes about a tenth of a second natively: never on the event loop.
   */
  argon2id(password: Bytes, salt: Bytes, cost: Argon2Cost, length: number): Bytes
}
