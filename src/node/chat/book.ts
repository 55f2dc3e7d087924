/**
 * What one person's chat knows, in memory, with its one way to change: a `Step` gathers changes, `commit` writes them in one batch and
 * only then makes them visible and tells the screens. Steps run in turns, so none sees another half done.
 */
import type { Channel } from "../../chat/channel.ts"
import type { ChatContact } from "../../chat/contact.ts"
import type { ChatMessage } from "../../chat/message.ts"
import { positionOf } from "../../chat/message.ts"
import {
  type ChatThread,
  groupThreadIdOf,
  newGroupThread,
  newThread,
  threadIdOf,
} from "../../chat/thread.ts"
import { groupIn } from "../../chat/group.ts"
import { preferred } from "../../chat/preference.ts"
import { isMember } from "../../crypto/session.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, compare, equal, toHex } from "../../crypto/bytes.ts"
import type { ApiEvent, Message } from "../api/types.ts"
import type { ChannelWrite } from "./channel-records.ts"
import { KeptEvidence, wordsGoneIn, wordsOf } from "./evidence-records.ts"
import type { EarlyActs } from "./marks.ts"
import type { ChatParts } from "./parts.ts"
import type { ChatRecords } from "./records.ts"
import { contactView, messageView, threadView } from "./view.ts"
import { Telling } from "./telling.ts"
import type { SealedOp } from "../store/sealed.ts"
import { Slices } from "../slices.ts"
import { TagMap } from "./tag-map.ts"
import { TextLimit } from "./text-limit.ts"
import { Turns } from "../turns.ts"

/** Threads whose newest message is looked up at a time. */
const LOADED_TOGETHER = 32

export class Step {
  readonly ops: SealedOp[] = []
  readonly contacts = new Map<Address, ChatContact | null>()
  readonly threads = new Map<string, ChatThread | null>()
  readonly channels = new Map<string, Channel | null>()
  readonly messages: {
    thread: ChatThread
    message: ChatMessage
    fresh: boolean
    /** What writes a fresh one, when it was sealed before. */
    rows?: readonly SealedOp[]
    /** What it was, where its words or its place are others now. */
    before?: ChatMessage
  }[] = []
  /** Messages that nobody is to read here any more. */
  readonly gone: {
    thread: ChatThread
    message: ChatMessage
    /** It was not its author's to say then: said again it comes back. */
    unsaid?: boolean
  }[] = []
  /** What was done to messages that are not here yet, by their hexadecimal ids. */
  readonly early = new Map<string, EarlyActs>()
  /** What is kept from here on to show messages to others. */
  readonly evidence = new KeptEvidence()

  get isEmpty(): boolean {
    const { contacts, threads, channels, messages, gone, early } = this
    const kept = early.size + this.evidence.records.size
    const changes = this.ops.length + messages.length + gone.length + kept
    return changes + contacts.size + threads.size + channels.size === 0
  }
}

/**
 * What a step does to what can be read: `said` is new, `changed` reads otherwise now (edited, deleted by its author), `moved` has
 * another place, `gone` is not here any more.
 */
export interface TextChange {
  readonly kind: "said" | "changed" | "moved" | "gone"
  readonly thread: Bytes
  /** As it is now; as it was, when it is gone. */
  readonly message: ChatMessage
  /** As it was; null when it is new. */
  readonly before: ChatMessage | null
}

/** Keeps something made of what can be read (an index): what it wants written is written in the same batch. */
export type TextFollower = (changes: readonly TextChange[]) => Promise<readonly SealedOp[]>

export type BookParts = Pick<ChatParts, "me" | "records" | "emit" | "textsMax">

export class ChatBook {
  readonly me: Address
  readonly records: ChatRecords
  readonly turns = new Turns()
  readonly tags = new TagMap()
  readonly contacts = new Map<Address, ChatContact>()
  readonly threads = new Map<string, ChatThread>()
  readonly channels = new Map<string, Channel>()
  /** Of whom no key for post-quantum signatures was found when last looked for; no more than are wished for or contacts. */
  readonly lacking = new Set<Address>()
  /** Newest message of each thread. */
  readonly last = new Map<string, ChatMessage>()
  readonly #emit: (event: ApiEvent) => void
  readonly #telling: Telling
  readonly #limit: TextLimit
  readonly #followers: TextFollower[] = []

  constructor({ me, records, emit, textsMax }: BookParts) {
    this.me = me
    this.records = records
    this.#emit = emit
    this.#telling = new Telling(this, emit)
    this.#limit = new TextLimit(textsMax)
  }

