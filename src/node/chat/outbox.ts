/**
 * Everything we send: texts and receipts wait in line per thread (line.ts), are sealed together into as few envelopes as hold them,
 * get their admission, and go out. What leaves is on the disk before, so a process killed at any instruction, or a power cut, loses
 * nothing that was queued and never uses a key twice:
 *
 *   in line → sealed in memory → admission → channel, envelopes, texts and receipts written through → posted → taken by a peer (gossiped)
 *
 * A crash before the write leaves the text in line; a crash after it leaves the envelope, which is posted again (posting.ts).
 * Several envelopes are sealed ahead while the first waits for its admission, and those that have it by then share a write.
 */
import { primitives } from "#primitives"
import { leaving, sealContents } from "../../chat/channel.ts"
import type { Content, Saying } from "../../chat/content.ts"
import { type ChatThread, paid, paidRead } from "../../chat/thread.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { isMember, signingOf } from "../../crypto/session.ts"
import { ApiError } from "../api/errors.ts"
import { SayingAgain } from "./again.ts"
import { Beside } from "./beside.ts"
import { type ChatBook, Step } from "./book.ts"
import { type Batch, type Leaving, leavingIn, nextContents, textsOf } from "./batch.ts"
import { Deliveries, type Readable } from "./delivery.ts"
import { EpochPosting } from "./epoch-posting.ts"
import { Line, type Said, type Wording } from "./line.ts"
import { OwnCommits } from "./own-commits.ts"
import type { ChatParts } from "./parts.ts"
import { OFFER_AGAIN_MS, Posting } from "./posting.ts"
import type { Outgoing, Waiting } from "./records.ts"
import type { Transcript } from "./transcript.ts"

/** Payloads of one thread that are sealed and on their way to the disk. */
const AHEAD_MAX = 8
/** Another payload is sealed only while their envelopes are fewer: a key update that overtakes them must stay within the window. */
const AHEAD_ENVELOPES_MAX = 16
/** Receipts of one moment travel together. */
const RECEIPT_DELAY_MS = 60
/** In a group everybody sends some to everybody, and waits about so long for each member: what they cost is most of what a text costs there. */
const GROUP_RECEIPT_DELAY_MS = 250
const RECEIPT_DELAY_MAX_MS = 10_000
type ActAsked = Parameters<Line["act"]> extends [unknown, ...infer Rest] ? Rest : never

export interface OutboxEvents {
  /** Messages of ours have left in this group or thread of two. */
  spoke(group: string): void
  /** These messages leave in that envelope, signed so: adds to the step what begins with it. Within a turn. */
  leaving(step: Step, leaving: Leaving): Promise<void>
  /** Where an envelope was ordered, when the order was followed past it. */
  passedAt(id: Bytes): number | undefined
}

/** A batch on its way to the disk. */
interface Ahead {
  readonly batch: Batch
  /** Its envelopes with their admission, once that was asked for. */
  admitted: Promise<readonly Bytes[]> | undefined
  isAdmitted: boolean
}

export class Outbox {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #events: OutboxEvents
  readonly #stopping = new AbortController()
  readonly deliveries: Deliveries
  readonly posting: Posting
  readonly inEpoch: EpochPosting
  readonly commits: OwnCommits
  readonly again: SayingAgain
  readonly #line: Line
  readonly #pumping = new Map<string, Promise<void>>()
  readonly #again = new Set<string>()
  /**
   * Sealed and not written yet, by thread, in order. What fails stays here: the same envelopes go out later, or a counter would stay
   * unused.
   */
  readonly #ahead = new Map<string, Ahead[]>()
  readonly #timers = new Set<() => void>()
  /** Threads whose receipts leave in a moment. */
  readonly #soon = new Set<string>()
  readonly beside = new Beside()

