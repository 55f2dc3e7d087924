/**
 * A message as it is kept, and the order of a thread while no ledger gives one: by Lamport clock, then id, which is the same at
 * everybody who has the same messages. The position is 22 bytes: Lamport 6 ‖ id 16. It is a key in the store, where it must sort and
 * so cannot be blinded: nothing in it may be computed from an address.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, concat, Reader, toHex, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { LAMPORT_MAX, MESSAGE_ID_BYTES, TEXT_BYTES_MAX } from "./content.ts"
import { type FileNote, readFileNote, writeFileNote } from "./file.ts"
import { type Delivery, DELIVERIES } from "./delivery.ts"

const VERSION = 2
export const POSITION_BYTES = 22
/** How far one message may pull a thread's clock ahead; a wilder claim counts as this much. */
const LAMPORT_LEAP_MAX = 2 ** 20

export interface ChatMessage {
  /** 16 bytes. */
  readonly id: Bytes
  readonly author: Address
  readonly mine: boolean
  readonly lamport: number
  readonly sentAtMs: number
  readonly text: string
  readonly delivery: Delivery
  /** Settled before something that had been read already. */
  readonly late: boolean
  /** Of ours in a group: how many were in it when it left, besides us. */
  readonly audience: number
  /** Those of them whose receipt has not come, 8 bytes each: the begin of their address. */
  readonly awaited: readonly Bytes[]
  /** The file that it brings. */
  readonly file?: FileNote
}

export const AWAITED_BYTES = 8
export const awaitedAs = (who: Address): Bytes => addressBytes(who).subarray(0, AWAITED_BYTES)

/** 22 bytes that sort as the thread reads. */
export function positionOf({ lamport, id }: Pick<ChatMessage, "lamport" | "id">): Bytes {
  const clock = new Writer().u16(Math.floor(lamport / 2 ** 32)).u32(lamport % 2 ** 32)
  return clock.raw(id).finish()
}

export const positionText = (message: ChatMessage) => toHex(positionOf(message))

/** What the thread's clock becomes after seeing `claimed`. */
export function advanceLamport(clock: number, claimed: number): number {
  return Math.min(Math.max(clock, Math.min(claimed, clock + LAMPORT_LEAP_MAX)), LAMPORT_MAX)
}

export function encodeMessage(message: ChatMessage): Bytes {
  const out = new Writer()
    .u8(VERSION)
    .raw(message.id)
    .raw(addressBytes(message.author))
    .u8((message.mine ? 1 : 0) | (message.late ? 2 : 0) | (message.file ? 4 : 0))
    .u8(DELIVERIES.indexOf(message.delivery))
    .u64(message.lamport)
    .u64(message.sentAtMs)
    .text(message.text, 4)
    .u16(message.audience)
    .bytes(concat(...message.awaited), 2)
  return (message.file === undefined ? out : writeFileNote(out, message.file)).finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeMessage(bytes: Bytes): ChatMessage {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "message record")
  const id = read.raw(MESSAGE_ID_BYTES)
  const author = addressFromBytes(read.raw(64))
  const flags = read.u8()
  const delivery = DELIVERIES[read.u8()]
  if (delivery === undefined || flags > 7) throw new CryptoError("BAD_ENCODING", "message record")
  const lamport = read.u64()
  const sentAtMs = read.u64()
  const text = read.text(4, TEXT_BYTES_MAX)
  const audience = read.u16()
  const awaiting = new Reader(read.bytes(2, AWAITED_BYTES * audience))
  const file = (flags & 4) === 0 ? {} : { file: readFileNote(read) }
  read.done()
  const awaited: Bytes[] = []
  while (awaiting.left > 0) awaited.push(awaiting.raw(AWAITED_BYTES))
  return {
    id,
    author,
    mine: (flags & 1) !== 0,
    late: (flags & 2) !== 0,
    lamport,
    sentAtMs,
    text,
    delivery,
    audience,
    awaited,
    ...file,
  }
}
