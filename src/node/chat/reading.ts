/**
 * Reading a thread: its pages, what of it was read, and whether its people are told that. What is unread is known message by message
 * (marks.ts), because the ledger may still move what was read to behind what was not.
 */
import type { ChatMessage } from "../../chat/message.ts"
import { positionOf } from "../../chat/message.ts"
import { type ChatThread, readUpTo } from "../../chat/thread.ts"
import { type Bytes, compare, toHex } from "../../crypto/bytes.ts"
import type { Message, Page, ThreadSummary } from "../api/types.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Expiry } from "./expiry.ts"
import type { Unread } from "./marks.ts"
import type { Outbox } from "./outbox.ts"
import type { Transcript } from "./transcript.ts"

/** Messages of a page. */
export const PAGE_MAX = 500
/** What has no place in the ledger's order stands behind this position (chat/position.ts). */
const UNSETTLED = Uint8Array.of(0x80)

/** Positions in a thread, hexadecimal. */
export interface PageCursor {
  readonly before?: string
  readonly after?: string
}

const bytesOf = (hexadecimal: string): Bytes => new Uint8Array(Buffer.from(hexadecimal, "hex"))

export interface ReadingParts {
  readonly book: ChatBook
  readonly outbox: Outbox
  readonly transcript: Transcript
  readonly expiry: Expiry
  /** Whether messages never move here. */
  readonly isUnordered: boolean
}

export class Reading {
  readonly #parts: ReadingParts

  constructor(parts: ReadingParts) {
    this.#parts = parts
  }

  /** At most `limit` messages before a position, or after one, or the newest. */
  async page(thread: ChatThread, { before, after }: PageCursor, limit: number): Promise<Page> {
    const { records } = this.#parts.book
    const wanted = Math.min(Math.max(1, limit), PAGE_MAX)
    if (after !== undefined) {
      const messages = await records.messages(thread.id, { after: bytesOf(after), limit: wanted })
      const shown = await this.#shown(thread, messages)
      return { messages: shown, before: shown[0]?.position ?? after }
    }
    const messages = await records.messages(thread.id, {
      reverse: true,
      limit: wanted + 1,
      ...(before === undefined ? {} : { before: bytesOf(before) }),
    })
    const more = messages.length > wanted
    const shown = await this.#shown(thread, messages.slice(0, wanted).reverse())
    return { messages: shown, before: more ? (shown[0]?.position ?? null) : null }
  }

  async #shown(thread: ChatThread, messages: readonly ChatMessage[]): Promise<Message[]> {
    const views: Message[] = []
    for (const message of messages) views.push(await this.#parts.book.messageView(thread, message))
    return views
  }

  /** Everything up to and including this position was shown. */
  async read(thread: ChatThread, through: Bytes): Promise<void> {
    await this.#parts.book.turns.run(() => this.#read(toHex(thread.id), through))
  }

  async #read(name: string, through: Bytes): Promise<void> {
    const { book, outbox, expiry } = this.#parts
    const thread = book.threads.get(name)
    if (thread === undefined) return
    const unread = await book.records.marks.unread(thread.id)
    const seen = await this.#upTo(thread, unread, through)
    const mark = await this.#markAt(thread, through)
    const gone = new Set(seen.map(({ id }) => toHex(id)))
    const left = unread.filter(({ id }) => !gone.has(toHex(id)))
    const counts = { unread: left.length, mentioned: left.filter(({ mention }) => mention).length }
    const isSame = seen.length === 0 && thread.unread === left.length
    if (isSame && compare(mark, thread.readThrough) <= 0) return
    const ids = seen.map(({ id }) => id)
    const next = readUpTo(thread, mark, counts, ids)
    const step = new Step()
    step.threads.set(name, next)
    for (const { id } of seen) step.ops.push(book.records.marks.delUnread(thread.id, id))
    expiry.seen(step, await this.#disappearing(step, seen))
    await book.commit(step)
    if (next.owedRead.length > 0) outbox.kickSoon(next)
  }

  async #upTo(
    thread: ChatThread,
    unread: readonly Unread[],
    through: Bytes,
  ): Promise<readonly Unread[]> {
    const newest = this.#parts.book.last.get(toHex(thread.id))
    if (newest !== undefined && compare(positionOf(newest), through) <= 0) return unread
    const there = await Promise.all(unread.map(({ id }) => this.#parts.book.records.positionOf(id)))
    return unread.filter((_, i) => {
      const position = there[i]
      // What is not here any more is nothing to wait for.
      return position === undefined || compare(position, through) <= 0
    })
  }

  async #disappearing(step: Step, seen: readonly Unread[]): Promise<ChatMessage[]> {
    const some = seen.filter(({ disappears }) => disappears)
    const found = await Promise.all(some.map(({ id }) => this.#parts.transcript.find(step, id)))
    return found.flatMap((each) => (each === undefined ? [] : [each.message]))
  }

  /** The last position that will not move, up to this one. */
  async #markAt(thread: ChatThread, through: Bytes): Promise<Bytes> {
    if (this.#parts.isUnordered || compare(through, UNSETTLED) < 0) return through
    const [newest] = await this.#parts.book.records.messages(thread.id, {
      reverse: true,
      limit: 1,
      before: UNSETTLED,
    })
    return newest === undefined ? thread.readThrough : positionOf(newest)
  }

  /** Whether we tell others here that we have read, or that we write. */
  async tell(
    { id }: ChatThread,
    { read, typing }: { readonly read?: boolean; readonly typing?: boolean },
  ): Promise<ThreadSummary | undefined> {
    const { book } = this.#parts
    await book.turns.run(async () => {
      const thread = book.threads.get(toHex(id))
      if (thread === undefined) return
      const tellsRead = read ?? thread.tellsRead
      const step = new Step()
      step.threads.set(toHex(id), {
        ...thread,
        tellsRead,
        tellsTyping: typing ?? thread.tellsTyping,
        // What was read while it was off stays untold.
        owedRead: tellsRead ? thread.owedRead : [],
      })
      await book.commit(step, { sync: true })
    })
    const thread = book.threads.get(toHex(id))
    return thread && book.view(thread)
  }
}
