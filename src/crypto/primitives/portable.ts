/**
 * The primitives in JavaScript alone, over noble: for browsers, and as the second opinion that `native.ts` is held against.
 * Ten to thirty times slower; SLH-DSA signing takes seconds. A handle holds copies of the key's bytes and shows them to nobody.
 * Ed25519 is the cofactorless equation over noble's points, because noble's own `verify` is cofactored and would accept
 * signatures that OpenSSL refuses.
 */
import { gcm } from "@noble/ciphers/aes.js"
import { ed25519 as curve25519, x25519 as montgomery } from "@noble/curves/ed25519.js"
import { argon2id } from "@noble/hashes/argon2.js"
import { blake3 } from "@noble/hashes/blake3.js"
import { expand, extract, hkdf } from "@noble/hashes/hkdf.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { sha3_256 } from "@noble/hashes/sha3.js"
import { randomBytes as draw } from "@noble/hashes/utils.js"
import { ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js"
import { ml_kem1024 } from "@noble/post-quantum/ml-kem.js"
import type { KEMPrepared } from "@noble/post-quantum/ml-kem.js"
import { slh_dsa_sha2_128s, slh_dsa_shake_256s } from "@noble/post-quantum/slh-dsa.js"
import { concat, equal, exactly } from "../bytes.ts"
import type { Bytes } from "../bytes.ts"
import { CryptoError, assert } from "../errors.ts"
import { isSoundPoint, isSoundSignature } from "./ed25519-points.ts"
import * as sizes from "./sizes.ts"
import type { AsideSigner, Handle, Kem, Primitives, Signer } from "./types.ts"

/** What the platform's generator gives at once (Web Crypto, getRandomValues). */
const DRAW_MAX_BYTES = 65536

/** Key material that no log, error or JSON shows; a handle of another implementation has none and throws. */
class Held {
  readonly #value: unknown
  constructor(value: unknown) {
    this.#value = value
  }
  static open(handle: unknown): unknown {
    return (handle as Held).#value
  }
}
const toHandle = <Kind extends string>(value: unknown) => new Held(value) as unknown as Handle<Kind>
const bytesOf = (handle: Handle<string>) => Held.open(handle) as Bytes
const pairOf = (handle: Handle<string>) => Held.open(handle) as KeyPair
const preparedOf = (handle: Handle<string>) => Held.open(handle) as KEMPrepared

interface KeyPair {
  readonly secretKey: Bytes
  readonly publicKey: Bytes
}

function randomBytes(length: number): Bytes {
  sizes.checkRandom(length)
  const out = new Uint8Array(length)
  for (let at = 0; at < length; at += DRAW_MAX_BYTES)
    out.set(draw(Math.min(DRAW_MAX_BYTES, length - at)), at)
  return out
}

function digest(
  algorithm: typeof sha256 | typeof sha512 | typeof sha3_256 | typeof blake3,
  parts: readonly Bytes[],
): Bytes {
  const state = algorithm.create()
  for (const part of parts) state.update(part)
  return state.digest()
}

function hmacSha3_256(key: Bytes, ...parts: readonly Bytes[]): Bytes {
  const state = hmac.create(sha3_256, key)
  for (const part of parts) state.update(part)
  return state.digest()
}

/** noble's ciphers throw on a tag that does not verify, and only then, once the lengths are right. */
function aesGcmOpen(
  key: Bytes,
  nonce: Bytes,
  sealed: Bytes,
  associated?: Bytes,
): Bytes | undefined {
  sizes.checkAes(key, nonce)
  if (sealed.length < sizes.GCM_TAG_BYTES) return undefined
  try {
    return gcm(key, nonce, associated).decrypt(sealed)
  } catch {
    return undefined
  }
}

const x25519: Primitives["x25519"] = {
  importPrivate: (raw) => toHandle(exactly(raw, sizes.X25519_BYTES, "x25519 key").slice()),
  publicFromPrivate: (key) => montgomery.getPublicKey(bytesOf(key)),
  agree(key, publicRaw) {
    exactly(publicRaw, sizes.X25519_BYTES, "x25519 public key")
    try {
      return montgomery.getSharedSecret(bytesOf(key), publicRaw)
    } catch {
      return undefined // RFC 7748 section 6.1: noble refuses the all-zero secret
    }
  },
}

const mlKem1024: Kem<"ml-kem-1024"> = {
  ...sizes.ML_KEM_1024,
  privateFromSeed: (seed) =>
    toHandle(ml_kem1024.keygen(exactly(seed, sizes.ML_KEM_1024.seedBytes, "ml-kem-1024 seed"))),
  publicFromPrivate: (key) => pairOf(key).publicKey.slice(),
  importPublic(raw) {
    exactly(raw, sizes.ML_KEM_1024.publicBytes, "ml-kem-1024 public key")
    try {
      return toHandle(ml_kem1024.prepare(raw.slice()))
    } catch (cause) {
      throw new CryptoError("BAD_KEY", "ml-kem-1024 public key is not one", { cause })
    }
  },
  encapsulate(key) {
    const { cipherText, sharedSecret } = preparedOf(key).encapsulate()
    return { ciphertext: cipherText, secret: sharedSecret.slice() }
  },
  // noble returns the secret as a view whose other half is the encryption randomness; `slice` leaves that behind.
  decapsulate: (key, ciphertext) =>
    ml_kem1024
      .decapsulate(
        exactly(ciphertext, sizes.ML_KEM_1024.ciphertextBytes, "ml-kem-1024 ciphertext"),
        pairOf(key).secretKey,
      )
      .slice(),
}

interface Scheme {
  sign(message: Bytes, secretKey: Bytes, options?: { context?: Bytes }): Bytes
  verify(signature: Bytes, message: Bytes, publicKey: Bytes, options?: { context?: Bytes }): boolean
}
type Sizes<Name> = Readonly<Record<"privateBytes" | "publicBytes" | "signatureBytes", number>> & {
  readonly name: Name
}

/** What the signature schemes share; `expandPrivate` makes noble's key pair of the raw private form. */
function signer<Name extends string>(
  size: Sizes<Name>,
  scheme: Scheme,
  expandPrivate: (raw: Bytes) => KeyPair,
  generate: () => Bytes = () => randomBytes(size.privateBytes),
): Signer<Name> {
  const options = (context: Bytes | undefined) => {
    sizes.checkContext(context)
    return context === undefined ? {} : { context }
  }
  return {
    ...size,
    generate,
    importPrivate: (raw) =>
      toHandle(expandPrivate(exactly(raw, size.privateBytes, `${size.name} private key`).slice())),
    importPublic: (raw) =>
      toHandle(exactly(raw, size.publicBytes, `${size.name} public key`).slice()),
    publicFromPrivate: (key) => pairOf(key).publicKey.slice(),
    sign: (key, message, context) => scheme.sign(message, pairOf(key).secretKey, options(context)),
    verify(key, message, signature, context) {
      exactly(signature, size.signatureBytes, `${size.name} signature`)
      return scheme.verify(signature, message, bytesOf(key), options(context))
    },
  }
}

/** There is nowhere else to work: here, a moment later. */
const aside = <Name extends string>(plainly: Signer<Name>): AsideSigner<Name> => ({
  ...plainly,
  signAside: (...what) => Promise.resolve().then(() => plainly.sign(...what)),
  verifyAside: (...what) => Promise.resolve().then(() => plainly.verify(...what)),
})

/** FIPS 205 section 9.1: the private key ends in the public one. */
const splitSlhDsa = (raw: Bytes): KeyPair => ({
  secretKey: raw,
  publicKey: raw.slice(raw.length / 2),
})

const { Point } = curve25519
const littleEndian = (bytes: Bytes) =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)

