/**
 * Everything that arrives: looks at each envelope of the mailbox once, in order of arrival, and takes what is ours. A map lookup by tag
 * first; only on a miss one decapsulation for each intro key (DESIGN §5). What some envelopes change is written in one batch together
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
import { withClaim } from "../chat/names.ts"
import type { Content } from "../chat/content.ts"
import { decodeHello } from "../chat/hello.ts"
import { received } from "../chat/thread.ts"
import type { Address } from "../crypto/address.ts"
import { type Bytes, toHex } from "../crypto/bytes.ts"
import { type IntroPrivate, openIntro } from "../crypto/envelope.ts"
import { CryptoError } from "../crypto/errors.ts"
import { decodeFragment, type Partial } from "../crypto/fragment.ts"
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

/** Of our own envelopes in one batch: some milliseconds of work, and one write. */
const TOGETHER_MAX = 16
/** Tags looked up in the store at a time. */
const CATCH_UP_TOGETHER = 32

/** Envelopes looked at in one turn, and what they change: written at once, together with the place reached. */
class Batch {
  readonly step = new Step()
  readonly ops = this.step.ops
  /** Payloads in the making, as they are after this batch; `undefined` for one that is whole now. */
  readonly partials = new Map<string, Partial | undefined>()
  /** Envelopes of this batch that carried last fragments. */
  readonly lasts = new Map<string, Bytes>()
  /** Hexadecimal ids of texts in `step`. */
  readonly texts = new Set<string>()
  /** Hexadecimal ids of the envelopes, ours too, that completed a commit which waits to be ordered. */
  readonly held: ReadonlySet<string>
  /** Tags expected since. */
  readonly fresh: Bytes[] = []
  looked = 0
  opened = 0
  /** Arrival number of the last one looked at. */
  cursor: number | undefined
  introduced: Channel | undefined

  constructor(channels: Iterable<Channel>) {
    const held = Array.from(channels).flatMap((channel) => channel.held)
    this.held = new Set(held.map(({ envelope }) => toHex(envelope)))
  }

