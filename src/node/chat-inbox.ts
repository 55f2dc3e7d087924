/**
 * Everything that arrives: looks at each envelope of the mailbox once, in order of arrival, and takes what is ours. A map lookup by tag
 * first; only on a miss one decapsulation for each intro key (DESIGN §5). What an envelope changes is written in one batch together
 * with the place reached, so a process killed anywhere goes on exactly there: nothing is read twice, nothing is skipped.
 */
import {
  advance,
  type Channel,
  hold,
  openChannel,
  openEnvelope,
  peerLeafKey,
  type Read,
  readPayload,
} from "../chat/channel.ts"
import { named } from "../chat/contact.ts"
import type { Content } from "../chat/content.ts"
import { decodeHello } from "../chat/hello.ts"
import { received } from "../chat/thread.ts"
import type { Address } from "../crypto/address.ts"
import { type Bytes, toHex } from "../crypto/bytes.ts"
import { type IntroPrivate, openIntro } from "../crypto/envelope.ts"
import { CryptoError } from "../crypto/errors.ts"
import { decodeFragment } from "../crypto/fragment.ts"
import { introPrivate } from "../crypto/identity.ts"
import { groupIdOf, joinFromWelcome, members } from "../crypto/session.ts"
import { type ChatBook, Step } from "./chat-book.ts"
import type { Outbox } from "./chat-outbox.ts"
import { Partials, STRANGERS } from "./chat-partials.ts"
import type { ChatParts } from "./chat-parts.ts"
import type { Kept } from "./shelf.ts"
import type { Hit } from "./tag-map.ts"

const PAGE = 128
/** Foreign envelopes looked at before other work gets its turn: about 8 ms of decapsulations. */
const SLICE = 100
/**
 * Channels that wait for their peer's card. One more stranger, and the one who waits longest is dropped: who can be found is found within
 * seconds, and claims that nobody can vouch for must not shut out those that come after them.
 */
export const UNTRUSTED_MAX = 256
/** Unread texts of a stranger that was not accepted; later ones are dropped and never confirmed. */
export const REQUEST_MESSAGES_MAX = 1_000

export interface InboxEvents {
  /** A stranger's group was joined; whether they are who they claim must be found out. */
  introduced(channel: Channel): void
  /** The ledger's order was followed past this envelope already. */
  wasOrdered(id: Bytes): boolean
}

