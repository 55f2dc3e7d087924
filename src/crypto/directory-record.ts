/**
 * The directory's record (DESIGN §8): what a peer stores for a person it cannot know. All records have one size.
 *
 *   version 2 ‖ blinded key 32 ‖ epoch 4 ‖ order 8 ‖ blob id 32 ‖ nonce 12 ‖ sealed 85 ‖ signature 64   = 238 bytes
 *   sealed = AES-256-GCM of: kind 2 ‖ sequence 4 ‖ hash of the card 32 ‖ digest of its blob 32
 *
 * A storing peer checks size, key, day and signature, and keeps the highest `order`. `order` is the sequence number plus an
 * offset that only the address and the day give: it sorts one day's records and says nothing about the next day's, while a
 * bare sequence number would be the same on both. The id of the blob (card-blob.ts) stands in clear, so that who keeps a record knows which
 * blob belongs to it. Whoever has a card of that hash already need not fetch it.
 * Not hidden: that somebody published that day, how often the card changed that day, and from which peer the record came.
 *
 * Version 1 held a card, or key packages on offer, in 41,106 bytes. It is not taken any more.
 */
import { primitives } from "#primitives"
import { BLINDED_KEY_BYTES, blindedKey, blindedSigner } from "./blinding.ts"
import { CARD_BLOB_DIGEST_BYTES, CARD_BLOB_ID_BYTES } from "./card-blob.ts"
import {
  type Bytes,
  compare,
  concat,
  equal,
  exactly,
  fromHex,
  fromUtf8,
  Reader,
  toHex,
  utf8,
  Writer,
} from "./bytes.ts"
import { CryptoError } from "./errors.ts"
import { derive, domain } from "./kdf.ts"
import { ignore, reject } from "./verdict.ts"

/** Milliseconds of an epoch: one day of UTC. */
export const EPOCH_MS = 86_400_000
/** A record is good on its own day and one day to either side: clocks differ, and a night passes. */
export const EPOCH_SLACK = 1
/** Sequence numbers are below this. */
export const SEQUENCE_LIMIT = 2 ** 32

const VERSION = 2
/** Kind 1 was a card that lay in the record itself. */
const CARD_BY_BLOB = 2
const HASH_BYTES = 32
const NONCE_BYTES = 12
const RECORD_HEADER_BYTES = 1 + BLINDED_KEY_BYTES + 4 + 8
const SIGNATURE_BYTES = 64
/** What the seal vouches for beside what it hides. */
const CLEAR_BYTES = RECORD_HEADER_BYTES + CARD_BLOB_ID_BYTES
const SEALED_BYTES = 1 + 4 + HASH_BYTES + CARD_BLOB_DIGEST_BYTES + 16
/** A card's record. */
export const RECORD_BYTES = CLEAR_BYTES + NONCE_BYTES + SEALED_BYTES + SIGNATURE_BYTES

/** 2^51: an offset and a sequence number together stay a safe integer. */
const OFFSET_LIMIT = 2 ** 51
const ORDER_LIMIT = OFFSET_LIMIT + SEQUENCE_LIMIT
const NAMESPACE = "card"
const KEY_PATTERN = /^\/card\/[0-9a-f]{64}$/

export type RecordCode =
  /** Not as long as records of its version are. */
  | "RECORD_SIZE"
  /** A version or a kind that this program does not speak. */
  | "RECORD_VERSION"
  /** The record is for another key than the one it is filed under. */
  | "RECORD_KEY"
  /** Not today, yesterday or tomorrow. */
  | "RECORD_EPOCH"
  /** An order above all that sequence numbers give. */
  | "RECORD_ORDER"
  | "RECORD_SIGNATURE"
  /** The owner sealed something that is not canonical, or it was sealed for another address. */
  | "RECORD_CONTENT"

export interface RecordRefused {
  /** `ignore`: a wrong clock can do it. `reject`: an honest peer never passes it on. */
  readonly verdict: "ignore" | "reject"
  readonly code: RecordCode
}
export interface RecordAccepted {
  readonly verdict: "accept"
  readonly epoch: number
  readonly order: number
}
/** What an owner says of the card of a day. */
export interface RecordContent {
  /** The card's sequence number, below SEQUENCE_LIMIT. */
  readonly sequence: number
  /** SHA3-256 of the encoded card, 32 bytes. */
  readonly cardHash: Bytes
  /** The blob that holds the card, and what opens it: 32 bytes each (card-blob.ts). */
  readonly blobId: Bytes
  readonly digest: Bytes
}
export interface RecordOpened extends RecordContent {
  readonly verdict: "accept"
}

