/**
 * Everything we send: texts and receipts wait in line per thread, are sealed together into as few envelopes as hold them, get their
 * admission, and go out. The line and the sealed envelopes are on disk before the next step is taken, so a process killed at any
 * instruction loses nothing that was queued and never uses a key twice:
 *
 *   queued (sync) → sealed in memory → admission → channel, envelopes and receipts written (sync) → posted → taken by a peer (gossiped)
 *
 * A crash before the write leaves the text in line; a crash after it leaves the envelope, which is posted again.
 */
import { type Channel, hold, sealContents, sealMessage } from "../chat/channel.ts"
import {
  type Content,
  contentBytes,
  RECEIPT_IDS_MAX,
  takeFitting,
  TEXT_BYTES_MAX,
} from "../chat/content.ts"
import { further } from "../chat/delivery.ts"
import { type ChatMessage, positionOf } from "../chat/message.ts"
import { type ChatThread, paid, tick } from "../chat/thread.ts"
import type { Address } from "../crypto/address.ts"
import { type Bytes, toHex, utf8 } from "../crypto/bytes.ts"
import { envelopeId } from "../crypto/envelope.ts"
import { epochOf, updateSelf } from "../crypto/session.ts"
import { ApiError } from "./api/errors.ts"
import { type ChatBook, Step } from "./chat-book.ts"
import type { ChatParts } from "./chat-parts.ts"
import type { Outgoing, Unordered, Waiting } from "./chat-records.ts"

/** Contents that surely fit one envelope beside the MLS message around them. */
export const ONE_ENVELOPE_CONTENT_BYTES = 1_900
/** Texts looked at for one envelope; no more would fit. */
const TOGETHER_MAX = 64
/** Texts that may wait in all threads together; the next one is refused with QUEUE_FULL. */
export const WAITING_MAX = 10_000
/** Own envelopes whose place in the ledger is awaited; of more, the place is not shown. */
const UNORDERED_MAX = 10_000
/** Receipts of one moment travel together. */
const RECEIPT_DELAY_MS = 60
/** Envelopes that no peer took are offered again this often, besides whenever a peer appears. */
const OFFER_AGAIN_MS = 15_000

interface Batch {
  readonly group: string
  readonly envelopes: readonly Bytes[]
  readonly waiting: readonly Waiting[]
  readonly receipts: readonly Bytes[]
}

export class Outbox {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #stopping = new AbortController()
  /** Texts in line by thread, in order. */
  readonly #lines = new Map<string, Waiting[]>()
  readonly #outgoing = new Map<string, Outgoing>()
  /** Own envelopes with texts inside that have no place in the ledger yet. */
  readonly #unordered = new Map<string, Unordered>()
  readonly #pumping = new Map<string, Promise<void>>()
  readonly #again = new Set<string>()
  /** Sealed, and not written yet because something failed: the same envelopes go out later, or a counter would stay unused. */
  readonly #stuck = new Map<string, Batch>()
  readonly #timers = new Set<() => void>()
  /** Threads in which we have not said yet what we call ourselves. */
  readonly #greetings = new Set<string>()
  /** Groups in which a key update is being made. */
  readonly #updating = new Set<string>()
  #waiting = 0
  #cancelOffer: () => void = () => undefined

  constructor(parts: ChatParts, book: ChatBook) {
    this.#parts = parts
    this.#book = book
  }

  /** Texts and envelopes that no peer has taken. */
  get unsent(): number {
    return this.#waiting + this.#outgoing.size
  }

