/**
 * The primitives over node:crypto (OpenSSL 3.5): FIPS 197, 202, 203, 204, 205, RFC 5869, 7748, 8032, 9106. A handle is a
 * KeyObject. Raw keys go in and out without any ASN.1. Results are plain Uint8Arrays and never Buffers, whose `slice`
 * shares memory. What OpenSSL leaves open (Ed25519 edge cases, lengths) is decided by `ed25519-points` and `sizes`. BLAKE3,
 * which it does not have, is the reference implementation in a native binding.
 */
import {
  argon2Sync,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hash,
  hkdfSync,
  randomFillSync,
  sign,
  verify,
} from "node:crypto"
import type { KeyObject } from "node:crypto"
import blakeHash from "@napi-rs/blake-hash"
import { concat, exactly } from "../bytes.ts"
import type { Bytes } from "../bytes.ts"
import { CryptoError, assert } from "../errors.ts"
import { isSoundPoint, isSoundSignature } from "./ed25519-points.ts"
import * as sizes from "./sizes.ts"
import type { Argon2Cost, AsideSigner, Handle, Kem, Primitives, Signer } from "./types.ts"

const CIPHER = "aes-256-gcm"
/** OpenSSL's limit on HKDF `info`. */
const HKDF_INFO_MAX_BYTES = 1024
/** Up to here copying the parts together and hashing at once beats a hash object. */
const ONE_SHOT_MAX_BYTES = 256
const NOTHING = new Uint8Array(0)

type RawPrivate = "raw-seed" | "raw-private"
type KeyType =
  | "x25519"
  | "ed25519"
  | "ml-kem-1024"
  | "ml-dsa-65"
  | "ml-dsa-87"
  | "slh-dsa-shake-256s"
  | "slh-dsa-sha2-128s"

/** A Buffer's bytes without the Buffer, and without the pool it may live in. */
const plain = (buffer: Buffer): Bytes =>
  buffer.byteLength === buffer.buffer.byteLength
    ? new Uint8Array(buffer.buffer)
    : new Uint8Array(buffer)

// A handle is the KeyObject itself; the type alone keeps kinds and implementations apart.
const toHandle = <Kind extends string>(key: KeyObject) => key as unknown as Handle<Kind>
const toKey = (handle: Handle<string>) => handle as unknown as KeyObject

function refusedAsKey<Result>(make: () => Result, what: string): Result {
  try {
    return make()
  } catch (cause) {
    throw new CryptoError("BAD_KEY", `${what} is not one`, { cause })
  }
}

// Node takes any view here, @types/node only a Buffer; a copy into one would leave the key in Buffer's shared pool.
const raw = (bytes: Bytes) => bytes as Buffer

const privateKey = (type: KeyType, format: RawPrivate, bytes: Bytes) =>
  refusedAsKey(
    () => createPrivateKey({ key: raw(bytes), format, asymmetricKeyType: type }),
    `${type} private key`,
  )

const publicKey = (type: KeyType, bytes: Bytes) =>
  refusedAsKey(
    () => createPublicKey({ key: raw(bytes), format: "raw-public", asymmetricKeyType: type }),
    `${type} public key`,
  )

const rawPublic = (key: KeyObject): Bytes =>
  plain(createPublicKey(key).export({ format: "raw-public" }))

function digest(algorithm: string, parts: readonly Bytes[]): Bytes {
  const [first = NOTHING] = parts
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  if (parts.length < 2 || length <= ONE_SHOT_MAX_BYTES)
    return plain(hash(algorithm, parts.length < 2 ? first : concat(...parts), "buffer"))
  const state = createHash(algorithm)
  for (const part of parts) state.update(part)
  return plain(state.digest())
}

function blake3(...parts: readonly Bytes[]): Bytes {
  const [first = NOTHING] = parts
  if (parts.length < 2) return plain(blakeHash.blake3(raw(first)))
  const state = new blakeHash.Blake3Hasher()
  for (const part of parts) state.update(raw(part))
  return plain(state.digestBuffer())
}

/** A KeyObject, because Node sets up a cipher, a MAC or a KDF from one two to three times faster than from bytes. */
const secretKey = (bytes: Bytes) => createSecretKey(bytes)

function hmac(key: Bytes, ...parts: readonly Bytes[]): Bytes {
  const state = createHmac("sha3-256", secretKey(key))
  for (const part of parts) state.update(part)
  return plain(state.digest())
}