  /** Throws CryptoError when a record was altered. */
  async load(): Promise<void> {
    for (const contact of await this.records.contacts()) this.contacts.set(contact.address, contact)
    const threads = await this.records.threads()
    for (let at = 0; at < threads.length; at += LOADED_TOGETHER)
      await Promise.all(threads.slice(at, at + LOADED_TOGETHER).map((each) => this.#show(each)))
    if (this.#limit.isSet)
      for (const { id } of threads)
        for (const message of await this.records.messages(id, {})) this.#limit.add(id, message)
    await this.#forgetOldest()
    const slices = new Slices()
    for (const channel of await this.records.channels.all()) {
      this.channels.set(toHex(channel.groupId), channel)
      if (channel.trusted) this.tags.follow(channel)
      await slices.pause()
    }
  }

  async #show(thread: ChatThread): Promise<void> {
    const name = toHex(thread.id)
    this.threads.set(name, thread)
    const [newest] = await this.records.messages(thread.id, { reverse: true, limit: 1 })
    if (newest !== undefined) this.last.set(name, newest)
  }

  /** From now on this follower hears of every change of what can be read, before it is written. */
  followTexts(follower: TextFollower): void {
    this.#followers.push(follower)
  }

  /** What followers of the texts want written together with these changes. */
  async #followed(changes: readonly TextChange[]): Promise<SealedOp[]> {
    if (changes.length === 0) return []
    const ops = await Promise.all(this.#followers.map((follower) => follower(changes)))
    return ops.flat()
  }

  threadWith(peer: Address): ChatThread {
    return this.threads.get(toHex(threadIdOf(this.me, peer))) ?? newThread(this.me, peer)
  }

  /** The thread that a channel carries. */
  threadOf(channel: Channel): ChatThread {
    if (channel.group === null) return this.threadWith(channel.peer)
    const known = this.threads.get(toHex(groupThreadIdOf(channel.groupId)))
    const name = groupIn(channel.state)?.about.name ?? ""
    return known ?? newGroupThread(channel.groupId, name)
  }

  /** The group behind a thread, while we have anything to do with it. */
  groupChannel(thread: ChatThread): Channel | undefined {
    const channel = thread.group === null ? undefined : this.channels.get(toHex(thread.group))
    return channel?.trusted === true ? channel : undefined
  }

  /** Petnames in use, but for this contact's own. */
  namesBut(address: Address): ReadonlySet<string> {
    const others = Array.from(this.contacts.values()).filter((each) => each.address !== address)
    return new Set(others.map(({ name }) => name))
  }

  /** Channels of the two of us. */
  channelsWith(peer: Address): Channel[] {
    return Array.from(this.channels.values()).filter(
      (channel) => channel.peer === peer && channel.group === null,
    )
  }

  /** Whether a key of theirs for post-quantum signatures was found, when one was looked for. */
  noteKey(who: Address, isThere: boolean): void {
    const changed = isThere ? this.lacking.delete(who) : !this.lacking.has(who)
    if (!isThere) this.lacking.add(who)
    const contact = this.contacts.get(who)
    if (changed && contact !== undefined)
      this.#emit({ type: "contact", contact: contactView(this, contact) })
  }

  /** The channel to write into: both sides pick the same one of several, once both know them. */
  sendingChannel(peer: Address): Channel | undefined {
    const least = this.contacts.get(peer)?.signing ?? "ed25519"
    return preferred(this.channelsWith(peer), least)
  }

  /** The same for any thread; in a group there is one, as long as we are in it. */
  sendingChannelOf(thread: ChatThread): Channel | undefined {
    if (thread.peer !== null) return this.sendingChannel(thread.peer)
    const channel = thread.standing === "open" ? this.groupChannel(thread) : undefined
    if (channel === undefined || channel.retired || !isMember(channel.state)) return undefined
    return channel
  }

  /** Writes a step; then, and only then, it is so. Returns the tags that are expected from now on. */
  async commit(step: Step, options: { sync: boolean } = { sync: false }): Promise<Bytes[]> {
    if (step.isEmpty) return []
    const followed = await this.#followed(changesOf(step))
    const shown = await this.records.evidence.changed(step.evidence, wordsGoneIn(step))
    const channels = this.#channelsOf(step)
    const moved = channels.flatMap(({ ops }) => ops)
    await this.records.write([...this.#opsOf(step), ...moved, ...followed, ...shown], options)
    for (const { written } of channels) written()
    const before = this.#telling.before(step)
    for (const [address, contact] of step.contacts) {
      if (contact === null) this.contacts.delete(address)
      else this.contacts.set(address, contact)
    }
    const fresh = Array.from(step.channels).flatMap(([group, channel]) =>
      this.#follow(group, channel),
    )
    const answered = await this.#answeredIn(step)
    await this.#findNewest(step)
    this.#showThreads(step)
    this.#telling.tell(step, before, answered)
    for (const { thread, message, fresh: isFresh } of step.messages)
      if (isFresh) this.#limit.add(thread.id, message)
    await this.#forgetOldest()
    return fresh
  }

  async #forgetOldest(): Promise<void> {
    const found = await Promise.all(
      this.#limit.surplus().map(({ message }) => this.records.findMessage(message.id)),
    )
    for (const each of found) if (each !== undefined) await this.erase(each.thread, [each.message])
  }

  /** Takes messages of a thread off the disk, without a word to the screens. Within a turn, or before there are any. */
  async erase(thread: Bytes, messages: readonly ChatMessage[]): Promise<void> {
    const changes = messages.map((message) => goneFrom(thread, message))
    const ops = messages.flatMap((message) => this.records.delMessage(thread, message))
    ops.push(...(await this.#followed(changes)))
    ops.push(
      ...(await this.records.evidence.changed(new KeptEvidence(), messages.flatMap(wordsOf))),
    )
    if (ops.length > 0) await this.records.write(ops, { sync: false })
  }

  #channelsOf({ channels }: Step): ChannelWrite[] {
    const { channels: kept } = this.records
    return Array.from(channels, ([group, channel]) =>
      channel === null ? kept.del(group) : kept.put(channel),
    )
  }

  #opsOf(step: Step): SealedOp[] {
    const { records } = this
    const ops = [...step.ops]
    for (const [address, contact] of step.contacts)
      ops.push(contact === null ? records.delContact(address) : records.putContact(contact))
    for (const [id, thread] of step.threads)
      ops.push(
        thread === null ? records.delThread(Buffer.from(id, "hex")) : records.putThread(thread),
      )
    for (const { thread, message, fresh, rows, before } of step.messages)
      if (fresh) ops.push(...(rows ?? records.putMessage(thread.id, message)))
      else if (before !== undefined && hasMoved(before, message))
        ops.push(...records.moveMessage(thread.id, before, message))
      else {
        ops.push(records.putMessageAgain(thread.id, message))
        if (before?.file !== undefined && message.file === undefined)
          ops.push(records.unlistFile(before))
      }
    for (const acts of step.early.values()) ops.push(records.marks.putEarly(acts))
    for (const { thread, message, unsaid } of step.gone)
      ops.push(
        ...(unsaid === true
          ? records.unsayMessage(thread.id, message)
          : records.delMessage(thread.id, message)),
      )
    return ops
  }

  #follow(group: string, channel: Channel | null): Bytes[] {
    if (channel === null) {
      this.channels.delete(group)
      this.tags.forget(group)
      return []
    }
    this.channels.set(group, channel)
    return channel.trusted ? this.tags.follow(channel) : []
  }

  /** The messages that those of a step answer, by hexadecimal id. */
  async #answeredIn({ messages }: Step): Promise<ReadonlyMap<string, ChatMessage>> {
    const answered = new Map<string, ChatMessage>()
    for (const { message, fresh, before } of messages) {
      const { replyTo } = message
      if (replyTo === null || (!fresh && before === undefined)) continue
      const found = await this.records.findMessage(replyTo)
      if (found !== undefined) answered.set(toHex(replyTo), found.message)
    }
    return answered
  }

  /** Where the newest message has moved or gone, another may be the newest. */
  async #findNewest({ messages, gone }: Step): Promise<void> {
    const moved = messages.filter(
      ({ message, before }) => before !== undefined && hasMoved(before, message),
    )
    const wasNewest = [...moved, ...gone].filter(({ thread, message }) => {
      const newest = this.last.get(toHex(thread.id))
      return newest === undefined || equal(newest.id, message.id)
    })
    for (const id of new Set(wasNewest.map(({ thread }) => toHex(thread.id)))) {
      const bytes = new Uint8Array(Buffer.from(id, "hex"))
      const [newest] = await this.records.messages(bytes, { reverse: true, limit: 1 })
      if (newest === undefined) this.last.delete(id)
      else this.last.set(id, newest)
    }
  }

