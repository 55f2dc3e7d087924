/**
 * Tells the people of a thread that we write there, where that is on (DESIGN §10). It costs an envelope like anything else, so it is said
 * seldom: again after TYPING_EVERY_MS at the earliest, a few times for one draft, never while something else waits to leave. Nothing of
 * it is kept: what comes late is not shown.
 */
import type { Content } from "../../chat/content.ts"
import type { ChatThread } from "../../chat/thread.ts"
import type { Address } from "../../crypto/address.ts"
import { toHex } from "../../crypto/bytes.ts"
import type { ChatBook } from "./book.ts"
import type { Outbox } from "./outbox.ts"
import type { ChatParts } from "./parts.ts"
import { nameOf } from "./view.ts"

export const TYPING_EVERY_MS = 20_000
/** Times that one draft is told of, until something is sent or nothing was written for a while. */
export const TYPING_TOLD_MAX = 3
/** A draft that was left for so long is another one. */
const FORGOTTEN_MS = 120_000
/** So long somebody is shown to be writing after they said so. */
export const TYPING_SHOWN_MS = 25_000
/** What says it was sent longer ago, or later, is not shown: it has been on its way too long, or clocks differ too much. */
const FRESH_MS = 60_000

interface Told {
  atMs: number
  times: number
}

export class Typing {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #told = new Map<string, Told>()

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
  }

  /** We write here, or not any more. */
  async write({ id }: ChatThread, active: boolean): Promise<void> {
    const thread = this.#book.threads.get(toHex(id))
    if (thread?.tellsTyping !== true || this.#outbox.unsent > 0 || !this.#isOpen(thread)) return
    const nowMs = this.#parts.clock.nowMs()
    const known = this.#told.get(toHex(id))
    const told = known === undefined || nowMs - known.atMs > FORGOTTEN_MS ? undefined : known
    if (!active && told === undefined) return
    if (active && told !== undefined) {
      if (nowMs - told.atMs < TYPING_EVERY_MS || told.times >= TYPING_TOLD_MAX) return
    }
    // That we have stopped is said once, and counts as one of the times.
    if (!active && (told?.times ?? 0) > TYPING_TOLD_MAX) return
    const times = active ? (told?.times ?? 0) + 1 : TYPING_TOLD_MAX + 1
    this.#told.set(toHex(id), { atMs: nowMs, times })
    const content = { kind: "typing", sentAtMs: nowMs, active } as const
    await this.#outbox.sayApart(thread, [content], () => undefined)
  }

  /** Something was sent: the next draft is another one. */
  sent({ id }: ChatThread): void {
    this.#told.delete(toHex(id))
  }

  #isOpen({ peer }: ChatThread): boolean {
    const contact = peer === null ? undefined : this.#book.contacts.get(peer)
    return peer === null || (contact?.standing === "accepted" && contact.claims === null)
  }

  /** Somebody else does. */
  heard(
    thread: ChatThread,
    by: Address,
    { sentAtMs, active }: Extract<Content, { kind: "typing" }>,
  ): void {
    if (Math.abs(this.#parts.clock.nowMs() - sentAtMs) > FRESH_MS) return
    const group = this.#book.groupChannel(thread)
    this.#parts.emit({
      type: "typing",
      thread: toHex(thread.id),
      author: by,
      authorName: nameOf(this.#book, by, group),
      active,
    })
  }
}
