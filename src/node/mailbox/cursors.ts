/**
 * How far each peer's store has been read: a store id and a sequence number a peer, kept so that a restart goes on where it was. A peer
 * that is not seen for long falls out, and is read from the start when it comes back; that costs ids, not envelopes.
 */
import { type Bytes, concat, equal, Reader, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { Store, Write } from "../store/store.ts"
import { type Cursor, STORE_ID_BYTES } from "./sync-messages.ts"

/** Peers whose place is remembered; the one not used for longest goes. */
export const CURSORS_MAX = 512

const PREFIX = utf8("cursor ")
const PREFIX_END = utf8("cursor!")
const START: Cursor = { storeId: new Uint8Array(STORE_ID_BYTES), after: 0 }

const keyOf = (peer: string): Bytes => concat(PREFIX, utf8(peer))

export class Cursors {
  readonly #store: Store
  /** In order of use, the longest unused first. */
  readonly #cursors: Map<string, Cursor>

  private constructor(store: Store, cursors: Map<string, Cursor>) {
    this.#store = store
    this.#cursors = cursors
  }

  static async open(store: Store): Promise<Cursors> {
    const cursors = new Map<string, Cursor>()
    const range = { gte: PREFIX, lt: PREFIX_END, limit: 2 * CURSORS_MAX }
    for await (const [key, value] of store.range("mesh", range)) {
      const cursor = decode(value)
      if (cursor !== undefined)
        cursors.set(new TextDecoder().decode(key.subarray(PREFIX.length)), cursor)
    }
    return new Cursors(store, cursors)
  }

  /** Where to read on; the beginning for a peer that is not known. */
  get(peer: string): Cursor {
    return this.#cursors.get(peer) ?? START
  }

  /** Remembers it durably, when it changed. Throws StoreError. */
  async set(peer: string, cursor: Cursor): Promise<void> {
    const known = this.#cursors.get(peer)
    this.#cursors.delete(peer)
    this.#cursors.set(peer, cursor)
    if (known?.after === cursor.after && equal(known.storeId, cursor.storeId)) return
    const value = new Writer().raw(cursor.storeId).u64(cursor.after).finish()
    const writes: Write[] = [{ table: "mesh", key: keyOf(peer), value }]
    for (const oldest of this.#cursors.keys()) {
      if (this.#cursors.size <= CURSORS_MAX) break
      this.#cursors.delete(oldest)
      writes.push({ table: "mesh", key: keyOf(oldest), value: undefined })
    }
    await this.#store.batch(writes)
  }
}

/** A record that is not one is no loss: the peer is read from the start. */
function decode(value: Bytes): Cursor | undefined {
  try {
    const read = new Reader(value)
    const cursor = { storeId: read.raw(STORE_ID_BYTES), after: read.u64() }
    read.done()
    return cursor
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}
