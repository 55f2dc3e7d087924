/**
 * What follows when the ledger has given an envelope its place: commits that it completes count, and channels enter their next epochs. What
 * was ordered and is still expected was not taken when it came, whoever was in its way: it gets a second look (second-look.ts), so
 * that what counts for all does not depend on who was quicker where.
 */
import { type Channel, readPayload } from "../../chat/channel.ts"
import { noted, settle, type Settled } from "../../chat/commits.ts"
import type { Place } from "../../chat/held.ts"
import { openAgain } from "../../chat/opening.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { Fragment } from "../../crypto/fragment.ts"
import type { ChatBook } from "./book.ts"
import type { Batch } from "./inbox-batch.ts"
import type { InboxEvents } from "./inbox.ts"
import type { Outbox } from "./outbox.ts"
import type { Whole } from "./partials.ts"
import type { ChatParts } from "./parts.ts"
import { wholesOf } from "./second-look.ts"
import type { Hit } from "./tag-map.ts"

/** A payload, and the envelope and fragment that completed it. */
export interface Arrived {
  readonly channel: Channel
  readonly fragment: Fragment
  readonly id: Bytes
  readonly whole: Whole
}

/** Envelopes that ended what was read when it came, and are still to be ordered; the oldest is looked at a second time. */
export const READ_MAX = 8_192

/** An envelope that was ordered, with the last fragment of a payload that was not read. */
export interface Found {
  readonly id: Bytes
  readonly hit: Hit
  /** Its tag was used up by something else. */
  readonly isPast: boolean
  readonly channel: Channel
  readonly fragment: Fragment
}

export class Settling {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #events: Pick<InboxEvents, "settled" | "far">

  /** Hexadecimal ids. */
  readonly #read = new Set<string>()

  constructor(
    parts: ChatParts,
    book: ChatBook,
    outbox: Outbox,
    events: Pick<InboxEvents, "settled" | "far">,
  ) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#events = events
  }

  /** Every channel in which this envelope completed a commit enters the next epoch, if it is a valid one. */
  async advance(batch: Batch, id: Bytes, at?: Place, only?: string): Promise<void> {
    for (const group of this.#book.channels.keys()) {
      const channel = batch.step.channels.get(group) ?? this.#book.channels.get(group)
      if (channel === undefined) continue
      const isMeant = only === undefined ? channel.behindFrom === null : group === only
      if (at === undefined || isMeant) await this.settle(batch, group, channel, id, at)
    }
  }

  /** The same of one channel. What it came to; `undefined` when the envelope completed nothing that counts. */
  async settle(
    batch: Batch,
    group: string,
    channel: Channel,
    id: Bytes,
    at: Place | undefined,
  ): Promise<Settled["kind"] | undefined> {
    const settled = await settle(channel, id, at)
    if (settled === undefined) return undefined
    const { step } = batch
    step.channels.set(group, settled.channel)
    if (settled.kind === "placed" || settled.kind === "awaited") {
      const waits = settled.kind === "awaited"
      if (waits) step.channels.set(group, behindFrom(settled.channel, settled.at.height))
      batch.later.push(() => this.#events.far.changed(group))
      return settled.kind
    }
    if (settled.kind === "void") {
      batch.hasVoided = true
      this.#parts.log(`a member's commit was ignored: ${settled.code}`)
      batch.later.push(() => this.#events.far.changed(group))
      return settled.kind
    }
    const oldest = settled.channel.epochs.at(-1)?.epoch ?? 0
    if (at !== undefined && channel.epochs.some(({ epoch }) => epoch < oldest))
      batch.after.push(
        await this.#outbox.again.epochsForgotten(step, settled.channel, oldest, at.height),
      )
    await this.#events.settled(step, settled, { envelope: id, at })
    const after = step.channels.get(group) ?? settled.channel
    if (after.trusted) batch.fresh.push(...this.#book.tags.follow(after))
    return settled.kind
  }

  /** What this envelope ended was read when it came: it needs no second look. */
  wasRead(id: Bytes): void {
    this.#read.add(toHex(id))
    const [oldest] = this.#read.size > READ_MAX ? this.#read : []
    if (oldest !== undefined) this.#read.delete(oldest)
  }

  /** What is left to look at of an envelope that was ordered. Only in groups: in a thread of two nobody else can seal under its tags. */
  async found(id: Bytes, only: string | undefined): Promise<Found | undefined> {
    const { channels, tags } = this.#book
    if (this.#read.delete(toHex(id))) return undefined
    if (!Array.from(channels.values()).some(({ group }) => group !== null)) return undefined
    const [bytes] = await this.#parts.mailbox.getMany([id])
    const expected = bytes && tags.find(bytes)
    const hit = expected ?? (bytes && tags.findPast(bytes))
    const channel = hit && channels.get(hit.group)
    if (bytes === undefined || hit === undefined || channel === undefined) return undefined
    if (channel.group === null) return undefined
    const isMeant = only === undefined ? channel.behindFrom === null : hit.group === only
    const fragment = openAgain(channel, this.#parts.meshId, hit.at, bytes)
    if (!isMeant || fragment === undefined || fragment.index < fragment.count - 1) return undefined
    return { id, hit, isPast: expected === undefined, channel, fragment }
  }

  /** Takes it, if it is what it should be. Within a turn. */
  async lookAgain(
    batch: Batch,
    { id, hit, isPast, channel, fragment }: Found,
    at: Place,
    take: (hit: Hit, arrived: Arrived) => Promise<void>,
  ): Promise<void> {
    const { mailbox, meshId } = this.#parts
    for await (const payload of wholesOf(mailbox, { channel, meshId, at: hit.at, fragment })) {
      const read = await readPayload(channel, hit.at, payload)
      if (read.kind === "contents") {
        // What somebody says twice under one tag is whatever of it came first; nothing hangs on that.
        if (isPast) return
        const whole = { payload, last: id, carriers: [] }
        return take(hit, { channel, fragment, id, whole })
      }
      if (read.kind === "statement" && read.statement.kind !== "missing") {
        const held = noted(channel, hit.at, read.statement, id, true)
        if (held !== undefined) await this.#place(batch, hit.group, held, id, at)
        return
      }
      if (read.kind !== "commit") continue
      const commit = { envelope: id, leaf: hit.at.leaf, own: null, payload, far: null }
      const held = { ...channel, held: [...channel.held, commit] }
      if ((await this.settle(batch, hit.group, held, id, at)) !== "void") return
    }
  }

  /** A statement has its place, whether it completes something with it or not. */
  async #place(batch: Batch, group: string, channel: Channel, id: Bytes, at: Place) {
    batch.step.channels.set(group, channel)
    await this.settle(batch, group, channel, id, at)
    batch.later.push(() => this.#events.far.changed(group))
  }
}

/** The order is to be followed again for this channel from this height on. */
export const behindFrom = (channel: Channel, height: number): Channel => ({
  ...channel,
  behindFrom: Math.min(channel.behindFrom ?? height - 1, height - 1),
})
