/**
 * The directory (DESIGN §8): how a person's card is found from their address, with no server that could list, read or link
 * anybody. This is the door; behind it `directory-publisher` keeps our own card findable, `directory-card` asks for others',
 * `directory-shelf` keeps what the mesh gives us to keep, and `card-blob-keeper` hands it out. `directoryServices` must be among the services of the same libp2p.
 *
 * What it does not hide: the peer that puts a record is seen by those that keep it, and the peer that asks by those it asks.
 * Whoever knows the address can be one of them, and so learn which peer publishes it. Records show nothing; connections do.
 */
import type { KadDHT } from "@libp2p/kad-dht"
import type { Libp2p } from "@libp2p/interface"
import type { Address } from "../../crypto/address.ts"
import { primitives } from "#primitives"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { CodedError } from "../../crypto/errors.ts"
import { keepCardBlobs } from "./card-blob-keeper.ts"
import { CardBlobPeers } from "./card-blob-peers.ts"
import { type Clock, systemClock } from "../clock.ts"
import { type FoundCard, lookUpCard, type Recall, type VerifyCard } from "./card.ts"
import { type Publication, type Published, Publisher } from "./publisher.ts"
import type { Shelf } from "./shelf.ts"
import { keepInTable, type Table } from "./table.ts"
import type { Streams } from "../transport/streams.ts"

export { directoryProtocol, directoryServices } from "./service.ts"
export type { DirectoryServiceOptions, DirectoryServices } from "./service.ts"
export type { DirectoryStore } from "./marks.ts"
export type { FoundCard, Publication, Published, VerifyCard }

export type DirectoryErrorCode =
  /** The card to publish is older than the one that is being published. */
  | "OLDER_CARD"
  /** LOOKUPS_MAX lookups are running. */
  | "BUSY"
  | "STOPPED"

export class DirectoryError extends CodedError<DirectoryErrorCode> {}

/** The libp2p node with the two services of `directoryServices`. */
export type DirectoryLibp2p = Pick<
  Libp2p<{ dht: KadDHT; directoryShelf: Shelf }>,
  | "peerId"
  | "services"
  | "addEventListener"
  | "removeEventListener"
  | "getConnections"
  | "peerStore"
>

export interface DirectoryParts {
  readonly libp2p: DirectoryLibp2p
  /** Of the same libp2p. */
  readonly streams: Streams
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly verifyCard: VerifyCard
  readonly clock?: Clock
  /** In [0, 1); only for jitter. */
  readonly random?: () => number
  /** Told after every round of putting, with the number of peers that keep the record now. */
  readonly onPublished?: (published: Published) => void
}

export interface FindOptions {
  readonly signal?: AbortSignal
  /** The sequence number of the card one has: an older one is not found. */
  readonly atLeast?: number
  /** Ask the mesh even if a card was found a moment ago. */
  readonly fresh?: boolean
  /** The key package that was published beside the card is wanted, too. */
  readonly withPackage?: boolean
  /** The encoded card of this SHA3-256 hash, if the caller has it: then it is not fetched. */
  readonly recall?: (cardHash: Bytes) => Promise<Bytes | undefined>
}

export interface Directory {
  /**
   * Publishes a card and keeps it published until the next call or `stop`. Resolves after the first round with what it achieved; with nobody there that is 0 acknowledgements, and it goes on trying. Throws DirectoryError OLDER_CARD, STOPPED;
   * CryptoError TOO_LARGE, BAD_KEY.
   */
  publish(publication: Publication): Promise<Published>
  /**
   * The card of an address, or NOT_FOUND. Never one older than was seen before. Rejects with the signal's reason, with
   * DirectoryError STOPPED or BUSY, with CryptoError BAD_KEY for an address that can belong to nobody.
   */
  lookup(address: Address, options?: FindOptions): Promise<FoundCard | "NOT_FOUND">
  /** Ends publishing, waiting lookups and all timers. */
  stop(): Promise<void>
}

/** Cards remembered, and for how long one is given out without asking. */
const CACHE_MAX = 64
const CACHE_MS = 300_000
/** Addresses whose highest seen sequence number is remembered. */
const SEEN_MAX = 4096
const LOOKUPS_MAX = 32
const PRUNE_MS = 3_600_000

/** What is being published, without the seed. */
type PublishedCard = Pick<Publication, "address" | "card" | "sequence">

interface Publishing {
  readonly of: PublishedCard
  readonly running: Publisher
}

interface Cached extends FoundCard {
  /** SHA3-256 of the card. */
  readonly hash: Bytes
  readonly atMs: number
}

/** Hands out what its shelf keeps from now on. */
export async function startDirectory(parts: DirectoryParts): Promise<Directory> {
  const { streams, meshId, libp2p, clock = systemClock } = parts
  await keepCardBlobs({ streams, meshId, shelf: libp2p.services.directoryShelf, clock })
  return new MeshDirectory(parts)
}

class MeshDirectory implements Directory {
  readonly #parts: DirectoryParts
  readonly #clock: Clock
  readonly #blobs: CardBlobPeers
  readonly #cache = new Map<string, Cached>()
  readonly #seen = new Map<string, number>()
  readonly #stopping = new AbortController()
  #publishing: Publishing | undefined
  #lookups = 0
  #cancelPrune: () => void = () => undefined
  readonly #cancelTable: () => void
  readonly #onPeer = () => this.#publishing?.running.peerCame()

