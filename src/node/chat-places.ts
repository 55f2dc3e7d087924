/**
 * Puts messages where the ledger put their envelopes (DESIGN §10). Each payload with messages inside waits, with the envelope whose place
 * counts, until that one is ordered; then the messages move there, in the order of the payload. An envelope that is ordered after its
 * epoch was forgotten counts for nobody, because newcomers to the order could not read it: what it said is said again by its author.
 */
import { placed } from "../chat/thread.ts"
import { type Bytes, equal, toHex } from "../crypto/bytes.ts"
import { type ChatBook, Step } from "./chat-book.ts"
import type { Unplaced } from "./chat-marks.ts"
import type { Expiry } from "./chat-expiry.ts"
import type { ChatParts } from "./chat-parts.ts"
import type { Transcript } from "./chat-transcript.ts"

/** Envelopes whose place is awaited that are known without asking the store; while there are more it is asked about every one. */
const UNPLACED_MAX = 65_536

export class Places {
  readonly #parts: Pick<ChatParts, "order" | "ledger">
  readonly #book: ChatBook
  readonly #transcript: Transcript
  readonly #expiry: Expiry
  readonly #awaited = new Set<string>()
  #hasMore = false
  /** Up to this height blocks were gone through here. */
  #reached = 0

  constructor(
    parts: Pick<ChatParts, "order" | "ledger">,
    book: ChatBook,
    transcript: Transcript,
    expiry: Expiry,
  ) {
    this.#parts = parts
    this.#book = book
    this.#transcript = transcript
    this.#expiry = expiry
  }

  async load(): Promise<void> {
    for (const { envelope } of await this.#book.records.marks.unplaced()) this.#know(envelope)
    this.#reached = (await this.#book.records.orderedUpTo()) ?? 0
  }

  #know(envelope: Bytes): void {
    if (this.#awaited.size < UNPLACED_MAX) this.#awaited.add(toHex(envelope))
    else this.#hasMore = true
  }

  /** Our messages leave in this envelope. Within a turn. */
  async leaving(step: Step, payload: Unplaced): Promise<void> {
    const found = await Promise.all(payload.messages.map((id) => this.#transcript.find(step, id)))
    this.#expiry.seen(
      step,
      found.flatMap((each) => (each === undefined ? [] : [each.message])),
    )
    this.#await(step, payload)
  }

  /** Somebody's messages came with this envelope, whose block may have been gone through already. Within a turn. */
  async heard(step: Step, payload: Unplaced): Promise<void> {
    const { ledger } = this.#parts
    const height = ledger?.orderedAt(payload.envelope)
    if (ledger === undefined || height === undefined || height > this.#reached) {
      this.#await(step, payload)
      return
    }
    const [block] = await ledger.blocksAfter(height - 1, 1)
    const index = block?.ids.findIndex((id) => equal(id, payload.envelope)) ?? -1
    if (index >= 0) await this.#place(step, payload, height, index)
  }

  /** These messages move when this envelope is ordered. */
  #await(step: Step, payload: Unplaced): void {
    if (payload.messages.length === 0 || this.#parts.order === "arrival") return
    step.ops.push(this.#book.records.marks.putUnplaced(payload))
    this.#know(payload.envelope)
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
    await this.#book.turns.run(async () => {
      const step = new Step()
      for (const [index, id] of some) {
        const unplaced = await this.#book.records.marks.unplacedIn(id)
        if (unplaced === undefined) continue
        await this.#place(step, unplaced, height, index)
        step.ops.push(this.#book.records.marks.delUnplaced(id))
      }
      await this.#book.commit(step)
      for (const [, id] of some) this.#awaited.delete(toHex(id))
    })
  }

  /** The envelope was ordered there. */
  async #place(
    step: Step,
    { group, epoch, messages }: Unplaced,
    height: number,
    index: number,
  ): Promise<void> {
    const channel = step.channels.get(toHex(group)) ?? this.#book.channels.get(toHex(group))
    if (channel?.epochs.every((each) => each.epoch !== epoch) === true) return
    for (const [part, id] of messages.entries()) {
      const found = await this.#transcript.find(step, id)
      if (found === undefined || found.message.place !== "none") continue
      const { thread, message } = placed(found.thread, found.message, { height, index, part })
      step.threads.set(toHex(thread.id), thread)
      this.#transcript.change(step, { thread, message: found.message }, message)
      this.#expiry.ordered(step, message, height)
    }
  }
}
