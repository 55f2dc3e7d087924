/**
 * The keepers of key packages, as one peer sees them: it is one itself, for whatever pools it is near to, and asks the others. Who keeps a
 * pool is nobody's choice: the peers nearest to its key, of those that Kademlia finds and those that are connected, this one among them.
 * What a keeper did wrong is a value; what failed on the way is a StreamError. Knows no address and opens nothing.
 */
import type { KadDHT } from "@libp2p/kad-dht"
import { peerIdFromString } from "@libp2p/peer-id"
import { primitives } from "#primitives"
import { type Bytes, compare, equal, toHex } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { poolPlace } from "../../crypto/package-pool.ts"
import type { Signing } from "../../crypto/session.ts"
import { Allowance } from "../allowance.ts"
import { Lanes } from "../blobs/lanes.ts"
import type { Clock } from "../clock.ts"
import { deadline } from "../deadline.ts"
import {
  decodeGiven,
  decodePackagesRequest,
  decodeTaken,
  encodeGiven,
  encodePackagesRefusal,
  encodePackagesRequest,
  encodeTaken,
  PACKAGES_PROTOCOL,
  PACKAGES_REPLY_BYTES_MAX,
  PACKAGES_REQUEST_BYTES_MAX,
  type PackagesRefusal,
  type PackagesRequest,
  type Taking,
} from "./messages.ts"
import type { PackageShelf } from "./shelf.ts"
import { StreamError, type Streams } from "../transport/streams.ts"

/** An owner asks its keepers once an hour, and once more with what they lack. */
export const GIVE_ALLOWANCE = { burst: 64, refillMs: 5_000 }
/** For one that asks: who founds a large group asks for many people at once. */
export const TAKE_ALLOWANCE = { burst: 32, refillMs: 10_000 }
/** For one pool, whoever asks: names of peers cost nothing. */
export const POOL_ALLOWANCE = { burst: 8, refillMs: 60_000 }
const GIVE_DEADLINE_MS = 5_000
const TAKE_DEADLINE_MS = 1_500
/** For finding who is nearest; those who are connected are known at once. */
const NEAREST_DEADLINE_MS = 2_500
const PRUNE_MS = 3_600_000

/** The keeper sent what no honest one sends. */
export type Lie = "LIED"

export interface PackageKeepersParts {
  readonly meshId: Bytes
  /** This peer's id, as text. */
  readonly self: string
  readonly shelf: PackageShelf
  readonly streams: Streams
  readonly dht: Pick<KadDHT, "getClosestPeers">
  readonly connected: () => readonly string[]
  /** Connects to a peer that Kademlia found; nothing for one that is connected. Whatever it throws means that it cannot be reached. */
  readonly reach: (peer: string, signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
}

export class PackageKeepers {
  readonly #parts: PackageKeepersParts
  readonly #giving: Allowance
  readonly #taking: Allowance
  readonly #pools: Allowance
  readonly #lanes = new Lanes()
  /** Who founds a large group looks for many people at once, and each search asks a dozen peers at a time. */
  readonly #searches = new Lanes()
  #cancelPrune: () => void = () => undefined

  private constructor(parts: PackageKeepersParts) {
    this.#parts = parts
    this.#giving = new Allowance(GIVE_ALLOWANCE, parts.clock)
    this.#taking = new Allowance(TAKE_ALLOWANCE, parts.clock)
    this.#pools = new Allowance(POOL_ALLOWANCE, parts.clock)
  }

  /** Answers other peers from now on. */
  static async start(parts: PackageKeepersParts): Promise<PackageKeepers> {
    const keepers = new PackageKeepers(parts)
    await parts.streams.serve(
      PACKAGES_PROTOCOL,
      { requestBytesMax: PACKAGES_REQUEST_BYTES_MAX },
      (request, peer) => keepers.#answer(decodePackagesRequest(request), peer),
    )
    keepers.#pruneLater()
    return keepers
  }

  /** Answers nobody any more. Before the streams stop. */
  async stop(): Promise<void> {
    this.#cancelPrune()
    await this.#parts.streams.unhandle(PACKAGES_PROTOCOL)
    await this.#parts.shelf.idle()
  }

  get self(): string {
    return this.#parts.self
  }

  get meshId(): Bytes {
    return this.#parts.meshId
  }

  /** The peers that can be asked at once. */
  connected(): readonly string[] {
    return this.#parts.connected()
  }

