/**
 * Items that wait for an order, oldest first. "Admitted" ones were checked by this node and may be proposed; "held" ones are
 * only known by content, which is enough to prepare what an earlier view already prepared. When an item is ordered, whatever
 * competes with it (the same spend, another root under its nullifier) leaves too.
 */
import { keysOf, sameItem } from "./item.ts"
import { POOL_ITEMS_MAX } from "./limits.ts"
import type { Item } from "./types.ts"

export class Pool {
  readonly #admitted = new Map<string, Item>()
  readonly #arrival = new Map<string, number>()
  #arrivals = 0
  /** Admitted and not yet proposed in this view. */
  readonly #fresh = new Map<string, Item>()
  readonly #held = new Map<string, Item>()
  /** What is used up → admitted items that would use it. */
  readonly #rivals = new Map<string, Set<string>>()

  get size(): number {
    return this.#admitted.size
  }
  get heldSize(): number {
    return this.#held.size
  }
  get freshSize(): number {
    return this.#fresh.size
  }

  /** False when the pool is full or the item is there already. */
  admit(item: Item): boolean {
    const key = keysOf(item).id
    if (this.#admitted.has(key) || this.#admitted.size >= POOL_ITEMS_MAX) return false
    this.#admitted.set(key, item)
    this.#arrival.set(key, ++this.#arrivals)
    this.#fresh.set(key, item)
    this.#held.delete(key)
    for (const use of usesOf(item)) {
      const rivals = this.#rivals.get(use)
      if (rivals === undefined) this.#rivals.set(use, new Set([key]))
      else rivals.add(key)
    }
    return true
  }

  hold(item: Item): void {
    const key = keysOf(item).id
    if (this.#admitted.has(key)) return
    if (this.#held.size >= POOL_ITEMS_MAX) {
      const [oldest] = this.#held.keys()
      if (oldest !== undefined) this.#held.delete(oldest)
    }
    this.#held.set(key, item)
  }

  /** The very same item was admitted: same id, same spend. */
  admits(item: Item): boolean {
    const known = this.#admitted.get(keysOf(item).id)
    return known !== undefined && sameItem(known, item)
  }

  /** The content behind the item is here, whoever admitted it. */
  holds(item: Item): boolean {
    const key = keysOf(item).id
    return this.#admitted.has(key) || this.#held.has(key)
  }

  withdraw(item: Item): void {
    const key = keysOf(item).id
    const known = this.#admitted.get(key)
    if (known === undefined) return
    this.#drop(key, known)
    this.hold(known)
  }

  /** The item was ordered, or can no longer be: it and its rivals leave. */
  ordered(item: Item): void {
    const key = keysOf(item).id
    const known = this.#admitted.get(key)
    if (known !== undefined) this.#drop(key, known)
    this.#held.delete(key)
    for (const use of usesOf(item))
      for (const rival of this.#rivals.get(use) ?? []) {
        const other = this.#admitted.get(rival)
        if (other !== undefined && excludes(item, other)) this.#drop(rival, other)
      }
  }

  /** How many items were ever admitted: a mark in the order of arrival. */
  get mark(): number {
    return this.#arrivals
  }

  /** Whether something waits that had arrived by then. */
  waitsSince(mark: number): boolean {
    const oldest = this.oldest()
    return oldest !== undefined && (this.#arrival.get(oldest) ?? 0) <= mark
  }

  /** Key of the oldest admitted item: what the request timer runs for. */
  oldest(): string | undefined {
    const [first] = this.#admitted.keys()
    return first
  }

  firstItems(count: number): Item[] {
    const items: Item[] = []
    for (const item of this.#admitted.values()) {
      if (items.length >= count) break
      items.push(item)
    }
    return items
  }

  /** The oldest items that no proposal of this view names; they count as proposed from now on. */
  take(count: number, bytesMax: number, sizeOf: (item: Item) => number): Item[] {
    const items: Item[] = []
    let bytes = 0
    for (const [key, item] of this.#fresh) {
      bytes += sizeOf(item)
      if (items.length >= count || (bytes > bytesMax && items.length > 0)) break
      items.push(item)
      this.#fresh.delete(key)
    }
    return items
  }

  /** A proposal of this view names the item. */
  proposed(item: Item): void {
    this.#fresh.delete(keysOf(item).id)
  }

  /** A new view: "the requests that fell out return", and are proposed again in their old order. */
  renew(): void {
    this.#fresh.clear()
    for (const [key, item] of this.#admitted) this.#fresh.set(key, item)
  }

  #drop(key: string, item: Item): void {
    this.#admitted.delete(key)
    this.#arrival.delete(key)
    this.#fresh.delete(key)
    for (const use of usesOf(item)) {
      const rivals = this.#rivals.get(use)
      rivals?.delete(key)
      if (rivals?.size === 0) this.#rivals.delete(use)
    }
  }
}

/** What only one ordered item may have: its spend, and for a membership proof the binding of its nullifier. */
function usesOf(item: Item): readonly string[] {
  const { spend, nullifier } = keysOf(item)
  if (spend === undefined) return []
  return nullifier === undefined ? [spend] : [spend, nullifier]
}

function excludes(ordered: Item, other: Item): boolean {
  const [a, b] = [keysOf(ordered), keysOf(other)]
  if (a.spend !== undefined && a.spend === b.spend) return true
  return a.nullifier !== undefined && a.nullifier === b.nullifier && a.root !== b.root
}
