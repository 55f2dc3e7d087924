/**
 * What people say to each other, as it stands inside an MLS application message: one or more contents, so that texts waiting while an
 * envelope is being made travel together. Versioned and strict: kinds below 128 that this program does not know make the whole list
 * unreadable (they matter), kinds from 128 on are skipped where they are not known (they do not).
 *
 *   version 1 · then until the end: kind 1 · length 4 · body
 *    1 text      id 16 · sent at, ms 8 · Lamport clock 6 (u16 ‖ u32) · UTF-8
 *    2 receipt   ids 16 each: these texts are stored at the recipient
 *    3 profile   UTF-8: what the author calls themselves
 *    4 file      id 16 · sent at, ms 8 · Lamport clock 6 · ref 73 · name of length 1 · type of length 1 · UTF-8: what is said of it
 *    5 rich text id 16 · sent at, ms 8 · Lamport clock 6 · parts 1 · those parts (said.ts) · UTF-8
 *    6 edit      id 16 · message 16 · sent at, ms 8 · Lamport clock 6 · mentions (mention.ts) · UTF-8: what it says instead
 *    7 reaction  id 16 · message 16 · Lamport clock 6 · signs (reaction.ts)
 *    8 deletion  id 16 · message 16 · Lamport clock 6: asks everybody to delete a message of the author's
 *    9 lifetime  id 16 · sent at, ms 8 · Lamport clock 6 · lifetime 5, zeros for none: what is said from now on stays so long
 *   16 leave     nothing: the author asks to be removed from this group
 *  128 typing    sent at, ms 8 · 1 while the author writes, 0 when not any more
 *  130 lack     height 8: the author cannot read what was said to them above it, and asks for it again
 *  129 read      ids 16 each: these texts were shown to the recipient
 */
import { type Bytes, concat, fromUtf8, Reader, utf8, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"
import { type Act, readDeletion, readEdit, readReaction, writeAct } from "./act.ts"
import { type Lifetime, readLifetimeOrNone, writeLifetimeOrNone } from "./lifetime.ts"
import {
  isRich,
  readFileText,
  readHead,
  readRichText,
  readText,
  type Text,
  writeHead,
  writeText,
} from "./said.ts"

export {
  CAPTION_BYTES_MAX,
  LAMPORT_MAX,
  MESSAGE_ID_BYTES,
  SENT_AT_MAX_MS,
  TEXT_BYTES_MAX,
} from "./said.ts"
import { MESSAGE_ID_BYTES } from "./said.ts"

const VERSION = 1
/** Ids in one receipt, so that a receipt fits one envelope. */
export const RECEIPT_IDS_MAX = 100

/** From now on what is said here stays so long; null: for good. */
export interface Setting {
  readonly kind: "lifetime"
  /** 16 bytes, random, chosen by the author. */
  readonly id: Bytes
  readonly sentAtMs: number
  readonly lamport: number
  readonly lifetime: Lifetime | null
}

export type Content =
  | Text
  | Act
  | Setting
  | { readonly kind: "receipt" | "read"; readonly ids: readonly Bytes[] }
  | { readonly kind: "profile"; readonly name: string }
  | { readonly kind: "leave" }
  | { readonly kind: "lack"; readonly above: number }
  | { readonly kind: "typing"; readonly sentAtMs: number; readonly active: boolean }

/** What has an id of its own and a place in the thread's clock: it is said once, however often it travels. */
export type Saying = Extract<Content, { readonly id: Bytes }>
export const isSaying = (content: Content): content is Saying => "id" in content
export const isAct = (content: Content): content is Act =>
  content.kind === "edit" || content.kind === "reaction" || content.kind === "deletion"
/** What stands in the thread as a message of its own. */
export const isPosted = (content: Content): content is Text | Setting =>
  content.kind === "text" || content.kind === "lifetime"

const KINDS = {
  text: 1,
  receipt: 2,
  profile: 3,
  file: 4,
  rich: 5,
  edit: 6,
  reaction: 7,
  deletion: 8,
  lifetime: 9,
  leave: 16,
  typing: 128,
  read: 129,
  lack: 130,
} as const
const FIRST_SKIPPED_KIND = 128
const CONTENT_BYTES_MAX = 32 * 1024

const body = (content: Content): Bytes => {
  switch (content.kind) {
    case "text":
      return writeText(new Writer(), content).finish()
    case "edit":
    case "reaction":
    case "deletion":
      return writeAct(new Writer(), content).finish()
    case "lifetime":
      return writeLifetimeOrNone(writeHead(new Writer(), content), content.lifetime).finish()
    case "receipt":
    case "read":
      return concat(...content.ids)
    case "profile":
      return utf8(content.name)
    case "leave":
      return new Uint8Array(0)
    case "lack":
      return new Writer().u64(content.above).finish()
    case "typing":
      return new Writer()
        .u64(content.sentAtMs)
        .u8(content.active ? 1 : 0)
        .finish()
  }
}

/** Bytes that a content adds to a list. */
export const contentBytes = (content: Content) => 5 + body(content).length

const kindOf = (content: Content) =>
  content.kind !== "text"
    ? KINDS[content.kind]
    : isRich(content)
      ? KINDS.rich
      : content.file === undefined
        ? KINDS.text
        : KINDS.file

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
    const content = decodeContent(kind, inner)
    if (content === undefined) continue
    inner.done()
    contents.push(content)
  }
  return contents
}