  constructor(parts: ChatParts, book: ChatBook, transcript: Transcript, events: OutboxEvents) {
    this.#parts = parts
    this.#book = book
    this.#events = events
    this.deliveries = new Deliveries(parts, book, transcript, (id) => events.passedAt(id))
    this.posting = new Posting(parts, book, this.#stopping.signal, {
      taken: (step, taken) => this.deliveries.taken(step, taken),
    })
    this.inEpoch = new EpochPosting(parts, book, this.posting)
    this.commits = new OwnCommits(parts, this.inEpoch, this.#stopping.signal)
    this.#line = new Line(parts, book, transcript, () => this.posting.size)
    this.again = new SayingAgain(book, this.deliveries, this.#line, (thread) => this.kick(thread))
  }

  /** Texts and envelopes that no peer has taken. */
  get unsent(): number {
    return this.#line.length + this.posting.size
  }

  async load(): Promise<void> {
    await this.#line.load()
    await this.posting.load()
    await this.deliveries.load()
  }

  /** Takes up where the last process stopped. */
  start(): void {
    this.posting.offerAgain()
    for (const thread of this.#book.threads.values()) this.kick(thread)
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new ApiError("STOPPING", "the node is stopping"))
    this.posting.stop()
    for (const cancel of this.#timers) cancel()
    await Promise.allSettled(this.#pumping.values())
    await this.#line.stop()
  }

  /** Durable when it resolves. `id`: 16 bytes; a text of that id that is there already is returned as it stands. */
  async send(thread: ChatThread, id: Bytes, wording: Wording): Promise<Said> {
    const said = await this.#line.say(thread, id, wording)
    this.kick(said.thread)
    await this.#line.durable(id)
    return said
  }

  /** An act on a message; `change` adds what it does here. Durable when it resolves. */
  async act(thread: ChatThread, target: Bytes, ...asked: ActAsked): Promise<void> {
    // What is not on the disk yet is written as it was said, which would undo the act here.
    await this.#line.durable(target)
    this.deliveries.remember(await this.#line.act(thread, ...asked))
    this.kick(thread)
  }

  /** Resolves when a text of ours is on the disk. */
  durable(id: Bytes): Promise<void> {
    return this.#line.durable(id)
  }

  /** Takes back what has not left yet; returns what to do once the step is written, nothing when it is too late. Within a turn. */
  withdraw(step: Step, { id }: ChatThread, message: Bytes): (() => void) | undefined {
    const thread = toHex(id)
    const isThis = ({ content }: Waiting) => equal(content.id, message)
    const isSealed = this.#ahead.get(thread)?.some(({ batch }) => batch.waiting.some(isThis))
    if (isSealed === true || !this.#line.of(thread).some(isThis)) return undefined
    return this.#line.withdraw(step, thread, [message])
  }

  /** Something may have to go out in this thread. */
  kick(thread: Pick<ChatThread, "id">): void {
    const id = toHex(thread.id)
    if (this.#stopping.signal.aborted) return
    if (this.#pumping.has(id)) {
      this.#again.add(id)
      return
    }
    const pump = this.#pump(id).finally(() => {
      this.#pumping.delete(id)
      if (this.#again.delete(id)) this.kick(thread)
    })
    this.#pumping.set(id, pump)
  }

  /** With `step` these of our sayings are in line again. Within a turn; returns what to do once it is written. */
  sayAgain(step: Step, thread: ChatThread, sayings: readonly Saying[]): () => void {
    const lineUp = this.#line.again(step, thread.id, sayings)
    return () => {
      lineUp()
      this.kick(thread)
    }
  }

  /** Receipts are owed: they leave together, a moment from now, or with the next text. */
  kickSoon(thread: Pick<ChatThread, "id">): void {
    const id = toHex(thread.id)
    if (this.#soon.has(id)) return
    this.#soon.add(id)
    const owner = this.#book.threads.get(id)
    const channel = owner && this.#book.groupChannel(owner)
    const others = channel?.epochs[0]?.windows.size ?? 1
    // All have heard it at once: were all to answer at once, the next text would wait behind what that costs.
    const delayMs = others === 1 ? RECEIPT_DELAY_MS : GROUP_RECEIPT_DELAY_MS * others * spread()
    this.#kickAfter(Math.min(delayMs, RECEIPT_DELAY_MAX_MS), id)
  }

  #kickAfter(ms: number, thread: string): void {
    const cancel = this.#parts.clock.after(ms, () => {
      this.#timers.delete(cancel)
      this.#soon.delete(thread)
      this.kick({ id: bytesOf(thread) })
    })
    this.#timers.add(cancel)
  }

  async #pump(thread: string): Promise<void> {
    try {
      for (const each of this.#aheadOf(thread)) if (!each.isAdmitted) this.#admit(each)
      while (!this.#stopping.signal.aborted) {
        await this.#sealAhead(thread)
        const ahead = this.#aheadOf(thread)
        const [first] = ahead
        if (first === undefined) return
        await first.admitted
        const unready = ahead.findIndex(({ isAdmitted }) => !isAdmitted)
        await this.#dispatch(thread, unready === -1 ? [...ahead] : ahead.slice(0, unready))
      }
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#parts.log(`sending stopped: ${String(error)}`)
      // What was written and could not be posted is offered; what was not written is sealed already, and goes the same way again.
      this.posting.offerLater()
      this.#kickAfter(OFFER_AGAIN_MS, thread)
    } finally {
      if (this.#aheadOf(thread).length === 0) this.#ahead.delete(thread)
    }
  }

  #aheadOf(thread: string): Ahead[] {
    const ahead = this.#ahead.get(thread) ?? []
    this.#ahead.set(thread, ahead)
    return ahead
  }

  async #sealAhead(thread: string): Promise<void> {
    const ahead = this.#aheadOf(thread)
    const envelopes = () => ahead.reduce((sum, { batch }) => sum + batch.envelopes.length, 0)
    while (ahead.length < AHEAD_MAX && envelopes() < AHEAD_ENVELOPES_MAX) {
      const batch = await this.#book.turns.run(() => this.#seal(thread, ahead))
      if (batch === undefined) return
      const each = { batch, admitted: undefined, isAdmitted: false }
      ahead.push(each)
      this.#admit(each)
    }
  }

  #admit(each: Ahead): void {
    const admitted = this.posting.admitAll(each.batch.envelopes)
    each.admitted = admitted
    admitted.then(
      () => (each.isAdmitted = true),
      // looked at in its turn
      () => undefined,
    )
  }

  /** Seals what is next in line. The channel moves on in memory; it is written before anything leaves. */
  async #seal(threadId: string, ahead: readonly Ahead[]): Promise<Batch | undefined> {
    const thread = this.#book.threads.get(threadId)
    const channel = thread && this.#book.sendingChannelOf(thread)
    if (thread === undefined || channel === undefined) return undefined
    // Somebody under another's name: nothing leaves before the user has decided (DESIGN §4).
    const contact = thread.peer === null ? undefined : this.#book.contacts.get(thread.peer)
    if ((contact?.claims ?? null) !== null) return undefined
    const line = this.#line.of(threadId)
    const beside = this.beside.of(threadId, this.#parts.identity.name)
    const signing = signingOf(channel.state)
    const said = nextContents(thread, contact, { ahead, line, beside, signing })
    if (said.contents.length === 0) return undefined
    const sealing = await sealContents(channel, this.#parts.meshId, said.contents)
    const { channel: moved, opening, signedBy, ...carried } = sealing
    const group = toHex(channel.groupId)
    this.#book.channels.set(group, moved)
    this.beside.forget(threadId)
    return { group, ...carried, signed: { opening, signedBy }, ...said }
  }

  /** Writes through what these batches say and change, all at once, and posts them. */
  async #dispatch(thread: string, ready: readonly Ahead[]): Promise<void> {
    const batches = ready.map(({ batch }) => batch)
    const outgoing: Outgoing[] = []
    const origins = new Map<string, Readable>()
    const leaves: Leaving[] = []
    for (const { batch, admitted } of ready) {
      const some = this.posting.outgoingOf(bytesOf(thread), (await admitted) ?? [], textsOf(batch))
      outgoing.push(...some)
      const readable = { group: bytesOf(batch.group), epoch: batch.until.epoch }
      for (const { id } of some) origins.set(toHex(id), readable)
      leaves.push(...leavingIn(batch, some))
    }
    const waiting = batches.flatMap((batch) => batch.waiting)
    const left = await this.#book.turns.run(async () => {
      if (batches.some((batch) => this.#isOver(batch))) {
        // Nobody could read it: what was said is still in line, and is sealed again for those who are there now.
        this.#ahead.delete(thread)
        return false
      }
      const step = new Step()
      for (const { group, until } of batches) {
        const channel = step.channels.get(group) ?? this.#book.channels.get(group)
        if (channel !== undefined) step.channels.set(group, leaving(channel, until))
      }
      const owner = this.#book.threads.get(thread)
      const receipts = batches.flatMap((batch) => batch.receipts)
      const reads = batches.flatMap((batch) => batch.reads)
      if (owner !== undefined && receipts.length + reads.length > 0)
        step.threads.set(thread, paidRead(paid(owner, receipts), reads))
      this.#line.leave(step, waiting)
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      const texts = this.deliveries.toBeOrdered(step, outgoing, origins)
      for (const each of leaves) await this.#events.leaving(step, each)
      for (const batch of batches) {
        const channel = this.#book.channels.get(batch.group)
        if (channel !== undefined) await this.deliveries.noteAudience(step, channel, textsOf(batch))
      }
      await this.#book.commit(step, { sync: true })
      this.deliveries.await(texts)
      this.#line.left(thread, waiting)
      const ahead = this.#ahead.get(thread)?.filter((each) => !ready.includes(each)) ?? []
      this.#ahead.set(thread, ahead)
      return true
    })
    if (!left) return
    await this.posting.postAll(outgoing)
    for (const group of new Set(batches.map((batch) => batch.group))) this.#events.spoke(group)
  }

