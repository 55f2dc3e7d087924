/**
 * Items that wait for an order, oldest first. "Admitted" ones were checked by this node and may be proposed; "held" ones are
 * only known by content, which is enough to prepare what an earlier view already prepared. When an item is ordered, whatever
 * competes with it (the same spend, another root under its nullifier) leaves too. Of an envelope that was paid for twice one form is
 * here, whichever came first, until a proposal names the other.
 */
import { isSameEnvelope, keyOf, keysOf, sameItem } from "./item.ts"
import { POOL_ITEMS_MAX } from "./limits.ts"
import type { Item } from "./types.ts"

/** Entries the queue may hold beyond twice the pool before it is cleaned up. */
const QUEUE_SLACK = 1024

interface Waiting {
  readonly item: Item
  /** Place in the order of arrival. */
  readonly arrival: number
  /** Not yet proposed in this view. */
  fresh: boolean
}

export class Pool {
  /** Admitted items, oldest first. */
  readonly #admitted = new Map<string, Waiting>()
  #arrivals = 0
  /** Admitted items in the order in which they are to be proposed; those that left or were proposed are passed over. */
  #queue: Waiting[] = []
  #next = 0
  #freshCount = 0
  readonly #held = new Map<string, Item>()
  /** Ids that proposals of this view name and that were not admitted then: no more than the batches of a term hold. */
  readonly #named = new Set<string>()
  /** Admitted items that are no envelopes: what one of them changes may forbid another. */
  readonly #changes = new Set<string>()
  /** What is used up → admitted items that would use it: nearly always one. */
  readonly #rivals = new Map<string, string | Set<string>>()

  get size(): number {
    return this.#admitted.size
  }
  get heldSize(): number {
    return this.#held.size
  }
  get freshSize(): number {
    return this.#freshCount
  }

