/**
 * What becomes of a message by what is done to it (act.ts). The same at everybody who has the same acts, in whatever order they came and
 * however often: of one author's edits, and of one person's reactions to it, the one with the highest stamp (Lamport clock, then id)
 * holds; a deletion by the author outweighs all. Acts that come before their message wait for it in the same form.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, compare, Reader, Writer } from "../crypto/bytes.ts"
import {
  type Act,
  type Edit,
  type Reaction,
  readDeletion,
  readEdit,
  readReaction,
  writeAct,
} from "./act.ts"
import { type ChatMessage, type Edited, type Reacted, REACTED_MAX, type Stamp } from "./message.ts"

/** How long after a message, by its author's own clock, its author may say it otherwise. */
export const EDIT_AGE_MAX_MS = 24 * 3_600_000

const isLater = (a: Stamp, b: Stamp | null | undefined): boolean =>
  b === null ||
  b === undefined ||
  a.lamport > b.lamport ||
  (a.lamport === b.lamport && compare(a.id, b.id) > 0)

/** The message after this act; the very same one if it changes nothing, because it may not, or a later one holds. */
export function actedOn(message: ChatMessage, act: Act, by: Address): ChatMessage {
  if (message.deleted || message.sets !== null || message.notice !== null) return message
  switch (act.kind) {
    case "edit":
      return edited(message, act, by)
    case "reaction":
      return reacted(message, act, by)
    case "deletion":
      return by === message.author ? withoutWords(message) : message
  }
}

function edited(message: ChatMessage, edit: Edit, by: Address): ChatMessage {
  if (by !== message.author || !isLater(edit, message.edited)) return message
  const first = message.edited?.first ?? { text: message.text, mentions: message.mentions }
  const counts = mayReplace(message, edit)
  const { text, mentions } = counts ? edit : first
  const last: Edited = { id: edit.id, lamport: edit.lamport, atMs: edit.sentAtMs, counts, first }
  return { ...message, text, mentions, edited: last }
}

/** Judged of the author's last word alone, so that nobody's order of arrival matters. */
const mayReplace = ({ file, sentAtMs }: ChatMessage, edit: Edit): boolean =>
  (edit.text.trim() !== "" || file !== undefined) && edit.sentAtMs <= sentAtMs + EDIT_AGE_MAX_MS

function reacted(message: ChatMessage, { id, lamport, signs }: Reaction, by: Address): ChatMessage {
  const before = message.reactions.find((each) => each.by === by)
  if (!isLater({ id, lamport }, before)) return message
  const others = message.reactions.filter((each) => each !== before)
  return { ...message, reactions: firstOnes([...others, { by, id, lamport, signs }]) }
}

/** Who sorts first stays: the same ones at everybody. What was taken back is kept, or an older one would come back. */
const firstOnes = (reactions: readonly Reacted[]): Reacted[] =>
  reactions.toSorted((a, b) => (a.by < b.by ? -1 : 1)).slice(0, REACTED_MAX)

/** What is left when its words are gone: that it was there, when, and by whom. */
function withoutWords(message: ChatMessage): ChatMessage {
  const rest: Omit<ChatMessage, "file"> & { file?: unknown } = { ...message }
  delete rest.file
  return {
    ...(rest as Omit<ChatMessage, "file">),
    text: "",
    mentions: [],
    replyTo: null,
    edited: null,
    reactions: [],
    deleted: true,
  }
}

/** What one person did to a message that is not here yet. */
export interface Early {
  readonly by: Address
  readonly edit: Edit | null
  readonly reaction: Reaction | null
  readonly deletion: Act | null
}

/** With one more act; the very same if it changes nothing. */
export function gathered(early: readonly Early[], act: Act, by: Address): readonly Early[] {
  const before = early.find((each) => each.by === by)
  const own = before ?? { by, edit: null, reaction: null, deletion: null }
  const held = own[act.kind]
  if (act.kind === "deletion" ? held !== null : !isLater(act, held)) return early
  const after = { ...own, [act.kind]: act }
  return [...early.filter((each) => each !== before), after]
}

/** The message has come: with all that was done to it before. */
export function withEarly(message: ChatMessage, early: readonly Early[]): ChatMessage {
  let now = message
  for (const { by, edit, reaction, deletion } of early)
    for (const act of [edit, reaction, deletion]) if (act !== null) now = actedOn(now, act, by)
  return now
}

const ACT_BYTES_MAX = 32 * 1024

export function encodeEarly(early: readonly Early[]): Bytes {
  const out = new Writer().u16(early.length)
  const act = (each: Act | null) =>
    each === null ? new Uint8Array(0) : writeAct(new Writer(), each).finish()
  for (const { by, edit, reaction, deletion } of early)
    out.raw(addressBytes(by)).bytes(act(edit), 4).bytes(act(reaction), 4).bytes(act(deletion), 4)
  return out.finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeEarly(bytes: Bytes): Early[] {
  const read = new Reader(bytes)
  const one = <T>(how: (read: Reader) => T): T | null => {
    const inner = new Reader(read.bytes(4, ACT_BYTES_MAX))
    if (inner.left === 0) return null
    const value = how(inner)
    inner.done()
    return value
  }
  const early = Array.from({ length: read.u16() }, (): Early => {
    const by = addressFromBytes(read.raw(64))
    return { by, edit: one(readEdit), reaction: one(readReaction), deletion: one(readDeletion) }
  })
  read.done()
  return early
}
