/**
 * How many requests for chunks run at a time, in all and to one peer: each holds a chunk in memory and a stream, of which a peer takes
 * a limited number. Who comes first is served first.
 */

/** Chunks under way: 4 MiB. */
export const LANES_MAX = 16
/** Of these with one peer, which takes 16 streams of a protocol from us. */
export const LANES_PER_PEER_MAX = 6

interface Waiting {
  readonly peer: string
  readonly go: () => void
}

export class Lanes {
  #busy = 0
  readonly #peers = new Map<string, number>()
  readonly #waiting = new Set<Waiting>()

  /** Runs `work` when there is a lane. Throws the signal's reason while waiting. */
  async run<T>(peer: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    if (!this.#isFree(peer)) await this.#turn(peer, signal)
    else this.#enter(peer)
    try {
      return await work()
    } finally {
      this.#leave(peer)
    }
  }

  #isFree(peer: string): boolean {
    return this.#busy < LANES_MAX && (this.#peers.get(peer) ?? 0) < LANES_PER_PEER_MAX
  }

  #enter(peer: string): void {
    this.#busy++
    this.#peers.set(peer, (this.#peers.get(peer) ?? 0) + 1)
  }

  #leave(peer: string): void {
    this.#busy--
    const left = (this.#peers.get(peer) ?? 1) - 1
    if (left === 0) this.#peers.delete(peer)
    else this.#peers.set(peer, left)
    for (const waiting of this.#waiting) {
      if (this.#busy >= LANES_MAX) return
      if (!this.#isFree(waiting.peer)) continue
      this.#waiting.delete(waiting)
      this.#enter(waiting.peer)
      waiting.go()
    }
  }

  async #turn(peer: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    const waiting = { peer, go: () => resolve(undefined) }
    const onAbort = () => {
      if (this.#waiting.delete(waiting)) reject(signal.reason as Error)
    }
    this.#waiting.add(waiting)
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      await promise
    } finally {
      signal.removeEventListener("abort", onAbort)
    }
  }
}

/** Does `work` for each item, `width` at a time, in order; stops at the first failure, which it throws. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  let failed = false
  const worker = async () => {
    while (next < items.length && !failed) {
      const item = items[next++] as T
      try {
        await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const workers = Array.from({ length: Math.min(width, items.length) }, worker)
  const ends = await Promise.allSettled(workers)
  const bad = ends.find((end) => end.status === "rejected")
  if (bad !== undefined) throw bad.reason as Error
}
