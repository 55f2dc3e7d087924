/**
 * A thread of two as its owner keeps it: its clock, what was read, which receipts are owed. Its id is a hash of both addresses, so that
 * it is the same thread whoever wrote first, and it never travels. The messages themselves lie beside it, one record each.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, compare, Reader, toHex, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { labelledHash } from "../crypto/kdf.ts"
import { LAMPORT_MAX, MESSAGE_ID_BYTES } from "./content.ts"
import { advanceLamport, type ChatMessage, POSITION_BYTES, positionOf } from "./message.ts"

const VERSION = 1
export const THREAD_ID_BYTES = 16
/** Receipts waiting to go out; beyond that the oldest is forgotten, and its author keeps seeing "gossiped". */
export const OWED_MAX = 5_000

export interface ChatThread {
  readonly id: Bytes
  readonly peer: Address
  readonly lamport: number
  readonly unread: number
  /** Position of the last message read, 22 bytes; zeros when none was. */
  readonly readThrough: Bytes
  /** Ids of texts whose receipt has not gone out. */
  readonly owed: readonly Bytes[]
}

export function threadIdOf(me: Address, peer: Address): Bytes {
  const pair = [addressBytes(me), addressBytes(peer)].sort(compare)
  return labelledHash("pair thread", ...pair).subarray(0, THREAD_ID_BYTES)
}

export function newThread(me: Address, peer: Address): ChatThread {
  const readThrough = new Uint8Array(POSITION_BYTES)
  return { id: threadIdOf(me, peer), peer, lamport: 0, unread: 0, readThrough, owed: [] }
}

/** The next message of our own: one tick after everything seen. */
export function tick(thread: ChatThread): ChatThread {
  return { ...thread, lamport: Math.min(thread.lamport + 1, LAMPORT_MAX) }
}

export interface Received {
  readonly thread: ChatThread
  readonly message: ChatMessage
}

/** A text of somebody else's arrived. Not for one that is there already: its id is its identity. */
export function received(
  thread: ChatThread,
  message: Omit<ChatMessage, "late" | "mine" | "delivery">,
): Received {
  const lamport = advanceLamport(thread.lamport, message.lamport)
  // A claim beyond the leap would sort after everything for ever: it is placed where the clock is.
  const placed = { ...message, lamport: Math.min(message.lamport, lamport) }
  const late = compare(positionOf(placed), thread.readThrough) < 0
  const owed = [...thread.owed, message.id].slice(-OWED_MAX)
  return {
    thread: { ...thread, lamport, unread: thread.unread + 1, owed },
    message: { ...placed, late, mine: false, delivery: "delivered" },
  }
}

/** Everything up to `through` was read; `unread` is what lies behind it. A mark never moves back. */
export function readUpTo(thread: ChatThread, through: Bytes, unread: number): ChatThread {
  if (compare(through, thread.readThrough) <= 0) return thread
  return { ...thread, readThrough: through, unread }
}

/** These receipts are on their way. */
export function paid(thread: ChatThread, ids: readonly Bytes[]): ChatThread {
  const gone = new Set(ids.map(toHex))
  return { ...thread, owed: thread.owed.filter((id) => !gone.has(toHex(id))) }
}

export function encodeThread(thread: ChatThread): Bytes {
  const out = new Writer().u8(VERSION).raw(thread.id).raw(addressBytes(thread.peer))
  out.u64(thread.lamport).u32(thread.unread).raw(thread.readThrough).u16(thread.owed.length)
  for (const id of thread.owed) out.raw(id)
  return out.finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeThread(bytes: Bytes): ChatThread {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "thread record")
  const id = read.raw(THREAD_ID_BYTES)
  const peer = addressFromBytes(read.raw(64))
  const lamport = read.u64()
  const unread = read.u32()
  const readThrough = read.raw(POSITION_BYTES)
  const owed = Array.from({ length: read.u16() }, () => read.raw(MESSAGE_ID_BYTES))
  read.done()
  return { id, peer, lamport, unread, readThrough, owed }
}
