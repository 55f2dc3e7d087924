/**
 * Keeps one card findable: brings its record, and the blob that holds the card, to the nearest
 * peers at once, every hour to those that are new among them, and anew each day under the new day's key (put.ts). With nobody there it tries again with growing pauses, and soon after the first peer appears. The pauses carry jitter, so that a mesh does
 * not publish all at midnight, nor two days' records of one person exactly a day apart.
 *
 * Holds the Ed25519 root seed while it runs: each day's record is signed by that day's key.
 */
import type { KadDHT } from "@libp2p/kad-dht"
import { primitives } from "#primitives"
import { type Address, addressBytes } from "../../crypto/address.ts"
import { type Bytes, compare } from "../../crypto/bytes.ts"
import { blindedKey } from "../../crypto/blinding.ts"
import { sealCardBlob } from "../../crypto/card-blob.ts"
import { directoryKey, EPOCH_MS, epochAt, makeRecord } from "../../crypto/directory-record.ts"
import type { CardBlobPeers } from "./card-blob-peers.ts"
import type { Clock } from "../clock.ts"
import { deadline } from "../deadline.ts"
import { type DayRecord, Keepers } from "./put.ts"
import type { OwnRecord, Shelf } from "./shelf.ts"

export interface Publication {
  readonly address: Address
  /** Ed25519 root seed, 32 bytes. Copied; the copy is wiped when the publication ends. */
  readonly seed: Bytes
  /** Encoded card. */
  readonly card: Bytes
  /** What goes with a card into its blob: the last-resort key package with composite signatures; none unless given. */
  readonly composite?: Bytes | null
  /** The card's own sequence number. */
  readonly sequence: number
}

/** How a round of putting ended. */
export interface Published {
  readonly sequence: number
  readonly epoch: number
  /** Peers that said they keep the record now. 0: nobody was there, or all refused. */
  readonly acknowledged: number
}

export interface PublisherParts {
  readonly dht: KadDHT
  readonly shelf: Pick<Shelf, "keepOwn">
  readonly blobs: Pick<CardBlobPeers, "have" | "put">
  /** Multihash of this peer's id: where Kademlia places it. */
  readonly self: Bytes
  readonly clock: Clock
  /** In [0, 1); only for jitter. */
  readonly random: () => number
  readonly onPublished: (published: Published) => void
}

export const REPUT_MS = 3_600_000
/** Part of a pause that chance decides. */
const JITTER = 0.1
const MIDNIGHT_SPREAD_MS = 1_200_000
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 300_000
/** Twenty blobs of 52 KiB in this time are 18 KiB a second; who is not reached in time is brought them in the next round. */
const PUT_DEADLINE_MS = 60_000
/** With fewer keepers than this, a new peer is reason to put again before the hour is over. */
const KEEPERS_ENOUGH = 8
const NEW_PEER_PAUSE_MS = 30_000

export class Publisher {
  readonly #parts: PublisherParts
  readonly #publication: Publication
  readonly #stopping = new AbortController()
  readonly #keepers: Keepers
  #record: DayRecord | undefined
  #round: Promise<Published> | undefined
  #cancelTimer: () => void = () => undefined
  #nextAtMs = Infinity
  #failures = 0
  #acknowledged = 0

  /** Makes the first record, and so throws CryptoError TOO_LARGE, BAD_LENGTH or BAD_KEY when there can be none. */
  constructor(parts: PublisherParts, publication: Publication) {
    this.#parts = parts
    this.#keepers = new Keepers(parts.dht, parts.blobs)
    this.#publication = { ...publication, seed: publication.seed.slice() }
    this.#current()
  }

  /** One round now, or the one that is running; the next ones follow by themselves. That nobody is there is no error. */
  async publish(): Promise<Published> {
    this.#round ??= this.#put(this.#current())
    return this.#round
  }

