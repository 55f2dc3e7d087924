/**
 * Everything that arrives: looks at each envelope of the mailbox once, in order of arrival, and takes what is ours. A map lookup by tag
 * first; only on a miss one decapsulation for each intro key (DESIGN §5). What some envelopes change is written in one batch together
 * with the place reached, so a process killed anywhere goes on exactly there: nothing is read twice, nothing is skipped.
 */
import { type Channel, type Expected, readPayload } from "../../chat/channel.ts"
import { hold, noted, type Settled } from "../../chat/commits.ts"
import type { Content } from "../../chat/content.ts"
import { isPosted } from "../../chat/content.ts"
import type { FarStatement } from "../../chat/far-commit.ts"
import type { Place } from "../../chat/held.ts"
import { openEnvelope, usedUp } from "../../chat/opening.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { ChatBook, Step } from "./book.ts"
import type { FarCommits } from "./far-commits.ts"
import { FirstContact, type FirstContactEvents } from "./first-contact.ts"
import { Batch } from "./inbox-batch.ts"
import type { SignedPayload } from "./evidence.ts"
import { Hearing, type HearingEvents } from "./hearing.ts"
import type { Outbox } from "./outbox.ts"
import { Partials, STRANGERS, type Whole } from "./partials.ts"
import type { ChatParts } from "./parts.ts"
import type { Places } from "./places.ts"
import { type Arrived, behindFrom, Settling } from "./settling.ts"
import type { Kept } from "../mailbox/shelf.ts"
import type { Hit } from "./tag-map.ts"

const PAGE = 128
/** Looked up in the store at a time. */
const CATCH_UP_TOGETHER = 32

export interface InboxEvents extends FirstContactEvents, HearingEvents {
  /** Where this envelope was ordered, when the order was followed past it already. */
  passedAt(id: Bytes): number | undefined
  /** A channel has to be taken through the order from an earlier height. */
  fellBehind(): void
  readonly places: Pick<Places, "sorted" | "heard">
  readonly far: Pick<FarCommits, "changed" | "missed">
  /** What they said was signed so: kept for whoever is to be shown it, also of what is `deferred`. Within a turn. */
  signed(step: Step, payload: SignedPayload, deferred: readonly Content[]): Promise<void>
  /** A commit counts. Adds to the step what follows from it. */
  settled(
    step: Step,
    settled: Extract<Settled, { kind: "entered" }>,
    by: { readonly envelope: Bytes; readonly at: Place | undefined },
  ): Promise<void>
}

