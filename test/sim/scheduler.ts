/** Virtual time: a binary heap of things to do, by time and then by the order in which they were asked for. */

interface Entry {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class Scheduler {
  now = 0
  /** Things done so far. */
  steps = 0
  readonly #heap: Entry[] = []
  #order = 0

  after(delayMs: number, run: () => void): void {
    this.at(this.now + delayMs, run)
  }

  at(at: number, run: () => void): void {
    const heap = this.#heap
    const entry = { at: Math.max(at, this.now), order: this.#order++, run }
    let i = heap.length
    heap.push(entry)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(entry, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = entry
  }

  /** Does the next thing if it is due by then; false when nothing is. */
  step(until: number): boolean {
    const first = this.#heap[0]
    if (first === undefined || first.at > until) return false
    this.#removeFirst()
    this.now = first.at
    this.steps++
    first.run()
    return true
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()!
    const size = heap.length
    if (size === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= size) break
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
  }
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