/** The day that a moment (milliseconds since 1970) belongs to. */
export const epochAt = (nowMs: number): number => Math.floor(nowMs / EPOCH_MS)

/** The DHT key of a blinded key: `/card/` and 64 lower-case hexadecimal digits, as UTF-8. */
export const directoryKey = (blinded: Bytes): Bytes => utf8(`/${NAMESPACE}/${toHex(blinded)}`)

/** The namespace under which validator and selector are registered. */
export const DIRECTORY_NAMESPACE = NAMESPACE

/** The blinded key a DHT key names, or `undefined` when it is not one of ours, letter for letter. */
export function blindedKeyIn(key: Bytes): Bytes | undefined {
  try {
    const text = fromUtf8(key)
    return KEY_PATTERN.test(text) ? fromHex(text.slice(NAMESPACE.length + 2)) : undefined
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

interface DaySecrets {
  readonly key: Bytes
  /** What is added to sequence numbers on this day. */
  readonly offset: number
}

/** What only who knows the address has of a day's record. */
function daySecrets(address: Bytes, blinded: Bytes, epoch: number): DaySecrets {
  const info = concat(new Writer().u32(epoch).finish(), blinded)
  const bytes = derive("directory record key", address, info, 40)
  const wide = new Reader(bytes.subarray(32))
  const offset = (wide.u32() % (OFFSET_LIMIT / 2 ** 32)) * 2 ** 32 + wide.u32()
  return { key: bytes.slice(0, 32), offset }
}

const toSign = (unsigned: Bytes): Bytes => concat(domain("directory record"), unsigned)

export interface RecordParts extends RecordContent {
  /** Raw address, 64 bytes, and the 32-byte Ed25519 root seed that belongs to it. */
  readonly address: Bytes
  readonly seed: Bytes
  readonly epoch: number
}

/** A card's record, RECORD_BYTES long. Throws CryptoError TOO_LARGE, BAD_LENGTH, BAD_KEY. */
export function makeRecord(parts: RecordParts): Bytes {
  const { address, seed, epoch, sequence } = parts
  const signer = blindedSigner(seed, address, epoch)
  const { key, offset } = daySecrets(address, signer.publicKey, epoch)
  const content = new Writer()
    .u8(CARD_BY_BLOB)
    .u32(sequence)
    .raw(exactly(parts.cardHash, HASH_BYTES, "hash of the card"))
    .raw(exactly(parts.digest, CARD_BLOB_DIGEST_BYTES, "digest of the blob"))
    .finish()
  const clear = new Writer()
    .u8(VERSION)
    .raw(signer.publicKey)
    .u32(epoch)
    .u64(offset + sequence)
    .raw(exactly(parts.blobId, CARD_BLOB_ID_BYTES, "id of the blob"))
    .finish()
  const nonce = primitives.randomBytes(NONCE_BYTES)
  const unsigned = concat(clear, nonce, primitives.aesGcmSeal(key, nonce, content, clear))
  return concat(unsigned, signer.sign(toSign(unsigned)))
}

interface Header {
  readonly version: number
  readonly blinded: Bytes
  readonly epoch: number
  readonly order: number
}

function readHeader(record: Bytes): Header | "RECORD_SIZE" | "RECORD_VERSION" {
  const [version] = record
  if (version === undefined) return "RECORD_SIZE"
  if (version !== VERSION) return "RECORD_VERSION"
  if (record.length !== RECORD_BYTES) return "RECORD_SIZE"
  const reader = new Reader(record.subarray(1, RECORD_HEADER_BYTES))
  const [blinded, epoch] = [reader.raw(BLINDED_KEY_BYTES), reader.u32()]
  // Up to 2^64, and so perhaps rounded: whoever cares asks for less than ORDER_LIMIT.
  const order = reader.u32() * 2 ** 32 + reader.u32()
  return { version, blinded, epoch, order }
}

/** The id of the blob that a sound record names; `undefined` for one that names none. */
export function blobIdIn(record: Bytes): Bytes | undefined {
  const header = readHeader(record)
  if (typeof header === "string") return undefined
  return record.slice(RECORD_HEADER_BYTES, CLEAR_BYTES)
}

/**
 * Everything a storing peer can know about a record without being able to read it; the signature last, because it costs the most.
 * `blinded` is the key it is filed under, `nowEpoch` the day by the storing peer's own clock.
 */
export function checkRecord(
  blinded: Bytes,
  record: Bytes,
  nowEpoch: number,
): RecordAccepted | RecordRefused {
  const header = readHeader(record)
  if (header === "RECORD_VERSION") return ignore(header)
  if (header === "RECORD_SIZE") return reject(header)
  if (!equal(header.blinded, blinded)) return reject("RECORD_KEY")
  if (Math.abs(header.epoch - nowEpoch) > EPOCH_SLACK) return ignore("RECORD_EPOCH")
  if (header.order >= ORDER_LIMIT) return reject("RECORD_ORDER")
  const verifier = importBlinded(blinded)
  const signedBytes = record.length - SIGNATURE_BYTES
  const [unsigned, signature] = [record.subarray(0, signedBytes), record.slice(signedBytes)]
  if (verifier === undefined || !primitives.ed25519.verify(verifier, toSign(unsigned), signature))
    return reject("RECORD_SIGNATURE")
  return { verdict: "accept", epoch: header.epoch, order: header.order }
}

function importBlinded(blinded: Bytes) {
  try {
    return primitives.ed25519.importPublic(blinded)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

/** What was sealed in it, and the sequence number that its header claims. */
interface Unsealed {
  readonly verdict: "accept"
  readonly content: Bytes
  readonly sequence: number
}

/** Checks a record as a storing peer would, and opens it. */
function unsealRecord(
  { address, epoch }: Pick<RecordParts, "address" | "epoch">,
  record: Bytes,
): Unsealed | RecordRefused {
  const blinded = blindedKey(address, epoch)
  const checked = checkRecord(blinded, record, epoch)
  if (checked.verdict !== "accept") return checked
  if (checked.epoch !== epoch) return reject("RECORD_EPOCH")
  const { key, offset } = daySecrets(address, blinded, epoch)
  const sealedAt = CLEAR_BYTES + NONCE_BYTES
  const [clear, nonce] = [record.slice(0, CLEAR_BYTES), record.slice(CLEAR_BYTES, sealedAt)]
  const sealed = record.slice(sealedAt, record.length - SIGNATURE_BYTES)
  const content = primitives.aesGcmOpen(key, nonce, sealed, clear)
  if (content === undefined) return reject("RECORD_CONTENT")
  return { verdict: "accept", content, sequence: checked.order - offset }
}

/**
 * What a reader who knows the address finds in a card's record of that day. Checks the record as a storing peer would, and then
 * that the sealed content is canonical and agrees with the header. The card is still to be fetched.
 */
export function openRecord(
  address: Bytes,
  epoch: number,
  record: Bytes,
): RecordOpened | RecordRefused {
  const opened = unsealRecord({ address, epoch }, record)
  if (opened.verdict !== "accept") return opened
  const reader = new Reader(opened.content)
  if (reader.u8() !== CARD_BY_BLOB) return ignore("RECORD_VERSION")
  const sequence = reader.u32()
  if (sequence !== opened.sequence) return reject("RECORD_CONTENT")
  const [cardHash, digest] = [reader.raw(HASH_BYTES), reader.raw(CARD_BLOB_DIGEST_BYTES)]
  const blobId = record.slice(RECORD_HEADER_BYTES, CLEAR_BYTES)
  return { verdict: "accept", sequence, cardHash, blobId, digest }
}

/**
 * Which of several valid records under one key is the one to keep: the highest order, and among equals the one that sorts
 * last, so that all peers choose alike. Index into `records`; 0 when nothing there is a record.
 */
export function selectRecord(records: readonly Bytes[]): number {
  let best = 0
  for (const [index, record] of records.entries())
    if (isNewer(record, records[best] ?? record)) best = index
  return best
}

function isNewer(candidate: Bytes, current: Bytes): boolean {
  const [a, b] = [readHeader(candidate), readHeader(current)]
  if (typeof a === "string") return false
  if (typeof b === "string" || a.order !== b.order)
    return typeof b === "string" || a.order > b.order
  return compare(candidate, current) > 0
}
