/**
 * What chat keeps beside its messages, one record each: which are unread, which envelopes have no place in the order yet and what they
 * carry, what was done to messages that are not here yet, own acts that may have to be said again, and what has to go when.
 */
import type { Act } from "../../chat/act.ts"
import { type Content, decodeContents, encodeContents, isAct } from "../../chat/content.ts"
import { decodeEarly, type Early, encodeEarly } from "../../chat/fold.ts"
import { MESSAGE_ID_BYTES } from "../../chat/said.ts"
import { THREAD_ID_BYTES } from "../../chat/thread.ts"
import { type Address, addressBytes, addressFromBytes } from "../../crypto/address.ts"
import { type Bytes, concat, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { Sealed, SealedOp } from "../store/sealed.ts"

/** A text of somebody else's that was not read yet. */
export interface Unread {
  readonly id: Bytes
  /** It names us. */
  readonly mention: boolean
  /** Once it is read it stays for so many seconds. */
  readonly disappears: boolean
}

const unreadIn = (id: Bytes, [flags = 0]: Bytes): Unread => ({
  id,
  mention: (flags & 1) !== 0,
  disappears: (flags & 2) !== 0,
})

/** An envelope that has no place in the ledger's order, and the messages inside, in the order of its payload. */
export interface Unplaced {
  /** 32 bytes: the one whose place counts. */
  readonly envelope: Bytes
  /** In which group (its id) and epoch it can be read. */
  readonly group: Bytes
  readonly epoch: number
  /** Its author's leaf; null in a record of an earlier program. */
  readonly leaf: number | null
  readonly messages: readonly Bytes[]
  /** What else it brings and what takes effect with its place only; null when there is nothing of that. */
  readonly deferred: Deferred | null
}

/** What a member did, for when it is known to count. */
export interface Deferred {
  readonly by: Address
  readonly contents: readonly Content[]
}

/** What was done to a message that is not here yet. */
export interface EarlyActs {
  /** The message, 16 bytes. */
  readonly target: Bytes
  readonly thread: Bytes
  readonly acts: readonly Early[]
}

/** A message that has to go. */
export interface Expiring {
  readonly id: Bytes
  /** A moment in ms, or a height. */
  readonly due: number
  readonly unit: "ms" | "height"
}

/** An act or a message of our own, for as long as it may have to be said again. */
export interface OwnAct {
  readonly thread: Bytes
  readonly content: Act
}

const unreadOf = (thread: Bytes) => `unread ${toHex(thread)}`

export class MarkRecords {
  readonly #sealed: Sealed

  constructor(sealed: Sealed) {
    this.#sealed = sealed
  }

  #put = (group: string, item: string | Bytes, plaintext: Bytes): SealedOp =>
    this.#sealed.put(this.#sealed.key(group, item), plaintext)
  #del = (group: string, item: string | Bytes): SealedOp =>
    this.#sealed.del(this.#sealed.key(group, item))
  #get = (group: string, item: string | Bytes) => this.#sealed.get(this.#sealed.key(group, item))

  async unread(thread: Bytes, limit = -1): Promise<Unread[]> {
    const rows = await this.#sealed.list(unreadOf(thread), { limit })
    return rows.map(({ item, plaintext }) => unreadIn(item, plaintext))
  }
  async isUnread(thread: Bytes, id: Bytes): Promise<Unread | undefined> {
    const found = await this.#get(unreadOf(thread), id)
    return found && unreadIn(id, found)
  }
  putUnread = (thread: Bytes, { id, mention, disappears }: Unread): SealedOp =>
    this.#put(unreadOf(thread), id, Uint8Array.of((mention ? 1 : 0) | (disappears ? 2 : 0)))
  delUnread = (thread: Bytes, id: Bytes): SealedOp => this.#del(unreadOf(thread), id)

  async unplaced(): Promise<Unplaced[]> {
    const former = await this.#sealed.list("unplaced")
    const rows = await this.#sealed.list("to be placed")
    return [
      ...former.map(({ plaintext }) => decodeFormerUnplaced(plaintext)),
      ...rows.map(({ plaintext }) => decodeUnplaced(plaintext)),
    ]
  }
  async unplacedIn(envelope: Bytes): Promise<Unplaced | undefined> {
    const bytes = await this.#get("to be placed", toHex(envelope))
    if (bytes !== undefined) return decodeUnplaced(bytes)
    const former = await this.#get("unplaced", toHex(envelope))
    return former && decodeFormerUnplaced(former)
  }
  putUnplaced = (unplaced: Unplaced): SealedOp =>
    this.#put("to be placed", toHex(unplaced.envelope), encodeUnplaced(unplaced))
  delUnplaced = ({ envelope, leaf }: Unplaced): SealedOp =>
    this.#del(leaf === null ? "unplaced" : "to be placed", toHex(envelope))

  async early(target: Bytes): Promise<EarlyActs | undefined> {
    const bytes = await this.#get("early acts", toHex(target))
    return bytes && decodeEarlyActs(bytes)
  }
  async allEarly(): Promise<EarlyActs[]> {
    return (await this.#sealed.list("early acts")).map(({ plaintext }) =>
      decodeEarlyActs(plaintext),
    )
  }
  putEarly = ({ target, thread, acts }: EarlyActs): SealedOp =>
    this.#put("early acts", toHex(target), concat(target, thread, encodeEarly(acts)))
  delEarly = (target: Bytes): SealedOp => this.#del("early acts", toHex(target))

  async ownActs(): Promise<OwnAct[]> {
    return (await this.#sealed.list("own acts")).map(({ plaintext }) => decodeOwnAct(plaintext))
  }
  putOwnAct = ({ thread, content }: OwnAct): SealedOp =>
    this.#put("own acts", toHex(content.id), concat(thread, encodeContents([content])))
  delOwnAct = (id: Bytes): SealedOp => this.#del("own acts", toHex(id))

  async expiring(limit: number): Promise<Expiring[]> {
    const rows = await this.#sealed.list("expiring", { limit })
    return rows.map(({ plaintext }) => decodeExpiring(plaintext))
  }
  putExpiring = (expiring: Expiring): SealedOp =>
    this.#put("expiring", toHex(expiring.id), encodeExpiring(expiring))
  delExpiring = (id: Bytes): SealedOp => this.#del("expiring", toHex(id))

  /** All that is kept beside a message that goes. */
  forget = (thread: Bytes, id: Bytes): SealedOp[] => [
    this.delUnread(thread, id),
    this.delExpiring(id),
  ]
}

function encodeUnplaced({ envelope, group, epoch, leaf, messages, deferred }: Unplaced): Bytes {
  const out = new Writer()
    .raw(envelope)
    .bytes(group, 1)
    .u64(epoch)
    .u32(leaf ?? 0)
  out.bytes(concat(...messages), 2)
  if (deferred !== null)
    out.raw(addressBytes(deferred.by)).raw(encodeContents([...deferred.contents]))
  return out.finish()
}

function decodeUnplaced(bytes: Bytes): Unplaced {
  const read = new Reader(bytes)
  const [envelope, group, epoch] = [read.raw(32), read.bytes(1, 64), read.u64()]
  const leaf = read.u32()
  const messages = readIds(new Reader(read.bytes(2, bytes.length)))
  if (read.left === 0) return { envelope, group, epoch, leaf, messages, deferred: null }
  const by = addressFromBytes(read.raw(64))
  const contents = decodeContents(read.raw(read.left))
  return { envelope, group, epoch, leaf, messages, deferred: { by, contents } }
}

/** Of a program that did not ask who said it. */
function decodeFormerUnplaced(bytes: Bytes): Unplaced {
  const read = new Reader(bytes)
  const [envelope, group, epoch] = [read.raw(32), read.bytes(1, 64), read.u64()]
  return { envelope, group, epoch, leaf: null, messages: readIds(read), deferred: null }
}

function readIds(read: Reader): Bytes[] {
  const ids: Bytes[] = []
  while (read.left > 0) ids.push(read.raw(MESSAGE_ID_BYTES))
  return ids
}

function decodeEarlyActs(bytes: Bytes): EarlyActs {
  const read = new Reader(bytes)
  const [target, thread] = [read.raw(MESSAGE_ID_BYTES), read.raw(THREAD_ID_BYTES)]
  return { target, thread, acts: decodeEarly(read.raw(read.left)) }
}

function decodeOwnAct(bytes: Bytes): OwnAct {
  const [content]: Content[] = decodeContents(bytes.subarray(THREAD_ID_BYTES))
  if (content === undefined || !isAct(content))
    throw new CryptoError("BAD_ENCODING", "own act record")
  return { thread: bytes.subarray(0, THREAD_ID_BYTES), content }
}

const encodeExpiring = ({ id, due, unit }: Expiring): Bytes =>
  new Writer()
    .raw(id)
    .u64(due)
    .u8(unit === "ms" ? 1 : 2)
    .finish()

function decodeExpiring(bytes: Bytes): Expiring {
  const read = new Reader(bytes)
  const [id, due, unit] = [read.raw(MESSAGE_ID_BYTES), read.u64(), read.u8()]
  read.done()
  return { id, due, unit: unit === 1 ? "ms" : "height" }
}
