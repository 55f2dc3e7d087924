/**
 * Looking for somebody's card until it is found or not wanted any more: more and more seldom, at once when peers change, and strangers'
 * cards only so many at a time. A card that is older than one seen before is not taken.
 */
import type { Address } from "../../crypto/address.ts"
import { equal } from "../../crypto/bytes.ts"
import type { Card } from "../../crypto/card.ts"
import type { ChatBook } from "./book.ts"
import type { ChatParts } from "./parts.ts"

const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 10 * 60_000
/** Strangers whose cards are looked for at a time: a flood of them must not keep us from finding whom we look for. */
const VERIFYING_MAX = 8

export interface Search {
  readonly wanted: () => boolean
  /** Whether this card settled it; otherwise there may be a better one later. */
  readonly found: (card: Card) => Promise<boolean>
  /** Waits its turn among others of the kind. */
  readonly inTurn?: boolean
}

export class CardSearches {
  readonly #parts: Pick<ChatParts, "findCard" | "clock" | "log">
  readonly #book: Pick<ChatBook, "contacts">
  readonly #stopping: AbortSignal
  readonly #searches = new Map<string, Promise<void>>()
  #verifying = 0
  readonly #verifiers: (() => void)[] = []
  /** Ends the pauses between two searches: somebody new may have the card. */
  readonly #wake = new Set<() => void>()

  constructor(
    parts: Pick<ChatParts, "findCard" | "clock" | "log">,
    book: Pick<ChatBook, "contacts">,
    stopping: AbortSignal,
  ) {
    this.#parts = parts
    this.#book = book
    this.#stopping = stopping
  }

  /** After the signal is aborted. */
  async stop(): Promise<void> {
    this.awaken()
    for (const verifier of this.#verifiers.splice(0)) verifier()
    await Promise.allSettled(this.#searches.values())
  }

  /** Peers changed: searches that pause go on at once. */
  awaken(): void {
    for (const wake of [...this.#wake]) wake()
  }

  /** Unless one of this name is under way. */
  begin(name: string, peer: Address, what: Search): void {
    if (this.#searches.has(name) || this.#isOver()) return
    const search = this.#searchOn(peer, what).finally(() => this.#searches.delete(name))
    this.#searches.set(name, search)
  }

  async #searchOn(peer: Address, { wanted, found, inTurn = false }: Search): Promise<void> {
    let pauseMs = FIRST_RETRY_MS
    let again = false
    while (wanted() && !this.#isOver()) {
      try {
        const card = inTurn
          ? await this.#verifyInTurn(() => this.#findCard(peer, wanted, again))
          : await this.#findCard(peer, wanted, again)
        again = true
        // Whoever looks cards up answers for them; that it is the card asked for costs nothing to see for oneself.
        if (card?.address === peer && wanted() && !this.#isOutdated(card)) {
          if (await found(card)) return
        }
      } catch (error) {
        if (this.#isOver()) return
        this.#parts.log(`looking for a card failed: ${String(error)}`)
      }
      await this.#pause(pauseMs)
      pauseMs = Math.min(2 * pauseMs, LAST_RETRY_MS)
    }
  }

  async #findCard(peer: Address, wanted: () => boolean, again: boolean): Promise<Card | undefined> {
    // It may have waited for its turn. Asking again is for a newer card than the one of some minutes ago.
    return wanted() ? this.#parts.findCard(peer, this.#stopping, again) : undefined
  }

  /** Not the newest card that was ever seen of this contact: somebody shows an old one, or has signed two of one number. */
  #isOutdated({ address, sequence, hash }: Card): boolean {
    const seen = this.#book.contacts.get(address)?.card ?? null
    if (seen === null || sequence > seen.sequence) return false
    const isOther = sequence < seen.sequence || !equal(hash, seen.hash)
    if (isOther) this.#parts.log("a card was not taken: a newer one was seen before")
    return isOther
  }

  async #verifyInTurn<T>(look: () => Promise<T>): Promise<T> {
    while (this.#verifying >= VERIFYING_MAX && !this.#isOver()) {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      this.#verifiers.push(() => resolve(undefined))
      await promise
    }
    this.#verifying++
    try {
      return await look()
    } finally {
      this.#verifying--
      this.#verifiers.shift()?.()
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isOver()) return
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const wake = () => resolve(undefined)
    const cancel = this.#parts.clock.after(ms, wake)
    this.#wake.add(wake)
    await promise
    this.#wake.delete(wake)
    cancel()
  }

  #isOver(): boolean {
    return this.#stopping.aborted
  }
}
