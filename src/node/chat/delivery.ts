/**
 * How far our messages provably got (DESIGN §10): which envelopes have no place in the ledger yet and what they carry, who has to
 * confirm a message, and what a receipt or a place proves. A state is entered on evidence only, and never left backwards.
 */
import type { Channel } from "../../chat/channel.ts"
import type { Saying } from "../../chat/content.ts"
import { further } from "../../chat/delivery.ts"
import { addressOfMember } from "../../chat/group.ts"
import { lastHeight } from "../../chat/lateness.ts"
import { awaitedAs, type ChatMessage } from "../../chat/message.ts"
import type { ChatThread } from "../../chat/thread.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { members, ownLeaf } from "../../crypto/session.ts"
import { type ChatBook, Step } from "./book.ts"
import { sayingOf } from "./line.ts"
import type { OwnAct } from "./marks.ts"
import type { ChatParts } from "./parts.ts"
import type { Outgoing, Unordered } from "./records.ts"
import type { Transcript } from "./transcript.ts"

/** Own envelopes whose place in the ledger is awaited. */
const UNORDERED_MAX = 10_000

/** Of ours, and nobody may be able to read it: to be said again. `done` is for after the step is written. */
interface Lost {
  readonly sayings: readonly Saying[]
  readonly done: () => void
}

/** In which group (its id) and epoch an envelope can be read. */
export type Readable = Pick<Unordered, "group" | "epoch">

export class Deliveries {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #transcript: Transcript
  /** Own envelopes with texts inside that have no place in the ledger yet. */
  readonly #unordered = new Map<string, Unordered>()
  /** Acts of our own that may have to be said again, by their hexadecimal ids. */
  readonly #acts = new Map<string, OwnAct>()

  readonly #passedAt: (id: Bytes) => number | undefined

  /** `passedAt`: where an envelope was ordered, when chat has followed the order past it. */
  constructor(
    parts: ChatParts,
    book: ChatBook,
    transcript: Transcript,
    passedAt: (id: Bytes) => number | undefined,
  ) {
    this.#parts = parts
    this.#book = book
    this.#transcript = transcript
    this.#passedAt = passedAt
  }

