/**
 * Envelopes of ours that are on the disk and that no peer has taken yet. They are posted at once, and offered again whenever a peer appears
 * and every so often, until somebody has them. Posting one twice is harmless; one whose admission has lost its worth meanwhile is
 * admitted anew.
 */
import type { ChatThread } from "../../chat/thread.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { envelopeId } from "../../crypto/envelope.ts"
import { FRAGMENTS_MAX } from "../../crypto/fragment.ts"
import { type ChatBook, Step } from "./book.ts"
import type { ChatParts } from "./parts.ts"
import type { Outgoing } from "./records.ts"

/** Envelopes that no peer took are offered again this often, besides whenever a peer appears. */
export const OFFER_AGAIN_MS = 15_000
const OFFERED_TOGETHER = 64

export interface PostingEvents {
  /** Peers have these envelopes: adds to the step what that proves. Within a turn. */
  taken(step: Step, taken: readonly Outgoing[]): Promise<void>
}

export class Posting {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #events: PostingEvents
  readonly #stopping: AbortSignal
  readonly #outgoing = new Map<string, Outgoing>()
  #cancelOffer: () => void = () => undefined

  constructor(parts: ChatParts, book: ChatBook, stopping: AbortSignal, events: PostingEvents) {
    this.#parts = parts
    this.#book = book
    this.#stopping = stopping
    this.#events = events
  }

  /** Envelopes that no peer has taken. */
  get size(): number {
    return this.#outgoing.size
  }

  has = (id: Bytes): boolean => this.#outgoing.has(toHex(id))

  async load(): Promise<void> {
    for (const out of await this.#book.records.outgoing()) this.#outgoing.set(toHex(out.id), out)
  }

  stop(): void {
    this.#cancelOffer()
  }

  /** The thread goes: so does, with `step`, what no peer has taken of it; those envelopes are returned. Within a turn. */
  forget(step: Step, thread: Pick<ChatThread, "id">): readonly Outgoing[] {
    const id = toHex(thread.id)
    const gone = [...this.#outgoing.values()].filter((out) => toHex(out.thread) === id)
    for (const out of gone) {
      this.#outgoing.delete(toHex(out.id))
      step.ops.push(this.#book.records.delOutgoing(out.id))
    }
    return gone
  }

  /** One admission serves as many envelopes as a text takes; a commit or an invitation takes several. */
  async admitAll(envelopes: readonly Bytes[]): Promise<readonly Bytes[]> {
    const admitted: Bytes[] = []
    for (let at = 0; at < envelopes.length; at += FRAGMENTS_MAX) {
      const some = envelopes.slice(at, at + FRAGMENTS_MAX)
      admitted.push(...(await this.#parts.admit(some, this.#stopping)))
    }
    return admitted
  }

  /** The last of several envelopes carries the ids: when it is taken, the earlier ones were. */
  outgoingOf(thread: Bytes, envelopes: readonly Bytes[], messages: readonly Bytes[]): Outgoing[] {
    return envelopes.map((envelope, i) => ({
      id: envelopeId(envelope),
      envelope,
      thread,
      messages: i === envelopes.length - 1 ? messages : [],
    }))
  }

  /** What waited too long is admitted anew before it is offered: under its old admission nobody would take it. */
  async #renewed(out: Outgoing): Promise<Outgoing> {
    if (!this.#parts.isStale(out.envelope)) return out
    const [envelope = out.envelope] = await this.admitAll([out.envelope])
    const renewed = { ...out, envelope }
    await this.#book.turns.run(async () => {
      if (!this.#outgoing.has(toHex(out.id))) return
      const step = new Step()
      step.ops.push(this.#book.records.putOutgoing(renewed))
      await this.#book.commit(step, { sync: true })
    })
    return renewed
  }

  /** Sends envelopes that are not texts: first contact. What `change` adds, in the same turn, is written with them before they leave. */
  async sendSealed(
    thread: Pick<ChatThread, "id">,
    envelopes: readonly Bytes[],
    change: (step: Step) => void,
  ): Promise<void> {
    const outgoing = this.outgoingOf(thread.id, await this.admitAll(envelopes), [])
    await this.#book.turns.run(async () => {
      const step = new Step()
      change(step)
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      await this.#book.commit(step, { sync: true })
    })
    await this.postAll(outgoing)
  }

  /** Posts what was written, and remembers it until somebody has it. */
  async postAll(outgoing: readonly Outgoing[]): Promise<void> {
    for (const out of outgoing) this.#outgoing.set(toHex(out.id), out)
    const posted = await Promise.all(outgoing.map((out) => this.#parts.mailbox.post(out.envelope)))
    const taken = outgoing.filter((_, i) => (posted[i]?.peers ?? 0) > 0)
    await this.taken(taken.map(({ id }) => id))
    if (taken.length < outgoing.length) this.offerLater()
  }

  /** A peer has these envelopes: they were handed over, or fetched from us. */
  async taken(ids: readonly Bytes[]): Promise<void> {
    const taken = ids.flatMap((id) => this.#outgoing.get(toHex(id)) ?? [])
    if (taken.length === 0) return
    for (const out of taken) this.#outgoing.delete(toHex(out.id))
    await this.#book.turns.run(async () => {
      const step = new Step()
      step.ops.push(...taken.map((out) => this.#book.records.delOutgoing(out.id)))
      await this.#events.taken(step, taken)
      await this.#book.commit(step)
    })
  }

  /** A peer appeared, or time has passed: offers everything that nobody took. */
  offerAgain(): void {
    this.#cancelOffer()
    this.#cancelOffer = () => undefined
    if (this.#stopping.aborted) return
    void this.#offerAll()
  }

  async #offerAll(): Promise<void> {
    try {
      const all = [...this.#outgoing.values()]
      while (all.length > 0 && !this.#stopping.aborted)
        await this.postAll(
          await Promise.all(all.splice(0, OFFERED_TOGETHER).map((out) => this.#renewed(out))),
        )
    } catch (error) {
      this.#parts.log(`offering again failed: ${String(error)}`)
      this.offerLater()
    }
  }

  /** What was written and could not be posted is offered in a while. */
  offerLater(): void {
    this.#cancelOffer()
    this.#cancelOffer = this.#parts.clock.after(OFFER_AGAIN_MS, () => this.offerAgain())
  }
}