/** RFC 5869 section 2.3. node:crypto has no expand of its own. */
function expand(prk: Bytes, info: Bytes, length: number): Bytes {
  sizes.checkHkdf(length)
  sizes.checkPrk(prk)
  const out = new Uint8Array(length)
  let block: Bytes = NOTHING
  for (let at = 0, count = 1; at < length; at += sizes.HASH_BYTES, count++) {
    block = hmac(prk, block, info, Uint8Array.of(count))
    out.set(block.subarray(0, length - at), at)
  }
  return out
}

function hkdf(secret: Bytes, salt: Bytes, info: Bytes, length: number): Bytes {
  sizes.checkHkdf(length)
  if (info.length > HKDF_INFO_MAX_BYTES) return expand(hmac(salt, secret), info, length)
  return new Uint8Array(hkdfSync("sha3-256", secretKey(secret), salt, info, length))
}

function aesGcmSeal(key: Bytes, nonce: Bytes, plaintext: Bytes, associated?: Bytes): Bytes {
  sizes.checkAes(key, nonce)
  const cipher = createCipheriv(CIPHER, secretKey(key), nonce, {
    authTagLength: sizes.GCM_TAG_BYTES,
  })
  if (associated !== undefined) cipher.setAAD(associated)
  const out = new Uint8Array(plaintext.length + sizes.GCM_TAG_BYTES)
  out.set(cipher.update(plaintext))
  cipher.final()
  out.set(cipher.getAuthTag(), plaintext.length)
  return out
}

function aesGcmOpen(
  key: Bytes,
  nonce: Bytes,
  sealed: Bytes,
  associated?: Bytes,
): Bytes | undefined {
  sizes.checkAes(key, nonce)
  const length = sealed.length - sizes.GCM_TAG_BYTES
  if (length < 0) return undefined
  const decipher = createDecipheriv(CIPHER, secretKey(key), nonce, {
    authTagLength: sizes.GCM_TAG_BYTES,
  })
  decipher.setAuthTag(sealed.subarray(length))
  if (associated !== undefined) decipher.setAAD(associated)
  const plaintext = decipher.update(sealed.subarray(0, length))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plain(plaintext)
}

const x25519: Primitives["x25519"] = {
  importPrivate: (bytes) =>
    toHandle(privateKey("x25519", "raw-private", exactly(bytes, sizes.X25519_BYTES, "x25519 key"))),
  publicFromPrivate: (key) => rawPublic(toKey(key)),
  agree(key, publicRaw) {
    const peer = publicKey("x25519", exactly(publicRaw, sizes.X25519_BYTES, "x25519 public key"))
    try {
      return plain(diffieHellman({ privateKey: toKey(key), publicKey: peer }))
    } catch {
      return undefined // RFC 7748 section 6.1: OpenSSL refuses the all-zero secret
    }
  },
}

function kem(size: typeof sizes.ML_KEM_1024): Kem<"ml-kem-1024"> {
  return {
    ...size,
    privateFromSeed: (seed) =>
      toHandle(
        privateKey(size.name, "raw-seed", exactly(seed, size.seedBytes, `${size.name} seed`)),
      ),
    publicFromPrivate: (key) => rawPublic(toKey(key)),
    importPublic: (bytes) =>
      toHandle(publicKey(size.name, exactly(bytes, size.publicBytes, `${size.name} public key`))),
    encapsulate(key) {
      const { ciphertext, sharedKey } = encapsulate(toKey(key))
      return { ciphertext: plain(ciphertext), secret: plain(sharedKey) }
    },
    decapsulate: (key, ciphertext) =>
      plain(
        decapsulate(
          toKey(key),
          exactly(ciphertext, size.ciphertextBytes, `${size.name} ciphertext`),
        ),
      ),
  }
}

type Sizes<Name> = Readonly<Record<"privateBytes" | "publicBytes" | "signatureBytes", number>> & {
  readonly name: Name
}

const withContext = (handle: Handle<string>, context: Bytes | undefined) =>
  context === undefined ? toKey(handle) : { key: toKey(handle), context }

/** What the signature schemes share. `form` is how a private key of theirs is stored. */
function signer<Name extends KeyType>(
  size: Sizes<Name>,
  form: RawPrivate,
  generate: () => Bytes,
): Signer<Name> {
  const { name, signatureBytes } = size
  return {
    ...size,
    generate,
    importPrivate: (bytes) =>
      toHandle(privateKey(name, form, exactly(bytes, size.privateBytes, `${name} private key`))),
    importPublic: (bytes) =>
      toHandle(publicKey(name, exactly(bytes, size.publicBytes, `${name} public key`))),
    publicFromPrivate: (key) => rawPublic(toKey(key)),
    sign(key, message, context) {
      sizes.checkContext(context)
      return plain(sign(null, message, withContext(key, context)))
    },
    verify(key, message, signature, context) {
      sizes.checkContext(context)
      exactly(signature, signatureBytes, `${name} signature`)
      return verify(null, message, withContext(key, context), signature)
    },
  }
}