/** RFC 8032 section 5.1.7 without the cofactor: encode([S]B - [k]A) is R, byte for byte. */
function verifyCofactorless(signature: Bytes, message: Bytes, publicRaw: Bytes): boolean {
  const R = signature.subarray(0, 32)
  const S = littleEndian(signature.subarray(32))
  const k = littleEndian(sha512(concat(R, publicRaw, message))) % Point.Fn.ORDER
  let A
  try {
    A = Point.fromBytes(publicRaw)
  } catch {
    return false // not on the curve
  }
  return equal(Point.BASE.multiplyUnsafe(S).subtract(A.multiplyUnsafe(k)).toBytes(), R)
}

const anyEd25519 = signer(
  sizes.ED25519,
  {
    sign: (message, secretKey) => curve25519.sign(message, secretKey),
    verify: (signature, message, publicRaw) =>
      isSoundSignature(signature) && verifyCofactorless(signature, message, publicRaw),
  },
  (raw) => ({ secretKey: raw, publicKey: curve25519.getPublicKey(raw) }),
)
const ed25519: Signer<"ed25519"> = {
  ...anyEd25519,
  importPublic(raw) {
    exactly(raw, sizes.ED25519.publicBytes, "ed25519 public key")
    if (!isSoundPoint(raw)) throw new CryptoError("BAD_KEY", "ed25519 public key is not one")
    return anyEd25519.importPublic(raw)
  },
  sign(key, message, context) {
    assert(context === undefined, "Ed25519 signs without a context")
    return anyEd25519.sign(key, message)
  },
  verify(key, message, signature, context) {
    assert(context === undefined, "Ed25519 signs without a context")
    return anyEd25519.verify(key, message, signature)
  },
}

export const primitives: Primitives = {
  implementation: "portable",
  randomBytes,
  sha256: (...parts) => digest(sha256, parts),
  sha512: (...parts) => digest(sha512, parts),
  sha3_256: (...parts) => digest(sha3_256, parts),
  blake3: (...parts) => digest(blake3, parts),
  hmacSha3_256,
  hkdfSha3_256(secret, salt, info, length) {
    sizes.checkHkdf(length)
    return hkdf(sha3_256, secret, salt, info, length)
  },
  hkdfExtractSha3_256: (secret, salt) => extract(sha3_256, secret, salt),
  hkdfExpandSha3_256(prk, info, length) {
    sizes.checkHkdf(length)
    sizes.checkPrk(prk)
    return expand(sha3_256, prk, info, length)
  },
  aesGcmSeal(key, nonce, plaintext, associated) {
    sizes.checkAes(key, nonce)
    return gcm(key, nonce, associated).encrypt(plaintext)
  },
  aesGcmOpen,
  x25519,
  ed25519,
  mlKem1024,
  mlDsa65: signer(sizes.ML_DSA_65, ml_dsa65, (seed) => ml_dsa65.keygen(seed)),
  mlDsa87: aside(signer(sizes.ML_DSA_87, ml_dsa87, (seed) => ml_dsa87.keygen(seed))),
  slhDsaShake256s: signer(sizes.SLH_DSA_SHAKE_256S, slh_dsa_shake_256s, splitSlhDsa, () =>
    slh_dsa_shake_256s.keygen().secretKey.slice(),
  ),
  slhDsaSha2_128s: signer(sizes.SLH_DSA_SHA2_128S, slh_dsa_sha2_128s, splitSlhDsa, () =>
    slh_dsa_sha2_128s.keygen().secretKey.slice(),
  ),
  argon2id(password, salt, cost, length) {
    sizes.checkArgon2(salt, cost, length)
    const { memoryKiB: m, passes: t, lanes: p } = cost
    return argon2id(password, salt, { m, t, p, dkLen: length, maxmem: (m + 1024) * 1024 })
  },
}
