/**
 * Follows the ledger's order through chat (DESIGN §10): block by block, envelope by envelope, each exactly once even across crashes.
 * Before a block counts, everything it names has been brought here and looked at, so that of two commits of one epoch the one that was
 * ordered first wins at everybody, in whatever order they arrived. What nobody has for a long while is passed over. A channel that was
 * made elsewhere is first taken through what was ordered meanwhile.
 */
import type { Channel } from "../../chat/channel.ts"
import { awaitedIn } from "../../chat/confirmations.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { toHex } from "../../crypto/bytes.ts"
import type { ChatBook } from "./book.ts"
import { Step } from "./book.ts"
import type { Inbox } from "./inbox.ts"
import type { Outbox } from "./outbox.ts"
import type { ChatLedger, ChatParts } from "./parts.ts"

const BLOCKS = 64
/**
 * How often a block waits for envelopes that are not here. A validator signed that it holds them, so they come, unless they are older
 * than what anybody keeps. Once they were waited for in vain, the next block is not waited for: what is that old comes in numbers.
 */
export const ATTEMPTS_MAX = 30
const FIRST_PAUSE_MS = 25
const LAST_PAUSE_MS = 1_000
/** What was passed over is looked for once more after so long, and is lost if nobody has it by then. */
const LOST_MS = 10 * 60_000
/** Ids remembered for that. */
const PASSED_OVER_MAX = 1_024

export interface OrderingParts {
  readonly parts: ChatParts
  readonly ledger: ChatLedger
  readonly book: ChatBook
  readonly inbox: Inbox
  readonly outbox: Outbox
  /** A channel has been taken through what it had missed. */
  readonly caughtUp: (group: string) => void
  /** Everything in this block was looked at: messages inside have their place. */
  readonly placed: (height: number, ids: readonly Bytes[]) => Promise<void>
  /** The order was followed on, to this end for now. */
  readonly moved: () => Promise<void>
  /** Envelopes that were ordered cannot be had for good: groups may have gone on by them without us. */
  readonly lost: () => void
}

export class Ordering {
  readonly #parts: OrderingParts
  #height = 0
  #following: Promise<void> | undefined
  #more = false
  #stopped = false
  #impatient = false
  /** Ends a pause at once. */
  #wake: () => void = () => undefined
  /** Ids that were passed over. */
  #passedOver: readonly Bytes[] = []
  #cancelLook: () => void = () => undefined

  constructor(parts: OrderingParts) {
    this.#parts = parts
  }

  /** Up to where the order has been followed. */
  get height(): number {
    return this.#height
  }

