/**
 * High-water marks of the directory: for each blinded key, the highest order ever stored here. kad-dht stores whatever its
 * validator lets through, newest arrival last, so without marks an old record would replace a newer one. A mark outlives its
 * record and a restart, and goes with its day. The table has 256 slots by the key's first byte, each written whole under
 * one key of the store: bounded by construction, about 700 bytes a write, no listing and no deletion needed.
 */
import { type Bytes, equal, fromHex, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import { BLINDED_KEY_BYTES } from "../../crypto/blinding.ts"
import { CryptoError } from "../../crypto/errors.ts"

/** Where the directory keeps what it keeps: a table of LevelDB, or a Map in an ephemeral profile. */
export interface DirectoryStore {
  get(key: string): Promise<Bytes | undefined>
  /** `undefined` deletes the key. */
  put(key: string, value: Bytes | undefined): Promise<void>
}

const SLOTS = 256
/** Keys of one slot. When it is full of living ones a new key is refused; 4,096 records with blobs of 52 KiB are 209 MiB. */
const SLOT_MAX = 16
export const MARKS_MAX = SLOTS * SLOT_MAX

const MARK_BYTES = BLINDED_KEY_BYTES + 4 + 8

export interface Mark {
  readonly epoch: number
  readonly order: number
}
type Slot = Map<string, Mark>

const slotOf = (blinded: Bytes): number => blinded[0] ?? 0
const storeKey = (slot: number): string => `mark/${toHex(new Uint8Array([slot]))}`

export class Marks {
  readonly #store: DirectoryStore
  readonly #slots = new Map<number, Promise<Slot>>()

  constructor(store: DirectoryStore) {
    this.#store = store
  }

  async find(blinded: Bytes): Promise<Mark | undefined> {
    return (await this.#slot(slotOf(blinded))).get(toHex(blinded))
  }

  /**
   * Raises the mark of a key, durable when it resolves. `STALE`: a higher one was there. `FULL`: no room for a new key.
   * Of two calls at once the lower order never wins: between looking and setting nothing is awaited.
   */
  async raise(blinded: Bytes, mark: Mark): Promise<"RAISED" | "STALE" | "FULL"> {
    const index = slotOf(blinded)
    const slot = await this.#slot(index)
    const name = toHex(blinded)
    const known = slot.get(name)
    if (known !== undefined && known.order > mark.order) return "STALE"
    if (known === undefined && slot.size >= SLOT_MAX) return "FULL"
    if (known?.order === mark.order) return "RAISED"
    slot.set(name, mark)
    await this.#store.put(storeKey(index), encodeSlot(slot))
    return "RAISED"
  }

  /** The keys for which a key competes, without itself, those that came first at the front. */
  async beside(blinded: Bytes): Promise<Bytes[]> {
    const slot = await this.#slot(slotOf(blinded))
    return Array.from(slot.keys(), fromHex).filter((other) => !equal(other, blinded))
  }

  /** Forgets the mark of one key: what was kept under it has gone. */
  async forget(blinded: Bytes): Promise<void> {
    const index = slotOf(blinded)
    const slot = await this.#slot(index)
    if (slot.delete(toHex(blinded))) await this.#store.put(storeKey(index), encodeSlot(slot))
  }

  /**
   * Forgets all marks of days before `oldestEpoch`. `drop` removes what is kept under a key and comes before its mark goes: cut
   * off in between, the next prune finds the mark again and nothing stays behind.
   */
  async prune(oldestEpoch: number, drop: (blinded: Bytes) => Promise<void>): Promise<void> {
    for (let index = 0; index < SLOTS; index++) {
      const slot = await this.#slot(index)
      const old = [...slot].filter(([, { epoch }]) => epoch < oldestEpoch).map(([name]) => name)
      if (old.length === 0) continue
      for (const name of old) {
        await drop(fromHex(name))
        slot.delete(name)
      }
      await this.#store.put(storeKey(index), encodeSlot(slot))
    }
  }

  #slot(index: number): Promise<Slot> {
    const loaded = this.#slots.get(index) ?? this.#load(index)
    this.#slots.set(index, loaded)
    return loaded
  }

  async #load(index: number): Promise<Slot> {
    try {
      return decodeSlot(await this.#store.get(storeKey(index)))
    } catch (error) {
      this.#slots.delete(index)
      throw error
    }
  }
}

function encodeSlot(slot: Slot): Bytes {
  const out = new Writer()
  for (const [name, { epoch, order }] of slot) out.raw(fromHex(name)).u32(epoch).u64(order)
  return out.finish()
}

/** A damaged slot counts as empty: marks guard three days at most, and refusing all records would be the worse end. */
function decodeSlot(bytes: Bytes | undefined): Slot {
  const slot: Slot = new Map()
  if (bytes === undefined || bytes.length > SLOT_MAX * MARK_BYTES) return slot
  try {
    const reader = new Reader(bytes)
    while (reader.left > 0) {
      const name = toHex(reader.raw(BLINDED_KEY_BYTES))
      slot.set(name, { epoch: reader.u32(), order: reader.u64() })
    }
  } catch (error) {
    if (error instanceof CryptoError) return new Map()
    throw error
  }
  return slot
}
