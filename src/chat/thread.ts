/**
 * A thread as its owner keeps it: its clock, what was read, which receipts are owed. The id of a thread of two is a hash of both
 * addresses, so that it is the same thread whoever wrote first; that of a group is a hash of the group's id. It never travels. The messages themselves lie beside it, one record each.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, compare, Reader, toHex, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { labelledHash } from "../crypto/kdf.ts"
import { GROUP_NAME_BYTES_MAX } from "./group.ts"
import { LAMPORT_MAX, MESSAGE_ID_BYTES } from "./content.ts"
import { advanceLamport, type ChatMessage, POSITION_BYTES, positionOf } from "./message.ts"

const VERSION = 2
export const THREAD_ID_BYTES = 16
/** Receipts waiting to go out; beyond that the oldest is forgotten, and its author keeps seeing "gossiped". */
export const OWED_MAX = 5_000

export const THREAD_STANDINGS = ["open", "request", "left"] as const
/** `request`: somebody who is no contact let us into a group, and we have not said whether we want to be. `left`: we are out of it. */
export type ThreadStanding = (typeof THREAD_STANDINGS)[number]

export interface ChatThread {
  readonly id: Bytes
  /** The other one in a thread of two; null in a group. */
  readonly peer: Address | null
  /** The group's id, 16 bytes; null in a thread of two. */
  readonly group: Bytes | null
  /** What the group is called; empty in a thread of two. */
  readonly name: string
  readonly standing: ThreadStanding
  /** Out of sight until something is said in it. */
  readonly hidden: boolean
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

export const groupThreadIdOf = (groupId: Bytes): Bytes =>
  labelledHash("group thread", groupId).subarray(0, THREAD_ID_BYTES)

const fresh = () => ({
  standing: "open" as const,
  hidden: false,
  lamport: 0,
  unread: 0,
  readThrough: new Uint8Array(POSITION_BYTES),
  owed: [],
})

export function newThread(me: Address, peer: Address): ChatThread {
  return { ...fresh(), id: threadIdOf(me, peer), peer, group: null, name: "" }
}

export function newGroupThread(group: Bytes, name: string): ChatThread {
  return { ...fresh(), id: groupThreadIdOf(group), peer: null, group, name }
}

/** The next message of our own: one tick after everything seen. */
export function tick(thread: ChatThread): ChatThread {
  return { ...thread, hidden: false, lamport: Math.min(thread.lamport + 1, LAMPORT_MAX) }
}

export interface Received {
  readonly thread: ChatThread
  readonly message: ChatMessage
}

/** A text of somebody else's arrived. Not for one that is there already: its id is its identity. */
export function received(
  thread: ChatThread,
  message: Omit<ChatMessage, "late" | "mine" | "delivery" | "audience" | "awaited">,
): Received {
  const lamport = advanceLamport(thread.lamport, message.lamport)
  // A claim beyond the leap would sort after everything for ever: it is placed where the clock is.
  const placed = { ...message, lamport: Math.min(message.lamport, lamport) }
  const late = compare(positionOf(placed), thread.readThrough) < 0
  const owed = [...thread.owed, message.id].slice(-OWED_MAX)
  return {
    thread: { ...thread, hidden: false, lamport, unread: thread.unread + 1, owed },
    message: { ...placed, late, mine: false, delivery: "delivered", audience: 0, awaited: [] },
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

const NOBODY = new Uint8Array(64)

export function encodeThread(thread: ChatThread): Bytes {
  const { peer, group } = thread
  const out = new Writer().u8(VERSION).raw(thread.id)
  out.raw(peer === null ? NOBODY : addressBytes(peer)).bytes(group ?? new Uint8Array(0), 1)
  out
    .text(thread.name, 1)
    .u8(THREAD_STANDINGS.indexOf(thread.standing))
    .u8(thread.hidden ? 1 : 0)
  out.u64(thread.lamport).u32(thread.unread).raw(thread.readThrough).u16(thread.owed.length)
  for (const id of thread.owed) out.raw(id)
  return out.finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeThread(bytes: Bytes): ChatThread {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "thread record")
  const id = read.raw(THREAD_ID_BYTES)
  const other = read.raw(64)
  const groupId = read.bytes(1, 64)
  const name = read.text(1, GROUP_NAME_BYTES_MAX)
  const standing = THREAD_STANDINGS[read.u8()]
  const hidden = read.u8() === 1
  const lamport = read.u64()
  const unread = read.u32()
  const readThrough = read.raw(POSITION_BYTES)
  const owed = Array.from({ length: read.u16() }, () => read.raw(MESSAGE_ID_BYTES))
  read.done()
  if (standing === undefined) throw new CryptoError("BAD_ENCODING", "thread record")
  const group = groupId.length === 0 ? null : groupId
  const peer = group === null ? addressFromBytes(other) : null
  return { id, peer, group, name, standing, hidden, lamport, unread, readThrough, owed }
}
