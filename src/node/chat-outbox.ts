/**
 * Everything we send: texts and receipts wait in line per thread (chat-line.ts), are sealed together into as few envelopes as hold them,
 * get their admission, and go out. What leaves is on the disk before, so a process killed at any instruction, or a power cut, loses
 * nothing that was queued and never uses a key twice:
 *
 *   in line → sealed in memory → admission → channel, envelopes, texts and receipts written through → posted → taken by a peer (gossiped)
 *
 * A crash before the write leaves the text in line; a crash after it leaves the envelope, which is posted again. Several envelopes
 * are sealed ahead while the first waits for its admission, and those that have it by then share a write.
 */
import {
  type Channel,
  leaving,
  type OwnCommit,
  sealContents,
  sealMessage,
  type Until,
} from "../chat/channel.ts"
import { hold } from "../chat/commits.ts"
import { addressOfMember } from "../chat/group.ts"
import { awaitedAs, type ChatMessage } from "../chat/message.ts"
import { type Content, contentBytes, RECEIPT_IDS_MAX, takeFitting } from "../chat/content.ts"
import { further } from "../chat/delivery.ts"
import type { FileNote } from "../chat/file.ts"
import { type ChatThread, paid } from "../chat/thread.ts"
import type { Address } from "../crypto/address.ts"
import { type Bytes, equal, toHex } from "../crypto/bytes.ts"
import { envelopeId } from "../crypto/envelope.ts"
import { FRAGMENTS_MAX } from "../crypto/fragment.ts"
import { epochOf, isMember, members, ownLeaf, updateSelf } from "../crypto/session.ts"
import { ApiError } from "./api/errors.ts"
import { type ChatBook, Step } from "./chat-book.ts"
import { newLeafOf } from "./chat-leaf-key.ts"
import { Line, type Said } from "./chat-line.ts"
import type { ChatParts } from "./chat-parts.ts"
import type { Outgoing, Unordered, Waiting } from "./chat-records.ts"

/** Contents that surely fit one envelope beside the MLS message around them. */
export const ONE_ENVELOPE_CONTENT_BYTES = 1_900
/** Texts looked at for one envelope; no more would fit. */
const TOGETHER_MAX = 64
/** Payloads of one thread that are sealed and on their way to the disk. */
const AHEAD_MAX = 8
/** Another payload is sealed only while their envelopes are fewer: a key update that overtakes them must stay within the window. */
const AHEAD_ENVELOPES_MAX = 16
/** Own envelopes whose place in the ledger is awaited. */
const UNORDERED_MAX = 10_000
/** Receipts of one moment travel together; in a group everybody sends some, and takes so much longer for each member. */
const RECEIPT_DELAY_MS = 60
const RECEIPT_DELAY_MAX_MS = 10_000
/** Envelopes that no peer took are offered again this often, besides whenever a peer appears. */
const OFFER_AGAIN_MS = 15_000
const OFFERED_TOGETHER = 64

interface Batch {
  readonly group: string
  readonly until: Until
  readonly envelopes: readonly Bytes[]
  readonly waiting: readonly Waiting[]
  readonly receipts: readonly Bytes[]
}

export interface MadeCommit {
  readonly commit: Bytes
  readonly own: OwnCommit
}

export interface OutboxEvents {
  /** Messages of ours have left in this group or thread of two. */
  spoke(group: string): void
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
  readonly #line: Line
  readonly #outgoing = new Map<string, Outgoing>()
  /** Own envelopes with texts inside that have no place in the ledger yet. */
  readonly #unordered = new Map<string, Unordered>()
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
  /** Threads in which we have not said yet what we call ourselves. */
  readonly #greetings = new Set<string>()
  /** Groups in which a commit is being made. */
  readonly #committing = new Set<string>()
  #cancelOffer: () => void = () => undefined

  constructor(parts: ChatParts, book: ChatBook, events: OutboxEvents) {
    this.#parts = parts
    this.#book = book
    this.#events = events
    this.#line = new Line(parts, book, () => this.#outgoing.size)
  }

  /** Texts and envelopes that no peer has taken. */
  get unsent(): number {
    return this.#line.length + this.#outgoing.size
  }

  async load(): Promise<void> {
    await this.#line.load()
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
    await this.#line.stop()
  }