  async load(): Promise<void> {
    for (const waiting of await this.#book.records.waiting()) this.#lineUp(waiting)
    for (const out of await this.#book.records.outgoing()) this.#outgoing.set(toHex(out.id), out)
    for (const each of await this.#book.records.unordered())
      this.#unordered.set(toHex(each.id), each)
  }

  /** Takes up where the last process stopped. */
  start(): void {
    this.offerAgain()
    for (const thread of this.#book.threads.values()) this.kick(thread)
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new ApiError("STOPPING", "the node is stopping"))
    this.#cancelOffer()
    for (const cancel of this.#timers) cancel()
    await Promise.allSettled(this.#pumping.values())
  }

  #lineUp(waiting: Waiting): void {
    const thread = toHex(waiting.thread)
    this.#lines.set(thread, [...(this.#lines.get(thread) ?? []), waiting])
    this.#waiting++
  }

  /** Durable when it resolves. `id`: 16 bytes; a text of that id that is there already is returned as it stands. */
  async send(
    peer: Address,
    id: Bytes,
    text: string,
  ): Promise<{ thread: ChatThread; message: ChatMessage }> {
    const length = utf8(text).length
    if (text.trim() === "") throw new ApiError("MESSAGE_EMPTY", "there is nothing to send")
    if (length > TEXT_BYTES_MAX)
      throw new ApiError(
        "MESSAGE_TOO_LONG",
        `a message holds ${TEXT_BYTES_MAX} bytes, this is ${length}`,
      )
    const sent = await this.#book.turns.run(() => this.#enqueue(peer, id, text))
    this.kick(sent.thread)
    return sent
  }

  async #enqueue(peer: Address, id: Bytes, text: string) {
    const { records, me } = this.#book
    const known = await records.findMessage(id)
    if (known !== undefined) {
      const thread = this.#book.threads.get(toHex(known.thread))
      if (thread?.peer === peer) return { thread, message: known.message }
      throw new ApiError("BAD_PARAMS", "another thread has a message of this id")
    }
    if (this.#waiting >= WAITING_MAX)
      throw new ApiError("QUEUE_FULL", `${WAITING_MAX} messages are waiting already`)
    const thread = tick(this.#book.threadWith(peer))
    const { lamport } = thread
    const sentAtMs = this.#parts.clock.nowMs()
    const message: ChatMessage = {
      id,
      author: me,
      mine: true,
      lamport,
      sentAtMs,
      text,
      delivery: "queued",
      late: false,
    }
    const content: Content = { kind: "text", id, sentAtMs, lamport, text }
    const waiting = { thread: thread.id, position: positionOf(message), content }
    const step = new Step()
    step.threads.set(toHex(thread.id), thread)
    step.messages.push({ thread, message, fresh: true })
    step.ops.push(records.putWaiting(waiting))
    await this.#book.commit(step, { sync: true })
    this.#lineUp(waiting)
    return { thread, message }
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

  /** Says with the next envelope of this thread what we call ourselves. */
  greet(thread: Pick<ChatThread, "id">): void {
    this.#greetings.add(toHex(thread.id))
  }

  /** Receipts are owed: they leave together, a moment from now, or with the next text. */
  kickSoon(thread: Pick<ChatThread, "id">): void {
    this.#kickAfter(RECEIPT_DELAY_MS, thread)
  }

  #kickAfter(ms: number, thread: Pick<ChatThread, "id">): void {
    const cancel = this.#parts.clock.after(ms, () => {
      this.#timers.delete(cancel)
      this.kick(thread)
    })
    this.#timers.add(cancel)
  }

  async #pump(thread: string): Promise<void> {
    try {
      while (!this.#stopping.signal.aborted) {
        const stuck = this.#stuck.get(thread)
        const batch = stuck ?? (await this.#book.turns.run(() => this.#seal(thread)))
        if (batch === undefined) return
        this.#stuck.set(thread, batch)
        await this.#dispatch(thread, batch)
      }
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#parts.log(`sending stopped: ${String(error)}`)
      this.#kickAfter(OFFER_AGAIN_MS, { id: new Uint8Array(Buffer.from(thread, "hex")) })
    }
  }

  /** Seals what is next in line. The channel moves on in memory; it is written before anything leaves. */
  async #seal(threadId: string): Promise<Batch | undefined> {
    const thread = this.#book.threads.get(threadId)
    const channel = thread && this.#book.sendingChannel(thread.peer)
    if (thread === undefined || channel === undefined) return undefined
    const line = this.#lines.get(threadId) ?? []
    const receipts = this.#receiptsFor(thread)
    const first: Content[] = receipts.length === 0 ? [] : [{ kind: "receipt", ids: receipts }]
    const { name } = this.#parts.identity
    if (this.#greetings.delete(threadId)) first.push({ kind: "profile", name })
    const used = first.reduce((sum, each) => sum + contentBytes(each), 0)
    const next = line.slice(0, TOGETHER_MAX).map(({ content }) => content)
    const texts = takeFitting(next, ONE_ENVELOPE_CONTENT_BYTES - used)
    const contents = [...first, ...texts]
    if (contents.length === 0) return undefined
    const sealed = await sealContents(channel, this.#parts.meshId, contents)
    const group = toHex(channel.groupId)
    this.#book.channels.set(group, sealed.channel)
    return { group, envelopes: sealed.envelopes, waiting: line.slice(0, texts.length), receipts }
  }

  /** To strangers nothing is confirmed: they would learn that somebody is there. */
  #receiptsFor(thread: ChatThread): readonly Bytes[] {
    const contact = this.#book.contacts.get(thread.peer)
    return contact?.standing === "accepted" ? thread.owed.slice(0, RECEIPT_IDS_MAX) : []
  }

  async #dispatch(thread: string, batch: Batch): Promise<void> {
    const admitted = await this.#admitAll(batch.envelopes)
    const messages = batch.waiting.map(({ content }) =>
      content.kind === "text" ? content.id : undefined,
    )
    const ids = messages.filter((id) => id !== undefined)
    const outgoing = this.#outgoingOf(Buffer.from(thread, "hex"), admitted, ids)
    await this.#book.turns.run(async () => {
      const step = new Step()
      const channel = this.#book.channels.get(batch.group)
      if (channel !== undefined) step.channels.set(batch.group, channel)
      const owner = this.#book.threads.get(thread)
      if (owner !== undefined && batch.receipts.length > 0)
        step.threads.set(thread, paid(owner, batch.receipts))
      const { records } = this.#book
      step.ops.push(...batch.waiting.map(records.delWaiting), ...outgoing.map(records.putOutgoing))
      const texts = this.#toBeOrdered(outgoing)
      step.ops.push(...texts.map(records.putUnordered))
      await this.#book.commit(step, { sync: true })
      for (const each of texts) this.#unordered.set(toHex(each.id), each)
    })
    this.#stuck.delete(thread)
    this.#unline(thread, new Set(batch.waiting))
    await this.#postAll(outgoing)
  }

