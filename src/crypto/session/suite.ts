/**
 * sotto's MLS cipher suites as ts-mls wants them: X25519+ML-KEM-1024 (kem.ts) in HPKE, AES-256-GCM, HKDF-SHA3-256 and SHA3-256, with
 * Ed25519 or with Ed25519 and ML-DSA-87 together (signature.ts). Their ids are from the private-use range of RFC 9420 §17.1. The HPKE
 * ids of the KEM and the KDF are not registered either: they only keep our labels apart from other people's. Everything is composed of
 * `#primitives`; nothing is computed here.
 */
import { primitives } from "#primitives"
import type {
  CiphersuiteImpl,
  CiphersuiteName,
  ClientState,
  Hash,
  Hpke,
  Kdf,
  PrivateKey,
  PublicKey,
} from "ts-mls"
import { type Bytes, equal } from "../bytes.ts"
import { assert, CryptoError } from "../errors.ts"
import { makeHpke } from "./hpke.ts"
import {
  decapsulateHybrid,
  deriveHybrid,
  encapsulateHybrid,
  generateHybrid,
  type HybridPrivateKey,
  type HybridPublicKey,
  importHybridPrivate,
  importHybridPublic,
} from "./kem.ts"
import { COMPOSITE_MEMBERS_MAX, MEMBERS_MAX } from "./limits.ts"
import { SIGNATURES, type Signing, SIGNINGS } from "./signature.ts"

declare global {
  // ts-mls types keys as the browser's CryptoKey, which neither this runtime nor the pure rooms declare.
  interface CryptoKey {
    readonly type: string
  }
}

const HASH_BYTES = 32
const KEY_BYTES = 32
const NONCE_BYTES = 12
const EMPTY = new Uint8Array(0)

/** An AEAD that does not open is an exception to ts-mls; this one never leaves the session's own `catch`. */
function openOrThrow(opened: Bytes | undefined): Bytes {
  if (opened === undefined) throw new CryptoError("BAD_SIGNATURE", "not authentic")
  return opened
}

const hybrid = makeHpke<HybridPublicKey, HybridPrivateKey>({
  kemId: 0xf507,
  kdfId: 0xf507,
  aeadId: 0x0002,
  hashBytes: HASH_BYTES,
  keyBytes: KEY_BYTES,
  nonceBytes: NONCE_BYTES,
  encapsulate: encapsulateHybrid,
  decapsulate: decapsulateHybrid,
  extract: (salt, secret) => primitives.hkdfExtractSha3_256(secret, salt),
  expand: (prk, info, length) => primitives.hkdfExpandSha3_256(prk, info, length),
  seal: (key, nonce, plaintext, associated) =>
    primitives.aesGcmSeal(key, nonce, plaintext, associated),
  open: (key, nonce, sealed, associated) => primitives.aesGcmOpen(key, nonce, sealed, associated),
})

// ts-mls hands keys back to the suite that imported them and never looks inside: its CryptoKey type is a label.
const asPublic = (key: HybridPublicKey) => key as unknown as PublicKey
const asPrivate = (key: HybridPrivateKey) => key as unknown as PrivateKey
const toPublic = (key: PublicKey) => key as unknown as HybridPublicKey
const toPrivate = (key: PrivateKey) => key as unknown as HybridPrivateKey

const pairOf = (key: HybridPrivateKey) => ({
  privateKey: asPrivate(key),
  publicKey: asPublic(importHybridPublic(key.publicRaw)),
})

/** ts-mls expects promises. What throws must reject, so the work happens inside `then`. */
const soon = <T>(work: () => T): Promise<T> => Promise.resolve().then(work)

