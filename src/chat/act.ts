/**
 * What is done to a message that was said: its author says it otherwise or asks everybody to delete it, anybody answers it with signs.
 * As it travels; what it does stands in fold.ts.
 */
import { type Bytes, fromUtf8, type Reader, utf8, type Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import {
  checkMentions,
  type Mention,
  mentionsBytes,
  readMentions,
  writeMentions,
} from "./mention.ts"
import { readSigns, writeSigns } from "./reaction.ts"
import { MESSAGE_ID_BYTES, readLamport, readMoment, TEXT_BYTES_MAX, writeLamport } from "./said.ts"

interface ActHead {
  /** 16 bytes, random, chosen by the author. */
  readonly id: Bytes
  /** The message it is about, 16 bytes. */
  readonly target: Bytes
  readonly lamport: number
}

export interface Edit extends ActHead {
  readonly kind: "edit"
  readonly sentAtMs: number
  readonly text: string
  readonly mentions: readonly Mention[]
}
export interface Reaction extends ActHead {
  readonly kind: "reaction"
  /** Everything that its author says to the message this way; empty takes it back. */
  readonly signs: readonly string[]
}
export interface Deletion extends ActHead {
  readonly kind: "deletion"
}
export type Act = Edit | Reaction | Deletion

/** How long the words of an edit may be, in bytes. */
export const editRoom = (mentions: readonly Mention[]): number =>
  TEXT_BYTES_MAX - MESSAGE_ID_BYTES - mentionsBytes(mentions)

export function writeAct(out: Writer, act: Act): Writer {
  out.raw(act.id).raw(act.target)
  if (act.kind === "edit") out.u64(act.sentAtMs)
  writeLamport(out, act.lamport)
  if (act.kind === "reaction") writeSigns(out, act.signs)
  if (act.kind === "edit") writeMentions(out, act.mentions).raw(utf8(act.text))
  return out
}

const readTarget = (read: Reader) => ({
  id: read.raw(MESSAGE_ID_BYTES),
  target: read.raw(MESSAGE_ID_BYTES),
})

/** Throws CryptoError. */
export function readEdit(read: Reader): Edit {
  const about = readTarget(read)
  const [sentAtMs, lamport] = [readMoment(read), readLamport(read)]
  const mentions = readMentions(read)
  if (read.left > editRoom(mentions)) throw new CryptoError("TOO_LARGE", "text too long")
  const words = read.raw(read.left)
  checkMentions(words, mentions)
  return { kind: "edit", ...about, sentAtMs, lamport, mentions, text: fromUtf8(words) }
}

/** Throws CryptoError. */
export const readReaction = (read: Reader): Reaction => ({
  kind: "reaction",
  ...readTarget(read),
  lamport: readLamport(read),
  signs: readSigns(read),
})

/** Throws CryptoError. */
export const readDeletion = (read: Reader): Deletion => ({
  kind: "deletion",
  ...readTarget(read),
  lamport: readLamport(read),
})
