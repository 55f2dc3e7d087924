/**
 * Keeps this peer connected. libp2p dials once and gives up; this calls the addresses from the ticket, peers remembered from before and
 * peers found on the way, again and again, each with its own growing and slightly irregular pause, until enough are connected. Of
 * two peers that know each other the one with the lower id calls first, so that they do not end up with two connections.
 */
import { peerIdFromString } from "@libp2p/peer-id"
import { multiaddr } from "@multiformats/multiaddr"
import type { AddressBook } from "./address-book.ts"
import { ADDRESSES_PER_PEER_MAX } from "../mailbox/sync-messages.ts"
import { type Transport, TransportError } from "../transport/transport.ts"

/** With so many connected, nobody else is called. */
export const WANTED_PEERS = 8
/** Peers known here by address; beyond it new finds are not taken. */
export const TARGETS_MAX = 256
const DIALS_MAX = 4
const DIAL_DEADLINE_MS = 10_000
const PAUSE_MIN_MS = 500
const PAUSE_MAX_MS = 60_000
/** How long the higher id leaves the call to the lower one. */
const COURTESY_MS = 1_000
/** The same at the start: who knows this peer from before does not know that it is back, unless it starts in the same moment. */
const COURTESY_AT_START_MS = 100
/** A find that was tried so often without an answer is dropped. */
const FOUND_FAILURES_MAX = 5
/** Never names that lead to further names, and over one relay at most. */
const HEARSAY =
  /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+(\/(tls|ws|wss|http|sni\/[^/]+))*(\/p2p\/[^/]+\/p2p-circuit)?\/p2p\/[^/]+$/
/** A relay to a peer is another peer. */
const namesTwice = (address: string) => {
  const named = Array.from(address.matchAll(/\/p2p\/([^/]+)/g), ([, peer]) => peer)
  return new Set(named).size < named.length
}
const SHUN_MS = 10 * 60_000
const SHUNNED_MAX = 256

export interface DialerParts {
  readonly transport: Transport
  readonly book: AddressBook
  /** Multiaddrs from the ticket and the configuration: called for as long as this peer runs. */
  readonly bootstrap: readonly string[]
  /** `alone` may have changed. */
  readonly onChange: () => void
}

/** `named` by whoever runs this peer: never given up. `met` before: given up when it lied. `found`: also when it never answers. */
type Origin = (typeof ORIGINS)[number]
const ORIGINS = ["named", "met", "found"] as const

interface Target {
  readonly addresses: Set<string>
  /** Undefined for an address without a peer id that never answered. */
  readonly peer: string | undefined
  origin: Origin
  failures: number
  dueMs: number
  dialing: boolean
}

export interface Alone {
  readonly reason: string
  readonly retryInMs: number
}

const now = () => performance.now()
const irregular = (ms: number) => ms * (0.75 + Math.random() / 2)

export class Dialer {
  readonly #parts: DialerParts
  readonly #targets = new Map<string, Target>()
  /** Peers not to be called or kept, and until when. */
  readonly #shunned = new Map<string, number>()
  readonly #stop = new AbortController()
  readonly #calls = new Set<Promise<void>>()
  #isCalling = false
  #timer: NodeJS.Timeout | undefined

  /** Throws TransportError BAD_PEER_ADDRESS for a bootstrap address that is none. */
  constructor(parts: DialerParts) {
    this.#parts = parts
    for (const address of parts.bootstrap) this.#add([address], "named")
    for (const [, addresses] of parts.book.entries())
      this.#add(addresses, "met", COURTESY_AT_START_MS)
  }

  /** Calls from now on: whoever is called asks at once what this peer has to answer. */
  start(): void {
    this.#isCalling = true
    this.#schedule()
  }