const hpke: Hpke = {
  keyLength: KEY_BYTES,
  nonceLength: NONCE_BYTES,
  seal: (to, plaintext, info, associated = EMPTY) =>
    soon(() => {
      const { encapsulated, sealed } = hybrid.seal(toPublic(to), info, associated, plaintext)
      return { enc: encapsulated, ct: sealed }
    }),
  open: (key, encapsulated, sealed, info, associated = EMPTY) =>
    soon(() =>
      openOrThrow(hybrid.open(toPrivate(key), { encapsulated, sealed }, info, associated)),
    ),
  importPrivateKey: (seed) => soon(() => asPrivate(importHybridPrivate(seed))),
  importPublicKey: (raw) => soon(() => asPublic(importHybridPublic(raw))),
  exportPublicKey: (key) => soon(() => toPublic(key).raw),
  exportPrivateKey: (key) => soon(() => toPrivate(key).seed),
  encryptAead: (key, nonce, associated, plaintext) =>
    soon(() => primitives.aesGcmSeal(key, nonce, plaintext, associated ?? EMPTY)),
  decryptAead: (key, nonce, associated, sealed) =>
    soon(() => openOrThrow(primitives.aesGcmOpen(key, nonce, sealed, associated ?? EMPTY))),
  exportSecret: (to, context, length, info) =>
    soon(() => {
      const { encapsulated, secret } = hybrid.sendExport(toPublic(to), info, context, length)
      return { enc: encapsulated, secret }
    }),
  importSecret: (key, context, encapsulated, length, info) =>
    soon(() => hybrid.receiveExport(toPrivate(key), encapsulated, info, context, length)),
  deriveKeyPair: (secret) => soon(() => pairOf(deriveHybrid(secret))),
  generateKeyPair: () => soon(() => pairOf(generateHybrid())),
}

const kdf: Kdf = {
  size: HASH_BYTES,
  extract: (salt, secret) => soon(() => primitives.hkdfExtractSha3_256(secret, salt)),
  expand: (prk, info, length) => soon(() => primitives.hkdfExpandSha3_256(prk, info, length)),
}

const hash: Hash = {
  digest: (data) => soon(() => primitives.sha3_256(data)),
  mac: (key, data) => soon(() => primitives.hmacSha3_256(key, data)),
  verifyMac: (key, mac, data) => soon(() => equal(primitives.hmacSha3_256(key, data), mac)),
}

/** Two bytes on the wire each; 0xF000 to 0xFFFF are for private use. ts-mls names a suite it does not know by its number. */
export const SUITE_IDS: Readonly<Record<Signing, number>> = { ed25519: 0xf507, composite: 0xf587 }

const nameOf = (signing: Signing) => String(SUITE_IDS[signing]) as CiphersuiteName

const suiteWith = (signing: Signing): CiphersuiteImpl => ({
  hash,
  hpke,
  signature: SIGNATURES[signing],
  kdf,
  rng: { randomBytes: (length) => primitives.randomBytes(length) },
  name: nameOf(signing),
})

/** One suite for each way to sign; they differ in nothing else. */
export const suites: Readonly<Record<Signing, CiphersuiteImpl>> = {
  ed25519: suiteWith("ed25519"),
  composite: suiteWith("composite"),
}

/** How those sign who speak this suite; `undefined` for a suite that is none of ours. */
export const signingNamed = (name: CiphersuiteName): Signing | undefined =>
  SIGNINGS.find((signing) => suites[signing].name === name)

/** The suite of a group that we are in, or of a key package that was looked at. */
export function suiteNamed(name: CiphersuiteName): CiphersuiteImpl {
  const signing = signingNamed(name)
  assert(signing !== undefined, "a suite that is one of ours")
  return suites[signing]
}

/** How many a group of this suite holds; a power of two, as MEMBERS_MAX is. */
export const membersMax = (name: CiphersuiteName): number =>
  signingNamed(name) === "composite" ? COMPOSITE_MEMBERS_MAX : MEMBERS_MAX

/** The suite that a group's members speak. */
export const suiteOf = ({ groupContext }: Pick<ClientState, "groupContext">): CiphersuiteImpl =>
  suiteNamed(groupContext.cipherSuite)
