/**
 * The chunks that a peer keeps: others' and its own among each other, in the same form and under the same rules, so that what lies here
 * says nothing about whose it is. Bytes go into a slot first and into the index after, in one atomic write; a process killed in between
 * leaves a slot that the next chunk uses. Every chunk is checked against its id when it is read: one that a power cut tore is not here.
 * Beside a chunk stands the day it came, which its age needs, and no other time.
 */
import { type Bytes, concat, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import { CHUNK_ID_BYTES, CHUNKS_MAX, isChunk } from "../../crypto/blob.ts"
import type { ChunkSlots } from "./chunk-slots.ts"
import type { Clock } from "../clock.ts"
import type { Store, Write } from "../store/store.ts"
import { Turns } from "../turns.ts"

/** Chunks kept unless something else is said: 4 GiB. */
export const CHUNKS_KEPT = 16_384
/** Days a chunk is kept unless something else is said. */
export const CHUNK_DAYS = 30
/** A chunk that came on this day or the one before is not dropped to make room: what was taken stays for a while. */
const SAFE_DAYS = 1
/** Own chunks that may lie here beyond what is kept for others: one largest blob with its manifest. */
export const OWN_BEYOND_MAX = CHUNKS_MAX + 1
const DROP_MAX = 256
const DAY_MS = 86_400_000
const SWEEP_MS = 3_600_000

export interface ChunkShelfOptions {
  /** Default CHUNKS_KEPT. */
  readonly chunksMax?: number | undefined
  /** Default CHUNK_DAYS. */
  readonly daysMax?: number | undefined
}

export interface ChunkShelfParts extends ChunkShelfOptions {
  readonly store: Store
  readonly slots: ChunkSlots
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
}

interface Place {
  readonly slot: number
  readonly day: number
}

const PLACE = Uint8Array.of(0)
const BY_DAY = Uint8Array.of(1)
const NOTHING = new Uint8Array(0)
const placeKey = (id: Bytes) => concat(PLACE, id)
const dayKey = (day: number, id: Bytes) => concat(BY_DAY, new Writer().u32(day).raw(id).finish())

function placeOf(value: Bytes): Place {
  const read = new Reader(value)
  return { slot: read.u32(), day: read.u32() }
}

export class ChunkShelf {
  readonly chunksMax: number
  readonly #parts: ChunkShelfParts
  readonly #daysMax: number
  readonly #turns = new Turns()
  readonly #arriving = new Map<string, Promise<boolean>>()
  /** Slots below `#end` that hold nothing. */
  readonly #free: number[] = []
  #end = 0
  #count = 0
  #cancelSweep: () => void = () => undefined
  #closed = false

  private constructor(parts: ChunkShelfParts) {
    this.#parts = parts
    this.chunksMax = parts.chunksMax ?? CHUNKS_KEPT
    this.#daysMax = parts.daysMax ?? CHUNK_DAYS
  }

  static async open(parts: ChunkShelfParts): Promise<ChunkShelf> {
    const shelf = new ChunkShelf(parts)
    await shelf.#load()
    await shelf.#dropOld()
    shelf.#sweepLater()
    return shelf
  }

  get count(): number {
    return this.#count
  }

  /** No room for anything, not even for what somebody here wants. */
  get isFull(): boolean {
    return this.#count >= this.chunksMax + OWN_BEYOND_MAX
  }

  has(id: Bytes): boolean {
    return this.#place(id) !== undefined
  }

  /** CHUNK_BYTES that hash to `id`, or `undefined`. Throws StoreError. */
  async get(id: Bytes): Promise<Bytes | undefined> {
    const place = this.#place(id)
    if (place === undefined) return undefined
    const bytes = await this.#parts.slots.read(place.slot)
    if (isChunk(id, bytes)) return bytes
    // unless its slot was given to another one meanwhile, the disk has lost it
    if (this.#place(id)?.slot === place.slot) await this.#turns.run(() => this.#drop([id]))
    return undefined
  }

  /**
   * Keeps a chunk whose bytes hash to `id`; false where there is no room. `own`: somebody here puts or gets it, so that it may go
   * beyond what is kept for others. Throws StoreError.
   */
  async keep(id: Bytes, bytes: Bytes, { own = false } = {}): Promise<boolean> {
    const name = toHex(id)
    const before = this.#arriving.get(name)
    if (before !== undefined) return await before
    if (this.has(id)) return true
    const keeping = this.#keep(id, bytes, own).finally(() => this.#arriving.delete(name))
    this.#arriving.set(name, keeping)
    return await keeping
  }

  async #keep(id: Bytes, bytes: Bytes, own: boolean): Promise<boolean> {
    const slot = await this.#turns.run(() => this.#takeSlot(own))
    if (slot === undefined) return false
    try {
      await this.#parts.slots.write(slot, bytes)
      const day = this.#today
      await this.#parts.store.batch([
        { table: "chunks", key: placeKey(id), value: new Writer().u32(slot).u32(day).finish() },
        { table: "chunks", key: dayKey(day, id), value: NOTHING },
      ])
    } catch (error) {
      this.#count--
      this.#free.push(slot)
      throw error
    }
    return true
  }

  /** Ends what is under way; the store stays open. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelSweep()
    await Promise.allSettled(this.#arriving.values())
    await this.#turns.idle()
    await this.#parts.slots.close()
  }

  get #today(): number {
    return Math.floor(this.#parts.clock.nowMs() / DAY_MS)
  }

  #place(id: Bytes): Place | undefined {
    const value = this.#parts.store.peek("chunks", placeKey(id))
    return value && placeOf(value)
  }

  async #load(): Promise<void> {
    const used = new Set<number>()
    const all = { gte: PLACE, lt: BY_DAY }
    for await (const [, value] of this.#parts.store.range("chunks", all))
      used.add(placeOf(value).slot)
    for (const slot of used) this.#end = Math.max(this.#end, slot + 1)
    for (let slot = this.#end - 1; slot >= 0; slot--) if (!used.has(slot)) this.#free.push(slot)
    this.#count = used.size
    await this.#parts.slots.shrink(this.#end)
  }

  async #takeSlot(own: boolean): Promise<number | undefined> {
    if (this.#count >= this.chunksMax) await this.#makeRoom()
    const most = own ? this.chunksMax + OWN_BEYOND_MAX : this.chunksMax
    if (this.#count >= most) return undefined
    this.#count++
    return this.#free.pop() ?? this.#end++
  }

  /** Drops the oldest, but nothing that came lately: refusing is honest, and whoever is refused can go elsewhere. */
  async #makeRoom(): Promise<void> {
    const surplus = this.#count - this.chunksMax + 1
    await this.#drop(await this.#oldest(this.#today - SAFE_DAYS, Math.min(surplus, DROP_MAX)))
  }

  async #dropOld(): Promise<void> {
    for (;;) {
      const old = await this.#oldest(this.#today - this.#daysMax, DROP_MAX)
      if (old.length === 0) return
      await this.#turns.run(() => this.#drop(old))
    }
  }

  /** Ids of chunks that came before this day, the oldest first. */
  async #oldest(day: number, limit: number): Promise<Bytes[]> {
    const ids: Bytes[] = []
    const lt = dayKey(Math.max(0, day), NOTHING)
    for await (const [key] of this.#parts.store.range("chunks", { gte: BY_DAY, lt, limit }))
      ids.push(key.slice(key.length - CHUNK_ID_BYTES))
    return ids
  }

  async #drop(ids: readonly Bytes[]): Promise<void> {
    const places = ids.map((id) => this.#place(id))
    const writes = ids.flatMap((id, i): Write[] => {
      const place = places[i]
      if (place === undefined) return []
      const keys = [placeKey(id), dayKey(place.day, id)]
      return keys.map((key) => ({ table: "chunks", key, value: undefined }))
    })
    if (writes.length === 0) return
    await this.#parts.store.batch(writes)
    for (const place of places) {
      if (place === undefined) continue
      this.#free.push(place.slot)
      this.#count--
    }
  }

  #sweepLater(): void {
    if (this.#closed) return
    this.#cancelSweep = this.#parts.clock.after(SWEEP_MS, () => {
      this.#dropOld()
        .catch(this.#parts.onFault)
        .finally(() => this.#sweepLater())
    })
  }
}
