/**
 * Follows the ledger's order through chat (DESIGN §10): block by block, envelope by envelope, each exactly once even across crashes.
 * Before a block counts, everything it names has been brought here and looked at, so that of two commits of one epoch the one that was
 * ordered first wins at everybody, in whatever order they arrived. What nobody has any more is passed over.
 */
import type { ChatBook } from "./chat-book.ts"
import { Step } from "./chat-book.ts"
import type { Inbox } from "./chat-inbox.ts"
import type { Outbox } from "./chat-outbox.ts"
import type { ChatLedger, ChatParts } from "./chat-parts.ts"
import type { Bytes } from "../crypto/bytes.ts"

const BLOCKS = 64

export interface OrderingParts {
  readonly parts: ChatParts
  readonly ledger: ChatLedger
  readonly book: ChatBook
  readonly inbox: Inbox
  readonly outbox: Outbox
}

export class Ordering {
  readonly #parts: OrderingParts
  #height = 0
  #following: Promise<void> | undefined
  #more = false
  #stopped = false

  constructor(parts: OrderingParts) {
    this.#parts = parts
  }

  /** A chat that is new has nothing in the blocks before it. */
  async load(): Promise<void> {
    const { book, ledger } = this.#parts
    const known = await book.records.orderedUpTo()
    this.#height = known ?? (book.channels.size === 0 ? ledger.height() : 0)
    if (known === undefined)
      await book.records.write([book.records.putOrderedUpTo(this.#height)], { sync: false })
  }

  /** Whether the order has been followed past this envelope. */
  isPast(id: Bytes): boolean {
    const height = this.#parts.ledger.orderedAt(id)
    return height !== undefined && height <= this.#height
  }

  /** There may be more blocks. */
  kick(): void {
    if (this.#stopped) return
    this.#more = true
    this.#following ??= this.#follow().finally(() => {
      this.#following = undefined
      if (this.#more) this.kick()
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#more = false
    await this.#following
  }

  async #follow(): Promise<void> {
    const { ledger, parts } = this.#parts
    this.#more = false
    try {
      for (;;) {
        const blocks = await ledger.blocksAfter(this.#height, BLOCKS)
        if (blocks.length === 0) return
        for (const { height, ids } of blocks) {
          if (this.#stopped) return
          await this.#settle(height, ids)
        }
      }
    } catch (error) {
      parts.log(`following the order stopped: ${String(error)}`)
    }
  }

  async #settle(height: number, ids: readonly Bytes[]): Promise<void> {
    const { book, ledger, inbox, outbox } = this.#parts
    if (book.channels.size > 0) {
      await ledger.bring(ids)
      await inbox.settled()
    }
    for (const id of ids) await inbox.ordered(id)
    await outbox.ordered(ids)
    this.#height = height
    await book.turns.run(() => {
      const step = new Step()
      step.ops.push(book.records.putOrderedUpTo(height))
      return book.commit(step)
    })
  }
}
