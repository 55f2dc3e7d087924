/**
 * Whether others can reach this peer, and what to do if not: ask relays among its peers for a place. A peer that nobody from outside has
 * called for a while counts as one that cannot be called; asking for a place costs one round trip an hour, so erring that way is cheap.
 */
import type { Connection } from "@libp2p/interface"
import { isPrivate } from "@libp2p/utils"
import type { Clock } from "../clock.ts"
import { HOP_PROTOCOL, isRelayed, RELAYS_WANTED } from "../transport/relays.ts"
import { type Transport, TransportError } from "../transport/transport.ts"

/** How long a new peer waits to be called before it takes itself for one that cannot be. */
const WAIT_MS = 30_000
const RETRY_MS = 60_000

/** `auto`: only when nobody from outside has called. */
export type ReachedBy = "auto" | "relay" | "direct"

export interface ReachabilityParts {
  readonly transport: Pick<Transport, "reserveAt" | "isPunched">
  readonly by: ReachedBy
  readonly clock: Clock
  /** The addresses under which this peer can be reached have changed. */
  readonly onChange: () => void
  readonly onFault: (error: unknown) => void
}

export class Reachability {
  readonly #parts: ReachabilityParts
  /** Connected peers that serve as relays. */
  readonly #relays = new Set<string>()
  /** Those of them that keep a place for us, or are being asked. */
  readonly #places = new Set<string>()
  #isCalled: boolean
  #isWaiting: boolean
  #cancel: () => void
  #asking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(parts: ReachabilityParts) {
    this.#parts = parts
    this.#isCalled = parts.by === "direct"
    this.#isWaiting = parts.by === "auto"
    this.#cancel = parts.clock.after(WAIT_MS, () => {
      this.#isWaiting = false
      this.#ask()
    })
  }

  /** A connection came about. One from outside, straight to us, shows that we can be called. */
  connected({
    direction,
    remoteAddr,
    limits,
  }: Pick<Connection, "direction" | "remoteAddr" | "limits">) {
    if (this.#parts.by !== "auto" || direction !== "inbound" || limits !== undefined) return
    // Two that called each other show of neither that anybody else could.
    if (this.#parts.transport.isPunched({ remoteAddr })) return
    if (!isRelayed(remoteAddr.toString()) && !isPrivate(remoteAddr)) this.#isCalled = true
  }

  /** A connected peer said what it speaks. */
  identified(peer: string, protocols: readonly string[]): void {
    if (!protocols.includes(HOP_PROTOCOL)) return
    this.#relays.add(peer)
    this.#ask()
  }

  disconnected(peer: string): void {
    this.#relays.delete(peer)
    if (this.#places.delete(peer)) this.#parts.onChange()
    this.#ask()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#asking
  }

  #ask(): void {
    this.#asking = this.#asking.then(() => this.#askAll())
  }

  async #askAll(): Promise<void> {
    for (const relay of this.#relays) {
      const isEnough = this.#places.size >= RELAYS_WANTED
      if (this.#stopped || this.#isCalled || this.#isWaiting || isEnough) return
      if (!this.#places.has(relay)) await this.#askOne(relay)
    }
  }

  async #askOne(relay: string): Promise<void> {
    try {
      await this.#parts.transport.reserveAt(relay)
      if (!this.#relays.has(relay)) return
      this.#places.add(relay)
      this.#parts.onChange()
    } catch (error) {
      if (!(error instanceof TransportError)) this.#parts.onFault(error)
      // full, or gone: others first, and this one again later
      this.#relays.delete(relay)
      this.#cancel()
      this.#cancel = this.#parts.clock.after(RETRY_MS, () => {
        this.#isWaiting = false
        this.#relays.add(relay)
        this.#ask()
      })
    }
  }
}