export class Inbox {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #events: InboxEvents
  readonly #intro: readonly IntroPrivate[]
  readonly #partials: Partials
  #cursor = 0
  #draining: Promise<void> | undefined
  #more = false
  #stopped = false

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox, events: InboxEvents) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#events = events
    const { intro, oldIntro } = parts.identity
    this.#intro = [intro, ...oldIntro].map(introPrivate)
    this.#partials = new Partials(book.records)
  }

  async load(): Promise<void> {
    this.#cursor = await this.#book.records.cursor()
    await this.#partials.load((from) => from === STRANGERS || this.#book.channels.has(from))
    // A crash may have come between learning new tags and looking them up among what was there already.
    for (const channel of this.#book.channels.values())
      if (channel.trusted) await this.#catchUp(this.#book.tags.tagsOf(toHex(channel.groupId)))
  }

  /** Something arrived, or may have. */
  kick(): void {
    if (this.#stopped) return
    if (this.#draining !== undefined) {
      this.#more = true
      return
    }
    this.#draining = this.#drain().finally(() => {
      this.#draining = undefined
      if (this.#more) {
        this.#more = false
        this.kick()
      }
    })
  }

  /** Resolves when everything that has arrived by now was looked at. */
  async settled(): Promise<void> {
    this.kick()
    while (this.#draining !== undefined) await this.#draining
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#draining
  }

  async #drain(): Promise<void> {
    try {
      let looked = 0
      for (;;) {
        const page = await this.#parts.mailbox.entriesAfter(this.#cursor, PAGE)
        if (page.length === 0) return
        for (const arrival of page) {
          if (this.#stopped) return
          await this.#look(arrival)
          this.#cursor = arrival.seq
          if (++looked % SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        await this.#book.turns.run(() => this.#book.commit(this.#stepAt(this.#cursor)))
      }
    } catch (error) {
      this.#parts.log(`reading the mailbox stopped: ${String(error)}`)
    }
  }

  #stepAt(cursor: number | undefined): Step {
    const step = new Step()
    if (cursor !== undefined) step.ops.push(this.#book.records.putCursor(cursor))
    return step
  }

  async #look({ seq, id, bytes }: Kept): Promise<void> {
    const hit = this.#book.tags.find(bytes)
    if (hit !== undefined) await this.#ours(hit, id, bytes, seq)
    else {
      const opened = this.#tryIntro(bytes)
      if (opened !== undefined) await this.#firstContact(opened, id, seq)
    }
    if (this.#parts.order === "arrival") await this.ordered(id)
  }

  #tryIntro(envelope: Bytes): Bytes | undefined {
    for (const key of this.#intro) {
      const plaintext = openIntro(this.#parts.meshId, key, envelope)
      if (plaintext !== undefined) return plaintext
    }
    return undefined
  }

  /** Everything kept under tags that are expected only now. */
  async #catchUp(tags: readonly Bytes[]): Promise<void> {
    const open = [...tags]
    for (let tag = open.shift(); tag !== undefined; tag = open.shift()) {
      const hit = this.#book.tags.find(tag, 0)
      if (hit === undefined) continue
      for (const { id, bytes } of await this.#parts.mailbox.byTag(tag)) {
        open.push(...(await this.#open(hit, id, bytes, undefined)))
        if (this.#parts.order === "arrival") open.push(...(await this.#advance(id)))
      }
    }
  }

  async #ours(hit: Hit, id: Bytes, envelope: Bytes, cursor: number): Promise<void> {
    await this.#catchUp(await this.#open(hit, id, envelope, cursor))
  }

  /** Opens an envelope under an expected tag; returns the tags that are new. */
  #open(hit: Hit, id: Bytes, envelope: Bytes, cursor: number | undefined): Promise<Bytes[]> {
    return this.#book.turns.run(async () => {
      const before = this.#book.channels.get(hit.group)
      if (before === undefined) return []
      const opened = openEnvelope(before, this.#parts.meshId, hit.at, envelope)
      // [IGNORE] a tag is used up only by an envelope that opens
      if (opened === undefined) return []
      const step = this.#stepAt(cursor)
      step.channels.set(hit.group, opened.channel)
      const under = `${hit.at.epoch} ${hit.at.leaf}`
      const whole =
        opened.fragment &&
        (await this.#partials.add(step.ops, hit.group, under, opened.fragment, id))
      if (whole !== undefined) {
        const read = await readPayload(opened.channel, hit.at.leaf, whole.payload)
        // Where arriving is being ordered, the envelope that completed it; otherwise the last one, which is the same for all.
        const by = this.#parts.order === "arrival" ? id : whole.last
        await this.#take(step, hit.group, opened.channel, by, read)
      }
      return this.#book.commit(step)
    })
  }

  async #take(step: Step, group: string, channel: Channel, id: Bytes, read: Read): Promise<void> {
    switch (read.kind) {
      case "ignored":
        this.#parts.log(`a member's message was ignored: ${read.code}`)
        return
      case "commit": {
        const held = hold(channel, { envelope: id, next: read.next })
        // Where arriving is being ordered, both are one step: a crash between them would leave the commit held for ever.
        // The same for one whose place was passed because nobody had it then.
        const now = this.#parts.order === "arrival" || this.#events.wasOrdered(id)
        const counts = now ? await advance(held, id) : undefined
        step.channels.set(group, counts ?? held)
        return
      }
      case "contents":
        step.channels.set(group, read.channel)
        for (const content of read.contents) await this.#apply(step, channel.peer, content)
    }
  }

  async #apply(step: Step, peer: Address, content: Content): Promise<void> {
    const contact = step.contacts.get(peer) ?? this.#book.contacts.get(peer)
    if (contact === undefined || contact.standing === "blocked") return
    switch (content.kind) {
      case "receipt":
        return this.#outbox.delivered(step, content.ids, peer)
      case "profile":
        step.contacts.set(peer, named(contact, content.name, this.#book.namesBut(peer)))
        return
      case "text": {
        if ((await this.#book.records.findMessage(content.id)) !== undefined) return
        if (step.messages.some(({ message }) => toHex(message.id) === toHex(content.id))) return
        const before = this.#book.threadWith(peer)
        const current = step.threads.get(toHex(before.id)) ?? before
        if (contact.standing === "request" && current.unread >= REQUEST_MESSAGES_MAX) return
        const { id, lamport, sentAtMs, text } = content
        const { thread, message } = received(current, { id, author: peer, lamport, sentAtMs, text })
        step.threads.set(toHex(thread.id), thread)
        step.messages.push({ thread, message, fresh: true })
        if (contact.standing === "accepted") this.#outbox.kickSoon(thread)
      }
    }
  }

  async #firstContact(plaintext: Bytes, id: Bytes, cursor: number): Promise<void> {
    const channel = await this.#book.turns.run(async () => {
      const step = this.#stepAt(cursor)
      const fragment = soundly(() => decodeFragment(plaintext))
      const whole = fragment && (await this.#partials.add(step.ops, STRANGERS, "", fragment, id))
      const joined = whole && (await this.#join(whole.payload))
      if (joined !== undefined) {
        this.#makeRoom(step)
        step.channels.set(toHex(joined.groupId), joined)
      }
      await this.#book.commit(step)
      return joined
    })
    if (channel !== undefined) this.#events.introduced(channel)
  }

  /** For one more channel that nobody has vouched for. */
  #makeRoom(step: Step): void {
    const waiting = Array.from(this.#book.channels).filter(([, { trusted }]) => !trusted)
    const surplus = waiting.slice(0, Math.max(0, waiting.length + 1 - UNTRUSTED_MAX))
    for (const [group] of surplus) step.channels.set(group, null)
  }

  /** The group a stranger made for the two of us, when it is one; nobody is believed yet. */
  async #join(payload: Bytes): Promise<Channel | undefined> {
    const hello = soundly(() => decodeHello(payload))
    if (hello === undefined || hello.from === this.#book.me) return undefined
    if (this.#book.contacts.get(hello.from)?.standing === "blocked") return undefined
    const joined = await joinFromWelcome(hello.welcome, this.#parts.identity.lastResort)
    if (joined.kind === "ignored") {
      this.#parts.log(`a first contact was ignored: ${joined.code}`)
      return undefined
    }
    if (members(joined.state).length !== 2) return undefined
    if (this.#book.channels.has(toHex(groupIdOf(joined.state)))) return undefined
    const about = { peer: hello.from, theirName: hello.name, trusted: false }
    const channel = await openChannel(joined.state, about)
    return peerLeafKey(channel) === undefined ? undefined : channel
  }

  /** An envelope was ordered: if it completed a commit, that commit counts. */
  async ordered(id: Bytes): Promise<void> {
    await this.#catchUp(await this.#advance(id))
  }

  async #advance(id: Bytes): Promise<Bytes[]> {
    const waiting = Array.from(this.#book.channels.values()).some(({ held }) => held.length > 0)
    if (!waiting) return []
    return this.#book.turns.run(async () => {
      const step = new Step()
      for (const [group, channel] of this.#book.channels) {
        const next = channel.held.length === 0 ? undefined : await advance(channel, id)
        if (next !== undefined) step.channels.set(group, next)
      }
      return this.#book.commit(step, { sync: true })
    })
  }

  /** This channel goes, and with `step` what was begun in it. */
  forget(step: Step, group: string): void {
    step.channels.set(group, null)
    step.ops.push(...this.#partials.forget(group))
  }

  /** Texts may have come under these tags before they were expected. */
  async expectNow(tags: readonly Bytes[]): Promise<void> {
    await this.#catchUp(tags)
  }
}

/** What a stranger sent decodes, or it does not exist. */
function soundly<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}
