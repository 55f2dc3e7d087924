/**
 * A message as it is kept: what was said, what was done to it since (fold.ts), where it stands (position.ts), how far it got.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, concat, Reader, toHex, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { type Delivery, DELIVERIES } from "./delivery.ts"
import { type FileNote, readFileNote, writeFileNote } from "./file.ts"
import { type Lifetime, readLifetimeOrNone, writeLifetimeOrNone } from "./lifetime.ts"
import { type Mention, readMentions, writeMentions } from "./mention.ts"
import { type MessagePlace, type Placed, positionOf } from "./position.ts"
import { type Notice, readNotice, writeNotice } from "./notice.ts"
import { readSigns, writeSigns } from "./reaction.ts"
import { LAMPORT_MAX, MESSAGE_ID_BYTES, readLamport, TEXT_BYTES_MAX, writeLamport } from "./said.ts"

export { POSITION_BYTES, positionOf } from "./position.ts"

const VERSION = 3
/** How far one message may pull a thread's clock ahead; a wilder claim counts as this much. */
const LAMPORT_LEAP_MAX = 2 ** 20
/** People whose reactions a message keeps: as many as a group holds. */
export const REACTED_MAX = 256

/** Of several of one kind by one author, the one with the highest stamp holds. */
export interface Stamp {
  readonly lamport: number
  /** 16 bytes. */
  readonly id: Bytes
}

/** The author's last word about a message. */
export interface Edited extends Stamp {
  readonly atMs: number
  /** It came within EDIT_AGE_MAX_MS. Otherwise the message still says what it said. */
  readonly counts: boolean
  /** What the message said first. */
  readonly first: { readonly text: string; readonly mentions: readonly Mention[] }
}

export interface Reacted extends Stamp {
  readonly by: Address
  /** Empty: taken back. */
  readonly signs: readonly string[]
}

export interface ChatMessage extends Placed {
  /** 16 bytes. */
  readonly id: Bytes
  readonly author: Address
  readonly mine: boolean
  readonly lamport: number
  readonly sentAtMs: number
  readonly text: string
  readonly delivery: Delivery
  /** The ledger put it before something that had been read already, or behind something written after it. */
  readonly late: boolean
  /** Its author said it again, because we had lost the keys: where it stands is their word. Only with a place. */
  readonly again: boolean
  /** Of ours in a group: how many were in it when it left, besides us. */
  readonly audience: number
  /** Those of them whose receipt has not come, 8 bytes each: the begin of their address. */
  readonly awaited: readonly Bytes[]
  /** Of ours: those who said that they have read it, 8 bytes each. */
  readonly readBy: readonly Bytes[]
  /** The file that it brings. */
  readonly file?: FileNote
  /** The message that it answers, 16 bytes. */
  readonly replyTo: Bytes | null
  readonly mentions: readonly Mention[]
  /** How long it stays once it is seen or ordered. */
  readonly lifetime: Lifetime | null
  /** It says nothing, it sets how long what is said here stays. */
  readonly sets: { readonly lifetime: Lifetime | null } | null
  /** Nobody said it: the group tells it of itself (notice.ts). */
  readonly notice: Notice | null
  readonly edited: Edited | null
  /** By address, ascending. */
  readonly reactions: readonly Reacted[]
  /** Its author asked for that: its words are gone. */
  readonly deleted: boolean
}

/** What most messages have nothing of. */
export const PLAIN = {
  place: "none",
  again: false,
  readBy: [],
  replyTo: null,
  mentions: [],
  lifetime: null,
  sets: null,
  notice: null,
  edited: null,
  reactions: [],
  deleted: false,
} as const satisfies Partial<ChatMessage>

export const AWAITED_BYTES = 8
export const awaitedAs = (who: Address): Bytes => addressBytes(who).subarray(0, AWAITED_BYTES)

export const positionText = (message: Placed) => toHex(positionOf(message))

/** What the thread's clock becomes after seeing `claimed`. */
export function advanceLamport(clock: number, claimed: number): number {
  return Math.min(Math.max(clock, Math.min(claimed, clock + LAMPORT_LEAP_MAX)), LAMPORT_MAX)
}

const FLAGS = {
  mine: 1,
  late: 2,
  file: 4,
  deleted: 8,
  edited: 16,
  counts: 32,
  sets: 64,
  notice: 128,
} as const
const PLACES = { none: 0, former: 1, ordered: 2, again: 3 } as const