  #showThreads(step: Step): void {
    for (const [id, thread] of step.threads) {
      if (thread === null) {
        this.threads.delete(id)
        this.last.delete(id)
      } else this.threads.set(id, thread)
    }
    for (const { thread, message } of step.messages) this.#keepNewest(toHex(thread.id), message)
  }

  #keepNewest(thread: string, message: ChatMessage): void {
    const newest = this.last.get(thread)
    if (newest === undefined || compare(positionOf(message), positionOf(newest)) >= 0)
      this.last.set(thread, message)
  }

  /** A message as screens show it. */
  async messageView(thread: ChatThread, message: ChatMessage): Promise<Message> {
    const found =
      message.replyTo === null ? undefined : await this.records.findMessage(message.replyTo)
    return messageView(this, thread, message, found?.message)
  }

  view(thread: ChatThread) {
    const last = this.last.get(toHex(thread.id))
    return threadView(this, thread, last)
  }
}

const hasMoved = (before: ChatMessage, after: ChatMessage): boolean =>
  !equal(positionOf(before), positionOf(after))

const goneFrom = (thread: Bytes, message: ChatMessage): TextChange => ({
  kind: "gone",
  thread,
  message,
  before: message,
})

function changesOf({ messages, gone }: Step): TextChange[] {
  const changes = messages.flatMap(({ thread, message, fresh, before }): TextChange[] => {
    const told = { thread: thread.id, message }
    if (fresh) return [{ ...told, kind: "said", before: null }]
    if (before === undefined) return []
    const moved = hasMoved(before, message)
    const changed = before.text !== message.text || before.file !== message.file
    const kinds = [...(changed ? ["changed" as const] : []), ...(moved ? ["moved" as const] : [])]
    return kinds.map((kind) => ({ ...told, kind, before }))
  })
  return [...changes, ...gone.map(({ thread, message }) => goneFrom(thread.id, message))]
}