  /** Its epoch is no longer kept, or what is sealed under it does not count any more, or the group goes on without us. */
  #isOver({ group, until }: Batch): boolean {
    const channel = this.#book.channels.get(group)
    if (channel === undefined) return false
    const kept = channel.epochs.some(({ epoch }) => epoch === until.epoch)
    return !kept || !isMember(channel.state) || this.deliveries.isOver(channel, until.epoch)
  }

  /** What waits in this thread is not going to be said. Within a turn. */
  forgetWaiting(step: Step, thread: Pick<ChatThread, "id">): void {
    const id = toHex(thread.id)
    this.#line.forget(step, id)
    this.#ahead.delete(id)
    this.beside.forget(id)
  }

  /** The thread goes: so does, with `step`, what waits in it and what no peer has taken. Within a turn. */
  forget(step: Step, thread: Pick<ChatThread, "id">): void {
    this.forgetWaiting(step, thread)
    for (const { id } of this.posting.forget(step, thread)) this.deliveries.settle(step, id)
  }

  /**
   * Contents that are no texts, in a thread, at once; `change` adds to the step that is written before they leave. Nothing happens
   * when we cannot write there.
   */
  async sayApart(
    thread: ChatThread,
    contents: readonly Content[],
    change: (step: Step) => void,
  ): Promise<boolean> {
    const sealed = await this.#book.turns.run(async () => {
      const channel = this.#book.sendingChannelOf(thread)
      if (channel === undefined) return undefined
      const {
        envelopes,
        channel: moved,
        until,
      } = await sealContents(channel, this.#parts.meshId, contents)
      this.#book.channels.set(toHex(channel.groupId), moved)
      return { envelopes, until, group: toHex(channel.groupId) }
    })
    if (sealed === undefined) return false
    await this.posting.sendSealed(thread, sealed.envelopes, (step) => {
      const channel = this.#book.channels.get(sealed.group)
      if (channel !== undefined) step.channels.set(sealed.group, leaving(channel, sealed.until))
      change(step)
    })
    return true
  }

  /**
   * The ledger has given these envelopes their places, at this height. Texts that no peer has taken yet stay as they are until one has;
   * what was sealed under keys that had ended by then is said again.
   */
  async ordered(ids: readonly Bytes[], height: number): Promise<void> {
    await this.again.late(height)
    await this.deliveries.ordered(ids.filter((id) => !this.posting.has(id)))
  }
}

/** Between a half and one and a half. */
const spread = (): number => 0.5 + (primitives.randomBytes(1)[0] ?? 0) / 255

const bytesOf = (hexadecimal: string): Bytes => new Uint8Array(Buffer.from(hexadecimal, "hex"))
