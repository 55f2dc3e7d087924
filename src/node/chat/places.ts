/**
 * Puts messages where the ledger put their envelopes (DESIGN §10), and takes back what came under keys that had ended (chat/lateness.ts).
 * Each payload with messages inside waits, with the envelope whose place counts, until that one is ordered; then the messages move there,
 * in the order of the payload. What is ordered too late, or not at all by then, counts for nobody: its author says it again. What
 * a member does to messages waits the same way, unless the epoch still goes on: then it shows at once. So do texts, unless we are so far
 * behind the order that they may be late already.
 */
import type { Channel } from "../../chat/channel.ts"
import { type Content, isPosted, isSaying } from "../../chat/content.ts"
import { lastHeight, LATE_HEIGHTS_MAX } from "../../chat/lateness.ts"
import { placed } from "../../chat/thread.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Unplaced } from "./marks.ts"
import type { Expiry } from "./expiry.ts"
import type { ChatParts } from "./parts.ts"
import type { Found, Transcript } from "./transcript.ts"

/** Envelopes whose place is awaited that are known without asking the store; while there are more it is asked about every one. */
const UNPLACED_MAX = 65_536
/** What came too late, or takes effect by now, is dealt with by so many in one step. */
const TOGETHER_MAX = 64

/** A payload of somebody's, as it was read. */
export interface HeardPayload {
  readonly envelope: Bytes
  readonly epoch: number
  readonly leaf: number
  readonly from: Address
  readonly contents: readonly Content[]
}

/** `counts`: it has its place in time. `open`: it may have one yet. `late`: it counts for nobody. */
type Verdict = "counts" | "open" | "late"

/** Applies what was deferred. Within a turn. */
export type Apply = (
  step: Step,
  group: string,
  from: Address,
  contents: readonly Content[],
) => Promise<void>

interface Awaited extends Pick<Unplaced, "envelope" | "epoch" | "leaf"> {
  /** Hexadecimal. */
  readonly group: string
  /** Something was deferred, and not because it needs its place. */
  readonly mayTakeEffect: boolean
  /** Its block was gone through while its channel was behind. */
  passedBy: boolean
}

export class Places {
  readonly #parts: Pick<ChatParts, "order" | "ledger" | "log">
  readonly #book: ChatBook
  readonly #transcript: Transcript
  readonly #expiry: Expiry
  readonly #apply: Apply
  /** By hexadecimal id of the envelope. */
  readonly #awaited = new Map<string, Awaited>()
  #hasMore = false
  /** Up to this height blocks were gone through here. */
  #reached = 0

  constructor(
    parts: Pick<ChatParts, "order" | "ledger" | "log">,
    book: ChatBook,
    { transcript, expiry }: { transcript: Transcript; expiry: Expiry },
    apply: Apply,
  ) {
    this.#parts = parts
    this.#book = book
    this.#transcript = transcript
    this.#expiry = expiry
    this.#apply = apply
  }