  get isFull(): boolean {
    const { looked, opened, introduced } = this
    return opened >= TOGETHER_MAX || looked >= SLICE || introduced !== undefined
  }
}

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
  #caughtUp = false
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
      await this.#catchUpAll()
      for (;;) {
        const page = await this.#parts.mailbox.entriesAfter(this.#cursor, PAGE)
        if (page.length === 0) return
        for (let at = 0; at < page.length;) {
          if (this.#stopped) return
          at += await this.#look(page.slice(at))
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
    } catch (error) {
      this.#parts.log(`reading the mailbox stopped: ${String(error)}`)
    }
  }

  /** A crash may have come between learning new tags and looking them up among what was there already. */
  async #catchUpAll(): Promise<void> {
    if (this.#caughtUp) return
    for (const channel of this.#book.channels.values())
      if (channel.trusted) await this.#catchUp(this.#book.tags.tagsOf(toHex(channel.groupId)))
    this.#caughtUp = true
  }

  /** Looks at the first of these, as many as one batch takes; returns how many those were. */
  async #look(arrivals: readonly Kept[]): Promise<number> {
    const batch = await this.#book.turns.run(() => this.#lookTogether(arrivals))
    if (batch.introduced !== undefined) this.#events.introduced(batch.introduced)
    await this.#catchUp(batch.fresh)
    return batch.looked
  }

  async #lookTogether(arrivals: readonly Kept[]): Promise<Batch> {
    const batch = new Batch(this.#book.channels.values())
    await this.#written(batch, async () => {
      for (const { seq, id, bytes } of arrivals) {
        batch.looked++
        batch.cursor = seq
        const hit = this.#book.tags.find(bytes)
        if (hit === undefined) batch.introduced = await this.#firstContact(batch, id, bytes)
        else await this.#open(batch, hit, id, bytes)
        if (this.#settles(batch, id)) await this.#advance(batch, id)
        if (batch.isFull) break
      }
    })
    // Within this turn: whoever learns tags in a later one finds what was looked at here.
    this.#cursor = batch.cursor ?? this.#cursor
    return batch
  }

  /** Writes what `fill` put into the batch. If that fails, the tags expected are again those of the channels as they are. */
  async #written(batch: Batch, fill: () => Promise<void>): Promise<void> {
    const book = this.#book
    try {
      await fill()
      const { step, cursor } = batch
      if (cursor !== undefined) step.ops.push(book.records.putCursor(cursor))
      batch.fresh.push(...(await book.commit(step)))
    } catch (error) {
      for (const group of batch.step.channels.keys()) {
        const channel = book.channels.get(group)
        if (channel?.trusted === true) book.tags.follow(channel)
      }
      throw error
    }
  }

  #tryIntro(envelope: Bytes): Bytes | undefined {
    for (const key of this.#intro) {
      const plaintext = openIntro(this.#parts.meshId, key, envelope)
      if (plaintext !== undefined) return plaintext
    }
    return undefined
  }

  /**
   * Everything that was looked at before its tag was expected. What is kept but was not looked at yet is left for its turn: taken
   * now, it would overtake what comes before it, and a window bears only so much of that.
   */
  async #catchUp(tags: readonly Bytes[]): Promise<void> {
    const open = tags.filter((tag) => this.#book.tags.find(tag, 0) !== undefined)
    while (open.length > 0) {
      const some = open.splice(0, CATCH_UP_TOGETHER)
      const found = await Promise.all(some.map((tag) => this.#parts.mailbox.byTag(tag)))
      for (const kept of found.flat())
        if (kept.seq <= this.#cursor) open.push(...(await this.#openLate(kept)))
    }
  }

  async #openLate({ id, bytes }: Kept): Promise<Bytes[]> {
    return this.#book.turns.run(async () => {
      const batch = new Batch(this.#book.channels.values())
      const hit = this.#book.tags.find(bytes)
      await this.#written(batch, async () => {
        if (hit !== undefined) await this.#open(batch, hit, id, bytes)
        if (this.#settles(batch, id)) await this.#advance(batch, id)
      })
      return batch.fresh
    })
  }

  /** This envelope completed a commit that was held, and its arrival is its order. */
  #settles = (batch: Batch, id: Bytes) =>
    this.#parts.order === "arrival" && batch.held.has(toHex(id))

  /** Opens an envelope under an expected tag. */
  async #open(batch: Batch, hit: Hit, id: Bytes, envelope: Bytes): Promise<void> {
    const { step } = batch
    const before = step.channels.get(hit.group) ?? this.#book.channels.get(hit.group)
    if (before === undefined) return
    const opened = openEnvelope(before, this.#parts.meshId, hit.at, envelope)
    // [IGNORE] a tag is used up only by an envelope that opens
    if (opened === undefined) return
    batch.opened++
    step.channels.set(hit.group, opened.channel)
    const under = `${hit.at.epoch} ${hit.at.leaf}`
    const whole =
      opened.fragment && (await this.#partials.add(batch, hit.group, under, opened.fragment, id))
    if (whole !== undefined) {
      const read = await readPayload(opened.channel, hit.at.leaf, whole.payload)
      // Where arriving is being ordered, the envelope that completed it; otherwise the last one, which is the same for all.
      const by = this.#parts.order === "arrival" ? id : whole.last
      await this.#take(batch, hit.group, opened.channel, by, read)
    }
    // at once, because the next envelope of this batch may be one that is expected only now
    const after = step.channels.get(hit.group)
    if (after) batch.fresh.push(...this.#book.tags.follow(after))
  }

  async #take(batch: Batch, group: string, channel: Channel, id: Bytes, read: Read): Promise<void> {
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
        batch.step.channels.set(group, counts ?? held)
        return
      }
      case "contents": {
        batch.step.channels.set(group, read.channel)
        const known = await this.#known(batch, read.contents)
        for (const content of read.contents) await this.#apply(batch, channel.peer, content, known)
      }
    }
  }

  /** Ids of the texts among these that are there already, in hexadecimal. */
  async #known(batch: Batch, contents: readonly Content[]): Promise<Set<string>> {
    const ids = contents.flatMap((content) => (content.kind === "text" ? [content.id] : []))
    const known = await Promise.all(ids.map((id) => this.#book.records.findMessage(id)))
    const there = ids.filter((_, i) => known[i] !== undefined).map(toHex)
    return new Set([...batch.texts, ...there])
  }

  async #apply(
    { step, texts }: Batch,
    peer: Address,
    content: Content,
    known: Set<string>,
  ): Promise<void> {
    const contact = step.contacts.get(peer) ?? this.#book.contacts.get(peer)
    if (contact === undefined || contact.standing === "blocked") return
    switch (content.kind) {
      case "receipt":
        return this.#outbox.delivered(step, content.ids, peer)
      case "profile": {
        const after = named(contact, content.name, this.#book.namesBut(peer))
        const others = this.#book.contacts.values()
        step.contacts.set(peer, withClaim(contact, after, content.name, others))
        return
      }
      case "text": {
        const name = toHex(content.id)
        if (known.has(name)) return
        const before = this.#book.threadWith(peer)
        const current = step.threads.get(toHex(before.id)) ?? before
        if (contact.standing === "request" && current.unread >= REQUEST_MESSAGES_MAX) return
        const { id, lamport, sentAtMs, text } = content
        const { thread, message } = received(current, { id, author: peer, lamport, sentAtMs, text })
        step.threads.set(toHex(thread.id), thread)
        step.messages.push({ thread, message, fresh: true })
        known.add(name)
        texts.add(name)
        if (contact.standing === "accepted" && contact.claims === null)
          this.#outbox.kickSoon(thread)
      }
    }
  }

  /** The channel of a stranger who wrote to us, when that is what this envelope is. */
  async #firstContact(batch: Batch, id: Bytes, envelope: Bytes): Promise<Channel | undefined> {
    const plaintext = this.#tryIntro(envelope)
    const fragment = plaintext && soundly(() => decodeFragment(plaintext))
    const whole = fragment && (await this.#partials.add(batch, STRANGERS, "", fragment, id))
    const joined = whole && (await this.#join(whole.payload))
    if (joined === undefined) return undefined
    this.#makeRoom(batch.step)
    batch.step.channels.set(toHex(joined.groupId), joined)
    return joined
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
    const joined = await joinFromWelcome(hello.welcome, this.#parts.identity.lastResort)
    if (joined.kind === "ignored") {
      this.#parts.log(`a first contact was ignored: ${joined.code}`)
      return undefined
    }
    if (members(joined.state).length !== 2) return undefined
    if (this.#book.channels.has(toHex(groupIdOf(joined.state)))) return undefined
    const retired = this.#parts.retiredPackage ?? false
    const about = { peer: hello.from, theirName: hello.name, trusted: false, retired }
    const channel = await openChannel(joined.state, about)
    return peerLeafKey(channel) === undefined ? undefined : channel
  }

  /** An envelope was ordered: if it completed a commit, that commit counts. */
  async ordered(id: Bytes): Promise<void> {
    const fresh = await this.#book.turns.run(async () => {
      const batch = new Batch(this.#book.channels.values())
      if (batch.held.size > 0) await this.#written(batch, () => this.#advance(batch, id))
      return batch.fresh
    })
    await this.#catchUp(fresh)
  }

  /** Every channel in which this envelope completed a commit enters the next epoch. */
  async #advance({ step, fresh }: Batch, id: Bytes): Promise<void> {
    for (const group of this.#book.channels.keys()) {
      const channel = step.channels.get(group) ?? this.#book.channels.get(group)
      const next = channel && (await advance(channel, id))
      if (next === undefined) continue
      step.channels.set(group, next)
      if (next.trusted) fresh.push(...this.#book.tags.follow(next))
    }
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