  /** Durable when it resolves. `id`: 16 bytes; a text of that id that is there already is returned as it stands. */
  async send(thread: ChatThread, id: Bytes, text: string, file?: FileNote): Promise<Said> {
    const said = await this.#line.say(thread, id, text, file)
    this.kick(said.thread)
    await this.#line.durable(id)
    return said
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
    const id = toHex(thread.id)
    if (this.#soon.has(id)) return
    this.#soon.add(id)
    const owner = this.#book.threads.get(id)
    const channel = owner && this.#book.groupChannel(owner)
    const others = channel?.epochs[0]?.windows.size ?? 1
    this.#kickAfter(Math.min(RECEIPT_DELAY_MS * others, RECEIPT_DELAY_MAX_MS), id)
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
      this.#offerLater()
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
    const admitted = this.#admitAll(each.batch.envelopes)
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
    const sealed = ahead.reduce((sum, { batch }) => sum + batch.waiting.length, 0)
    const line = this.#line.of(threadId).slice(sealed, sealed + TOGETHER_MAX)
    const receipts = this.#receiptsFor(thread, ahead)
    const first: Content[] = receipts.length === 0 ? [] : [{ kind: "receipt", ids: receipts }]
    const { name } = this.#parts.identity
    if (this.#greetings.has(threadId)) first.push({ kind: "profile", name })
    const used = first.reduce((sum, each) => sum + contentBytes(each), 0)
    const next = line.map(({ content }) => content)
    const texts = takeFitting(next, ONE_ENVELOPE_CONTENT_BYTES - used)
    const contents = [...first, ...texts]
    if (contents.length === 0) return undefined
    const sealing = await sealContents(channel, this.#parts.meshId, contents)
    const { envelopes, until } = sealing
    const group = toHex(channel.groupId)
    this.#book.channels.set(group, sealing.channel)
    this.#greetings.delete(threadId)
    return { group, until, envelopes, waiting: line.slice(0, texts.length), receipts }
  }

  /** Those owed that are not on their way. To strangers nothing is confirmed: they would learn that somebody is there. */
  #receiptsFor(thread: ChatThread, ahead: readonly Ahead[]): readonly Bytes[] {
    const contact = thread.peer === null ? undefined : this.#book.contacts.get(thread.peer)
    if (thread.peer !== null && contact?.standing !== "accepted") return []
    const under = new Set(ahead.flatMap(({ batch }) => batch.receipts.map(toHex)))
    const owed = under.size === 0 ? thread.owed : thread.owed.filter((id) => !under.has(toHex(id)))
    return owed.slice(0, RECEIPT_IDS_MAX)
  }

  /** Writes through what these batches say and change, all at once, and posts them. */
  async #dispatch(thread: string, ready: readonly Ahead[]): Promise<void> {
    const batches = ready.map(({ batch }) => batch)
    const outgoing: Outgoing[] = []
    const origins = new Map<string, Batch>()
    for (const { batch, admitted } of ready) {
      const some = this.#outgoingOf(bytesOf(thread), (await admitted) ?? [], textsOf(batch))
      outgoing.push(...some)
      for (const { id } of some) origins.set(toHex(id), batch)
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
      if (owner !== undefined && receipts.length > 0)
        step.threads.set(thread, paid(owner, receipts))
      this.#line.leave(step, waiting)
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      const texts = this.#toBeOrdered(outgoing, origins)
      step.ops.push(...texts.map(this.#book.records.putUnordered))
      for (const batch of batches) await this.#noteAudience(step, batch)
      await this.#book.commit(step, { sync: true })
      for (const each of texts) this.#unordered.set(toHex(each.id), each)
      this.#line.left(thread, waiting)
      const ahead = this.#ahead.get(thread)?.filter((each) => !ready.includes(each)) ?? []
      this.#ahead.set(thread, ahead)
      return true
    })
    if (!left) return
    await this.#postAll(outgoing)
    for (const group of new Set(batches.map((batch) => batch.group))) this.#events.spoke(group)
  }

  /** Its epoch is no longer kept, or the group goes on without us. */
  #isOver({ group, until }: Batch): boolean {
    const channel = this.#book.channels.get(group)
    if (channel === undefined) return false
    const kept = channel.epochs.some(({ epoch }) => epoch === until.epoch)
    return !kept || !isMember(channel.state)
  }

  /** In a group: who was in it when these texts left, and is to confirm them. */
  async #noteAudience(step: Step, { group, waiting }: Batch): Promise<void> {
    const channel = this.#book.channels.get(group)
    if (channel === undefined || channel.group === null) return
    const own = ownLeaf(channel.state)
    const others = members(channel.state).filter(({ leaf }) => leaf !== own)
    const awaited = others.flatMap((each) => addressOfMember(each) ?? []).map(awaitedAs)
    const thread = this.#book.threadOf(channel)
    for (const { content } of waiting) {
      const found = content.kind === "text" && (await this.#book.records.findMessage(content.id))
      // Said again after nobody could read it: whoever confirmed it already has it.
      if (!found || found.message.audience > 0) continue
      const message = { ...found.message, audience: awaited.length, awaited }
      step.messages.push({ thread, message, fresh: false })
    }
  }

  /** What waits in this thread is not going to be said. Within a turn. */
  forgetWaiting(step: Step, thread: Pick<ChatThread, "id">): void {
    const id = toHex(thread.id)
    this.#line.forget(step, id)
    this.#ahead.delete(id)
    this.#greetings.delete(id)
  }

  /** The thread goes: so does, with `step`, what waits in it and what no peer has taken. Within a turn. */
  forget(step: Step, thread: Pick<ChatThread, "id">): void {
    const id = toHex(thread.id)
    this.forgetWaiting(step, thread)
    for (const [name, out] of this.#outgoing) {
      if (toHex(out.thread) !== id) continue
      this.#outgoing.delete(name)
      step.ops.push(this.#book.records.delOutgoing(out.id))
      this.#settle(step, out.id)
    }
  }

  /** One admission serves as many envelopes as a text takes; a commit or an invitation takes several. */
  async #admitAll(envelopes: readonly Bytes[]): Promise<readonly Bytes[]> {
    const admitted: Bytes[] = []
    for (let at = 0; at < envelopes.length; at += FRAGMENTS_MAX) {
      const some = envelopes.slice(at, at + FRAGMENTS_MAX)
      admitted.push(...(await this.#parts.admit(some, this.#stopping.signal)))
    }
    return admitted
  }

  /** What waited too long is admitted anew before it is offered: under its old admission nobody would take it. */
  async #renewed(out: Outgoing): Promise<Outgoing> {
    if (!this.#parts.isStale(out.envelope)) return out
    const [envelope = out.envelope] = await this.#admitAll([out.envelope])
    const renewed = { ...out, envelope }
    await this.#book.turns.run(async () => {
      if (!this.#outgoing.has(toHex(out.id))) return
      const step = new Step()
      step.ops.push(this.#book.records.putOutgoing(renewed))
      await this.#book.commit(step, { sync: true })
    })
    return renewed
  }

  /** The last of several envelopes carries the ids: when it is taken, the earlier ones were. */
  #outgoingOf(thread: Bytes, envelopes: readonly Bytes[], messages: readonly Bytes[]): Outgoing[] {
    return envelopes.map((envelope, i) => ({
      id: envelopeId(envelope),
      envelope,
      thread,
      messages: i === envelopes.length - 1 ? messages : [],
    }))
  }

  /** Sends envelopes that are not texts: first contact. What `change` adds, in the same turn, is written with them before they leave. */
  async sendSealed(
    thread: Pick<ChatThread, "id">,
    envelopes: readonly Bytes[],
    change: (step: Step) => void,
  ): Promise<void> {
    const outgoing = this.#outgoingOf(thread.id, await this.#admitAll(envelopes), [])
    await this.#book.turns.run(async () => {
      const step = new Step()
      change(step)
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      await this.#book.commit(step, { sync: true })
    })
    await this.#postAll(outgoing)
  }

