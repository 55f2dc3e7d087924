/**
 * A text as it travels, alone (kind 1), with a file (kind 4), or with more (kind 5): an answer to an earlier message, people it mentions,
 * how long it stays. One value has one encoding: kind 5 is for texts that have one of those.
 *
 *   kind 5, behind the head: parts 1 (bits: 1 answers, 2 file, 4 mentions, 8 lifetime, 16 again) · message answered 16 · file (file.ts) ·
 *   mentions (mention.ts) · lifetime 5 · place 16 (height 8, envelope's number 4, text's number 4) · UTF-8
 */
import { type Bytes, fromUtf8, type Reader, utf8, type Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { type FileNote, readFileNote, writeFileNote } from "./file.ts"
import { type Lifetime, LIFETIME_BYTES, readLifetime, writeLifetime } from "./lifetime.ts"
import {
  checkMentions,
  type Mention,
  mentionsBytes,
  readMentions,
  writeMentions,
} from "./mention.ts"
import type { MessagePlace } from "./position.ts"

export const MESSAGE_ID_BYTES = 16
/** Longest text in UTF-8 bytes, with what it brings besides: with the MLS and fragment overhead it fits eight envelopes. */
export const TEXT_BYTES_MAX = 16_000
/** Longest text beside a file, which has to fit the same. */
export const CAPTION_BYTES_MAX = 4_000
/** A Lamport clock stays below 2^48. */
export const LAMPORT_MAX = 2 ** 48 - 1
/** The last moment that a date can name: a screen that is told a later one would fail to show it. */
export const SENT_AT_MAX_MS = 8_640_000_000_000_000

export interface Head {
  /** 16 bytes, random, chosen by the author. */
  readonly id: Bytes
  readonly sentAtMs: number
  readonly lamport: number
}

export interface Text extends Head {
  readonly kind: "text"
  readonly text: string
  /** The file that the message brings: then the text may be empty. */
  readonly file?: FileNote
  /** The message that it answers, 16 bytes. */
  readonly replyTo?: Bytes
  /** Not empty. */
  readonly mentions?: readonly Mention[]
  readonly lifetime?: Lifetime
  /** Said again for somebody who had lost the keys it was under: where the ledger had put it, as its author says. */
  readonly again?: MessagePlace
}

const PARTS = { reply: 1, file: 2, mentions: 4, lifetime: 8, again: 16 } as const

export const isRich = ({ replyTo, mentions, lifetime, again }: Text): boolean =>
  [replyTo, mentions, lifetime, again].some((part) => part !== undefined)

/** How long the words of such a text may be, in bytes. What is said again may be as long as it was: there is room for its place. */
export function textRoom({ file, replyTo, mentions, lifetime }: Omit<Text, "text">): number {
  if (file !== undefined) return CAPTION_BYTES_MAX
  const reply = replyTo === undefined ? 0 : MESSAGE_ID_BYTES
  const named = mentions === undefined ? 0 : mentionsBytes(mentions)
  return TEXT_BYTES_MAX - reply - named - (lifetime === undefined ? 0 : LIFETIME_BYTES)
}

export const writeLamport = (out: Writer, lamport: number): Writer =>
  out.u16(Math.floor(lamport / 2 ** 32)).u32(lamport % 2 ** 32)
export const readLamport = (read: Reader): number => read.u16() * 2 ** 32 + read.u32()

export const writeHead = (out: Writer, { id, sentAtMs, lamport }: Head): Writer =>
  writeLamport(out.raw(id).u64(sentAtMs), lamport)

/** Throws CryptoError. */
export function readHead(read: Reader): Head {
  const id = read.raw(MESSAGE_ID_BYTES)
  return { id, sentAtMs: readMoment(read), lamport: readLamport(read) }
}

export function readMoment(read: Reader): number {
  const sentAtMs = read.u64()
  if (sentAtMs > SENT_AT_MAX_MS) throw new CryptoError("BAD_ENCODING", "no such moment")
  return sentAtMs
}

export function writeText(out: Writer, said: Text): Writer {
  const { text, file, replyTo, mentions, lifetime, again } = said
  writeHead(out, said)
  if (isRich(said))
    out.u8(
      (replyTo === undefined ? 0 : PARTS.reply) |
        (file === undefined ? 0 : PARTS.file) |
        (mentions === undefined ? 0 : PARTS.mentions) |
        (lifetime === undefined ? 0 : PARTS.lifetime) |
        (again === undefined ? 0 : PARTS.again),
    )
  if (replyTo !== undefined) out.raw(replyTo)
  if (file !== undefined) writeFileNote(out, file)
  if (mentions !== undefined) writeMentions(out, mentions)
  if (lifetime !== undefined) writeLifetime(out, lifetime)
  if (again !== undefined) out.u64(again.height).u32(again.index).u32(again.part)
  return out.raw(utf8(text))
}

function withWords(read: Reader, said: Omit<Text, "text">): Text {
  if (read.left > textRoom(said)) throw new CryptoError("TOO_LARGE", "text too long")
  const words = read.raw(read.left)
  if (said.mentions !== undefined) checkMentions(words, said.mentions)
  return { ...said, text: fromUtf8(words) }
}

/** Throws CryptoError. */
export const readText = (read: Reader): Text => withWords(read, { kind: "text", ...readHead(read) })

/** Throws CryptoError. */
export const readFileText = (read: Reader): Text =>
  withWords(read, { kind: "text", ...readHead(read), file: readFileNote(read) })

/** Throws CryptoError. */
export function readRichText(read: Reader): Text {
  const head = readHead(read)
  const parts = read.u8()
  const isMore = (parts & ~PARTS.file) !== 0
  if (parts > 31 || !isMore) throw new CryptoError("BAD_ENCODING", "parts of a text")
  const replyTo = (parts & PARTS.reply) === 0 ? {} : { replyTo: read.raw(MESSAGE_ID_BYTES) }
  const file = (parts & PARTS.file) === 0 ? {} : { file: readFileNote(read) }
  const mentions = (parts & PARTS.mentions) === 0 ? {} : { mentions: someMentions(read) }
  const lifetime = (parts & PARTS.lifetime) === 0 ? {} : { lifetime: readLifetime(read) }
  const again = (parts & PARTS.again) === 0 ? {} : { again: readPlace(read) }
  const more = { ...replyTo, ...file, ...mentions, ...lifetime, ...again }
  return withWords(read, { kind: "text", ...head, ...more })
}

const readPlace = (read: Reader): MessagePlace => ({
  height: read.u64(),
  index: read.u32(),
  part: read.u32(),
})

function someMentions(read: Reader): Mention[] {
  const mentions = readMentions(read)
  if (mentions.length === 0) throw new CryptoError("BAD_ENCODING", "no mentions")
  return mentions
}
