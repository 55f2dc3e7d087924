/**
 * The envelope: the only thing ever posted, exactly 4096 bytes, all alike (DESIGN §5; PROTOCOL.md "Envelope").
 *
 *   0     384  admission    kind, its fields, zero padding: not part of the id, not confidential
 *   384   1568 KEM slot     an ML-KEM-1024 ciphertext: to the recipient's intro key, or to a key thrown away (decoy)
 *   1952  16   tag          intro: from the KEM's secret; thread: from the epoch's exporter secret
 *   1968  2128 sealed body  AES-256-GCM, 2112 bytes of plaintext
 *
 * Two forms that nobody but the recipient can tell apart. *Intro*: one decapsulation decides "for me"; the body holds an ephemeral
 * X25519 key and a second seal under both secrets, so reading needs both broken while recognising rests on ML-KEM alone.
 * *Thread*: tag and key come from the thread (see tags.ts), the KEM slot is a decoy. This file knows nothing of threads, admission
 * proofs or what the plaintext means.
 */
import { primitives } from "#primitives"
import type { Handle } from "./primitives/types.ts"
import { type Bytes, concat, equal, exactly } from "./bytes.ts"
import { derive, labelledHash } from "./kdf.ts"

export const ENVELOPE_BYTES = 4096
export const ADMISSION_BYTES = 384
export const TAG_BYTES = 16

const KEM_AT = ADMISSION_BYTES
/** Where the tag lies in an envelope. */
export const TAG_AT = KEM_AT + 1568
const BODY_AT = TAG_AT + TAG_BYTES
const GCM_TAG_BYTES = 16
/** The one nonce: every key seals exactly one message. */
const NONCE = new Uint8Array(12)

/** Plaintext of a thread envelope, padding included. */
export const THREAD_PLAINTEXT_BYTES = ENVELOPE_BYTES - BODY_AT - GCM_TAG_BYTES
/** Plaintext of an intro envelope: 48 bytes less, for the ephemeral key and the inner seal. */
export const INTRO_PLAINTEXT_BYTES = THREAD_PLAINTEXT_BYTES - 32 - GCM_TAG_BYTES

/** SHA3-256 of bytes 384..4095: names the content whatever admission it travels under. 32 bytes. */
export function envelopeId(envelope: Bytes): Bytes {
  exactly(envelope, ENVELOPE_BYTES, "envelope")
  return primitives.sha3_256(envelope.subarray(ADMISSION_BYTES))
}

/** Copy of the 16-byte tag. */
export function tagOf(envelope: Bytes): Bytes {
  exactly(envelope, ENVELOPE_BYTES, "envelope")
  return envelope.slice(TAG_AT, BODY_AT)
}

/** The recipient's public intro keys: X25519 (32 bytes) and ML-KEM-1024 (1568 bytes), as in the card. */
export interface IntroPublic {
  readonly x25519: Bytes
  readonly mlKem: Bytes
}

/** The private side, imported once and kept, with the public bytes that the transcript binds. */
export interface IntroPrivate {
  readonly x25519: Handle<"x25519-private">
  readonly mlKem: Handle<"ml-kem-1024-private">
  readonly public: IntroPublic
}

/** From the X25519 private key (32 bytes) and the ML-KEM-1024 seed (64 bytes). */
export function importIntroPrivate(x25519: Bytes, mlKemSeed: Bytes): IntroPrivate {
  const dh = primitives.x25519.importPrivate(x25519)
  const kem = primitives.mlKem1024.privateFromSeed(mlKemSeed)
  const publicKeys = {
    x25519: primitives.x25519.publicFromPrivate(dh),
    mlKem: primitives.mlKem1024.publicFromPrivate(kem),
  }
  return { x25519: dh, mlKem: kem, public: publicKeys }
}

const introTag = (kemSecret: Bytes) => derive("intro tag", kemSecret, new Uint8Array(0), TAG_BYTES)
const introOuterKey = (kemSecret: Bytes, meshId: Bytes) =>
  derive("intro outer", kemSecret, meshId, 32)

/** Both secrets and the whole transcript: no ciphertext or key can be exchanged without changing the key. */
function introBodyKey(
  meshId: Bytes,
  secrets: { kem: Bytes; dh: Bytes },
  transcript: { ciphertext: Bytes; ephemeral: Bytes; recipient: IntroPublic },
): Bytes {
  return labelledHash(
    "intro body",
    exactly(meshId, 32, "mesh id"),
    secrets.kem,
    secrets.dh,
    transcript.ciphertext,
    transcript.ephemeral,
    transcript.recipient.x25519,
    transcript.recipient.mlKem,
  )
}

function assemble(kemSlot: Bytes, tag: Bytes, body: Bytes): Bytes {
  return exactly(concat(new Uint8Array(ADMISSION_BYTES), kemSlot, tag, body), 4096, "envelope")
}