  /** Whoever keeps the pool of this key, the nearest first, this peer among them. Rejects with the signal's reason only. */
  async nearest(blinded: Bytes, signal: AbortSignal): Promise<string[]> {
    const place = poolPlace(blinded)
    const known = await this.#searches.run("", signal, () => this.#known(place, signal))
    signal.throwIfAborted()
    const target = primitives.sha256(place)
    return Array.from(known, (peer) => ({ peer, far: distance(target, peer) }))
      .sort((a, b) => compare(a.far, b.far))
      .map(({ peer }) => peer)
  }

  async #known(place: Bytes, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const soon = deadline(this.#parts.clock, NEAREST_DEADLINE_MS, signal)
    const known = new Set([this.self, ...this.#parts.connected()])
    try {
      for await (const event of this.#parts.dht.getClosestPeers(place, { signal: soon.signal }))
        if (event.name === "FINAL_PEER") known.add(event.peer.id.toString())
    } catch {
      // out of time, or the network is being stopped: those that are connected are known without it
    } finally {
      soon.clear()
    }
    return known
  }

  /** How many packages of the pool the keeper has now; or why it took none. Throws StreamError, and StoreError for this peer's own shelf. */
  async give(
    peer: string,
    signing: Signing,
    handful: Bytes,
    signal: AbortSignal,
  ): Promise<number | PackagesRefusal | Lie> {
    if (peer === this.self) return await this.#parts.shelf.give(handful)
    const request = { kind: "give", meshId: this.meshId, handful } as const
    const reply = await this.#inLane(peer, request, GIVE_DEADLINE_MS, signal)
    return decoded(() => decodeGiven(reply, signing))
  }

  /** A sealed package, if the keeper has one. Throws StreamError, and StoreError for this peer's own shelf. */
  async take(
    peer: string,
    taking: Taking,
    signal: AbortSignal,
  ): Promise<{ readonly sealed: Bytes | undefined } | PackagesRefusal | Lie> {
    if (peer === this.self) return { sealed: await this.#parts.shelf.take(taking) }
    const request = { kind: "take", meshId: this.meshId, taking } as const
    const reply = await this.#inLane(peer, request, TAKE_DEADLINE_MS, signal)
    return decoded(() => decodeTaken(reply, taking.signing))
  }

  /** One keeper takes only so many streams at a time; waiting is not what its deadline is for. */
  #inLane(
    peer: string,
    request: PackagesRequest,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<Bytes> {
    return this.#lanes.run(peer, signal, () => this.#ask(peer, request, deadlineMs, signal))
  }

  async #ask(
    peer: string,
    request: PackagesRequest,
    deadlineMs: number,
    caller: AbortSignal,
  ): Promise<Bytes> {
    const { streams, reach, clock } = this.#parts
    const { signal, clear } = deadline(clock, deadlineMs, caller)
    try {
      await reach(peer, signal).catch((cause: unknown) => {
        throw new StreamError("NOT_CONNECTED", "the peer cannot be reached", { cause })
      })
      const limits = { signal, deadlineMs, replyBytesMax: PACKAGES_REPLY_BYTES_MAX }
      return await streams.request(peer, PACKAGES_PROTOCOL, encodePackagesRequest(request), limits)
    } finally {
      clear()
    }
  }

  async #answer(request: PackagesRequest, peer: string): Promise<Bytes> {
    const { meshId, shelf } = this.#parts
    if (!equal(request.meshId, meshId)) return encodePackagesRefusal("OTHER_MESH")
    if (request.kind === "give") {
      if (!this.#giving.take(peer)) return encodePackagesRefusal("TOO_OFTEN")
      const given = await shelf.give(request.handful)
      return typeof given === "number" ? encodeGiven(given) : encodePackagesRefusal(given)
    }
    if (!this.#taking.take(peer)) return encodePackagesRefusal("TOO_OFTEN")
    const { taking } = request
    if (!shelf.has(taking)) return encodeTaken(undefined)
    // Who has no token uses nothing up, not even this.
    if (!this.#pools.take(toHex(taking.blinded))) return encodePackagesRefusal("TOO_OFTEN")
    return encodeTaken(await shelf.take(taking))
  }

  #pruneLater(): void {
    this.#cancelPrune = this.#parts.clock.after(PRUNE_MS, () => {
      this.#parts.shelf.prune().catch(this.#parts.onFault)
      this.#pruneLater()
    })
  }
}

/** Kademlia's: the exclusive or of two hashes. */
function distance(target: Bytes, peer: string): Bytes {
  const id = primitives.sha256(peerIdFromString(peer).toMultihash().bytes)
  return target.map((byte, i) => byte ^ (id[i] ?? 0))
}

function decoded<T>(decode: () => T): T | Lie {
  try {
    return decode()
  } catch (error) {
    if (error instanceof CryptoError) return "LIED"
    throw error
  }
}