  /** A chat that is new has nothing in the blocks before it. */
  async load(): Promise<void> {
    const { book, ledger } = this.#parts
    const known = await book.records.orderedUpTo()
    this.#height = known ?? (book.channels.size === 0 ? ledger.height() : 0)
    if (known === undefined)
      await book.records.write([book.records.putOrderedUpTo(this.#height)], { sync: false })
  }

  /** Where this envelope was ordered, if the order has been followed past it. */
  passedAt(id: Bytes): number | undefined {
    const height = this.#parts.ledger.orderedAt(id)
    return height !== undefined && height <= this.#height ? height : undefined
  }

  /** There may be more blocks, or a channel that is behind. */
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
    this.#cancelLook()
    this.#wake()
    await this.#following
  }

  async #follow(): Promise<void> {
    const { ledger, parts } = this.#parts
    this.#more = false
    try {
      for (;;) {
        await this.#leadOn()
        const blocks = await ledger.blocksAfter(this.#height, BLOCKS)
        if (blocks.length === 0) {
          await this.#parts.moved()
          return
        }
        for (const { height, ids } of blocks) {
          if (this.#stopped) return
          await this.#settle(height, ids)
        }
      }
    } catch (error) {
      parts.log(`following the order stopped: ${String(error)}`)
    }
  }

  /** Takes every channel that is behind to where all others are. */
  async #leadOn(): Promise<void> {
    for (;;) {
      const behind = Array.from(this.#parts.book.channels.values()).find(isBehind)
      if (behind === undefined || this.#stopped) return
      await this.#lead(toHex(behind.groupId), behind.behindFrom ?? 0)
    }
  }

  async #lead(group: string, from: number): Promise<void> {
    const { book, ledger, inbox, caughtUp } = this.#parts
    let height = from
    while (height < this.#height) {
      const blocks = await ledger.blocksAfter(height, BLOCKS)
      const passed = blocks.filter((block) => block.height <= this.#height)
      if (passed.length === 0) break
      for (const block of passed) {
        await this.#bring(block.ids)
        if (this.#stopped) return
        for (const [index, id] of block.ids.entries()) {
          await inbox.ordered(id, { height: block.height, index }, group)
          // It goes on from there once they have come.
          if (this.#lacksBytes(group)) return
        }
        height = block.height
      }
    }
    await book.turns.run(async () => {
      const channel = book.channels.get(group)
      if (channel === undefined) return
      const step = new Step()
      step.channels.set(group, { ...channel, behindFrom: null })
      await book.commit(step)
    })
    caughtUp(group)
  }

  #lacksBytes(group: string): boolean {
    const channel = this.#parts.book.channels.get(group)
    return channel !== undefined && awaitedIn(channel) !== undefined
  }

  async #settle(height: number, ids: readonly Bytes[]): Promise<void> {
    const { book, inbox, outbox } = this.#parts
    if (book.channels.size > 0) await this.#bring(ids)
    if (this.#stopped) return
    for (const [index, id] of ids.entries()) await inbox.ordered(id, { height, index })
    await this.#parts.placed(height, ids)
    await outbox.ordered(ids, height)
    this.#height = height
    await book.turns.run(() => {
      const step = new Step()
      step.ops.push(book.records.putOrderedUpTo(height))
      return book.commit(step)
    })
  }

  /** Everything named is here and was looked at, or cannot be had. */
  async #bring(ids: readonly Bytes[]): Promise<void> {
    const { parts, ledger, inbox } = this.#parts
    for (let attempt = 1; !this.#stopped; attempt++) {
      await ledger.bring(ids)
      const missing = await parts.mailbox.missing(ids)
      // Afterwards, so that what is not missing was looked at.
      await inbox.settled()
      if (missing.length === 0) {
        this.#impatient = false
        return
      }
      if (this.#impatient || attempt >= ATTEMPTS_MAX) {
        this.#impatient = true
        parts.log(`${missing.length} ordered envelopes cannot be had`)
        this.#passOver(missing)
        return
      }
      await this.#pause(Math.min(FIRST_PAUSE_MS * 2 ** attempt, LAST_PAUSE_MS))
    }
  }

  #passOver(missing: readonly Bytes[]): void {
    const isFirst = this.#passedOver.length === 0
    this.#passedOver = [...this.#passedOver, ...missing].slice(0, PASSED_OVER_MAX)
    if (!isFirst) return
    const { clock, log } = this.#parts.parts
    this.#cancelLook = clock.after(LOST_MS, () => {
      this.#lookAgain().catch((error: unknown) => log(`looking again failed: ${String(error)}`))
    })
  }

  async #lookAgain(): Promise<void> {
    const { parts, ledger, lost } = this.#parts
    const ids = this.#passedOver
    this.#passedOver = []
    await ledger.bring(ids)
    if ((await parts.mailbox.missing(ids)).length > 0 && !this.#stopped) lost()
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#wake = () => resolve(undefined)
    const cancel = this.#parts.parts.clock.after(ms, this.#wake)
    await promise
    cancel()
  }
}

/** To be led on; not while the group stands still for us (chat/confirmations.ts). */
const isBehind = (channel: Channel) =>
  channel.trusted && channel.behindFrom !== null && awaitedIn(channel) === undefined
