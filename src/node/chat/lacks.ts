/**
 * Saying again what somebody cannot read any more. Who goes on from a backup has lost the keys of what was said to their old self after it
 * had made new ones, so in a thread of two they ask for it (chat/content.ts, lack). What nobody has confirmed yet is on its way to them
 * anyway: it is said again by itself. What was confirmed has been read, and new keys have closed it since, also to whoever has stolen all
 * that the other one had and comes back in their name: that is said again at the word of the person here alone. Our own texts, in the group
 * that we share now: with their ids, so that whoever has one knows it, and with the place that the ledger gave them then. Not in groups:
 * others would read it who were not there when it was said. What disappears is not said again: its time runs already.
 */
import { type Delivery, further } from "../../chat/delivery.ts"
import { type ChatMessage, positionOf } from "../../chat/message.ts"
import type { Text } from "../../chat/said.ts"
import type { ChatThread } from "../../chat/thread.ts"
import { toHex } from "../../crypto/bytes.ts"
import { type ChatBook, Step } from "./book.ts"
import { Finder } from "./finder.ts"
import { sayingOf } from "./line.ts"
import type { Outbox } from "./outbox.ts"
import type { ChatParts } from "./parts.ts"
import { mustTake } from "./people.ts"

/** Texts said again to one who asks; the newest. */
export const AGAIN_MAX = 500
/** So often somebody is answered within ANSWER_WINDOW_MS; it costs us as much mail as we had said. */
export const ANSWERS_MAX = 6
const ANSWER_WINDOW_MS = 60 * 60_000
const PAGE = 100

export class Lacks {
  readonly #parts: Pick<ChatParts, "clock" | "log">
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #finder: Finder
  /** When somebody was answered, by thread. */
  readonly #answered = new Map<string, readonly number[]>()

  constructor(parts: Pick<ChatParts, "clock" | "log">, book: ChatBook, outbox: Outbox) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#finder = new Finder(book)
  }

  /** The other one in this thread of two cannot read what we said above this height. Never throws. */
  answer({ id }: ChatThread, above: number): void {
    this.#answer(toHex(id), above).catch((error: unknown) =>
      this.#parts.log(`saying again failed: ${String(error)}`),
    )
  }

  async #answer(id: string, above: number): Promise<void> {
    const nowMs = this.#parts.clock.nowMs()
    const before = this.#answered.get(id)?.filter((at) => at > nowMs - ANSWER_WINDOW_MS) ?? []
    if (before.length >= ANSWERS_MAX) return
    this.#answered.set(id, [...before, nowMs])
    await this.#book.turns.run(async () => {
      const thread = this.#book.threads.get(id)
      if (thread === undefined) return
      const range = { above, through: thread.lamport }
      const own = await this.#own(thread, range)
      const count = sayingsOf(own.filter(isConfirmed)).length
      const lacks = count === 0 ? null : { ...range, count }
      const unconfirmed = own.filter((message) => !isConfirmed(message))
      const isNews = lacks !== null || thread.lacks !== null
      await this.#say(thread, sayingsOf(unconfirmed), isNews ? { ...thread, lacks } : undefined)
    })
  }

  /**
   * The person here wants it said again, all that had been confirmed by the time it was asked for. Returns how many texts; 0 when nobody
   * asks. Durable when it resolves. Throws ApiError UNKNOWN_CONTACT, BLOCKED_CONTACT, IDENTITY_CHANGED.
   */
  async again(which: string): Promise<number> {
    const wanted = this.#finder.threadTo(which)
    mustTake(this.#finder, wanted)
    return this.#book.turns.run(async () => {
      const thread = this.#book.threads.get(toHex(wanted.id))
      if (thread === undefined || thread.lacks === null) return 0
      // Those said again by themselves may have been confirmed since: whoever has them knows them by their ids.
      const own = await this.#own(thread, thread.lacks)
      const sayings = sayingsOf(own.filter(isConfirmed))
      await this.#say(thread, sayings, { ...thread, lacks: null })
      return sayings.length
    })
  }

  /** Within a turn. `changed`: what the thread is from then on, if that is something else. */
  async #say(
    thread: ChatThread,
    sayings: readonly Text[],
    changed: ChatThread | undefined,
  ): Promise<void> {
    const step = new Step()
    if (changed !== undefined) step.threads.set(toHex(thread.id), changed)
    const after = this.#outbox.sayAgain(step, thread, sayings)
    await this.#book.commit(step, { sync: true })
    if (sayings.length > 0) after()
  }

  /** Our own messages there that have left, above a height and up to a tick of the thread's clock; the newest, oldest first. */
  async #own(
    thread: ChatThread,
    { above, through }: { readonly above: number; readonly through: number },
  ): Promise<readonly ChatMessage[]> {
    const found: ChatMessage[] = []
    let before: Uint8Array | undefined
    for (;;) {
      const page = await this.#book.records.messages(thread.id, {
        limit: PAGE,
        reverse: true,
        ...(before && { before }),
      })
      for (const message of page) {
        if (isPlacedUpTo(message, above) || found.length >= AGAIN_MAX) return found.reverse()
        const hasLeft = message.mine && message.delivery !== "queued"
        if (hasLeft && message.lamport <= through) found.push(message)
      }
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return found.reverse()
      before = positionOf(last)
    }
  }
}

const isPlacedUpTo = ({ place }: ChatMessage, height: number) =>
  place === "former" || (place !== "none" && place.height <= height)

/** The other one's program has said that it has it, and so could read it then. */
const isConfirmed = ({ delivery }: { readonly delivery: Delivery }): boolean =>
  further(delivery, "delivered") === delivery

/** As they read now; without those whose words are gone, and those that disappear. */
const sayingsOf = (messages: readonly ChatMessage[]): Text[] =>
  messages.flatMap((message) => again(message) ?? [])

function again(message: ChatMessage): Text | undefined {
  const saying = message.lifetime === null ? sayingOf({ ...message, edited: null }) : undefined
  if (saying?.kind !== "text") return undefined
  return typeof message.place === "string" ? saying : { ...saying, again: message.place }
}
