/**
 * A thread as its owner keeps it: its clock, what was read, which receipts are owed. The id of a thread of two is a hash of both
 * addresses, so that it is the same thread whoever wrote first; that of a group is a hash of the group's id. It never travels. The messages themselves lie beside it, one record each.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, compare, Reader, toHex, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { labelledHash } from "../crypto/kdf.ts"
import { GROUP_NAME_BYTES_MAX } from "./group.ts"
import { type Lifetime, readLifetimeOrNone, writeLifetimeOrNone } from "./lifetime.ts"
import {
  advanceLamport,
  type ChatMessage,
  PLAIN,
  POSITION_BYTES,
  positionOf,
  type Stamp,
} from "./message.ts"
import type { MessagePlace } from "./position.ts"
import { LAMPORT_MAX, MESSAGE_ID_BYTES, readLamport, writeLamport } from "./said.ts"

const VERSION = 3
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
  /** How many of those name us. */
  readonly mentioned: number
  /** Position of the last message read that will not move any more, 22 bytes; zeros when there is none. */
  readonly readThrough: Bytes
  /** Ids of texts whose receipt has not gone out. */
  readonly owed: readonly Bytes[]
  /** Ids of texts that were read, and whose authors have not been told. */
  readonly owedRead: readonly Bytes[]
  /** How far the ledger's order has come in this thread. */
  readonly settled: Settled
  /** How long stays what is said here, by the last one who set it; null when nobody did. */
  readonly lifetime: LifetimeSet | null
  /** Whether we tell others here that we have read, and see it of them; the same for writing. */
  readonly tellsRead: boolean
  readonly tellsTyping: boolean
  /** What the other one cannot read any more and has asked for, while nobody has said that it is to be said again. */
  readonly lacks: Lacked | null
}

/** Of our texts: above this height, up to this tick of the thread's clock; how many there were when they asked. */
export interface Lacked {
  readonly above: number
  readonly through: number
  readonly count: number
}

export interface LifetimeSet extends Stamp {
  /** Null: for good. */
  readonly lifetime: Lifetime | null
}