export class Inbox {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #events: InboxEvents
  readonly #partials: Partials
  readonly #firstContact: FirstContact
  readonly #hearing: Hearing
  readonly #settling: Settling
  #cursor = 0
  #caughtUp = false
  #draining: Promise<void> | undefined
  /** Of channels that are new here: whoever follows the order waits for it, or epochs would end before what they brought was read. */
  readonly #expecting = new Set<Promise<void>>()
  #more = false
  #stopped = false

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox, events: InboxEvents) {
    this.#parts = parts
    this.#book = book
    this.#events = events
    this.#partials = new Partials(book.records)
    this.#firstContact = new FirstContact(parts, book, this.#partials, events)
    this.#hearing = new Hearing(book, outbox, events)
    this.#settling = new Settling(parts, book, outbox, events)
  }

  /** Takes in what waited until it was known to count. Within a turn. */
  get later(): Hearing["later"] {
    return this.#hearing.later
  }

  async load(): Promise<void> {
    this.#cursor = await this.#book.records.cursor()
    await this.#firstContact.far.load()
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

  /** Resolves when everything that has arrived by now was looked at, also what came before it was expected. */
  async settled(): Promise<void> {
    this.kick()
    while (this.#draining !== undefined) await this.#draining
    await Promise.allSettled(this.#expecting)
  }

  retryNow(): void {
    this.#firstContact.far.retryNow()
    this.kick()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#firstContact.far.stop()
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
    for (const act of batch.later) act()
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
        if (hit === undefined)
          batch.introduced = await this.#firstContact.read(batch, id, bytes, this.#events.height())
        else await this.#open(batch, hit, id, bytes)
        if (this.#settles(batch, id)) await this.#settling.advance(batch, id)
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
      for (const act of batch.after) act()
    } catch (error) {
      for (const group of batch.step.channels.keys()) {
        const channel = book.channels.get(group)
        if (channel?.trusted === true) book.tags.follow(channel)
      }
      throw error
    }
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
        if (this.#settles(batch, id)) await this.#settling.advance(batch, id)
      })
      for (const act of batch.later) act()
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
    // [IGNORE] what does not open, or is no fragment; its tag stays expected
    if (opened?.fragment === undefined) return
    const { channel, fragment, key } = opened
    batch.opened++
    step.channels.set(hit.group, channel)
    const under = `${hit.at.epoch} ${hit.at.leaf}`
    const whole = await this.#partials.add(batch, hit.group, under, fragment, id, key)
    if (whole !== undefined) await this.#take(batch, hit, { channel, fragment, id, whole })
    // at once, because the next envelope of this batch may be one that is expected only now
    const after = step.channels.get(hit.group)
    if (after) batch.fresh.push(...this.#book.tags.follow(after))
  }

  /** Takes a whole payload, which one of its envelopes completed. */
  async #take(batch: Batch, hit: Hit, arrived: Arrived): Promise<void> {
    const { channel, fragment, id, whole } = arrived
    const read = await readPayload(channel, hit.at, whole.payload)
    switch (read.kind) {
      case "ignored":
        this.#parts.log(`a member's message was ignored: ${read.code}`)
        return
      case "commit":
        return this.#hold(batch, hit, channel, id, whole)
      case "statement":
        this.#note(batch, hit, channel, whole.last, read.statement)
        return
      case "contents": {
        batch.step.channels.set(hit.group, usedUp(read.channel, hit.at, fragment))
        if (channel.group !== null) this.#settling.wasRead(whole.last)
        const { epoch, leaf } = hit.at
        const { from, contents } = read
        const payload = { envelope: whole.last, epoch, leaf, from, contents }
        const { now, later } = this.#events.places.sorted(channel, payload)
        await this.#hearing.applyAll(batch, hit.group, from, now)
        await this.#events.places.heard(batch.step, {
          envelope: whole.last,
          group: channel.groupId,
          epoch,
          leaf,
          messages: [...now, ...later].filter(isPosted).map((content) => content.id),
          deferred: later.length === 0 ? null : { by: from, contents: later },
        })
        const { signed } = read
        const { carriers } = whole
        await this.#events.signed(batch.step, { by: from, contents, carriers, ...signed }, later)
      }
    }
  }

  async #hold(
    batch: Batch,
    { group, at }: { group: string; at: Expected },
    channel: Channel,
    id: Bytes,
    { payload, last }: Whole,
  ): Promise<void> {
    const isArrival = this.#parts.order === "arrival"
    // Where arriving is being ordered, the envelope that completed it; otherwise the last one, which is the same for all.
    const envelope = isArrival ? id : last
    const held = hold(channel, { envelope, leaf: at.leaf, own: null, payload, far: null })
    batch.step.channels.set(group, held)
    // Both are one step there: a crash between them would leave the commit held for ever.
    if (isArrival) await this.#settling.settle(batch, group, held, envelope, undefined)
    else this.#leadAgain(batch, group, held, last)
  }

  /** A member states something about a commit in a blob. */
  #note(
    batch: Batch,
    { group, at }: { group: string; at: Expected },
    channel: Channel,
    last: Bytes,
    statement: FarStatement,
  ): void {
    const { far } = this.#events
    if (this.#parts.order === "arrival") return
    if (statement.kind === "missing") {
      batch.later.push(() => far.missed(group, statement.commit))
      return
    }
    const next = noted(channel, at, statement, last)
    if (next === undefined) return
    batch.step.channels.set(group, next)
    this.#leadAgain(batch, group, next, last)
    batch.later.push(() => far.changed(group))
  }

  /** If its place was passed, because nobody had it then, the order is followed again from there. */
  #leadAgain(batch: Batch, group: string, channel: Channel, last: Bytes): void {
    const height = this.#events.passedAt(last)
    if (height === undefined) return
    batch.step.channels.set(group, behindFrom(channel, height))
    batch.later.push(() => this.#events.fellBehind())
  }

  /**
   * An envelope was ordered: if it completed a commit, that commit may count. For one channel that goes through an earlier part of the
   * order, or for all but those that have to.
   */
  async ordered(id: Bytes, at: Place, only?: string): Promise<void> {
    const fresh = await this.#book.turns.run(async () => {
      const batch = new Batch(this.#book.channels.values())
      const isHeld = batch.held.has(toHex(id))
      if (isHeld) await this.#written(batch, () => this.#settling.advance(batch, id, at, only))
      for (const act of batch.later) act()
      // Held was perhaps what another member had put in its place.
      const isOver = isHeld && !batch.hasVoided
      return isOver ? batch.fresh : [...batch.fresh, ...(await this.#lookAgain(id, at, only))]
    })
    await this.#catchUp(fresh)
  }

  /** What was ordered and is still expected gets a second look. Returns tags expected since. Within a turn. */
  async #lookAgain(id: Bytes, at: Place, only: string | undefined): Promise<readonly Bytes[]> {
    const found = await this.#settling.found(id, only)
    if (found === undefined) return []
    const batch = new Batch(this.#book.channels.values())
    const take = (hit: Hit, arrived: Arrived) => this.#take(batch, hit, arrived)
    await this.#written(batch, () => this.#settling.lookAgain(batch, found, at, take))
    for (const act of batch.later) act()
    return batch.fresh
  }

  /** This channel goes, and with `step` what was begun in it. */
  forget(step: Step, group: string): void {
    step.channels.set(group, null)
    step.ops.push(...this.#partials.forget(group))
  }

  /** Texts may have come under these tags before they were expected. */
  async expectNow(tags: readonly Bytes[]): Promise<void> {
    const looking = this.#catchUp(tags)
    this.#expecting.add(looking)
    try {
      await looking
    } finally {
      this.#expecting.delete(looking)
    }
  }
}
