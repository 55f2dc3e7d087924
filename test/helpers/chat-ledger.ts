/** The ledger of a world in memory: it puts what is posted into blocks when the test says so, shuffled by the test's own seed. */
import assert from "node:assert/strict"
import { type Bytes, toHex } from "../../src/crypto/bytes.ts"
import { envelopeId } from "../../src/crypto/envelope.ts"
import type { ChatLedger } from "../../src/node/chat/parts.ts"

const TOGETHER_MAX = 12

export class Order {
  readonly blocks: { readonly height: number; readonly ids: readonly Bytes[] }[] = []
  /** Every envelope that was ever posted where the ledger saw it, by hexadecimal id. */
  readonly envelopes = new Map<string, Bytes>()
  readonly #waiting: Bytes[] = []
  readonly #places = new Map<string, number>()
  readonly #pick: (below: number) => number
  /** Nothing is ordered while it stands still. */
  isStalled = false

  /** `pick`: a number below its argument. */
  constructor(pick: (below: number) => number = () => 0) {
    this.#pick = pick
  }

  take(envelope: Bytes): void {
    const id = envelopeId(envelope)
    if (this.envelopes.has(toHex(id))) return
    this.envelopes.set(toHex(id), envelope)
    this.#waiting.push(id)
  }

  orderedAt = (id: Bytes): number | undefined => this.#places.get(toHex(id))

  /** What waits becomes blocks, of few or many each. Returns whether there are new ones. */
  go(): boolean {
    const before = this.blocks.length
    while (this.#waiting.length > 0 && !this.isStalled) {
      const count = 1 + this.#pick(Math.min(this.#waiting.length, TOGETHER_MAX))
      const ids = Array.from({ length: count }, () => {
        const [taken] = this.#waiting.splice(this.#pick(this.#waiting.length), 1)
        return taken ?? assert.fail("something waits")
      })
      const height = this.blocks.length + 1
      for (const id of ids) this.#places.set(toHex(id), height)
      this.blocks.push({ height, ids })
    }
    return this.blocks.length > before
  }
}

export interface Owner {
  /** Cut off from everybody, the ledger too. */
  readonly isAway: boolean
  readonly mailbox: { take(envelope: Bytes): void }
}

/** The order as one person sees it. */
export class LedgerView implements ChatLedger {
  readonly #order: Order
  readonly #owner: Owner
  #seen = 0

  constructor(order: Order, owner: Owner) {
    this.#order = order
    this.#owner = owner
  }

  height(): number {
    if (!this.#owner.isAway) this.#seen = this.#order.blocks.length
    return this.#seen
  }

  orderedAt(id: Bytes): number | undefined {
    const height = this.#order.orderedAt(id)
    return height !== undefined && height <= this.height() ? height : undefined
  }

  blocksAfter(height: number, limit: number) {
    const end = Math.min(height + limit, this.height())
    return Promise.resolve(this.#order.blocks.slice(height, Math.max(height, end)))
  }

  bring(ids: readonly Bytes[]): Promise<void> {
    if (!this.#owner.isAway)
      for (const id of ids) {
        const envelope = this.#order.envelopes.get(toHex(id))
        if (envelope !== undefined) this.#owner.mailbox.take(envelope)
      }
    return Promise.resolve()
  }
}
