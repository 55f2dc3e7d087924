/**
 * Publishes own envelopes one after the other, at a pace that no peer's buffer overflows. What it cannot publish is stored already, and
 * sync brings it on; so nothing here is tried twice.
 */
import { setTimeout as after } from "node:timers/promises"
import type { Bytes } from "../../crypto/bytes.ts"
import { BACKLOG_BYTES_MAX, type Gossip } from "../transport/gossip.ts"

/** Envelopes waiting to be published; beyond it they are stored only, and sync brings them on. */
export const PUBLISHING_MAX = 4096
/** Published without a pause; then everything else gets its turn. */
const PUBLISH_RUN = 16
const BACKLOG_POLL_MS = 5
/** A peer that takes nothing for so long does not hold up the others any longer. */
const BACKLOG_WAIT_MS = 2_000

export class Publisher {
  readonly #topic: string
  readonly #onFault: (error: unknown) => void
  readonly #waiting: { bytes: Bytes; done: (peers: number) => void }[] = []
  readonly #stop = new AbortController()
  #gossip: Gossip | undefined
  #running: Promise<void> | undefined

  constructor(topic: string, onFault: (error: unknown) => void) {
    this.#topic = topic
    this.#onFault = onFault
  }

  /** From now on there is somewhere to publish. */
  through(gossip: Gossip): void {
    this.#gossip = gossip
  }

  /** Peers it was handed to; 0 where nobody is there, or too many wait already. */
  async publish(bytes: Bytes): Promise<number> {
    if (this.#waiting.length >= PUBLISHING_MAX) return 0
    const { promise, resolve } = Promise.withResolvers<number>()
    this.#waiting.push({ bytes, done: resolve })
    this.#running ??= this.#run()
    return await promise
  }

  /** What waits is answered with 0. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    for (let run = 1; ; run++) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      next.done(await this.#one(next.bytes))
      if (run % PUBLISH_RUN === 0) await after(0)
    }
    this.#running = undefined
  }

  async #one(bytes: Bytes): Promise<number> {
    const gossip = this.#gossip
    if (gossip === undefined || this.#isStopping()) return 0
    // nobody there: were it published now, gossipsub would refuse to publish it again
    if (gossip.subscribers(this.#topic).length === 0) return 0
    for (let waited = 0; gossip.backlogBytes > BACKLOG_BYTES_MAX; waited += BACKLOG_POLL_MS) {
      if (waited >= BACKLOG_WAIT_MS || this.#isStopping()) break
      await after(BACKLOG_POLL_MS)
    }
    try {
      return await gossip.publish(this.#topic, bytes)
    } catch (error) {
      this.#onFault(error)
      return 0
    }
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted
  }
}