/** Nothing for a kind that is skipped. */
function decodeContent(kind: number, read: Reader): Content | undefined {
  switch (kind) {
    case KINDS.text:
      return readText(read)
    case KINDS.file:
      return readFileText(read)
    case KINDS.rich:
      return readRichText(read)
    case KINDS.edit:
      return readEdit(read)
    case KINDS.reaction:
      return readReaction(read)
    case KINDS.deletion:
      return readDeletion(read)
    case KINDS.lifetime:
      return { kind: "lifetime", ...readHead(read), lifetime: readLifetimeOrNone(read) }
    case KINDS.receipt:
      return { kind: "receipt", ids: readIds(read) }
    case KINDS.read:
      return { kind: "read", ids: readIds(read) }
    case KINDS.profile:
      if (read.left > NAME_BYTES_MAX) throw new CryptoError("TOO_LARGE", "name too long")
      return { kind: "profile", name: fromUtf8(read.raw(read.left)) }
    case KINDS.leave:
      return { kind: "leave" }
    case KINDS.lack:
      return { kind: "lack", above: read.u64() }
    case KINDS.typing: {
      const [sentAtMs, active] = [read.u64(), read.u8()]
      if (active > 1) throw new CryptoError("BAD_ENCODING", "typing or not")
      return { kind: "typing", sentAtMs, active: active === 1 }
    }
    default:
      if (kind >= FIRST_SKIPPED_KIND) return undefined
      throw new CryptoError("BAD_ENCODING", `content of unknown kind ${kind}`)
  }
}

function readIds(read: Reader): Bytes[] {
  if (read.left % MESSAGE_ID_BYTES !== 0 || read.left === 0)
    throw new CryptoError("BAD_ENCODING", "receipt of broken ids")
  const count = read.left / MESSAGE_ID_BYTES
  if (count > RECEIPT_IDS_MAX) throw new CryptoError("TOO_LARGE", `receipt for ${count} texts`)
  return Array.from({ length: count }, () => read.raw(MESSAGE_ID_BYTES))
}

/** The first contents that fit `room` bytes as one list; at least one, so that a long text goes alone. */
export function takeFitting(contents: readonly Content[], room: number): Content[] {
  let used = 1
  const fitting = contents.findIndex((content) => (used += contentBytes(content)) > room)
  return contents.slice(0, fitting === -1 ? contents.length : Math.max(1, fitting))
}
