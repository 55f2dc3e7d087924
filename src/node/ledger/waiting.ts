/**
 * Envelopes that have no place in the order yet: counted, given to the core where this peer validates, and missed aloud when no block
 * comes. The other direction, what a proposal names and this peer lacks, is wanted.ts.
 */
import { keysOf } from "../../consensus/item.ts"
import { POOL_ITEMS_MAX } from "../../consensus/limits.ts"
import type { EnvelopeItem, Item } from "../../consensus/types.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { itemOf } from "./rules.ts"
import type { Mailbox } from "../mailbox/mailbox.ts"

/** Items given to the core in one step. */
const ADMIT_MAX = 1024
/** With so many waiting in the core, others stay in the mailbox until it has room again. */
const POOL_FULL = POOL_ITEMS_MAX / 2
/** Envelopes without a place that are counted; beyond it the count stands still. */
const WAITING_MAX = 65_536
/** Envelopes wait and no block has come for so long: the ledger stands still, and says so. */
export const STALLED_AFTER_MS = 10_000
/** Envelopes read at a time, 1 MiB. */
const SCAN_PAGE = 256
/**
 * A validator alone would make a block of every envelope: a proposal takes it a millisecond, and then everybody else has a block to
 * check, to write and to go through. So what comes within so long of the last proposal goes into the next one together.
 */
export const ALONE_REST_MS = 100

export interface WaitingParts {
  readonly isOrdered: (item: EnvelopeItem) => boolean
  readonly mailbox: Pick<Mailbox, "entriesAfter">
  /** Items that wait in the core; undefined where nothing is proposed. */
  readonly pooled: () => number | undefined
  readonly admit: (items: readonly Item[]) => void
  /** Least time between two proposals that bring what was stored here. */
  readonly restMs: () => number
  /** Something waits, and nothing did before. */
  readonly onFirst: () => void
  /** No block comes. */
  readonly onStalled: () => void
  readonly onFault: (error: unknown) => void
}

export class Waiting {
  readonly #parts: WaitingParts
  /** Envelope id → when it came, in the order of arrival. */
  readonly #since = new Map<string, number>()
  #admitting: EnvelopeItem[] = []
  #admitSoon = false
  #admittedMs = -Infinity
  #restTimer: NodeJS.Timeout | undefined
  /** The core was full when something came: the mailbox is looked through again when it has room. */
  #missed = false
  #scanning: Promise<void> | undefined
  #lastBlockMs = performance.now()
  #stallTimer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(parts: WaitingParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#since.size
  }

  get stalled(): boolean {
    const [oldestMs] = this.#since.values()
    if (oldestMs === undefined) return false
    return performance.now() - Math.max(oldestMs, this.#lastBlockMs) > STALLED_AFTER_MS
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#stallTimer)
    clearTimeout(this.#restTimer)
    await this.#scanning
  }

  /** An envelope of 4096 bytes is in the mailbox. */
  stored(id: Bytes, envelope: Bytes): void {
    const { isOrdered, pooled } = this.#parts
    const item = itemOf(id, envelope)
    if (this.#stopped || isOrdered(item)) return
    this.#count(item)
    const inCore = pooled()
    if (inCore === undefined) return
    if (inCore + this.#admitting.length >= POOL_FULL) {
      this.#missed = true
      return
    }
    this.#admitting.push(item)
    if (this.#admitSoon) return
    this.#admitSoon = true
    const restMs = this.#admittedMs + this.#parts.restMs() - performance.now()
    if (restMs <= 0) setImmediate(() => this.#admit())
    else this.#restTimer = setTimeout(() => this.#admit(), restMs).unref()
  }

  /** A block gave these their place. */
  ordered(items: readonly Item[]): void {
    this.#lastBlockMs = performance.now()
    for (const item of items) if (item.type === "envelope") this.#since.delete(keysOf(item).id)
  }

  /** After a block: the core may have room again for what was missed. */
  refill(): void {
    if (!this.#missed || (this.#parts.pooled() ?? 0) >= POOL_FULL / 2) return
    this.#missed = false
    this.scan()
  }

  /** Looks through the mailbox for envelopes without a place: after a start, and after the core was full. */
  scan(): void {
    this.#scanning ??= this.#scanAll()
      .catch(this.#parts.onFault)
      .finally(() => (this.#scanning = undefined))
  }

  /** What came in one turn of the event loop, or while a validator alone rested, goes into the core together. */
  #admit(): void {
    this.#admitSoon = false
    this.#admittedMs = performance.now()
    while (this.#admitting.length > 0 && !this.#stopped)
      this.#parts.admit(this.#admitting.splice(0, ADMIT_MAX))
  }

  #count(item: EnvelopeItem): void {
    const key = keysOf(item).id
    if (this.#since.size >= WAITING_MAX || this.#since.has(key)) return
    const first = this.#since.size === 0
    this.#since.set(key, performance.now())
    if (first) this.#parts.onFirst()
    this.#watch()
  }

  /** Standing still is nothing that happens, and yet has to be told. */
  #watch(): void {
    if (this.#stallTimer !== undefined || this.#stopped) return
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined
      if (this.stalled) this.#parts.onStalled()
      else if (this.#since.size > 0) this.#watch()
    }, STALLED_AFTER_MS / 2)
    this.#stallTimer.unref()
  }

  async #scanAll(): Promise<void> {
    const { mailbox } = this.#parts
    let seq = 0
    for (;;) {
      const page = await mailbox.entriesAfter(seq, SCAN_PAGE)
      const last = page.at(-1)
      if (last === undefined || this.#stopped || this.#missed) return
      for (const { id, bytes } of page) this.stored(id, bytes)
      seq = last.seq
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