  async load(): Promise<void> {
    this.#reached = (await this.#book.records.orderedUpTo()) ?? 0
    for (const each of await this.#book.records.marks.unplaced()) this.#know(each)
  }

  #know({ envelope, group, epoch, leaf, deferred }: Unplaced): void {
    const height = this.#parts.ledger?.orderedAt(envelope)
    const passedBy = height !== undefined && height <= this.#reached
    const shared = { envelope, epoch, leaf, passedBy }
    if (this.#awaited.size < UNPLACED_MAX)
      this.#awaited.set(toHex(envelope), {
        ...shared,
        group: toHex(group),
        mayTakeEffect: deferred !== null && !deferred.contents.some(isLeave),
      })
    else this.#hasMore = true
  }

  /** Our messages leave in this envelope. Within a turn. */
  async leaving(step: Step, payload: Omit<Unplaced, "deferred">): Promise<void> {
    const found = await Promise.all(payload.messages.map((id) => this.#transcript.find(step, id)))
    this.#expiry.seen(
      step,
      found.flatMap((each) => (each === undefined ? [] : [each.message])),
    )
    this.#await(step, { ...payload, deferred: null })
  }

  /** What of a payload takes effect now, and what with its place; the rest came too late. */
  sorted(channel: Channel, payload: HeardPayload): { now: Content[]; later: Content[] } {
    const { contents } = payload
    const verdict = this.#verdict(channel, payload)
    if (verdict === "counts") return { now: [...contents], later: [] }
    if (verdict === "late") {
      this.#parts.log("a member's message came under keys that had ended")
      const isNew = (channel.group?.people.get(payload.from)?.name ?? "") === ""
      // Somebody's first word of what they are called changes nothing that was so.
      const counts = (each: Content) =>
        isHarmless(each) || isLeave(each) || (isNew && each.kind === "profile")
      return { now: contents.filter(counts), later: [] }
    }
    // Who leaves is let go once that has its place: so all know by the same commit that they left by themselves.
    if (this.#goesOn(channel, payload) && !contents.some(isLeave))
      return { now: [...contents], later: [] }
    // Were it late already, we would be further behind.
    const isNear = (this.#parts.ledger?.height() ?? 0) <= this.#reached + LATE_HEIGHTS_MAX
    const isNow = (each: Content) => isHarmless(each) || (isNear && isPosted(each))
    const isLater = (each: Content) => !isNow(each) && each.kind !== "typing"
    return { now: contents.filter(isNow), later: contents.filter(isLater) }
  }

  /** The epoch is the one that everybody is in, as far as anybody can know. */
  #goesOn(channel: Channel, { envelope, epoch }: Pick<HeardPayload, "envelope" | "epoch">) {
    const { ledger } = this.#parts
    return (
      channel.behindFrom === null &&
      channel.epochs[0]?.epoch === epoch &&
      (ledger === undefined ||
        (ledger.height() <= this.#reached && ledger.orderedAt(envelope) === undefined))
    )
  }

  #verdict(
    channel: Channel,
    { envelope, epoch, leaf }: Pick<Unplaced, "envelope" | "epoch" | "leaf">,
  ): Verdict {
    const { ledger, order } = this.#parts
    if (ledger === undefined || order === "arrival") return "counts"
    if (channel.behindFrom !== null) return "open"
    const last = lastOf(channel, { epoch, leaf })
    const height = ledger.orderedAt(envelope)
    if (last !== undefined && (height ?? ledger.height()) > last) return "late"
    return height === undefined || height > this.#reached ? "open" : "counts"
  }

  /** Somebody's messages came with this envelope, whose block may have been gone through already. Within a turn. */
  async heard(step: Step, payload: Unplaced): Promise<void> {
    const channel = this.#channelOf(step, payload)
    if (channel !== undefined && this.#verdict(channel, payload) !== "counts")
      this.#await(step, payload)
    else await this.#placeKnown(step, payload)
  }

  #channelOf(step: Step, { group }: Pick<Unplaced, "group">): Channel | undefined {
    return step.channels.get(toHex(group)) ?? this.#book.channels.get(toHex(group))
  }

  /** Its block was gone through. */
  async #placeKnown(step: Step, payload: Unplaced): Promise<void> {
    const { ledger } = this.#parts
    const height = ledger?.orderedAt(payload.envelope)
    if (ledger === undefined || height === undefined) return
    const [block] = await ledger.blocksAfter(height - 1, 1)
    const index = block?.ids.findIndex((id) => equal(id, payload.envelope)) ?? -1
    if (index >= 0) await this.#place(step, payload, height, index)
  }

  /** These messages move when this envelope is ordered. */
  #await(step: Step, payload: Unplaced): void {
    if (payload.messages.length === 0 && payload.deferred === null) return
    if (this.#parts.order === "arrival") return
    step.ops.push(this.#book.records.marks.putUnplaced(payload))
    this.#know(payload)
  }

  /** A block was reached, and everything in it was looked at. */
  async ordered(height: number, ids: readonly Bytes[]): Promise<void> {
    const some = Array.from(ids.entries()).filter(
      ([, id]) => this.#hasMore || this.#awaited.has(toHex(id)),
    )
    // At once with looking: what is heard from now on is placed by whoever hears it.
    this.#reached = Math.max(this.#reached, height)
    this.#expiry.reached(height)
    if (some.length === 0) return
    const settled: Bytes[] = []
    await this.#book.turns.run(async () => {
      const step = new Step()
      for (const [index, id] of some) {
        const unplaced = await this.#book.records.marks.unplacedIn(id)
        if (unplaced === undefined) continue
        const channel = this.#channelOf(step, unplaced)
        const verdict = channel === undefined ? "counts" : this.#verdict(channel, unplaced)
        if (verdict === "open") {
          this.#know(unplaced)
          continue
        }
        if (verdict === "late") await this.#takeBack(step, unplaced)
        else await this.#place(step, unplaced, height, index)
        step.ops.push(this.#book.records.marks.delUnplaced(unplaced))
        settled.push(id)
      }
      await this.#book.commit(step)
    })
    for (const id of settled) this.#awaited.delete(toHex(id))
  }

  /**
   * The order was followed to its end for now, or a channel was led there: what can have no place any more goes, what has got one
   * meanwhile takes it, and what was deferred only because we were behind takes effect.
   */
  async moved(): Promise<void> {
    const due = [...this.#awaited.values()].filter((each) => this.#isDue(each))
    for (let at = 0; at < due.length; at += TOGETHER_MAX)
      await this.#settleTogether(due.slice(at, at + TOGETHER_MAX))
  }

  #isDue(awaited: Awaited): boolean {
    const channel = this.#book.channels.get(awaited.group)
    if (channel === undefined || channel.behindFrom !== null) return false
    if (awaited.passedBy) return true
    if (lastOf(channel, awaited) !== undefined) return this.#verdict(channel, awaited) !== "open"
    return awaited.mayTakeEffect && this.#goesOn(channel, awaited)
  }

  async #settleTogether(due: readonly Awaited[]): Promise<void> {
    const settled: Bytes[] = []
    await this.#book.turns.run(async () => {
      const step = new Step()
      for (const { envelope } of due) {
        const unplaced = await this.#book.records.marks.unplacedIn(envelope)
        const channel = unplaced && this.#channelOf(step, unplaced)
        if (unplaced === undefined || channel === undefined) continue
        const verdict = this.#verdict(channel, unplaced)
        if (verdict === "open") {
          if (this.#goesOn(channel, unplaced)) await this.#takesEffect(step, unplaced)
          continue
        }
        if (verdict === "late") await this.#takeBack(step, unplaced)
        else await this.#placeKnown(step, unplaced)
        step.ops.push(this.#book.records.marks.delUnplaced(unplaced))
        settled.push(envelope)
      }
      await this.#book.commit(step)
    })
    for (const id of settled) this.#awaited.delete(toHex(id))
  }

  async #takesEffect(step: Step, unplaced: Unplaced): Promise<void> {
    const { deferred, group, messages } = unplaced
    if (deferred === null) return
    await this.#apply(step, toHex(group), deferred.by, deferred.contents)
    const rest = { ...unplaced, deferred: null }
    const { marks } = this.#book.records
    step.ops.push(messages.length === 0 ? marks.delUnplaced(rest) : marks.putUnplaced(rest))
    if (messages.length === 0) this.#awaited.delete(toHex(unplaced.envelope))
    else this.#know(rest)
  }

  /** The envelope was ordered there, in time. */
  async #place(step: Step, unplaced: Unplaced, height: number, index: number): Promise<void> {
    const { messages, deferred, group } = unplaced
    if (deferred !== null) await this.#apply(step, toHex(group), deferred.by, deferred.contents)
    for (const [part, id] of messages.entries()) {
      const found = await this.#transcript.find(step, id)
      if (found === undefined || !isPlacedBy(found.message, height)) continue
      const { thread, message } = placed(found.thread, found.message, { height, index, part })
      step.threads.set(toHex(thread.id), thread)
      this.#transcript.change(step, { thread, message: found.message }, message)
      this.#expiry.ordered(step, message, height)
    }
  }

  /** It counts for nobody: what somebody said with it goes, and comes again if they say it again. Ours stays, we do. */
  async #takeBack(step: Step, { envelope, group, messages, deferred }: Unplaced): Promise<void> {
    const leave = deferred?.contents.filter(isLeave) ?? []
    if (deferred !== null) await this.#apply(step, toHex(group), deferred.by, leave)
    const theirs: Found[] = []
    for (const id of messages) {
      const found = await this.#transcript.find(step, id)
      if (found !== undefined && !found.message.mine && found.message.place === "none")
        theirs.push(found)
    }
    if (theirs.length > 0 || deferred !== null)
      this.#parts.log("a member's message was ordered under keys that had ended")
    if (deferred !== null)
      for (const { id } of deferred.contents.filter(isSaying))
        step.evidence.dropped.push({ by: deferred.by, id })
    if (theirs.length === 0) return
    // It may have been said again already.
    const others = (await this.#book.records.marks.unplaced()).filter(
      (each) => !equal(each.envelope, envelope),
    )
    const again = new Set(others.flatMap((each) => each.messages.map(toHex)))
    for (const found of theirs)
      if (!again.has(toHex(found.message.id))) await this.#transcript.unsay(step, found)
  }
}

/** Of a record that does not say whose it is nothing is asked about its author. */
const lastOf = (channel: Channel, { epoch, leaf }: Pick<Unplaced, "epoch" | "leaf">) =>
  lastHeight(channel, { epoch, leaf: leaf ?? channel.epochs[0]?.ownLeaf ?? 0 })

/** It has no place yet, or its author claims one, saying it again, that came only later. */
const isPlacedBy = ({ place, again }: Found["message"], height: number): boolean =>
  place === "none" || (again && place !== "former" && place.height > height)

/** What can be believed of somebody whose epoch has ended: they could read what they confirm, and what they ask for comes under new keys. */
const isHarmless = ({ kind }: Content): boolean =>
  kind === "receipt" || kind === "read" || kind === "lack"

/** Said once, late or not: whoever leaves destroys the keys to say it again. */
const isLeave = ({ kind }: Content): boolean => kind === "leave"
