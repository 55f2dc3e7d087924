/**
 * How often each peer may ask for something that costs us: a token bucket a peer. Peers beyond the limit push out the one
 * that was seen longest ago, which then starts with a full bucket again: memory stays bounded, and that peer gains at most
 * one burst for the trouble of bringing a thousand others.
 */
import type { Clock } from "./clock.ts"

/** Buckets kept at a time. */
const PEERS_MAX = 1024

export interface AllowanceOptions {
  /** Requests a quiet peer may make at once. */
  readonly burst: number
  /** Time after which one more is allowed. */
  readonly refillMs: number
}

interface Bucket {
  readonly tokens: number
  readonly atMs: number
}

export class Allowance {
  readonly #options: AllowanceOptions
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: AllowanceOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  /** Takes one from the peer's bucket; false when it is empty. */
  take(peer: string): boolean {
    const { burst, refillMs } = this.#options
    const nowMs = this.#clock.nowMs()
    const bucket = this.#buckets.get(peer) ?? { tokens: burst, atMs: nowMs }
    const refilled = Math.max(0, nowMs - bucket.atMs) / refillMs
    const tokens = Math.min(burst, bucket.tokens + refilled)
    this.#buckets.delete(peer)
    this.#buckets.set(peer, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs })
    if (this.#buckets.size > PEERS_MAX) this.#forgetOldest()
    return tokens >= 1
  }

  #forgetOldest(): void {
    const oldest = this.#buckets.keys().next()
    if (!oldest.done) this.#buckets.delete(oldest.value)
  }
}
