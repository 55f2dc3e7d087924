/**
 * The directory's record (DESIGN §8): what a peer stores for a person it cannot know. All records have one size.
 *
 *   version 1 ‖ blinded key 32 ‖ epoch 4 ‖ order 8 ‖ nonce 12 ‖ sealed 40985 ‖ signature 64   = 41106 bytes
 *   sealed = AES-256-GCM of: kind 1 ‖ sequence 4 ‖ length 4 ‖ payload, zero-padded to 40960
 *
 * A storing peer checks size, key, day and signature, and keeps the highest `order`. `order` is the sequence number plus an
 * offset that only the address and the day give: it sorts one day's records and says nothing about the next day's, while a
 * bare sequence number would be the same on both. Kind 1 is the card itself; 2 is kept for the id of a blob that holds it; 3 is an offer
 * of one-time key packages (one-time.ts), and 4 one of those for groups with composite signatures, each under a blinded key of its own: who
 * keeps them cannot tell them apart or put them together.
 * Not hidden: that somebody published that day, how often the card changed that day, and from which peer the record came.
 */
import { primitives } from "#primitives"
import { BLINDED_KEY_BYTES, blindedKey, blindedSigner, type RecordKind } from "./blinding.ts"
import {
  type Bytes,
  compare,
  concat,
  equal,
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
/** Room for a card. */
export const PAYLOAD_MAX_BYTES = 40 * 1024
/** Sequence numbers are below this. */
export const SEQUENCE_LIMIT = 2 ** 32

const VERSION = 1
const KIND_BYTE: Readonly<Record<RecordKind, number>> = { card: 1, offer: 3, "composite-offer": 4 }
const NONCE_BYTES = 12
const HEADER_BYTES = 1 + BLINDED_KEY_BYTES + 4 + 8
const SEALED_BYTES = 1 + 4 + 4 + PAYLOAD_MAX_BYTES + 16
const SIGNATURE_BYTES = 64
const SIGNED_BYTES = HEADER_BYTES + NONCE_BYTES + SEALED_BYTES
export const RECORD_BYTES = SIGNED_BYTES + SIGNATURE_BYTES

/** 2^51: an offset and a sequence number together stay a safe integer. */
const OFFSET_LIMIT = 2 ** 51
const ORDER_LIMIT = OFFSET_LIMIT + SEQUENCE_LIMIT
const NAMESPACE = "card"
const KEY_PATTERN = /^\/card\/[0-9a-f]{64}$/

export type RecordCode =
  /** Not exactly RECORD_BYTES. */
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
export interface RecordOpened {
  readonly verdict: "accept"
  readonly sequence: number
  /** The card, or the offer, as it was published, without padding. */
  readonly payload: Bytes
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

function daySecrets(address: Bytes, blinded: Bytes, epoch: number): DaySecrets {
  const info = concat(new Writer().u32(epoch).finish(), blinded)
  const bytes = derive("directory record key", address, info, 40)
  const wide = new Reader(bytes.subarray(32))
  const offset = (wide.u32() % (OFFSET_LIMIT / 2 ** 32)) * 2 ** 32 + wide.u32()
  return { key: bytes.slice(0, 32), offset }
}

const toSign = (record: Bytes): Bytes =>
  concat(domain("directory record"), record.subarray(0, SIGNED_BYTES))

export interface RecordParts {
  /** Raw address, 64 bytes, and the 32-byte Ed25519 root seed that belongs to it. */
  readonly address: Bytes
  readonly seed: Bytes
  readonly epoch: number
  /** The card's sequence number, below SEQUENCE_LIMIT. */
  readonly sequence: number
  /** At most PAYLOAD_MAX_BYTES. */
  readonly card: Bytes
  /** Of an offer, `card` is an encoded offer and `sequence` is its own. */
  readonly kind?: RecordKind
}

/** A new record, RECORD_BYTES long. Throws CryptoError TOO_LARGE, BAD_LENGTH, BAD_KEY. */
export function makeRecord(parts: RecordParts): Bytes {
  const { address, seed, epoch, sequence, card, kind = "card" } = parts
  if (card.length > PAYLOAD_MAX_BYTES)
    throw new CryptoError("TOO_LARGE", `a card of ${card.length} bytes does not fit a record`)
  const signer = blindedSigner(seed, address, epoch, kind)
  const { key, offset } = daySecrets(address, signer.publicKey, epoch)
  const content = new Writer()
    .u8(KIND_BYTE[kind])
    .u32(sequence)
    .bytes(card, 4)
    .raw(new Uint8Array(PAYLOAD_MAX_BYTES - card.length))
    .finish()
  const header = new Writer()
    .u8(VERSION)
    .raw(signer.publicKey)
    .u32(epoch)
    .u64(offset + sequence)
    .finish()
  const nonce = primitives.randomBytes(NONCE_BYTES)
  const unsigned = concat(header, nonce, primitives.aesGcmSeal(key, nonce, content, header))
  return concat(unsigned, signer.sign(toSign(unsigned)))
}

interface Header {
  readonly version: number
  readonly blinded: Bytes
  readonly epoch: number
  readonly order: number
}

/** `undefined` when the size is wrong. */
function readHeader(record: Bytes): Header | undefined {
  if (record.length !== RECORD_BYTES) return undefined
  const reader = new Reader(record.subarray(0, HEADER_BYTES))
  const [version, blinded, epoch] = [reader.u8(), reader.raw(BLINDED_KEY_BYTES), reader.u32()]
  // Up to 2^64, and so perhaps rounded: whoever cares asks for less than ORDER_LIMIT.
  const order = reader.u32() * 2 ** 32 + reader.u32()
  return { version, blinded, epoch, order }
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
  if (header === undefined) return reject("RECORD_SIZE")
  if (header.version !== VERSION) return ignore("RECORD_VERSION")
  if (!equal(header.blinded, blinded)) return reject("RECORD_KEY")
  if (Math.abs(header.epoch - nowEpoch) > EPOCH_SLACK) return ignore("RECORD_EPOCH")
  if (header.order >= ORDER_LIMIT) return reject("RECORD_ORDER")
  const verifier = importBlinded(blinded)
  const signature = record.subarray(SIGNED_BYTES)
  if (
    verifier === undefined ||
    !primitives.ed25519.verify(verifier, toSign(record), signature.slice())
  )
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

/**
 * What a reader who knows the address finds in a record of that day. Checks the record as a storing peer would, and then
 * that the sealed content is canonical and agrees with the header. The card inside is *not* verified here.
 */
export function openRecord(
  address: Bytes,
  epoch: number,
  record: Bytes,
  kind: RecordKind = "card",
): RecordOpened | RecordRefused {
  const blinded = blindedKey(address, epoch, kind)
  const checked = checkRecord(blinded, record, epoch)
  if (checked.verdict !== "accept") return checked
  if (checked.epoch !== epoch) return reject("RECORD_EPOCH")
  const { key, offset } = daySecrets(address, blinded, epoch)
  const header = record.slice(0, HEADER_BYTES)
  const nonce = record.slice(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES)
  const sealed = record.slice(HEADER_BYTES + NONCE_BYTES, SIGNED_BYTES)
  const content = primitives.aesGcmOpen(key, nonce, sealed, header)
  if (content === undefined) return reject("RECORD_CONTENT")
  return readContent(content, checked.order - offset, kind)
}

function readContent(
  content: Bytes,
  expectedSequence: number,
  kind: RecordKind,
): RecordOpened | RecordRefused {
  try {
    const reader = new Reader(content)
    if (reader.u8() !== KIND_BYTE[kind]) return ignore("RECORD_VERSION")
    const sequence = reader.u32()
    const payload = reader.bytes(4, PAYLOAD_MAX_BYTES)
    reader.zeros()
    if (sequence !== expectedSequence) return reject("RECORD_CONTENT")
    return { verdict: "accept", sequence, payload }
  } catch (error) {
    if (error instanceof CryptoError) return reject("RECORD_CONTENT")
    throw error
  }
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
  if (a === undefined) return false
  if (b === undefined || a.order !== b.order) return b === undefined || a.order > b.order
  return compare(candidate, current) > 0
}