  /** Commits new keys of our own in a channel, if `may` holds of it then; it counts when its last envelope is ordered. */
  update(
    group: string,
    thread: Pick<ChatThread, "id">,
    may: (channel: Channel) => boolean = () => true,
  ): Promise<boolean> {
    return this.commit(group, thread, async (channel) => {
      if (!may(channel)) return undefined
      const { commit, next } = await updateSelf(channel.state, newLeafOf(channel, this.#parts))
      const nobody = { welcome: new Uint8Array(0), invited: [], grants: [] }
      const madeAtMs = this.#parts.clock.nowMs()
      return { commit, own: { ...nobody, next, renews: true, madeAtMs } }
    })
  }

  /**
   * Posts a commit of our own, which then waits to be ordered. `make` makes it from the channel as it is, or has nothing to do; one
   * of ours waiting already is enough for an epoch. Resolves with whether there is one on its way now.
   */
  async commit(
    group: string,
    thread: Pick<ChatThread, "id">,
    make: (channel: Channel) => Promise<MadeCommit | undefined>,
  ): Promise<boolean> {
    // From sealing to holding takes a while (admission), in which the same may be asked for again.
    if (this.#committing.has(group)) return false
    this.#committing.add(group)
    try {
      return await this.#commit(group, thread, make)
    } finally {
      this.#committing.delete(group)
    }
  }

  async #commit(
    group: string,
    thread: Pick<ChatThread, "id">,
    make: (channel: Channel) => Promise<MadeCommit | undefined>,
  ): Promise<boolean> {
    const sealed = await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      const waits = channel?.held.some(({ own }) => own !== null)
      if (channel === undefined || channel.retired || waits === true) return undefined
      const made = isMember(channel.state) ? await make(channel) : undefined
      if (made === undefined) return undefined
      const { commit, own } = made
      const { envelopes, until, channel: moved } = sealMessage(channel, this.#parts.meshId, commit)
      this.#book.channels.set(group, moved)
      return { envelopes, until, own, epoch: epochOf(channel.state) }
    })
    if (sealed === undefined) return false
    const outgoing = this.#outgoingOf(thread.id, await this.#admitAll(sealed.envelopes), [])
    const last = outgoing.at(-1)
    const held = await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      if (channel === undefined || last === undefined) return false
      // Another commit was ordered meanwhile: this one belongs to an epoch that is over, and never leaves.
      if (epochOf(channel.state) !== sealed.epoch || !isMember(channel.state)) return false
      const step = new Step()
      const leaf = ownLeaf(channel.state)
      const waiting = { envelope: last.id, leaf, own: sealed.own, payload: new Uint8Array(0) }
      step.channels.set(group, hold(leaving(channel, sealed.until), waiting))
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      await this.#book.commit(step, { sync: true })
      return true
    })
    if (held) await this.#postAll(outgoing)
    return held
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
    await this.sendSealed(thread, sealed.envelopes, (step) => {
      const channel = this.#book.channels.get(sealed.group)
      if (channel !== undefined) step.channels.set(sealed.group, leaving(channel, sealed.until))
      change(step)
    })
    return true
  }

  /**
   * A channel has forgotten epochs of before `oldest`: texts of ours from there that had no place in the order by `height` are said
   * again, because nobody may be able to read them. Who did knows them by their id. Returns what to do once the step is written.
   */
  async epochsForgotten(
    step: Step,
    channel: Channel,
    oldest: number,
    height: number,
  ): Promise<() => void> {
    const lost = [...this.#unordered.values()].filter(({ id, group, epoch }) => {
      const at = this.#parts.ledger?.orderedAt(id)
      return equal(group, channel.groupId) && epoch < oldest && (at === undefined || at >= height)
    })
    const thread = this.#book.threadOf(channel)
    const ids = lost.flatMap(({ messages }) => messages)
    const found = await Promise.all(ids.map((id) => this.#book.records.findMessage(id)))
    const messages = found.flatMap((each): ChatMessage[] =>
      each === undefined ? [] : [each.message],
    )
    for (const { id } of lost) step.ops.push(this.#book.records.delUnordered(id))
    const lineUp = this.#line.again(step, thread.id, messages)
    return () => {
      for (const { id } of lost) this.#unordered.delete(toHex(id))
      lineUp()
      if (messages.length > 0) this.kick(thread)
    }
  }

  async #postAll(outgoing: readonly Outgoing[]): Promise<void> {
    for (const out of outgoing) this.#outgoing.set(toHex(out.id), out)
    const posted = await Promise.all(outgoing.map((out) => this.#parts.mailbox.post(out.envelope)))
    const taken = outgoing.filter((_, i) => (posted[i]?.peers ?? 0) > 0)
    await this.taken(taken.map(({ id }) => id))
    if (taken.length < outgoing.length) this.#offerLater()
  }

  /** A peer has these envelopes: they were handed over, or fetched from us. */
  async taken(ids: readonly Bytes[]): Promise<void> {
    const taken = ids.flatMap((id) => this.#outgoing.get(toHex(id)) ?? [])
    if (taken.length === 0) return
    for (const out of taken) this.#outgoing.delete(toHex(out.id))
    await this.#book.turns.run(async () => {
      const step = new Step()
      step.ops.push(...taken.map((out) => this.#book.records.delOutgoing(out.id)))
      const isOrdered = ({ id }: Outgoing) => this.#parts.ledger?.orderedAt(id) !== undefined
      const textsIn = (some: readonly Outgoing[]) => some.flatMap(({ messages }) => messages)
      const ordered = taken.filter(isOrdered)
      await this.#progress(step, textsIn(taken.filter((out) => !isOrdered(out))), "gossiped")
      await this.#progress(step, textsIn(ordered), "ordered")
      for (const { id } of ordered) this.#settle(step, id)
      await this.#book.commit(step)
    })
  }

  /** The ledger has given these envelopes their places. Texts that no peer has taken yet stay as they are until one has. */
  async ordered(ids: readonly Bytes[]): Promise<void> {
    const own = ids
      .filter((id) => !this.#outgoing.has(toHex(id)))
      .flatMap((id) => this.#unordered.get(toHex(id)) ?? [])
    if (own.length === 0) return
    await this.#book.turns.run(async () => {
      const step = new Step()
      await this.#progress(
        step,
        own.flatMap(({ messages }) => messages),
        "ordered",
      )
      for (const { id } of own) this.#settle(step, id)
      await this.#book.commit(step)
    })
  }

  #settle(step: Step, id: Bytes): void {
    if (this.#unordered.delete(toHex(id))) step.ops.push(this.#book.records.delUnordered(id))
  }

  /** Beyond the limit texts stay at what is proven of them otherwise. */
  #toBeOrdered(
    outgoing: readonly Outgoing[],
    origins: ReadonlyMap<string, Batch>,
  ): readonly Unordered[] {
    if (this.#parts.order === "arrival" || this.#unordered.size >= UNORDERED_MAX) return []
    return outgoing.flatMap(({ id, messages }) => {
      const batch = origins.get(toHex(id))
      if (batch === undefined || messages.length === 0) return []
      return { id, messages, group: bytesOf(batch.group), epoch: batch.until.epoch }
    })
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

  async #progress(
    step: Step,
    ids: readonly Bytes[],
    to: "gossiped" | "ordered" | "delivered",
    receipt?: { readonly thread: Bytes; readonly by: Address },
  ): Promise<void> {
    const all = await Promise.all(ids.map((id) => this.#book.records.findMessage(id)))
    for (const found of all) {
      const thread = found && this.#book.threads.get(toHex(found.thread))
      if (found === undefined || thread === undefined || !found.message.mine) continue
      // Only somebody who was written to can say that it arrived.
      if (receipt !== undefined && !equal(thread.id, receipt.thread)) continue
      const before =
        step.messages.findLast(({ message }) => equal(message.id, found.message.id))?.message ??
        found.message
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

  /** A peer appeared, or time has passed: offers everything that nobody took. */
  offerAgain(): void {
    this.#cancelOffer()
    this.#cancelOffer = () => undefined
    if (this.#stopping.signal.aborted) return
    void this.#offerAll()
  }

  async #offerAll(): Promise<void> {
    try {
      const all = [...this.#outgoing.values()]
      while (all.length > 0 && !this.#stopping.signal.aborted)
        await this.#postAll(
          await Promise.all(all.splice(0, OFFERED_TOGETHER).map((out) => this.#renewed(out))),
        )
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

const bytesOf = (hexadecimal: string): Bytes => new Uint8Array(Buffer.from(hexadecimal, "hex"))

const textsOf = ({ waiting }: Batch) =>
  waiting.flatMap(({ content }) => (content.kind === "text" ? [content.id] : []))