/**
 * Seals `plaintext` (exactly INTRO_PLAINTEXT_BYTES, padded by the caller) to a recipient's intro keys. The admission field is left
 * zero, to be filled in. Throws CryptoError BAD_LENGTH, or BAD_KEY for keys that are not keys.
 */
export function sealIntro(meshId: Bytes, recipient: IntroPublic, plaintext: Bytes): Bytes {
  exactly(plaintext, INTRO_PLAINTEXT_BYTES, "intro plaintext")
  const kem = primitives.mlKem1024.encapsulate(primitives.mlKem1024.importPublic(recipient.mlKem))
  const ephemeralPrivate = primitives.x25519.importPrivate(primitives.randomBytes(32))
  const ephemeral = primitives.x25519.publicFromPrivate(ephemeralPrivate)
  // A card with a small-order X25519 key leaves the seal to ML-KEM alone; the hash binds that key all the same.
  const dh = primitives.x25519.agree(ephemeralPrivate, recipient.x25519) ?? new Uint8Array(32)
  const transcript = { ciphertext: kem.ciphertext, ephemeral, recipient }
  const bodyKey = introBodyKey(meshId, { kem: kem.secret, dh }, transcript)
  const inner = primitives.aesGcmSeal(bodyKey, NONCE, plaintext)
  const outerKey = introOuterKey(kem.secret, meshId)
  const body = primitives.aesGcmSeal(outerKey, NONCE, concat(ephemeral, inner))
  return assemble(kem.ciphertext, introTag(kem.secret), body)
}

/** Plaintext (INTRO_PLAINTEXT_BYTES) when this envelope is for `recipient`, else `undefined`. Costs one decapsulation when it is not. */
export function openIntro(
  meshId: Bytes,
  recipient: IntroPrivate,
  envelope: Bytes,
): Bytes | undefined {
  exactly(envelope, ENVELOPE_BYTES, "envelope")
  const ciphertext = envelope.subarray(KEM_AT, TAG_AT)
  const kemSecret = primitives.mlKem1024.decapsulate(recipient.mlKem, ciphertext)
  if (!equal(introTag(kemSecret), envelope.subarray(TAG_AT, BODY_AT))) return undefined
  const outerKey = introOuterKey(kemSecret, meshId)
  const outer = primitives.aesGcmOpen(outerKey, NONCE, envelope.subarray(BODY_AT))
  if (outer === undefined) return undefined
  const ephemeral = outer.subarray(0, 32)
  const dh = primitives.x25519.agree(recipient.x25519, ephemeral) ?? new Uint8Array(32)
  const transcript = { ciphertext, ephemeral, recipient: recipient.public }
  const bodyKey = introBodyKey(meshId, { kem: kemSecret, dh }, transcript)
  return primitives.aesGcmOpen(bodyKey, NONCE, outer.subarray(32))
}

/** A genuine ML-KEM ciphertext to a key that nobody has. */
function decoySlot(): Bytes {
  const kem = primitives.mlKem1024
  const thrownAway = kem.privateFromSeed(primitives.randomBytes(kem.seedBytes))
  return kem.encapsulate(kem.importPublic(kem.publicFromPrivate(thrownAway))).ciphertext
}

/** Everything outside the body that a thread key must be bound to. */
const threadAssociated = (meshId: Bytes, kemSlot: Bytes, tag: Bytes) =>
  concat(exactly(meshId, 32, "mesh id"), kemSlot, tag)

/** Seals `plaintext` (exactly THREAD_PLAINTEXT_BYTES) under a one-message key (32 bytes) and its tag (16 bytes). */
export function sealThread(meshId: Bytes, tag: Bytes, key: Bytes, plaintext: Bytes): Bytes {
  exactly(plaintext, THREAD_PLAINTEXT_BYTES, "thread plaintext")
  exactly(tag, TAG_BYTES, "tag")
  const slot = decoySlot()
  const body = primitives.aesGcmSeal(key, NONCE, plaintext, threadAssociated(meshId, slot, tag))
  return assemble(slot, tag, body)
}

/** Plaintext (THREAD_PLAINTEXT_BYTES), or `undefined` when the envelope was not sealed under `key`. */
export function openThread(meshId: Bytes, key: Bytes, envelope: Bytes): Bytes | undefined {
  exactly(envelope, ENVELOPE_BYTES, "envelope")
  const slot = envelope.subarray(KEM_AT, TAG_AT)
  const tag = envelope.subarray(TAG_AT, BODY_AT)
  const associated = threadAssociated(meshId, slot, tag)
  return primitives.aesGcmOpen(key, NONCE, envelope.subarray(BODY_AT), associated)
}