  constructor(parts: DirectoryParts) {
    this.#parts = parts
    this.#clock = parts.clock ?? systemClock
    this.#blobs = new CardBlobPeers(parts.streams, parts.meshId)
    parts.libp2p.addEventListener("peer:identify", this.#onPeer)
    // kad-dht publishes less of its object than there is
    const table = parts.libp2p.services.dht as unknown as Table
    this.#cancelTable = keepInTable({ libp2p: parts.libp2p, table, clock: this.#clock })
    this.#prune()
  }

  async publish(publication: Publication): Promise<Published> {
    this.#mustRun()
    const before = this.#publishing
    if (before?.of.address === publication.address) {
      const { sequence, card } = before.of
      const changed = publication.sequence === sequence && !equal(publication.card, card)
      if (publication.sequence < sequence || changed)
        throw new DirectoryError("OLDER_CARD", "a newer card is being published already")
    }
    const { libp2p } = this.#parts
    const running = new Publisher(
      {
        dht: libp2p.services.dht,
        shelf: libp2p.services.directoryShelf,
        blobs: this.#blobs,
        self: libp2p.peerId.toMultihash().bytes,
        clock: this.#clock,
        random: this.#parts.random ?? Math.random,
        onPublished: this.#parts.onPublished ?? (() => undefined),
      },
      publication,
    )
    const { address, card, sequence } = publication
    this.#publishing = { of: { address, card, sequence }, running }
    await before?.running.stop()
    this.#mustRun()
    return running.publish()
  }

  async lookup(address: Address, options: FindOptions = {}): Promise<FoundCard | "NOT_FOUND"> {
    this.#mustRun()
    const { withPackage = false, fresh = false } = options
    const atLeast = Math.max(options.atLeast ?? 0, this.#seen.get(address) ?? 0)
    const cached = this.#cache.get(address)
    const usable = cached !== undefined && cached.sequence >= atLeast
    const young = usable && this.#clock.nowMs() - cached.atMs < CACHE_MS
    if (young && !fresh && (!withPackage || cached.composite !== undefined)) return shown(cached)
    const { dht, directoryShelf: shelf } = this.#parts.libp2p.services
    const { verifyCard } = this.#parts
    const parts = { dht, shelf, blobs: this.#blobs, verifyCard, clock: this.#clock }
    const recall = this.#recall(cached, options)
    const found = await this.#asking(options.signal, (signal) =>
      lookUpCard(parts, address, { signal, atLeast, recall, withPackage }),
    )
    if (found !== undefined) return this.#remember(address, found)
    return usable ? shown(cached) : "NOT_FOUND"
  }

  /** What was found before, or what the caller has. */
  #recall(cached: Cached | undefined, { recall }: FindOptions): Recall {
    return async (cardHash) => {
      if (cached !== undefined && equal(cached.hash, cardHash)) return cached
      const card = await recall?.(cardHash)
      return card && { card }
    }
  }

  async #asking<T>(caller: AbortSignal | undefined, ask: (signal: AbortSignal) => Promise<T>) {
    if (this.#lookups >= LOOKUPS_MAX) throw new DirectoryError("BUSY", "too many lookups at once")
    this.#lookups++
    try {
      return await ask(AbortSignal.any([this.#stopping.signal, ...(caller ? [caller] : [])]))
    } finally {
      this.#lookups--
    }
  }

  async stop(): Promise<void> {
    this.#parts.libp2p.removeEventListener("peer:identify", this.#onPeer)
    this.#cancelPrune()
    this.#cancelTable()
    this.#stopping.abort(new DirectoryError("STOPPED", "the directory is stopped"))
    await this.#publishing?.running.stop()
  }

  /** What another lookup of the same address has seen meanwhile may be newer: the newest of both is what counts. */
  #remember(name: string, found: FoundCard): FoundCard {
    const before = this.#cache.get(name)
    const newest = before !== undefined && before.sequence > found.sequence ? before : found
    const hash = primitives.sha3_256(newest.card)
    // What was not fetched this time may have been fetched before.
    const known = before !== undefined && equal(before.hash, hash) ? shown(before) : {}
    const cached = { ...known, ...shown(newest), hash, atMs: this.#clock.nowMs() }
    keep(this.#cache, name, cached, CACHE_MAX)
    this.#saw(name, newest.sequence)
    return shown(cached)
  }

  #saw(name: string, sequence: number): void {
    keep(this.#seen, name, Math.max(sequence, this.#seen.get(name) ?? 0), SEEN_MAX)
  }

  #prune(): void {
    // A disk that fails here fails again, and audibly, when the next record is to be written.
    this.#parts.libp2p.services.directoryShelf.prune().catch(() => undefined)
    this.#cancelPrune = this.#clock.after(PRUNE_MS, () => this.#prune())
  }

  #mustRun(): void {
    if (this.#stopping.signal.aborted)
      throw new DirectoryError("STOPPED", "the directory is stopped")
  }
}

const shown = ({ card, sequence, composite }: FoundCard): FoundCard =>
  composite === undefined ? { card, sequence } : { card, sequence, composite }

/** Puts an entry at the young end of a map and drops the oldest beyond `max`. */
function keep<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= max) return
  const oldest = map.keys().next()
  if (!oldest.done) map.delete(oldest.value)
}
