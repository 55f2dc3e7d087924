/**
 * Who keeps chunks, as far as this peer knows: the connected peers that said so, and headless ones that those named. A chunk belongs at
 * the keepers nearest to its id: the distance is that of Kademlia, the exclusive or of the id and the hash of the peer's own id, so
 * everybody who knows the same keepers finds the same ones. Headless peers come before casual ones. A keeper that lied is not used for
 * a while. What keepers say of others is a hint: who is named must answer for itself.
 */
import { primitives } from "#primitives"
import { type Bytes, compare, utf8 } from "../../crypto/bytes.ts"
import {
  KEEPERS_TOLD_MAX,
  type KeeperRole,
  type KeepersReply,
  type KeeperTold,
} from "./messages.ts"
import { type Clock } from "../clock.ts"
import { StreamError } from "../transport/streams.ts"

/** Keepers named by others and not connected. */
const NAMED_MAX = 64
/** Keepers that lied, remembered at a time. */
const BLAMED_MAX = 256
const BLAMED_MS = 600_000
/** A peer that did not say what it is, is asked again after this. */
const SILENT_MS = 5_000
const ASKING_MS = 10_000

export interface KeepersParts {
  /** This peer. */
  readonly self: string
  readonly connected: () => readonly string[]
  /** Asks a connected peer. Throws StreamError. */
  readonly ask: (peer: string, signal: AbortSignal) => Promise<KeepersReply | undefined>
  /** Where a connected peer can be reached by others. */
  readonly addressesOf: (peer: string) => readonly string[]
  /** Connects to a peer that `by` named. Throws TransportError. */
  readonly connect: (
    addresses: readonly string[],
    by: string,
    signal: AbortSignal,
  ) => Promise<string>
  readonly clock: Clock
}

interface Keeper {
  readonly role: KeeperRole
  readonly point: Bytes
}

interface Named {
  readonly by: string
  readonly addresses: readonly string[]
  readonly point: Bytes
}

const pointOf = (peer: string) => primitives.sha256(utf8(peer))

function distance(a: Bytes, b: Bytes): Bytes {
  return a.map((byte, i) => byte ^ (b[i] ?? 0))
}

export class Keepers {
  readonly #parts: KeepersParts
  /** Connected peers that have answered. */
  readonly #asked = new Map<string, Keeper>()
  readonly #named = new Map<string, Named>()
  readonly #blamed = new Map<string, number>()
  /** Connected peers that did not answer, and until when they are left alone. */
  readonly #silent = new Map<string, number>()
  #asking: Promise<void> | undefined

  constructor(parts: KeepersParts) {
    this.#parts = parts
  }

  /** Asks every connected peer that has not been asked. Resolves when all have answered or failed. */
  async refresh(): Promise<void> {
    const signal = AbortSignal.timeout(ASKING_MS)
    await (this.#asking ??= this.#askAll(signal).finally(() => (this.#asking = undefined)))
  }

  /** All that may be used now, the best for this chunk first. */
  nearest(id: Bytes): string[] {
    const now = this.#parts.clock.nowMs()
    const trusted = (peer: string) => (this.#blamed.get(peer) ?? 0) <= now
    const connected = new Set(this.#parts.connected())
    const known = [
      ...Array.from(this.#asked, ([peer, { role, point }]) => ({ peer, role, point })).filter(
        ({ peer, role }) => role !== "none" && connected.has(peer),
      ),
      ...Array.from(this.#named, ([peer, { point }]) => ({
        peer,
        role: "headless" as const,
        point,
      })).filter(({ peer }) => !connected.has(peer)),
    ]
    return known
      .filter(({ peer }) => trusted(peer))
      .map(({ peer, role, point }) => ({ peer, role, far: distance(point, id) }))
      .sort((a, b) => (a.role === b.role ? compare(a.far, b.far) : a.role === "headless" ? -1 : 1))
      .map(({ peer }) => peer)
  }

  /** Connects to a keeper that was only named so far; nothing for one that is connected. Throws what connecting throws. */
  async reach(peer: string, signal: AbortSignal): Promise<void> {
    const named = this.#named.get(peer)
    if (this.#parts.connected().includes(peer) || named === undefined) return
    this.#named.delete(peer)
    const found = await this.#parts.connect(named.addresses, named.by, signal)
    await this.#askOne(found, signal)
  }

  /** It sent what no honest keeper sends. */
  blame(peer: string): void {
    const now = this.#parts.clock.nowMs()
    this.#blamed.delete(peer)
    this.#blamed.set(peer, now + BLAMED_MS)
    const [oldest] = this.#blamed.keys()
    if (this.#blamed.size > BLAMED_MAX && oldest !== undefined) this.#blamed.delete(oldest)
  }

  /** For a peer that asks: connected keepers, headless ones first. */
  told(asking: string): KeeperTold[] {
    const keepers = Array.from(this.#asked, ([peer, { role }]) => ({ peer, role }))
    return keepers
      .filter(({ peer, role }) => role === "headless" && peer !== asking)
      .map(({ peer, role }) => ({ role, addresses: this.#parts.addressesOf(peer) }))
      .filter(({ addresses }) => addresses.length > 0)
      .slice(0, KEEPERS_TOLD_MAX)
  }

  async #askAll(signal: AbortSignal): Promise<void> {
    const connected = new Set(this.#parts.connected())
    for (const known of [this.#asked, this.#silent])
      for (const peer of known.keys()) if (!connected.has(peer)) known.delete(peer)
    const now = this.#parts.clock.nowMs()
    const unasked = [...connected].filter(
      (peer) => !this.#asked.has(peer) && (this.#silent.get(peer) ?? 0) <= now,
    )
    await Promise.all(unasked.map((peer) => this.#askOne(peer, signal)))
  }

  async #askOne(peer: string, signal: AbortSignal): Promise<void> {
    try {
      const reply = await this.#parts.ask(peer, signal)
      this.#asked.set(peer, { role: reply?.role ?? "none", point: pointOf(peer) })
      for (const { role, addresses } of reply?.others ?? [])
        if (role === "headless") this.#name(peer, addresses)
    } catch (error) {
      if (!(error instanceof StreamError || signal.aborted)) throw error
      // one without this protocol will not learn it while it runs
      if (error instanceof StreamError && error.code === "UNSUPPORTED")
        this.#asked.set(peer, { role: "none", point: pointOf(peer) })
      else this.#silent.set(peer, this.#parts.clock.nowMs() + SILENT_MS)
    }
  }

  #name(by: string, addresses: readonly string[]): void {
    const peer = addresses[0]?.split("/p2p/")[1]
    if (peer === undefined || peer === this.#parts.self || this.#named.has(peer)) return
    if (!addresses.every((address) => address.endsWith(`/p2p/${peer}`))) return
    if (this.#named.size < NAMED_MAX) this.#named.set(peer, { by, addresses, point: pointOf(peer) })
  }
}