export function encodeMessage(message: ChatMessage): Bytes {
  const { edited, sets, notice, file } = message
  const out = new Writer()
    .u8(VERSION)
    .raw(message.id)
    .raw(addressBytes(message.author))
    .u8(
      (message.mine ? FLAGS.mine : 0) |
        (message.late ? FLAGS.late : 0) |
        (file === undefined ? 0 : FLAGS.file) |
        (message.deleted ? FLAGS.deleted : 0) |
        (edited === null ? 0 : FLAGS.edited) |
        (edited?.counts === true ? FLAGS.counts : 0) |
        (sets === null ? 0 : FLAGS.sets) |
        (notice === null ? 0 : FLAGS.notice),
    )
    .u8(DELIVERIES.indexOf(message.delivery))
    .u64(message.lamport)
    .u64(message.sentAtMs)
    .text(message.text, 4)
    .u16(message.audience)
    .bytes(concat(...message.awaited), 2)
    .bytes(concat(...message.readBy), 2)
  if (file !== undefined) writeFileNote(out, file)
  writePlace(out, message)
  out.bytes(message.replyTo ?? new Uint8Array(0), 1)
  writeLifetimeOrNone(writeMentions(out, message.mentions), message.lifetime)
  if (sets !== null) writeLifetimeOrNone(out, sets.lifetime)
  if (notice !== null) writeNotice(out, notice)
  if (edited !== null) {
    const { id, lamport, atMs, first } = edited
    writeLamport(out.raw(id), lamport).u64(atMs).text(first.text, 4)
    writeMentions(out, first.mentions)
  }
  out.u16(message.reactions.length)
  for (const { id, lamport, by, signs } of message.reactions)
    writeSigns(writeLamport(out.raw(addressBytes(by)).raw(id), lamport), signs)
  return out.finish()
}

/** From our own sealed store, of this program or an earlier one. Throws CryptoError when that is damaged. */
export function decodeMessage(bytes: Bytes): ChatMessage {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION && version !== 2) throw new CryptoError("BAD_VERSION", "message record")
  const id = read.raw(MESSAGE_ID_BYTES)
  const author = addressFromBytes(read.raw(64))
  const flags = read.u8()
  const delivery = DELIVERIES[read.u8()]
  if (delivery === undefined || flags > (version === 2 ? 7 : 255))
    throw new CryptoError("BAD_ENCODING", "message record")
  const has = (flag: number) => (flags & flag) !== 0
  const lamport = read.u64()
  const sentAtMs = read.u64()
  const text = read.text(4, TEXT_BYTES_MAX)
  const audience = read.u16()
  const awaited = readBegins(read, audience)
  const readBy = version === 2 ? [] : readBegins(read, Math.max(audience, 1))
  const file = has(FLAGS.file) ? { file: readFileNote(read) } : {}
  const head = { id, author, mine: has(FLAGS.mine), late: has(FLAGS.late), lamport, sentAtMs, text }
  const kept = { ...head, delivery, audience, awaited, readBy, ...file }
  if (version === 2) {
    read.done()
    return { ...PLAIN, ...kept, place: "former" }
  }
  const place = readPlace(read)
  const answered = read.bytes(1, MESSAGE_ID_BYTES)
  const mentions = readMentions(read)
  const lifetime = readLifetimeOrNone(read)
  const sets = has(FLAGS.sets) ? { lifetime: readLifetimeOrNone(read) } : null
  const notice = has(FLAGS.notice) ? readNotice(read) : null
  const edited = has(FLAGS.edited) ? readEdited(read, has(FLAGS.counts)) : null
  const reactions = Array.from({ length: read.u16() }, () => readReacted(read))
  read.done()
  const told = { ...place, mentions, lifetime, sets, notice }
  const more = { ...told, edited, reactions, deleted: has(FLAGS.deleted) }
  return { ...kept, ...more, replyTo: answered.length === 0 ? null : answered }
}

function readBegins(read: Reader, most: number): Bytes[] {
  const some = new Reader(read.bytes(2, AWAITED_BYTES * most))
  const begins: Bytes[] = []
  while (some.left > 0) begins.push(some.raw(AWAITED_BYTES))
  return begins
}

function writePlace(out: Writer, { place, again }: Pick<ChatMessage, "place" | "again">): void {
  if (typeof place === "string") out.u8(PLACES[place])
  else
    out
      .u8(again ? PLACES.again : PLACES.ordered)
      .u64(place.height)
      .u32(place.index)
      .u32(place.part)
}

function readPlace(read: Reader): Pick<ChatMessage, "place" | "again"> {
  const kind = read.u8()
  if (kind === PLACES.none) return { place: "none", again: false }
  if (kind === PLACES.former) return { place: "former", again: false }
  if (kind !== PLACES.ordered && kind !== PLACES.again)
    throw new CryptoError("BAD_ENCODING", "message record")
  const place: MessagePlace = { height: read.u64(), index: read.u32(), part: read.u32() }
  return { place, again: kind === PLACES.again }
}

function readEdited(read: Reader, counts: boolean): Edited {
  const [id, lamport, atMs] = [read.raw(MESSAGE_ID_BYTES), readLamport(read), read.u64()]
  const first = { text: read.text(4, TEXT_BYTES_MAX), mentions: readMentions(read) }
  return { id, lamport, atMs, counts, first }
}

function readReacted(read: Reader): Reacted {
  const by = addressFromBytes(read.raw(64))
  const [id, lamport] = [read.raw(MESSAGE_ID_BYTES), readLamport(read)]
  return { by, id, lamport, signs: readSigns(read) }
}
