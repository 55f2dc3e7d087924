/**
 * Brings one record to the peers that should keep it, with the blob that it names, and to none of them twice within half a day. Who keeps
 * a record keeps it on its disk until its day is over, so what has to be repeated every hour is only the question who the nearest peers
 * are now; newcomers among them get it, the others have it. A Kademlia peer echoes the record it has stored; the blob goes by a stream of its own, after the
 * record and only to who lacks it. A peer counts as a keeper when it has both.
 */
import type { PeerId } from "@libp2p/interface"
import type { KadDHT, QueryEvent } from "@libp2p/kad-dht"
import { Libp2pRecord } from "@libp2p/record"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import type { CardBlobPeers } from "./card-blob-peers.ts"
import type { OwnRecord } from "./shelf.ts"

/** A keeper that took the record is given it again after so long: its disk may have failed it. */
export const PUT_AGAIN_MS = 12 * 3_600_000
const PUT_TOGETHER = 4

/** What kad-dht's own object has besides its published type. */
interface Inner {
  readonly network: {
    sendRequest(
      to: PeerId,
      message: { readonly type: "PUT_VALUE"; readonly key: Bytes; readonly record: Bytes },
      options: { readonly signal: AbortSignal; readonly path?: unknown },
    ): AsyncIterable<QueryEvent>
  }
}

export interface DayRecord extends OwnRecord {
  /** Day since 1970. */
  readonly epoch: number
  /** The blinded key that `key` spells. */
  readonly blinded: Bytes
}

export interface Putting {
  readonly nowMs: number
  readonly signal: AbortSignal
  /** Every keeper found, as soon as it is: the multihash of its id. */
  readonly found: (peer: Bytes) => void
  /** Every keeper that has the record now. */
  readonly kept: () => unknown
}

/** One record's keepers, and when each of them took it. */
export class Keepers {
  readonly #dht: KadDHT
  readonly #blobs: Pick<CardBlobPeers, "have" | "put">
  #of: DayRecord | undefined
  #tookAtMs = new Map<string, number>()

  constructor(dht: KadDHT, blobs: Pick<CardBlobPeers, "have" | "put">) {
    this.#dht = dht
    this.#blobs = blobs
  }

  /** Rejects when the signal does; what was `kept` until then stands. */
  async put(record: DayRecord, { nowMs, signal, found, kept }: Putting): Promise<void> {
    if (this.#of !== record) this.#tookAtMs = new Map()
    this.#of = record
    const before = this.#tookAtMs
    const closest: { readonly id: PeerId; readonly path: unknown }[] = []
    for await (const event of this.#dht.getClosestPeers(record.key, { signal })) {
      if (event.name !== "FINAL_PEER") continue
      closest.push({ id: event.peer.id, path: event.path })
      found(event.peer.id.toMultihash().bytes)
    }
    // Whoever is none of the nearest any more is forgotten, and asked anew should it come near again.
    this.#tookAtMs = new Map()
    const lacking = closest.filter(({ id }) => {
      const tookAtMs = before.get(id.toString())
      const hasIt = tookAtMs !== undefined && tookAtMs + PUT_AGAIN_MS > nowMs
      if (hasIt) {
        this.#tookAtMs.set(id.toString(), tookAtMs)
        kept()
      }
      return !hasIt
    })
    while (lacking.length > 0) {
      const some = lacking.splice(0, PUT_TOGETHER)
      await Promise.all(
        some.map(async ({ id, path }) => {
          if (!(await this.#give(id, path, record, signal))) return
          if (!(await this.#giveBlob(id.toString(), record, signal))) return
          this.#tookAtMs.set(id.toString(), nowMs)
          kept()
        }),
      )
      signal.throwIfAborted()
    }
  }

  /** Never throws for a peer's sake: what counts is that it echoes the record. */
  async #give(id: PeerId, path: unknown, record: DayRecord, signal: AbortSignal): Promise<boolean> {
    const { network } = this.#dht as unknown as Inner
    const { key, bytes } = record
    // The moment of writing is nobody's business; whoever keeps it puts their own in its place.
    const wrapped = new Libp2pRecord(key, bytes, new Date(0)).serialize()
    try {
      const message = { type: "PUT_VALUE", key, record: wrapped } as const
      for await (const event of network.sendRequest(id, message, { signal, path }))
        if (event.name === "PEER_RESPONSE" && event.record !== undefined)
          if (equal(event.record.value, bytes)) return true
    } catch {
      // It is gone, or refuses: then it does not keep it.
    }
    return false
  }

  /** Whether it has the blob as well, by its own word. */
  async #giveBlob(
    peer: string,
    { blinded, blob }: DayRecord,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (blob === undefined) return true
    const name = { blinded, id: blob.id }
    return (
      (await this.#blobs.have(peer, name, signal)) ||
      (await this.#blobs.put(peer, name, blob.bytes, signal))
    )
  }
}