  async load(): Promise<void> {
    for (const each of await this.#book.records.unordered())
      this.#unordered.set(toHex(each.id), each)
    for (const act of await this.#book.records.marks.ownActs()) this.remember(act)
  }

  /** An act of our own is in line: it is said again when nobody may be able to read it. */
  remember(act: OwnAct): void {
    this.#acts.set(toHex(act.content.id), act)
  }

  /** Those of these envelopes whose place is awaited. Beyond the limit texts stay at what is proven of them otherwise. Within a turn. */
  toBeOrdered(
    step: Step,
    outgoing: readonly Outgoing[],
    origins: ReadonlyMap<string, Readable>,
  ): readonly Unordered[] {
    const isFull = this.#parts.order === "arrival" || this.#unordered.size >= UNORDERED_MAX
    return outgoing.flatMap(({ id, messages }) => {
      const origin = origins.get(toHex(id))
      if (origin === undefined || messages.length === 0) return []
      if (!isFull) return [{ id, messages, ...origin }]
      this.#forgetActs(step, messages)
      return []
    })
  }

  /** `toBeOrdered` was written. Within the same turn. */
  await(texts: readonly Unordered[]): void {
    for (const each of texts) this.#unordered.set(toHex(each.id), each)
  }

  /** In a group: who was in it when these texts left, and is to confirm them. */
  async noteAudience(step: Step, channel: Channel, texts: readonly Bytes[]): Promise<void> {
    if (channel.group === null) return
    const own = ownLeaf(channel.state)
    const others = members(channel.state).filter(({ leaf }) => leaf !== own)
    const awaited = others.flatMap((each) => addressOfMember(each) ?? []).map(awaitedAs)
    const thread = this.#book.threadOf(channel)
    for (const id of texts) {
      const found = await this.#book.records.findMessage(id)
      // Said again after nobody could read it: whoever confirmed it already has it.
      if (!found || found.message.audience > 0) continue
      const message = { ...found.message, audience: awaited.length, awaited }
      step.messages.push({ thread, message, fresh: false })
    }
  }

  /** Peers have these envelopes: adds to the step what that proves. Within a turn. */
  async taken(step: Step, taken: readonly Outgoing[]): Promise<void> {
    const isOrdered = ({ id }: Outgoing) => this.#parts.ledger?.orderedAt(id) !== undefined
    const textsIn = (some: readonly Outgoing[]) => some.flatMap(({ messages }) => messages)
    const ordered = taken.filter(isOrdered)
    await this.#progress(step, textsIn(taken.filter((out) => !isOrdered(out))), "gossiped")
    await this.#progress(step, textsIn(ordered), "ordered")
    // What the order has not been followed up to may still turn out to be of an epoch that was forgotten by then (`lost`).
    for (const { id } of ordered) if (this.#passedAt(id) !== undefined) this.settle(step, id)
  }

  /** The ledger has given these envelopes their places, and peers have them. */
  async ordered(ids: readonly Bytes[]): Promise<void> {
    const own = ids.flatMap((id) => this.#unordered.get(toHex(id)) ?? [])
    if (own.length === 0) return
    await this.#book.turns.run(async () => {
      const step = new Step()
      await this.#progress(
        step,
        own.flatMap(({ messages }) => messages),
        "ordered",
      )
      for (const { id } of own) this.settle(step, id)
      await this.#book.commit(step)
    })
  }

  /** This envelope's place is not awaited any more. */
  settle(step: Step, id: Bytes): void {
    const unordered = this.#unordered.get(toHex(id))
    if (unordered === undefined) return
    this.#unordered.delete(toHex(id))
    step.ops.push(this.#book.records.delUnordered(id))
    this.#forgetActs(step, unordered.messages)
  }

  #forgetActs(step: Step, ids: readonly Bytes[]): void {
    for (const id of ids)
      if (this.#acts.delete(toHex(id))) step.ops.push(this.#book.records.marks.delOwnAct(id))
  }

  /**
   * Texts of ours from epochs before `oldest` that had no place in the order by `height`: nobody may be able to read them. Adds to
   * the step that they are not awaited; `done` is for after it is written.
   */
  async lost(step: Step, { groupId }: Channel, oldest: number, height: number): Promise<Lost> {
    const lost = [...this.#unordered.values()].filter(({ id, group, epoch }) => {
      const at = this.#parts.ledger?.orderedAt(id)
      return equal(group, groupId) && epoch < oldest && (at === undefined || at >= height)
    })
    return this.#sayAgain(step, lost)
  }

  /** Whether what we seal under this epoch would come too late by now. */
  isOver(channel: Channel, epoch: number): boolean {
    const last = this.#lastHeight(channel, epoch)
    return last !== undefined && (this.#parts.ledger?.height() ?? 0) > last
  }

  #lastHeight(channel: Channel, epoch: number): number | undefined {
    if (this.#parts.order === "arrival" || channel.behindFrom !== null) return undefined
    const kept = channel.epochs.find((each) => each.epoch === epoch)
    return kept && lastHeight(channel, { epoch, leaf: kept.ownLeaf })
  }

  /** Ours came too late, now that the order has got to this height: nobody takes it for said (chat/lateness.ts). */
  #isLate({ id, group, epoch }: Unordered, height: number): boolean {
    const channel = this.#book.channels.get(toHex(group))
    const last = channel && this.#lastHeight(channel, epoch)
    return last !== undefined && (this.#parts.ledger?.orderedAt(id) ?? height) > last
  }

  /** Channels in which something of ours came too late. */
  overdue(height: number): Channel[] {
    const late = [...this.#unordered.values()].filter((each) => this.#isLate(each, height))
    const groups = new Set(late.map(({ group }) => toHex(group)))
    return [...groups].flatMap((group) => this.#book.channels.get(group) ?? [])
  }

  /** The same as `lost` of what came too late. */
  late(step: Step, { groupId }: Channel, height: number): Promise<Lost> {
    const late = [...this.#unordered.values()].filter(
      (each) => equal(each.group, groupId) && this.#isLate(each, height),
    )
    return this.#sayAgain(step, late)
  }

  async #sayAgain(step: Step, lost: readonly Unordered[]): Promise<Lost> {
    const ids = lost.flatMap(({ messages }) => messages)
    const sayings = await Promise.all(ids.map((id) => this.#saying(id)))
    for (const { id } of lost) step.ops.push(this.#book.records.delUnordered(id))
    return {
      sayings: sayings.flatMap((each) => each ?? []),
      done: () => {
        for (const { id } of lost) this.#unordered.delete(toHex(id))
      },
    }
  }

  /** What we said under this id. */
  async #saying(id: Bytes): Promise<Saying | undefined> {
    const act = this.#acts.get(toHex(id))
    if (act !== undefined) return act.content
    const found = await this.#book.records.findMessage(id)
    return found && sayingOf(found.message)
  }

  /** A receipt arrived from somebody in this thread: adds to `step` what it proves. Within a turn. */
  async delivered(
    step: Step,
    ids: readonly Bytes[],
    { id: thread }: ChatThread,
    by: Address,
  ): Promise<void> {
    await this.#progress(step, ids, "delivered", { thread, by })
  }

  /** Somebody says that they have read these. */
  async read(
    step: Step,
    ids: readonly Bytes[],
    { id: thread }: ChatThread,
    by: Address,
  ): Promise<void> {
    for (const id of ids) {
      if (this.#transcript.isTheirs(id)) continue
      const found = await this.#transcript.find(step, id)
      if (found === undefined || !found.message.mine || !equal(found.thread.id, thread)) continue
      const { message } = found
      const own = awaitedAs(by)
      const isMeant = message.audience === 0 ? by === found.thread.peer : true
      if (!isMeant || message.readBy.some((each) => equal(each, own))) continue
      const readBy = [...message.readBy, own].slice(0, Math.max(1, message.audience))
      const awaited = message.awaited.filter((each) => !equal(each, own))
      const isRead = message.audience === 0 || readBy.length >= message.audience
      const reached = isRead ? "read" : awaited.length === 0 ? "delivered" : message.delivery
      const delivery = further(message.delivery, reached)
      step.messages.push({
        thread: found.thread,
        message: { ...message, readBy, awaited, delivery },
        fresh: false,
      })
    }
  }

  async #progress(
    step: Step,
    ids: readonly Bytes[],
    to: "gossiped" | "ordered" | "delivered",
    receipt?: { readonly thread: Bytes; readonly by: Address },
  ): Promise<void> {
    for (const id of ids) {
      // In a group everybody confirms to everybody.
      if (this.#transcript.isTheirs(id)) continue
      const found = await this.#transcript.find(step, id)
      if (found === undefined || !found.message.mine) continue
      const { thread, message: before } = found
      // Only somebody who was written to can say that it arrived.
      if (receipt !== undefined && !equal(thread.id, receipt.thread)) continue
      const message = receipt === undefined ? before : this.#confirmed(thread, before, receipt.by)
      const isThere = receipt === undefined || message.awaited.length === 0
      const delivery = isThere ? further(message.delivery, to) : message.delivery
      if (delivery === before.delivery && message === before) continue
      step.messages.push({ thread, message: { ...message, delivery }, fresh: false })
    }
  }

  /** One member of the group less to wait for, and none that left it meanwhile. */
  #confirmed(thread: ChatThread, message: ChatMessage, by: Address): ChatMessage {
    const channel = this.#book.groupChannel(thread)
    if (channel === undefined || message.awaited.length === 0) return message
    const there = members(channel.state).flatMap((each) => addressOfMember(each) ?? [])
    const names = new Set(there.map((each) => toHex(awaitedAs(each))))
    const waiting = message.awaited.filter((each) => names.has(toHex(each)))
    const awaited = waiting.filter((each) => !equal(each, awaitedAs(by)))
    if (awaited.length === message.awaited.length) return message
    const audience = message.audience - (message.awaited.length - waiting.length)
    return { ...message, audience, awaited }
  }
}
