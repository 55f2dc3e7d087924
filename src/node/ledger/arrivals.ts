/**
 * Envelopes on their way into the core of a validator. At thousands a second they come one by one, and a step for each millisecond's would be
 * work that nobody waits for: while something is under way, an envelope is not needed before the next message that may propose or decide.
 * With nothing under way it is proposed at once. What arrives together goes in together; the queue holds no more than its owner admits.
 */
import { BLOCK_ITEMS_MAX } from "../../consensus/limits.ts"
import type { Input, Item } from "../../consensus/types.ts"

/** Nothing is kept waiting for longer, whether or not a message comes. */
export const ARRIVALS_WITHIN_MS = 5

export class Arrivals {
  readonly #admit: (items: readonly Item[]) => void
  #items: Item[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(admit: (items: readonly Item[]) => void) {
    this.#admit = admit
  }

  /** Items that have not gone in yet. */
  get size(): number {
    return this.#items.length
  }

  /** `isBusy`: something is under way in the core, so there will be a message. */
  add(items: readonly Item[], isBusy: boolean): void {
    this.#items.push(...items)
    if (!isBusy) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), ARRIVALS_WITHIN_MS)
  }

  /** All of them go in now. */
  flush(): void {
    this.stop()
    while (this.#items.length > 0) this.#admit(this.#items.splice(0, BLOCK_ITEMS_MAX))
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** A PREPARE proposes nothing, decides nothing and names nothing: what has arrived is not needed for it. */
export const needsArrivals = (input: Input): boolean =>
  input.type !== "message" || input.message.type !== "prepare"
