/**
 * What people say to each other, as it stands inside an MLS application message: one or more contents, so that texts waiting while an
 * envelope is being made travel together. Versioned and strict: kinds below 128 that this program does not know make the whole list
 * unreadable (they matter), kinds from 128 on are skipped (they do not).
 *
 *   version 1 · then until the end: kind 1 · length 4 · body
 *   1 text     id 16 · sent at, ms 8 · Lamport clock 6 (u16 ‖ u32) · UTF-8
 *   2 receipt  ids 16 each: these texts are stored at the recipient
 *   3 profile  UTF-8: what the author calls themselves
 *   4 file     id 16 · sent at, ms 8 · Lamport clock 6 · ref 73 · name of length 1 · type of length 1 · UTF-8: what is said of it
 *  16 leave    nothing: the author asks to be removed from this group
 */
import { type Bytes, concat, fromUtf8, Reader, utf8, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"
import { type FileNote, readFileNote, writeFileNote } from "./file.ts"

const VERSION = 1
export const MESSAGE_ID_BYTES = 16
/** Longest text in UTF-8 bytes: with the MLS and fragment overhead it fits eight envelopes. */
export const TEXT_BYTES_MAX = 16_000
/** Longest text beside a file, which has to fit the same. */
export const CAPTION_BYTES_MAX = 4_000
/** Ids in one receipt, so that a receipt fits one envelope. */
export const RECEIPT_IDS_MAX = 100
/** A Lamport clock stays below 2^48. */
export const LAMPORT_MAX = 2 ** 48 - 1

export type Content =
  | {
      readonly kind: "text"
      /** 16 bytes, random, chosen by the author. */
      readonly id: Bytes
      readonly sentAtMs: number
      readonly lamport: number
      readonly text: string
      /** The file that the message brings: then the text may be empty. */
      readonly file?: FileNote
    }
  | { readonly kind: "receipt"; readonly ids: readonly Bytes[] }
  | { readonly kind: "profile"; readonly name: string }
  | { readonly kind: "leave" }

/** The last moment that a date can name: a screen that is told a later one would fail to show it. */
export const SENT_AT_MAX_MS = 8_640_000_000_000_000

const KINDS = { text: 1, receipt: 2, profile: 3, file: 4, leave: 16 } as const
const FIRST_SKIPPED_KIND = 128
const CONTENT_BYTES_MAX = 32 * 1024

const body = (content: Content): Bytes => {
  switch (content.kind) {
    case "text": {
      const head = new Writer().raw(content.id).u64(content.sentAtMs)
      head.u16(Math.floor(content.lamport / 2 ** 32)).u32(content.lamport % 2 ** 32)
      if (content.file !== undefined) writeFileNote(head, content.file)
      return head.raw(utf8(content.text)).finish()
    }
    case "receipt":
      return concat(...content.ids)
    case "profile":
      return utf8(content.name)
    case "leave":
      return new Uint8Array(0)
  }
}

/** Bytes that a content adds to a list. */
export const contentBytes = (content: Content) => 5 + body(content).length

const kindOf = (content: Content) =>
  content.kind === "text" && content.file !== undefined ? KINDS.file : KINDS[content.kind]

export function encodeContents(contents: readonly Content[]): Bytes {
  const out = new Writer().u8(VERSION)
  for (const content of contents) out.u8(kindOf(content)).bytes(body(content), 4)
  return out.finish()
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeContents(bytes: Bytes): Content[] {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `contents of version ${version}`)
  const contents: Content[] = []
  while (read.left > 0) {
    const kind = read.u8()
    const inner = new Reader(read.bytes(4, CONTENT_BYTES_MAX))
    if (kind >= FIRST_SKIPPED_KIND) continue
    contents.push(decodeContent(kind, inner))
  }
  return contents
}

function decodeContent(kind: number, read: Reader): Content {
  switch (kind) {
    case KINDS.text:
    case KINDS.file: {
      const id = read.raw(MESSAGE_ID_BYTES)
      const sentAtMs = read.u64()
      if (sentAtMs > SENT_AT_MAX_MS) throw new CryptoError("BAD_ENCODING", "no such moment")
      const lamport = read.u16() * 2 ** 32 + read.u32()
      const file = kind === KINDS.file ? { file: readFileNote(read) } : {}
      if (read.left > (kind === KINDS.file ? CAPTION_BYTES_MAX : TEXT_BYTES_MAX))
        throw new CryptoError("TOO_LARGE", "text too long")
      return { kind: "text", id, sentAtMs, lamport, text: fromUtf8(read.raw(read.left)), ...file }
    }
    case KINDS.receipt: {
      if (read.left % MESSAGE_ID_BYTES !== 0 || read.left === 0)
        throw new CryptoError("BAD_ENCODING", "receipt of broken ids")
      const count = read.left / MESSAGE_ID_BYTES
      if (count > RECEIPT_IDS_MAX) throw new CryptoError("TOO_LARGE", `receipt for ${count} texts`)
      return {
        kind: "receipt",
        ids: Array.from({ length: count }, () => read.raw(MESSAGE_ID_BYTES)),
      }
    }
    case KINDS.profile: {
      if (read.left > NAME_BYTES_MAX) throw new CryptoError("TOO_LARGE", "name too long")
      return { kind: "profile", name: fromUtf8(read.raw(read.left)) }
    }
    case KINDS.leave:
      read.done()
      return { kind: "leave" }
    default:
      throw new CryptoError("BAD_ENCODING", `content of unknown kind ${kind}`)
  }
}

/** The first contents that fit `room` bytes as one list; at least one, so that a long text goes alone. */
export function takeFitting(contents: readonly Content[], room: number): Content[] {
  let used = 1
  const fitting = contents.findIndex((content) => (used += contentBytes(content)) > room)
  return contents.slice(0, fitting === -1 ? contents.length : Math.max(1, fitting))
}