/** The same with a thread of Node's pool to work on: what Node does when it is given a callback. */
function aside<Name extends KeyType>(plainly: Signer<Name>): AsideSigner<Name> {
  const { name, signatureBytes } = plainly
  return {
    ...plainly,
    async signAside(key, message, context) {
      sizes.checkContext(context)
      const { promise, resolve, reject } = Promise.withResolvers<Bytes>()
      sign(null, message, withContext(key, context), (error, signature) => {
        if (error === null) resolve(plain(signature))
        else reject(error)
      })
      return promise
    },
    async verifyAside(key, message, signature, context) {
      sizes.checkContext(context)
      exactly(signature, signatureBytes, `${name} signature`)
      const { promise, resolve, reject } = Promise.withResolvers<boolean>()
      verify(null, message, withContext(key, context), signature, (error, isSound) => {
        if (error === null) resolve(isSound)
        else reject(error)
      })
      return promise
    },
  }
}

const fromSeed = <Name extends KeyType>(size: Sizes<Name>) =>
  signer(size, "raw-seed", () => randomBytes(size.privateBytes))

/** FIPS 205 has no seed form: the root must be computed, so OpenSSL generates. */
function slhDsa<Name extends "slh-dsa-shake-256s" | "slh-dsa-sha2-128s">(size: Sizes<Name>) {
  return signer(size, "raw-private", () => {
    // @types/node lists the key types as overloads; a union of two of them matches none.
    const { privateKey: key } = generateKeyPairSync(size.name as "slh-dsa-shake-256s")
    return plain(key.export({ format: "raw-private" }))
  })
}

const anyEd25519 = signer(sizes.ED25519, "raw-private", () =>
  randomBytes(sizes.ED25519.privateBytes),
)
const ed25519: Signer<"ed25519"> = {
  ...anyEd25519,
  importPublic(bytes) {
    exactly(bytes, sizes.ED25519.publicBytes, "ed25519 public key")
    if (!isSoundPoint(bytes)) throw new CryptoError("BAD_KEY", "ed25519 public key is not one")
    return anyEd25519.importPublic(bytes)
  },
  sign(key, message, context) {
    assert(context === undefined, "Ed25519 signs without a context")
    return anyEd25519.sign(key, message)
  },
  verify(key, message, signature, context) {
    assert(context === undefined, "Ed25519 signs without a context")
    exactly(signature, sizes.ED25519.signatureBytes, "ed25519 signature")
    return isSoundSignature(signature) && anyEd25519.verify(key, message, signature)
  },
}

function randomBytes(length: number): Bytes {
  sizes.checkRandom(length)
  return randomFillSync(new Uint8Array(length))
}

function argon2id(password: Bytes, salt: Bytes, cost: Argon2Cost, length: number): Bytes {
  sizes.checkArgon2(salt, cost, length)
  const { memoryKiB: memory, passes, lanes: parallelism } = cost
  const parameters = {
    message: password,
    nonce: salt,
    memory,
    passes,
    parallelism,
    tagLength: length,
  }
  return plain(argon2Sync("argon2id", parameters))
}

export const primitives: Primitives = {
  implementation: "native",
  randomBytes,
  sha256: (...parts) => digest("sha256", parts),
  sha512: (...parts) => digest("sha512", parts),
  sha3_256: (...parts) => digest("sha3-256", parts),
  blake3,
  hmacSha3_256: hmac,
  hkdfSha3_256: hkdf,
  hkdfExtractSha3_256: (secret, salt) => hmac(salt, secret),
  hkdfExpandSha3_256: expand,
  aesGcmSeal,
  aesGcmOpen,
  x25519,
  ed25519,
  mlKem1024: kem(sizes.ML_KEM_1024),
  mlDsa65: fromSeed(sizes.ML_DSA_65),
  mlDsa87: aside(fromSeed(sizes.ML_DSA_87)),
  slhDsaShake256s: slhDsa(sizes.SLH_DSA_SHAKE_256S),
  slhDsaSha2_128s: slhDsa(sizes.SLH_DSA_SHA2_128S),
  argon2id,
}
