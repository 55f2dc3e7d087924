/**
 * Where chat keeps what: the private records of one identity, typed. Every change is a list of operations that the caller writes in one
 * batch, so that a crash leaves all of a step or none of it.
 */
import { decodeCarriers, encodeCarriers, type PieceCarrier } from "../../chat/evidence.ts"
import { type ChatContact, decodeContact, encodeContact } from "../../chat/contact.ts"
import { decodeContents, encodeContents, isSaying, type Saying } from "../../chat/content.ts"
import { type ChatMessage, decodeMessage, encodeMessage, positionOf } from "../../chat/message.ts"
import type { Placed } from "../../chat/position.ts"
import { type ChatThread, decodeThread, encodeThread, THREAD_ID_BYTES } from "../../chat/thread.ts"
import { type Address, addressBytes, addressFromBytes } from "../../crypto/address.ts"
import { type BlobRef, BLOB_REF_BYTES, decodeBlobRef, encodeBlobRef } from "../../crypto/blob.ts"
import { type Bytes, concat, equal, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import {
  decodePartial,
  encodePartial,
  type Partial,
  TRANSFER_ID_BYTES,
} from "../../crypto/fragment.ts"
import { decodeIdentity, encodeIdentity, type Identity } from "../../crypto/identity.ts"
import { decodeOneTime, encodeOneTime, type OneTimePackage } from "../../crypto/one-time.ts"
import { ChannelRecords } from "./channel-records.ts"
import { EvidenceRecords } from "./evidence-records.ts"
import { MarkRecords } from "./marks.ts"
import { decodeBook, encodeBook, type PackageBook } from "../packages/book.ts"
import { decodeRestored, encodeRestored, type Restored } from "../identity/restored.ts"
import type { RangeOptions, Sealed, SealedOp } from "../store/sealed.ts"
import { Slices } from "../slices.ts"

/** An envelope of ours that no peer has taken yet, with the texts inside. */
export interface Outgoing {
  /** 32 bytes. */
  readonly id: Bytes
  /** Complete, admission included. */
  readonly envelope: Bytes
  readonly thread: Bytes
  readonly messages: readonly Bytes[]
}

/** An envelope of ours that has no place in the ledger yet. */
export interface Unordered {
  readonly id: Bytes
  readonly messages: readonly Bytes[]
  /** In which group (its id) and epoch it can be read. */
  readonly group: Bytes
  readonly epoch: number
}

/** People who were added to a group and have not been told. */
export interface Invitation {
  readonly group: Bytes
  readonly epoch: number
  readonly welcome: Bytes
  /** Where the Welcome lies for them to fetch, if it is too long for envelopes and was brought there. */
  readonly ref?: BlobRef
  /** Height of the block that ordered the commit. */
  readonly since: number
  readonly to: readonly Address[]
}

/** A text that waits to be put into an envelope. */
export interface Waiting {
  readonly thread: Bytes
  /** Position of its message, which is also where it stands in line. */
  readonly position: Bytes
  readonly content: Saying
}

/** A payload of several envelopes in the making. */
export interface PartialPlace {
  /** Who can make such: a channel's hexadecimal group id, or anybody ("intro"). */
  readonly from: string
  /** Under which of their keys it came. */
  readonly under: string
  /** 8 bytes. */
  readonly transfer: Bytes
}

const partialName = ({ from, under, transfer }: PartialPlace) =>
  `${from} ${under} ${toHex(transfer)}`

const placeOfPartial = (read: Reader): PartialPlace => ({
  from: read.text(1, 255),
  under: read.text(1, 255),
  transfer: read.raw(TRANSFER_ID_BYTES),
})

const FILES_AT_ONCE = 100

export const messagesOf = (thread: Bytes) => `messages ${toHex(thread)}`

export class ChatRecords {
  readonly sealed: Sealed
  /** What is kept beside the messages. */
  readonly marks: MarkRecords
  /** What shows messages to others. */
  readonly evidence: EvidenceRecords
  readonly channels: ChannelRecords

  constructor(sealed: Sealed) {
    this.sealed = sealed
    this.marks = new MarkRecords(sealed)
    this.evidence = new EvidenceRecords(sealed)
    this.channels = new ChannelRecords(sealed)
  }

  #put = (group: string, item: string | Bytes, plaintext: Bytes): SealedOp =>
    this.sealed.put(this.sealed.key(group, item), plaintext)
  #del = (group: string, item: string | Bytes): SealedOp =>
    this.sealed.del(this.sealed.key(group, item))
  #get = (group: string, item: string | Bytes) => this.sealed.get(this.sealed.key(group, item))
  #find = (group: string, item: string | Bytes) => this.sealed.find(this.sealed.key(group, item))
  /** In slices: there may be thousands. */
  #all = async <T>(group: string, decode: (plaintext: Bytes, item: Bytes) => T): Promise<T[]> => {
    const slices = new Slices()
    const all: T[] = []
    for await (const { plaintext, item } of this.sealed.each(group)) {
      all.push(decode(plaintext, item))
      await slices.pause()
    }
    return all
  }

  write(ops: readonly SealedOp[], options: { sync: boolean }): Promise<void> {
    return this.sealed.write(ops, options)
  }

  async identity(): Promise<Identity | undefined> {
    const bytes = await this.#get("identity", "own")
    return bytes === undefined ? undefined : decodeIdentity(bytes)
  }
  putIdentity = (identity: Identity) => this.#put("identity", "own", encodeIdentity(identity))

  oneTimePackages = () => this.#all("one-time packages", decodeOneTime)
  putOneTime = (each: OneTimePackage) =>
    this.#put("one-time packages", toHex(each.reference), encodeOneTime(each))
  delOneTime = ({ reference }: Pick<OneTimePackage, "reference">) =>
    this.#del("one-time packages", toHex(reference))
  /** What keepers were given of them today. */
  async packageBook(): Promise<PackageBook | undefined> {
    const bytes = await this.#find("identity", "packages given")
    return bytes && decodeBook(bytes)
  }
  putPackageBook = (book: PackageBook) => this.#put("identity", "packages given", encodeBook(book))
  delPackageBook = () => this.#del("identity", "packages given")

  /** What was overwritten or deleted of the person's own keys leaves the disk as well, as far as the store can see to that. */
  async eraseOldKeys(): Promise<void> {
    for (const group of ["identity", "one-time packages"]) await this.sealed.erase(group)
  }

  contacts = () => this.#all("contacts", decodeContact)
  putContact = (contact: ChatContact) =>
    this.#put("contacts", contact.address, encodeContact(contact))
  delContact = (address: string) => this.#del("contacts", address)

  threads = () => this.#all("threads", decodeThread)
  putThread = (thread: ChatThread) => this.#put("threads", toHex(thread.id), encodeThread(thread))
  delThread = (id: Bytes) => this.#del("threads", toHex(id))

  /** The message itself and the way from its id to its place. */
  putMessage(thread: Bytes, message: ChatMessage): SealedOp[] {
    const place = concat(thread, positionOf(message))
    return [
      this.putMessageAgain(thread, message),
      this.#put("message ids", toHex(message.id), place),
      ...(message.file === undefined ? [] : [this.#put("files", positionOf(message), thread)]),
    ]
  }
  /** Messages that bring files, the newest first. */
  async files(limit: number, thread?: Bytes): Promise<{ thread: Bytes; message: ChatMessage }[]> {
    const found: { thread: Bytes; message: ChatMessage }[] = []
    let before: { before: Bytes } | undefined
    while (found.length < limit) {
      const rows = await this.sealed.list("files", {
        reverse: true,
        limit: FILES_AT_ONCE,
        ...before,
      })
      for (const { item, plaintext } of rows) {
        if (thread !== undefined && !equal(thread, plaintext)) continue
        const bytes = await this.#find(messagesOf(plaintext), item)
        if (bytes !== undefined && found.length < limit)
          found.push({ thread: plaintext, message: decodeMessage(bytes) })
      }
      const last = rows.at(-1)
      if (rows.length < FILES_AT_ONCE || last === undefined) break
      before = { before: last.item }
    }
    return found
  }
  /** One that is there already and has changed, but not its place. */
  putMessageAgain = (thread: Bytes, message: ChatMessage) =>
    this.#put(messagesOf(thread), positionOf(message), encodeMessage(message))
  /** It brings no file any more. */
  unlistFile = (message: Placed): SealedOp => this.#del("files", positionOf(message))
  /** The same message at another place. */
  moveMessage(thread: Bytes, before: Placed, message: ChatMessage): SealedOp[] {
    const from = positionOf(before)
    const file = message.file === undefined ? [] : [this.#del("files", from)]
    return [this.#del(messagesOf(thread), from), ...file, ...this.putMessage(thread, message)]
  }
  /** Its id is remembered, so that it does not come back when it is said again. */
  delMessage(thread: Bytes, message: ChatMessage): SealedOp[] {
    return [
      this.#del(messagesOf(thread), positionOf(message)),
      this.#put("message ids", toHex(message.id), thread),
      ...(message.file === undefined ? [] : [this.#del("files", positionOf(message))]),
      ...this.marks.forget(thread, message.id),
    ]
  }
  /** It was never said, as far as anybody is concerned: who says it again is heard. */
  unsayMessage(thread: Bytes, message: ChatMessage): SealedOp[] {
    return [...this.delMessage(thread, message), this.#del("message ids", toHex(message.id))]
  }
  /** Where a message stands, 22 bytes. */
  async positionOf(id: Bytes): Promise<Bytes | undefined> {
    const where = await this.#get("message ids", toHex(id))
    return where === undefined || where.length === THREAD_ID_BYTES
      ? undefined
      : where.subarray(THREAD_ID_BYTES)
  }
  /** Whether a message of this id was ever here. */
  async wasHere(id: Bytes): Promise<boolean> {
    return (await this.#get("message ids", toHex(id))) !== undefined
  }
  async findMessage(id: Bytes): Promise<{ thread: Bytes; message: ChatMessage } | undefined> {
    const where = await this.#find("message ids", toHex(id))
    if (where === undefined) return undefined
    const thread = where.subarray(0, THREAD_ID_BYTES)
    if (where.length === THREAD_ID_BYTES) return undefined
    const bytes = await this.#find(messagesOf(thread), where.subarray(THREAD_ID_BYTES))
    return bytes === undefined ? undefined : { thread, message: decodeMessage(bytes) }
  }
  /** In the order of the places; undefined where there is none any more. */
  async messagesAt(
    places: readonly { thread: Bytes; position: Bytes }[],
  ): Promise<(ChatMessage | undefined)[]> {
    const keys = places.map(({ thread, position }) => this.sealed.key(messagesOf(thread), position))
    return (await this.sealed.findMany(keys)).map((bytes) => bytes && decodeMessage(bytes))
  }
  async messages(thread: Bytes, options: RangeOptions): Promise<ChatMessage[]> {
    const slices = new Slices()
    const messages: ChatMessage[] = []
    for (const { plaintext } of await this.sealed.list(messagesOf(thread), options)) {
      await slices.pause()
      messages.push(decodeMessage(plaintext))
    }
    return messages
  }

  waiting = () =>
    this.#all("waiting", (plaintext, position): Waiting => {
      const [content] = decodeContents(plaintext.subarray(THREAD_ID_BYTES))
      if (content === undefined || !isSaying(content))
        throw new CryptoError("BAD_ENCODING", "waiting record")
      return { thread: plaintext.subarray(0, THREAD_ID_BYTES), position, content }
    })
  // The thread's id is a hash of two addresses: it stands inside, where nobody can try addresses on it.
  putWaiting = ({ thread, position, content }: Waiting) =>
    this.#put("waiting", position, concat(thread, encodeContents([content])))
  delWaiting = ({ position }: Waiting) => this.#del("waiting", position)

  outgoing = () => this.#all("outgoing", decodeOutgoing)
  putOutgoing = (out: Outgoing) => this.#put("outgoing", toHex(out.id), encodeOutgoing(out))
  delOutgoing = (id: Bytes) => this.#del("outgoing", toHex(id))

  partials = () => this.#all("partials", (plaintext) => placeOfPartial(new Reader(plaintext)))
  async partial(place: PartialPlace): Promise<Partial | undefined> {
    const bytes = await this.#find("partials", partialName(place))
    if (bytes === undefined) return undefined
    const read = new Reader(bytes)
    placeOfPartial(read)
    return decodePartial(read.raw(read.left))
  }
  putPartial(place: PartialPlace, partial: Partial): SealedOp {
    const head = new Writer().text(place.from, 1).text(place.under, 1).raw(place.transfer)
    return this.#put("partials", partialName(place), head.raw(encodePartial(partial)).finish())
  }
  delPartial = (place: PartialPlace): SealedOp[] => [
    this.#del("partials", partialName(place)),
    this.#del("last pieces", partialName(place)),
    this.#del("piece carriers", partialName(place)),
  ]
  /** The envelopes that brought pieces of it so far. */
  async carriersOf(place: PartialPlace): Promise<readonly PieceCarrier[]> {
    const bytes = await this.#find("piece carriers", partialName(place))
    return bytes === undefined ? [] : decodeCarriers(bytes)
  }
  putCarriersOf = (place: PartialPlace, carriers: readonly PieceCarrier[]) =>
    this.#put("piece carriers", partialName(place), encodeCarriers(carriers))
  /** The envelope that carried the last piece of it, 32 bytes, once that one is here. */
  lastOf = (place: PartialPlace) => this.#find("last pieces", partialName(place))
  putLastOf = (place: PartialPlace, id: Bytes) => this.#put("last pieces", partialName(place), id)

  /** Own envelopes that are not ordered yet, with the texts inside. */
  unordered = () => this.#all("unordered", decodeUnordered)
  putUnordered = (unordered: Unordered) =>
    this.#put("unordered", toHex(unordered.id), encodeUnordered(unordered))
  delUnordered = (id: Bytes) => this.#del("unordered", toHex(id))

  /** Welcomes that have to go out. */
  invitations = () => this.#all("invitations", decodeInvitation)
  putInvitation = (invitation: Invitation) =>
    this.#put("invitations", invitationName(invitation), encodeInvitation(invitation))
  delInvitation = (invitation: Pick<Invitation, "group" | "epoch">) =>
    this.#del("invitations", invitationName(invitation))

  /** Hellos whose Welcome has yet to be fetched, as they came. */
  farWelcomes = () => this.#all("far welcomes", (payload) => payload)
  putFarWelcome = (name: string, payload: Bytes) => this.#put("far welcomes", name, payload)
  delFarWelcome = (name: string) => this.#del("far welcomes", name)

  /** Height up to which the ledger's order was followed. */
  async orderedUpTo(): Promise<number | undefined> {
    const bytes = await this.#find("cursor", "ledger")
    return bytes && new Reader(bytes).u64()
  }
  putOrderedUpTo = (height: number) =>
    this.#put("cursor", "ledger", new Writer().u64(height).finish())

  /** Arrival number of the last envelope that was looked at. */
  async cursor(): Promise<number> {
    const bytes = await this.#find("cursor", "mailbox")
    return bytes === undefined ? 0 : new Reader(bytes).u64()
  }
  putCursor = (sequence: number) =>
    this.#put("cursor", "mailbox", new Writer().u64(sequence).finish())

  /** Set in a profile that came out of a backup. */
  async restored(): Promise<Restored | undefined> {
    const bytes = await this.#get("restored", "own")
    return bytes && decodeRestored(bytes)
  }
  putRestored = (restored: Restored) => this.#put("restored", "own", encodeRestored(restored))
}

function encodeOutgoing({ id, envelope, thread, messages }: Outgoing): Bytes {
  const out = new Writer().raw(id).bytes(envelope, 4).raw(thread).u16(messages.length)
  for (const message of messages) out.raw(message)
  return out.finish()
}

function encodeUnordered({ id, messages, group, epoch }: Unordered): Bytes {
  return new Writer()
    .raw(id)
    .bytes(group, 1)
    .u64(epoch)
    .raw(concat(...messages))
    .finish()
}

function decodeUnordered(bytes: Bytes): Unordered {
  const read = new Reader(bytes)
  const [id, group, epoch] = [read.raw(32), read.bytes(1, 64), read.u64()]
  const messages: Bytes[] = []
  while (read.left > 0) messages.push(read.raw(16))
  return { id, messages, group, epoch }
}

const invitationName = ({ group, epoch }: Pick<Invitation, "group" | "epoch">) =>
  `${toHex(group)} ${epoch}`

function encodeInvitation({ group, epoch, welcome, since, to, ref }: Invitation): Bytes {
  const out = new Writer().bytes(group, 1).u64(epoch).u64(since).bytes(welcome, 4).u16(to.length)
  for (const address of to) out.raw(addressBytes(address))
  if (ref !== undefined) out.raw(encodeBlobRef(ref))
  return out.finish()
}

function decodeInvitation(bytes: Bytes): Invitation {
  const read = new Reader(bytes)
  const [group, epoch, since] = [read.bytes(1, 64), read.u64(), read.u64()]
  const welcome = read.bytes(4, bytes.length)
  const to = Array.from({ length: read.u16() }, () => addressFromBytes(read.raw(64)))
  const ref = read.left === 0 ? {} : { ref: decodeBlobRef(read.raw(BLOB_REF_BYTES)) }
  read.done()
  return { group, epoch, welcome, since, to, ...ref }
}

function decodeOutgoing(bytes: Bytes): Outgoing {
  const read = new Reader(bytes)
  const id = read.raw(32)
  const envelope = read.bytes(4, 4096)
  const thread = read.raw(16)
  const messages = Array.from({ length: read.u16() }, () => read.raw(16))
  read.done()
  return { id, envelope, thread, messages }
}
