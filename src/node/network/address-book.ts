/**
 * Peers worth dialing again: addresses under which a peer of this mesh was reached or said it can be. Public, bounded, without any time
 * of day. Kept in the store so that a restart needs no ticket.
 */
import { type Bytes, concat, fromUtf8, Reader, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { Store, Write } from "../store/store.ts"
import { ADDRESSES_PER_PEER_MAX } from "../mailbox/sync-messages.ts"

/** Peers remembered; the one that was not met for longest goes. */
export const BOOK_PEERS_MAX = 64
const ADDRESS_BYTES_MAX = 256

const PREFIX = utf8("peer ")
const PREFIX_END = utf8("peer!")
const keyOf = (peer: string): Bytes => concat(PREFIX, utf8(peer))

export class AddressBook {
  readonly #store: Store
  /** In order of the last meeting, the longest ago first. */
  readonly #peers: Map<string, readonly string[]>

  private constructor(store: Store, peers: Map<string, readonly string[]>) {
    this.#store = store
    this.#peers = peers
  }

  static async open(store: Store): Promise<AddressBook> {
    const peers = new Map<string, readonly string[]>()
    const range = { gte: PREFIX, lt: PREFIX_END, limit: 2 * BOOK_PEERS_MAX }
    for await (const [key, value] of store.range("mesh", range)) {
      const addresses = decode(value)
      if (addresses.length > 0) peers.set(fromUtf8(key.subarray(PREFIX.length)), addresses)
    }
    return new AddressBook(store, peers)
  }

  entries(): readonly (readonly [peer: string, addresses: readonly string[]])[] {
    return [...this.#peers]
  }

  addressesOf(peer: string): readonly string[] {
    return this.#peers.get(peer) ?? []
  }

  /** Throws StoreError. */
  async remember(peer: string, addresses: readonly string[]): Promise<void> {
    const fitting = addresses
      .filter((address) => address.length <= ADDRESS_BYTES_MAX)
      .slice(0, ADDRESSES_PER_PEER_MAX)
    if (fitting.length === 0) return
    const same = this.addressesOf(peer).join() === fitting.join()
    this.#peers.delete(peer)
    this.#peers.set(peer, fitting)
    if (same) return
    const writes: Write[] = [{ table: "mesh", key: keyOf(peer), value: encode(fitting) }]
    for (const oldest of this.#peers.keys()) {
      if (this.#peers.size <= BOOK_PEERS_MAX) break
      this.#peers.delete(oldest)
      writes.push({ table: "mesh", key: keyOf(oldest), value: undefined })
    }
    await this.#store.batch(writes)
  }

  /** Throws StoreError. */
  async forget(peer: string): Promise<void> {
    if (this.#peers.delete(peer))
      await this.#store.batch([{ table: "mesh", key: keyOf(peer), value: undefined }])
  }
}

function encode(addresses: readonly string[]): Bytes {
  const out = new Writer().u8(addresses.length)
  for (const address of addresses) out.text(address, 2)
  return out.finish()
}

/** Nothing, for a record that is not one: whoever it was will be met again. */
function decode(bytes: Bytes): readonly string[] {
  try {
    const read = new Reader(bytes)
    const count = Math.min(read.u8(), ADDRESSES_PER_PEER_MAX)
    const addresses = Array.from({ length: count }, () => read.text(2, ADDRESS_BYTES_MAX))
    read.done()
    return addresses
  } catch (error) {
    if (error instanceof CryptoError) return []
    throw error
  }
}