  /** Null while there are peers. */
  alone(): Alone | null {
    if (this.#parts.transport.peers().length > 0) return null
    if (this.#targets.size === 0) return { reason: "no peer is known", retryInMs: 0 }
    const targets = [...this.#targets.values()]
    if (targets.some(({ dialing }) => dialing)) return { reason: "calling", retryInMs: 0 }
    const retryInMs = Math.max(0, Math.min(...targets.map((target) => this.#due(target))) - now())
    const refused = targets.every(({ peer }) => peer !== undefined && this.#isShunned(peer))
    const tried = targets.some(({ failures }) => failures > 0)
    const reason = refused
      ? "the known peers are not of this mesh"
      : tried
        ? "nobody answers at the known addresses"
        : "about to call"
    return { reason, retryInMs: Math.round(retryInMs) }
  }

  /** Somebody said that a peer can be reached here. Came from outside: what is not a plain address of a named peer is ignored. */
  found(addresses: readonly string[]): void {
    if (this.#targets.size >= TARGETS_MAX) return
    try {
      const usable = addresses.filter((address) => HEARSAY.test(address) && !namesTwice(address))
      this.#add(
        usable.filter((address) => peerIn(address) !== undefined),
        "found",
      )
    } catch (error) {
      if (!(error instanceof TransportError)) throw error
    }
    this.#schedule()
  }

  /** A connection came about, whoever called. False: it should not be kept. */
  connected(peer: string): boolean {
    if (this.#isShunned(peer)) return false
    const target = this.#targets.get(peer)
    if (target !== undefined) target.failures = 0
    return true
  }

  /** The last connection to this peer is gone: it is called again soon, if it is known. */
  disconnected(peer: string): void {
    const target = this.#targets.get(peer)
    if (target !== undefined) target.dueMs = now() + irregular(this.#courtesy(peer) + PAUSE_MIN_MS)
    this.#schedule()
  }

  /** Proven to be of this mesh: worth calling again, also after a restart. Throws StoreError. */
  async remember(peer: string, addresses: readonly string[]): Promise<void> {
    const own = addresses.map((address) => withPeer(address, peer))
    await this.#parts.book.remember(peer, own)
    if (own.length > 0 && this.#targets.size < TARGETS_MAX) this.#add(own, "met")
  }

  /** Not a peer of this mesh, or not an honest one: left alone for ten minutes. Throws StoreError. */
  async shun(peer: string): Promise<void> {
    this.#shunned.delete(peer)
    this.#shunned.set(peer, now() + SHUN_MS)
    for (const oldest of this.#shunned.keys()) {
      if (this.#shunned.size <= SHUNNED_MAX) break
      this.#shunned.delete(oldest)
    }
    if (this.#targets.get(peer)?.origin !== "named") this.#targets.delete(peer)
    await this.#parts.book.forget(peer)
  }

  /** Resolves when no call is under way. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await Promise.all(this.#calls)
  }

  #add(addresses: readonly string[], origin: Origin, courtesyMs = COURTESY_MS): void {
    const [first] = addresses
    if (first === undefined) return
    const peer = peerIn(first)
    if (peer === this.#parts.transport.peer) return
    if (peer !== undefined && this.#isShunned(peer)) return
    const key = peer ?? first
    const delayMs =
      peer === undefined || origin === "named" ? 0 : irregular(this.#courtesy(peer, courtesyMs))
    const target = this.#targets.get(key) ?? {
      addresses: new Set<string>(),
      peer,
      origin,
      failures: 0,
      dueMs: now() + delayMs,
      dialing: false,
    }
    if (ORIGINS.indexOf(origin) < ORIGINS.indexOf(target.origin)) target.origin = origin
    const before = target.addresses.size
    for (const address of addresses.filter((text) => peerIn(text) === peer)) {
      if (target.addresses.size >= ADDRESSES_PER_PEER_MAX) break
      target.addresses.add(address)
    }
    // It may be there now; and no more often than it has addresses can anybody have us call it sooner.
    if (target.addresses.size > before) target.dueMs = Math.min(target.dueMs, now() + delayMs)
    this.#targets.set(key, target)
  }

  #isShunned(peer: string): boolean {
    return (this.#shunned.get(peer) ?? 0) > now()
  }

  /** How long this side waits before it calls a peer that knows it as well. */
  #courtesy(peer: string, courtesyMs = COURTESY_MS): number {
    return this.#parts.transport.peer < peer ? 0 : courtesyMs
  }

  /** Targets that should be called sooner or later, the next one first. */
  #queue(): readonly [key: string, target: Target][] {
    const connected = new Set(this.#parts.transport.peers())
    return [...this.#targets]
      .filter(([key, { peer, dialing }]) => !dialing && !connected.has(peer ?? key))
      .sort(([, a], [, b]) => this.#due(a) - this.#due(b))
  }

  #due({ peer, dueMs }: Target): number {
    return Math.max(dueMs, peer === undefined ? 0 : (this.#shunned.get(peer) ?? 0))
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (!this.#isCalling || this.#stop.signal.aborted) return
    const [next] = this.#queue()
    if (next === undefined || this.#enough()) return
    this.#timer = setTimeout(() => this.#callDue(), Math.max(0, this.#due(next[1]) - now()))
  }

  #enough(): boolean {
    const { length } = this.#parts.transport.peers()
    return length >= WANTED_PEERS || this.#calls.size >= DIALS_MAX
  }

  #callDue(): void {
    for (const [key, target] of this.#queue()) {
      if (this.#due(target) > now() || this.#enough()) break
      const call = this.#call(key, target).finally(() => {
        this.#calls.delete(call)
        this.#schedule()
      })
      this.#calls.add(call)
    }
    this.#parts.onChange()
    this.#schedule()
  }

  async #call(key: string, target: Target): Promise<void> {
    target.dialing = true
    const deadline = AbortSignal.timeout(DIAL_DEADLINE_MS)
    try {
      const signal = AbortSignal.any([deadline, this.#stop.signal])
      const peer = await this.#parts.transport.dial([...target.addresses], signal)
      target.failures = 0
      // now that it said who it is, it is known by that name
      if (target.peer === undefined) this.#rename(key, target, peer)
    } catch {
      target.failures += 1
      if (target.origin === "found" && target.failures >= FOUND_FAILURES_MAX)
        this.#targets.delete(key)
    }
    target.dialing = false
    const pause = Math.min(PAUSE_MIN_MS * 2 ** target.failures, PAUSE_MAX_MS)
    target.dueMs = now() + irregular(pause)
    this.#parts.onChange()
  }

  #rename(key: string, target: Target, peer: string): void {
    this.#targets.delete(key)
    const addresses = [...target.addresses].map((address) => withPeer(address, peer))
    this.#add(addresses, target.origin)
  }
}

/** The peer id at the end of a multiaddr, if it names one. Throws TransportError BAD_PEER_ADDRESS. */
function peerIn(address: string): string | undefined {
  try {
    const last = multiaddr(address).getComponents().at(-1)
    return last?.name === "p2p" && last.value !== undefined
      ? peerIdFromString(last.value).toString()
      : undefined
  } catch (cause) {
    throw new TransportError("BAD_PEER_ADDRESS", "not a multiaddr", { cause })
  }
}

const withPeer = (address: string, peer: string) =>
  peerIn(address) === undefined ? `${address}/p2p/${peer}` : address