  /** False when the item is there already, or the pool is full; a `wanted` one, which a proposal names, always finds room. */
  admit(item: Item, wanted = false): boolean {
    const { id } = keysOf(item)
    if (this.#admitted.has(id) || (this.#admitted.size >= POOL_ITEMS_MAX && !wanted)) return false
    const fresh = this.#named.size === 0 || !this.#named.has(id)
    const waiting = { item, arrival: ++this.#arrivals, fresh }
    this.#admitted.set(id, waiting)
    if (fresh) this.#queue.push(waiting)
    if (this.#queue.length > 2 * this.#admitted.size + QUEUE_SLACK) this.#compact()
    if (fresh) this.#freshCount++
    if (this.#held.size > 0) this.#held.delete(id)
    if (item.type !== "envelope") this.#changes.add(id)
    this.#enter(id, item)
    return true
  }

  /**
   * Another form of an admitted envelope takes its place and its turn: the same content, admitted otherwise, which a proposal names. False
   * when none of this id is admitted, or it is this one.
   */
  replace(item: Item): boolean {
    const { id } = keysOf(item)
    const known = this.#admitted.get(id)
    if (known === undefined || sameItem(known.item, item)) return false
    this.#stale(known)
    this.#leave(id, known.item)
    this.#admitted.set(id, { item, arrival: known.arrival, fresh: false })
    this.#enter(id, item)
    return true
  }

  hold(item: Item): void {
    const { id } = keysOf(item)
    if (this.#admitted.has(id)) return
    if (this.#held.size >= POOL_ITEMS_MAX) {
      const [oldest] = this.#held.keys()
      if (oldest !== undefined) this.#held.delete(oldest)
    }
    this.#held.set(id, item)
  }

  /** The very same item was admitted: same id, same spend. */
  admits(item: Item): boolean {
    const known = this.#admitted.get(keysOf(item).id)
    return known !== undefined && sameItem(known.item, item)
  }

  /** The content behind the item is here, whoever admitted it. */
  holds(item: Item): boolean {
    const { id } = keysOf(item)
    return this.#admitted.has(id) || this.#held.has(id)
  }

  withdraw(item: Item): void {
    const { id } = keysOf(item)
    const known = this.#admitted.get(id)
    if (known === undefined) return
    this.#drop(id, known)
    this.hold(known.item)
  }

  /** The item was ordered, or can no longer be: it and its rivals leave. */
  ordered(item: Item): void {
    const { id } = keysOf(item)
    const known = this.#admitted.get(id)
    if (known !== undefined) this.#drop(id, known)
    if (this.#held.size > 0) this.#held.delete(id)
    if (this.#named.size > 0) this.#named.delete(id)
    for (const use of usesOf(item)) {
      const rivals = this.#rivals.get(use)
      if (rivals === undefined) continue
      for (const rival of typeof rivals === "string" ? [rivals] : [...rivals]) {
        const other = this.#admitted.get(rival)
        if (other !== undefined && excludes(item, other.item)) this.#drop(rival, other)
      }
    }
  }

  /** The state has changed: changes of the mesh that it forbids now leave. They would be waited for in vain. */
  sift(isAllowed: (item: Item) => boolean): void {
    for (const id of this.#changes) {
      const known = this.#admitted.get(id)
      if (known !== undefined && !isAllowed(known.item)) this.#drop(id, known)
    }
  }

  /** How many items were ever admitted: a mark in the order of arrival. */
  get mark(): number {
    return this.#arrivals
  }

  /** Whether something waits that had arrived by then. */
  waitsSince(mark: number): boolean {
    const [first] = this.#admitted.values()
    return first !== undefined && first.arrival <= mark
  }

  /** Whether something that no proposal of this view names had arrived by then. */
  passedOverSince(mark: number): boolean {
    while (this.#queue[this.#next]?.fresh === false) this.#next++
    const first = this.#queue[this.#next]
    return first !== undefined && first.arrival <= mark
  }

  /** Key of the oldest admitted item: what the request timer runs for. */
  oldest(): string | undefined {
    return this.#admitted.keys().next().value
  }

  firstItems(count: number): Item[] {
    const items: Item[] = []
    for (const { item } of this.#admitted.values()) {
      if (items.length >= count) break
      items.push(item)
    }
    return items
  }

  /** The oldest items that no proposal of this view names; they count as proposed from now on. */
  take(count: number, bytesMax: number, sizeOf: (item: Item) => number): Item[] {
    const items: Item[] = []
    let bytes = 0
    for (; this.#next < this.#queue.length && items.length < count; this.#next++) {
      const waiting = this.#queue[this.#next]
      if (waiting?.fresh !== true) continue
      bytes += sizeOf(waiting.item)
      if (bytes > bytesMax && items.length > 0) break
      items.push(waiting.item)
      this.#stale(waiting)
    }
    return items
  }

  /** Lets go of what was passed over or has left: a backup never takes. */
  #compact(): void {
    this.#queue = this.#queue.filter(({ fresh }) => fresh)
    this.#next = 0
  }

  /** A proposal of this view names the item, admitted or not yet. Returns our own object for it when it is the very same. */
  proposed(item: Item): Item {
    const id = item.type === "envelope" ? keyOf(item.id) : keysOf(item).id
    const known = this.#admitted.get(id)
    if (known === undefined) {
      this.#named.add(id)
      return item
    }
    this.#stale(known)
    return isSameEnvelope(known.item, item) ? known.item : item
  }

  /** A new view: what was proposed and fell out returns, and is proposed again in the old order. */
  renew(): void {
    this.#named.clear()
    this.#queue = [...this.#admitted.values()]
    this.#next = 0
    this.#freshCount = this.#queue.length
    for (const waiting of this.#queue) waiting.fresh = true
  }

  #stale(waiting: Waiting): void {
    if (waiting.fresh) this.#freshCount--
    waiting.fresh = false
  }

  #drop(id: string, waiting: Waiting): void {
    this.#admitted.delete(id)
    this.#changes.delete(id)
    this.#stale(waiting)
    this.#leave(id, waiting.item)
  }

  /** Notes what an admitted item would use up. */
  #enter(id: string, item: Item): void {
    for (const use of usesOf(item)) {
      const rivals = this.#rivals.get(use)
      if (rivals === undefined) this.#rivals.set(use, id)
      else if (typeof rivals === "string") this.#rivals.set(use, new Set([rivals, id]))
      else rivals.add(id)
    }
  }

  #leave(id: string, item: Item): void {
    for (const use of usesOf(item)) {
      const rivals = this.#rivals.get(use)
      if (rivals === id) this.#rivals.delete(use)
      else if (rivals instanceof Set) {
        rivals.delete(id)
        if (rivals.size === 0) this.#rivals.delete(use)
      }
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