  /** A peer has come: if few keep our record so far, it need not wait for the hour. */
  peerCame(): void {
    if (this.#round !== undefined || this.#acknowledged >= KEEPERS_ENOUGH) return
    this.#failures = 0
    const pauseMs = this.#acknowledged === 0 ? RETRY_MIN_MS : NEW_PEER_PAUSE_MS
    if (this.#parts.clock.nowMs() + pauseMs < this.#nextAtMs) this.#schedule(pauseMs)
  }

  /** Ends after the running round has ended, at once. Forgets the seed. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#cancelTimer()
    await this.#round?.catch(() => undefined)
    this.#publication.seed.fill(0)
  }

  async #put(record: DayRecord): Promise<Published> {
    const { epoch } = record
    this.#cancelTimer()
    this.#nextAtMs = Infinity
    const acknowledged = await this.#acknowledgements(record)
    this.#round = undefined
    this.#acknowledged = acknowledged
    this.#failures = acknowledged === 0 ? this.#failures + 1 : 0
    const published = { sequence: this.#publication.sequence, epoch, acknowledged }
    if (!this.#stopping.signal.aborted) {
      this.#schedule(this.#pauseMs())
      this.#parts.onPublished(published)
    }
    return published
  }

  /** Today's record: made once a day, so that putting again changes nothing where it is kept already. */
  #current(): DayRecord {
    const epoch = epochAt(this.#parts.clock.nowMs())
    if (this.#record?.epoch !== epoch) {
      const { address } = this.#publication
      const blinded = blindedKey(addressBytes(address), epoch)
      const made = recordOf(this.#publication, epoch)
      this.#record = { epoch, blinded, key: directoryKey(blinded), ...made }
    }
    return this.#record
  }

  /** How many peers keep the record now. */
  async #acknowledgements(record: DayRecord): Promise<number> {
    const { clock, shelf } = this.#parts
    const { key } = record
    const { signal, clear } = deadline(clock, PUT_DEADLINE_MS, this.#stopping.signal)
    const closest: Bytes[] = []
    let acknowledged = 0
    try {
      await shelf.keepOwn(record, false)
      const [found, kept] = [(peer: Bytes) => void closest.push(peer), () => acknowledged++]
      await this.#keepers.put(record, { nowMs: clock.nowMs(), signal, found, kept })
      await shelf.keepOwn(record, this.#isKeeper(key, closest))
    } catch {
      // Out of time, or the network is being stopped: what was acknowledged until then stands.
    } finally {
      clear()
    }
    return acknowledged
  }

  /**
   * Whether anybody else's record under this key would be kept here: then ours is, too. A peer that keeps its own record where it
   * would keep no other, or lacks it where it would, says whose it is to all who ask.
   */
  #isKeeper(key: Bytes, closest: readonly Bytes[]): boolean {
    if (closest.length < this.#parts.dht.k) return true
    const target = primitives.sha256(key)
    const distance = (peer: Bytes) => {
      const id = primitives.sha256(peer)
      return target.map((byte, i) => byte ^ (id[i] ?? 0))
    }
    const own = distance(this.#parts.self)
    return closest.some((peer) => compare(own, distance(peer)) < 0)
  }

  #pauseMs(): number {
    const { clock, random } = this.#parts
    if (this.#failures > 0) {
      const pauseMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (this.#failures - 1))
      return pauseMs * (1 + JITTER * random())
    }
    const midnightMs = EPOCH_MS - (clock.nowMs() % EPOCH_MS)
    const hourMs = REPUT_MS * (1 - JITTER * random())
    return midnightMs < hourMs ? midnightMs + MIDNIGHT_SPREAD_MS * random() : hourMs
  }

  #schedule(pauseMs: number): void {
    this.#cancelTimer()
    this.#nextAtMs = this.#parts.clock.nowMs() + pauseMs
    this.#cancelTimer = this.#parts.clock.after(pauseMs, () => void this.publish())
  }
}

function recordOf(publication: Publication, epoch: number): Omit<OwnRecord, "key"> {
  const { seed, card, composite = null, sequence } = publication
  const place = { address: addressBytes(publication.address), epoch }
  const blob = sealCardBlob(place, { card, composite })
  const said = { cardHash: primitives.sha3_256(card), blobId: blob.id, digest: blob.digest }
  return { bytes: makeRecord({ ...place, seed, sequence, ...said }), blob }
}
