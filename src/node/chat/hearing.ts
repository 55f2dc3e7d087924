/** What a member said, taken in: adds to a step what each content of a payload changes. Within a turn. */
import type { Channel } from "../../chat/channel.ts"
import { type Content, isAct, isPosted } from "../../chat/content.ts"
import type { ChatThread } from "../../chat/thread.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { ChatBook, Step } from "./book.ts"
import type { Outbox } from "./outbox.ts"
import { renamed, standingOf } from "./standing.ts"
import type { Transcript } from "./transcript.ts"

/** Unread texts of a stranger that was not accepted; later ones are dropped and never confirmed. */
export const REQUEST_MESSAGES_MAX = 1_000

export interface HearingEvents {
  readonly transcript: Transcript
  /** Somebody writes, or has stopped writing. */
  typing(thread: ChatThread, by: Address, typing: Extract<Content, { kind: "typing" }>): void
  /** Somebody cannot read what we have said to them above this height. */
  lacks(thread: ChatThread, above: number): void
  /** The channel with what it shows of its thread's other side, after somebody in a group said something about themselves. */
  heard(channel: Channel, from: Address, content: Content): Channel
}

/** The step of some arrivals. */
export interface HearingBatch {
  readonly step: Step
  /** Hexadecimal ids of texts in `step`. */
  readonly texts: Set<string>
  /** To be done once it is written, within the same turn. */
  readonly after: (() => void)[]
}

export class Hearing {
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #events: HearingEvents

  constructor(book: ChatBook, outbox: Outbox, events: HearingEvents) {
    this.#book = book
    this.#outbox = outbox
    this.#events = events
  }

  async applyAll(
    batch: HearingBatch,
    group: string,
    from: Address,
    contents: readonly Content[],
  ): Promise<void> {
    const known = await this.#known(batch, contents)
    for (const content of contents) await this.#apply(batch, group, from, content, known)
  }

  /** What waited until it was known to count. */
  later = (step: Step, group: string, from: Address, contents: readonly Content[]): Promise<void> =>
    this.applyAll({ step, texts: new Set(), after: [] }, group, from, contents)

  /** Ids of the texts among these that are there already, or were, in hexadecimal. */
  async #known(batch: HearingBatch, contents: readonly Content[]): Promise<Set<string>> {
    const ids = contents.filter(isPosted).map((content): Bytes => content.id)
    const known = await Promise.all(ids.map((id) => this.#book.records.wasHere(id)))
    const there = ids.filter((_, i) => known[i] === true).map(toHex)
    return new Set([...batch.texts, ...there])
  }

  async #apply(
    batch: HearingBatch,
    group: string,
    from: Address,
    content: Content,
    known: Set<string>,
  ): Promise<void> {
    const { step } = batch
    const channel = step.channels.get(group) ?? this.#book.channels.get(group)
    if (channel === undefined || step.channels.get(group) === null) return
    const standing = standingOf(this.#book, step, channel)
    if (standing === "blocked") return
    const before = this.#book.threadOf(channel)
    const thread = step.threads.get(toHex(before.id)) ?? before
    if (isAct(content)) return this.#events.transcript.act(step, thread, content, from)
    switch (content.kind) {
      case "receipt":
        return this.#outbox.deliveries.delivered(step, content.ids, thread, from)
      case "profile":
      case "leave":
        if (channel.group !== null)
          step.channels.set(group, this.#events.heard(channel, from, content))
        else if (content.kind === "profile") renamed(this.#book, step, from, content.name)
        return
      case "read":
        if (thread.tellsRead) await this.#outbox.deliveries.read(step, content.ids, thread, from)
        return
      case "lack":
        // In a group others may read it who were not there then.
        if (channel.group === null && standing === "open")
          batch.after.push(() => this.#events.lacks(thread, content.above))
        return
      case "typing":
        if (thread.tellsTyping && standing === "open")
          batch.after.push(() => this.#events.typing(thread, from, content))
        return
      case "text":
      case "lifetime":
        if (known.has(toHex(content.id))) return
        if (standing === "request" && thread.unread >= REQUEST_MESSAGES_MAX) return
        known.add(toHex(content.id))
        batch.texts.add(toHex(content.id))
        await this.#events.transcript.said(step, thread, from, content)
        if (standing === "open") this.#outbox.kickSoon(thread)
    }
  }
}