  #unline(thread: string, gone: ReadonlySet<Waiting>): void {
    const line = this.#lines.get(thread) ?? []
    const rest = line.filter((each) => !gone.has(each))
    if (rest.length === 0) this.#lines.delete(thread)
    else this.#lines.set(thread, rest)
    this.#waiting -= line.length - rest.length
  }

  /** The thread goes: so does, with `step`, what waits in it and what no peer has taken. Within a turn. */
  forget(step: Step, thread: Pick<ChatThread, "id">): void {
    const id = toHex(thread.id)
    const line = this.#lines.get(id) ?? []
    step.ops.push(...line.map(this.#book.records.delWaiting))
    this.#unline(id, new Set(line))
    this.#stuck.delete(id)
    this.#greetings.delete(id)
    for (const [name, out] of this.#outgoing) {
      if (toHex(out.thread) !== id) continue
      this.#outgoing.delete(name)
      step.ops.push(this.#book.records.delOutgoing(out.id))
      this.#settle(step, out.id)
    }
  }

  /** Beyond the limit texts stay at what is proven of them otherwise. */
  #toBeOrdered(outgoing: readonly Outgoing[]): readonly Outgoing[] {
    if (this.#parts.order === "arrival" || this.#unordered.size >= UNORDERED_MAX) return []
    return outgoing.filter(({ messages }) => messages.length > 0)
  }

  #admitAll(envelopes: readonly Bytes[]): Promise<Bytes[]> {
    return Promise.all(envelopes.map((each) => this.#parts.admit(each, this.#stopping.signal)))
  }

  /** The last of several envelopes carries the ids: when it is taken, the earlier ones were. */
  #outgoingOf(thread: Bytes, envelopes: readonly Bytes[], messages: readonly Bytes[]): Outgoing[] {
    return envelopes.map((envelope, i) => ({
      id: envelopeId(envelope),
      envelope,
      thread: new Uint8Array(thread),
      messages: i === envelopes.length - 1 ? messages : [],
    }))
  }

  /** Sends envelopes that are not texts: first contact. `step` is written with them, before they leave. */
  async sendSealed(
    thread: Pick<ChatThread, "id">,
    envelopes: readonly Bytes[],
    step: Step,
  ): Promise<void> {
    const outgoing = this.#outgoingOf(thread.id, await this.#admitAll(envelopes), [])
    await this.#book.turns.run(async () => {
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      await this.#book.commit(step, { sync: true })
    })
    await this.#postAll(outgoing)
  }

  /** Commits a key update of our own in a channel; it counts when its last envelope is ordered. */
  async update(group: string, thread: Pick<ChatThread, "id">): Promise<void> {
    // From sealing to holding takes a while (admission), in which the same update may be asked for again.
    if (this.#updating.has(group)) return
    this.#updating.add(group)
    try {
      await this.#update(group, thread)
    } finally {
      this.#updating.delete(group)
    }
  }

  async #update(group: string, thread: Pick<ChatThread, "id">): Promise<void> {
    const sealed = await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      if (channel === undefined || channel.held.length > 0) return undefined
      const epoch = epochOf(channel.state)
      const { commit, next } = await updateSelf(channel.state)
      const made = sealMessage(channel, this.#parts.meshId, commit)
      this.#book.channels.set(group, made.channel)
      return { envelopes: made.envelopes, next, epoch }
    })
    if (sealed === undefined) return
    const outgoing = this.#outgoingOf(thread.id, await this.#admitAll(sealed.envelopes), [])
    const last = outgoing.at(-1)
    const held = await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      if (channel === undefined || last === undefined) return false
      // Another commit was ordered meanwhile: this one belongs to an epoch that is over, and never leaves.
      if (epochOf(channel.state) !== sealed.epoch) return false
      const step = new Step()
      step.channels.set(group, heldBy(channel, last.id, sealed.next))
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      await this.#book.commit(step, { sync: true })
      return true
    })
    if (held) await this.#postAll(outgoing)
  }

  async #postAll(outgoing: readonly Outgoing[]): Promise<void> {
    for (const out of outgoing) this.#outgoing.set(toHex(out.id), out)
    for (const out of outgoing) await this.#post(out)
  }

  async #post(out: Outgoing): Promise<void> {
    const { peers } = await this.#parts.mailbox.post(out.envelope)
    if (peers > 0) await this.taken(out.id)
    else this.#offerLater()
  }

  /** A peer has this envelope: it was handed over, or fetched from us. */
  async taken(id: Bytes): Promise<void> {
    const out = this.#outgoing.get(toHex(id))
    if (out === undefined) return
    this.#outgoing.delete(toHex(id))
    await this.#book.turns.run(async () => {
      const step = new Step()
      step.ops.push(this.#book.records.delOutgoing(out.id))
      const ordered = this.#parts.ledger?.orderedAt(id) !== undefined
      for (const message of out.messages)
        await this.#progress(step, message, ordered ? "ordered" : "gossiped")
      if (ordered) this.#settle(step, id)
      await this.#book.commit(step)
    })
  }

  /** The ledger has given this envelope its place. Texts that no peer has taken yet stay as they are until one has. */
  async ordered(id: Bytes): Promise<void> {
    const known = this.#unordered.get(toHex(id))
    if (known === undefined || this.#outgoing.has(toHex(id))) return
    await this.#book.turns.run(async () => {
      const step = new Step()
      for (const message of known.messages) await this.#progress(step, message, "ordered")
      this.#settle(step, id)
      await this.#book.commit(step)
    })
  }

  #settle(step: Step, id: Bytes): void {
    if (this.#unordered.delete(toHex(id))) step.ops.push(this.#book.records.delUnordered(id))
  }

  /** A receipt arrived: adds to `step` what it proves. Within a turn. */
  async delivered(step: Step, ids: readonly Bytes[], peer: Address): Promise<void> {
    for (const id of ids) await this.#progress(step, id, "delivered", peer)
  }

  async #progress(
    step: Step,
    id: Bytes,
    to: "gossiped" | "ordered" | "delivered",
    by?: Address,
  ): Promise<void> {
    const found = await this.#book.records.findMessage(id)
    const thread = found && this.#book.threads.get(toHex(found.thread))
    if (found === undefined || thread === undefined || !found.message.mine) return
    // Only the one who was written to can say that it arrived.
    if (by !== undefined && thread.peer !== by) return
    const delivery = further(found.message.delivery, to)
    if (delivery === found.message.delivery) return
    step.messages.push({ thread, message: { ...found.message, delivery }, fresh: false })
  }

  /** A peer appeared, or time has passed: offers everything that nobody took. */
  offerAgain(): void {
    this.#cancelOffer()
    this.#cancelOffer = () => undefined
    if (this.#stopping.signal.aborted) return
    void this.#offerAll()
  }

  async #offerAll(): Promise<void> {
    try {
      for (const out of [...this.#outgoing.values()]) {
        if (this.#stopping.signal.aborted) return
        await this.#post(out)
      }
    } catch (error) {
      this.#parts.log(`offering again failed: ${String(error)}`)
      this.#offerLater()
    }
  }

  #offerLater(): void {
    this.#cancelOffer()
    this.#cancelOffer = this.#parts.clock.after(OFFER_AGAIN_MS, () => this.offerAgain())
  }
}

const heldBy = (channel: Channel, envelope: Bytes, next: Channel["state"]) =>
  hold(channel, { envelope, next })