/** The highest Lamport clocks among texts that the ledger has placed: in the newest block that placed any, and before it. */
export interface Settled {
  readonly height: number
  readonly lamport: number
  readonly before: number
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
  mentioned: 0,
  readThrough: new Uint8Array(POSITION_BYTES),
  owed: [],
  owedRead: [],
  settled: { height: 0, lamport: 0, before: 0 },
  lifetime: null,
  tellsRead: false,
  tellsTyping: false,
  lacks: null,
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

/** What was said is erased here. */
export const emptied = (thread: ChatThread): ChatThread => ({
  ...thread,
  hidden: true,
  unread: 0,
  lacks: null,
})

export interface Received {
  readonly thread: ChatThread
  readonly message: ChatMessage
}

export type Arrived = Pick<ChatMessage, "id" | "author" | "lamport" | "sentAtMs" | "text"> &
  Partial<
    Pick<ChatMessage, "file" | "replyTo" | "mentions" | "lifetime" | "sets" | "place" | "again">
  >

/** A text of somebody else's arrived. Not for one that is there already: its id is its identity. */
export function received(thread: ChatThread, me: Address, arrived: Arrived): Received {
  const lamport = advanceLamport(thread.lamport, arrived.lamport)
  // A claim beyond the leap would sort after everything for ever: it is placed where the clock is.
  const said = { ...PLAIN, ...arrived, lamport: Math.min(arrived.lamport, lamport) }
  const late = compare(positionOf(said), thread.readThrough) < 0
  const owed = [...thread.owed, said.id].slice(-OWED_MAX)
  const mentioned = thread.mentioned + (names(said, me) ? 1 : 0)
  const counted = { unread: thread.unread + 1, mentioned, owed }
  return {
    thread: { ...thread, hidden: false, lamport, ...counted },
    message: { ...said, late, mine: false, delivery: "delivered", audience: 0, awaited: [] },
  }
}

/** Whether a message is to us by name. */
export const names = ({ mentions }: Pick<ChatMessage, "mentions">, who: Address): boolean =>
  mentions.some((mention) => mention.who === who)

/**
 * The ledger has placed a message. Late is what it placed before something that was read already, and what stood before a text until an
 * earlier block placed that one.
 */
export function placed(thread: ChatThread, message: ChatMessage, place: MessagePlace): Received {
  const { height, lamport, before } = thread.settled
  const isNew = place.height > height
  const below = isNew ? Math.max(lamport, before) : before
  const there = { ...message, place }
  const slippedIn = compare(positionOf(there), thread.readThrough) < 0
  const fellBack = place.height >= height && message.lamport < below
  const settled =
    place.height < height
      ? { height, lamport, before: Math.max(before, message.lamport) }
      : {
          height: place.height,
          lamport: isNew ? message.lamport : Math.max(lamport, message.lamport),
          before: below,
        }
  return {
    thread: { ...thread, settled },
    message: { ...there, late: message.late || slippedIn || fellBack },
  }
}

/** How long stays what is said was set: whoever set it last has it their way. */
export function withLifetime(thread: ChatThread, set: LifetimeSet): ChatThread {
  const known = thread.lifetime
  const isLater =
    known === null ||
    set.lamport > known.lamport ||
    (set.lamport === known.lamport && compare(set.id, known.id) > 0)
  return isLater ? { ...thread, lifetime: set } : thread
}

/** These were read: `left` is what is still unread behind them. A mark never moves back. */
export function readUpTo(
  thread: ChatThread,
  mark: Bytes,
  left: Pick<ChatThread, "unread" | "mentioned">,
  ids: readonly Bytes[],
): ChatThread {
  const readThrough = compare(mark, thread.readThrough) > 0 ? mark : thread.readThrough
  const owedRead = thread.tellsRead ? [...thread.owedRead, ...ids].slice(-OWED_MAX) : []
  return { ...thread, readThrough, ...left, owedRead }
}

/** These receipts are on their way. */
export function paid(thread: ChatThread, ids: readonly Bytes[]): ChatThread {
  const gone = new Set(ids.map(toHex))
  return { ...thread, owed: thread.owed.filter((id) => !gone.has(toHex(id))) }
}

/** The same of what was read. */
export function paidRead(thread: ChatThread, ids: readonly Bytes[]): ChatThread {
  const gone = new Set(ids.map(toHex))
  return { ...thread, owedRead: thread.owedRead.filter((id) => !gone.has(toHex(id))) }
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
  const { settled, lifetime, owedRead, lacks } = thread
  out.u32(thread.mentioned).u16(owedRead.length)
  for (const id of owedRead) out.raw(id)
  writeLamport(writeLamport(out.u64(settled.height), settled.lamport), settled.before)
  const tells = (thread.tellsRead ? 1 : 0) | (thread.tellsTyping ? 2 : 0)
  out.u8(tells | (lifetime === null ? 0 : 4) | (lacks === null ? 0 : 8))
  if (lifetime !== null)
    writeLifetimeOrNone(writeLamport(out.raw(lifetime.id), lifetime.lamport), lifetime.lifetime)
  if (lacks !== null) writeLamport(out.u64(lacks.above), lacks.through).u16(lacks.count)
  return out.finish()
}

/** From our own sealed store, of this program or an earlier one. Throws CryptoError when that is damaged. */
export function decodeThread(bytes: Bytes): ChatThread {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION && version !== 2) throw new CryptoError("BAD_VERSION", "thread record")
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
  const more = version === 2 ? {} : readMore(read)
  read.done()
  if (standing === undefined) throw new CryptoError("BAD_ENCODING", "thread record")
  const group = groupId.length === 0 ? null : groupId
  const peer = group === null ? addressFromBytes(other) : null
  const known = { id, peer, group, name, standing, hidden, lamport, unread, readThrough, owed }
  return { ...fresh(), ...known, ...more }
}

function readMore(read: Reader): Partial<ChatThread> {
  const mentioned = read.u32()
  const owedRead = Array.from({ length: read.u16() }, () => read.raw(MESSAGE_ID_BYTES))
  const settled = { height: read.u64(), lamport: readLamport(read), before: readLamport(read) }
  const flags = read.u8()
  if (flags > 15) throw new CryptoError("BAD_ENCODING", "thread record")
  const id = (flags & 4) === 0 ? undefined : read.raw(MESSAGE_ID_BYTES)
  const lifetime =
    id === undefined ? null : { id, lamport: readLamport(read), lifetime: readLifetimeOrNone(read) }
  const tells = { tellsRead: (flags & 1) !== 0, tellsTyping: (flags & 2) !== 0 }
  const lacks =
    (flags & 8) === 0 ? null : { above: read.u64(), through: readLamport(read), count: read.u16() }
  return { mentioned, owedRead, settled, lifetime, ...tells, lacks }
}
