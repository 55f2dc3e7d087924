/**
 * The envelopes a peer keeps, in the order in which they arrived here. Sequence numbers start at 1 and have no holes; the oldest
 * envelopes are dropped first, when there are more than the shelf holds. Of a dropped one the id stays for a while, so that syncing
 * with a peer that keeps more does not bring back what was dropped. Whether an envelope may be kept at all is the mailbox's business.
 */
import { type Bytes, concat, exactly, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import { TAG_BYTES, tagOf } from "../../crypto/envelope.ts"
import { assert } from "../../crypto/errors.ts"
import type { Store, Write } from "../store/store.ts"

/** 1 GiB of envelopes. At the limit the oldest go. */
export const SHELF_ENVELOPES_MAX = 262_144
/** Ids of dropped envelopes remembered, as a multiple of what the shelf holds. */
const REMEMBERED_FACTOR = 2
/** Envelopes written in one batch: 1 MiB. */
const BATCH_MAX = 256
/** The newest are in memory as well, half a MiB: whoever follows what arrives asks for them one after the other. */
export const RECENT_MAX = 128
/** Ids of the newest that are known without asking the store: what comes again, by gossip, sync or a block, is most often one of these. */
const RECENT_IDS_MAX = 1024
/** Dropped in one batch: a shelf that was made smaller shrinks step by step. */
const DROP_MAX = 1024

export interface Kept {
  /** Position in the order of arrival at this peer. Another peer has another order. */
  readonly seq: number
  /** 32 bytes. */
  readonly id: Bytes
  /** 4096 bytes. */
  readonly bytes: Bytes
}

export type KeptListener = (kept: readonly Kept[]) => void

export interface ShelfOptions {
  /** Envelopes kept; default SHELF_ENVELOPES_MAX. */
  readonly envelopesMax?: number
}

interface Waiting {
  readonly id: Bytes
  readonly bytes: Bytes
  readonly sync: boolean
  readonly writes: readonly Write[]
  readonly done: { resolve(kept: Kept): void; reject(error: unknown): void }
}

const NOTHING = new Uint8Array(0)
const arrivalKey = (seq: number) => new Writer().u64(seq).finish()
const FIRST_KEPT = new TextEncoder().encode("shelf first")

export class Shelf {
  readonly #store: Store
  readonly envelopesMax: number
  readonly #onKept: KeptListener
  /** Sequence number of the oldest envelope still here; `#last + 1` when there is none. */
  #first: number
  #last: number
  /** Lowest sequence number whose id is still remembered. */
  #remembered: number
  /** The newest, without holes up to `#last`. */
  #recent: readonly Kept[] = []
  /** Hexadecimal, oldest first; no more than are kept. */
  readonly #recentIds = new Set<string>()
  #waiting: Waiting[] = []
  readonly #arriving = new Set<string>()
  readonly #changes: (() => Promise<void>)[] = []
  #writing: Promise<void> | undefined

  private constructor(store: Store, options: ShelfOptions, onKept: KeptListener, at: Bounds) {
    this.#store = store
    this.envelopesMax = options.envelopesMax ?? SHELF_ENVELOPES_MAX
    this.#onKept = onKept
    this.#first = at.first
    this.#last = at.last
    this.#remembered = at.remembered
  }

  /** `onKept` is told of every batch after it was stored, in order. */
  static async open(store: Store, options: ShelfOptions, onKept: KeptListener): Promise<Shelf> {
    return new Shelf(store, options, onKept, await boundsOf(store))
  }

  get count(): number {
    return this.#last - this.#first + 1
  }

  /** Sequence number of the newest envelope; 0 when none ever came. */
  get lastSeq(): number {
    return this.#last
  }

  /** Sequence number of the oldest one that is still here. */
  get firstSeq(): number {
    return this.#first
  }

  /** Envelopes on their way to the disk. */
  get arriving(): number {
    return this.#arriving.size
  }

  /** Whether an envelope of this id is here, on its way to the disk, or was here and is remembered. */
  knows(id: Bytes): boolean {
    const name = toHex(id)
    if (this.#arriving.has(name) || this.#recentIds.has(name)) return true
    return this.#store.peek("envelopes", id) !== undefined
  }

  /** Whether an envelope of this id is stored. */
  isKept(id: Bytes): boolean {
    if (this.#recentIds.has(toHex(id))) return true
    return (this.#store.peek("envelopes", id)?.length ?? 0) > 0
  }

  /**
   * Keeps an admitted envelope that the shelf does not know. Resolves when it is stored; what arrives while a batch is written goes
   * into the next one together. `writes` go into the same batch. Throws StoreError, and then the envelope is not known.
   */
  async keep(
    id: Bytes,
    bytes: Bytes,
    options: { readonly sync?: boolean; readonly writes?: readonly Write[] } = {},
  ): Promise<Kept> {
    const name = toHex(id)
    assert(!this.#arriving.has(name), "an envelope is kept once")
    const { promise, ...done } = Promise.withResolvers<Kept>()
    this.#arriving.add(name)
    const { sync = false, writes = [] } = options
    this.#waiting.push({ id, bytes, sync, writes, done })
    this.#writing ??= this.#drain()
    try {
      return await promise
    } finally {
      this.#arriving.delete(name)
    }
  }

  /** Envelopes after `seq` in order of arrival, at most `limit`. */
  async entriesAfter(seq: number, limit: number): Promise<readonly Kept[]> {
    const recent = this.#recentAfter(seq, limit)
    if (recent !== undefined) return recent
    const index = await this.idsAfter(seq, limit)
    const found = await this.#store.getMany(
      "envelopes",
      index.map(({ id }) => id),
    )
    return index.flatMap(({ seq: at, id }, i) => {
      const bytes = found[i]
      return bytes === undefined || bytes.length === 0 ? [] : [{ seq: at, id, bytes }]
    })
  }

  /** The same without the envelopes themselves. */
  async idsAfter(seq: number, limit: number): Promise<readonly { seq: number; id: Bytes }[]> {
    const recent = this.#recentAfter(seq, limit)
    if (recent !== undefined) return recent
    const gte = arrivalKey(Math.max(seq + 1, this.#first))
    const out: { seq: number; id: Bytes }[] = []
    for await (const [key, id] of this.#store.range("arrival", { gte, limit }))
      out.push({ seq: new Reader(key).u64(), id })
    return out
  }

  /** The same from memory; undefined where that does not go back so far. */
  #recentAfter(seq: number, limit: number): readonly Kept[] | undefined {
    const from = Math.max(seq + 1, this.#first)
    if (from > this.#last) return []
    const at = from - (this.#recent[0]?.seq ?? Infinity)
    return at < 0 ? undefined : this.#recent.slice(at, at + limit)
  }

  /** The envelopes among `ids`, in their order; `undefined` for what is not here. */
  async getMany(ids: readonly Bytes[]): Promise<readonly (Bytes | undefined)[]> {
    const found = await this.#store.getMany("envelopes", ids)
    return found.map((bytes) => (bytes?.length === 0 ? undefined : bytes))
  }

  /** Every envelope under this tag (16 bytes); almost always one at most, but anybody can post under a tag that was seen. */
  async byTag(tag: Bytes, limit = 64): Promise<readonly Kept[]> {
    exactly(tag, TAG_BYTES, "tag")
    const index: { seq: number; id: Bytes }[] = []
    const range = { gte: tag, lte: concat(tag, new Uint8Array(32).fill(255)), limit }
    for await (const [key, seq] of this.#store.range("tags", range))
      index.push({ seq: new Reader(seq).u64(), id: key.slice(TAG_BYTES) })
    if (index.length === 0) return []
    const found = await this.getMany(index.map(({ id }) => id))
    return index.flatMap(({ seq, id }, i) => {
      const bytes = found[i]
      return bytes === undefined ? [] : [{ seq, id, bytes }]
    })
  }

  /**
   * Changes envelopes that are here: `change` gets one of 4096 bytes and gives what stands in its place under the same id, or undefined
   * where nothing is to change. `writes` go into the same batch. Throws StoreError.
   */
  change(
    ids: readonly Bytes[],
    change: (bytes: Bytes) => Bytes | undefined,
    writes: readonly Write[] = [],
  ): Promise<void> {
    const { promise, ...done } = Promise.withResolvers<undefined>()
    this.#changes.push(async () => {
      try {
        const found = await this.getMany(ids)
        const changed = ids.flatMap((key, i): Write[] => {
          const value = found[i] === undefined ? undefined : change(found[i])
          return value === undefined ? [] : [{ table: "envelopes", key, value }]
        })
        await this.#store.batch([...changed, ...writes])
        if (changed.length > 0) this.#recent = []
        done.resolve(undefined)
      } catch (error) {
        done.reject(error)
      }
    })
    this.#writing ??= this.#drain()
    return promise
  }

  /** Resolves when everything given to `keep` so far is stored or has failed. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async #drain(): Promise<void> {
    // let what arrives in the same turn share the first batch
    await Promise.resolve()
    while (this.#waiting.length + this.#changes.length > 0) {
      // between two batches: neither sees the other's half
      for (const change of this.#changes.splice(0)) await change()
      const batch = this.#waiting.splice(0, BATCH_MAX)
      if (batch.length === 0) continue
      try {
        await this.#write(batch)
      } catch (error) {
        for (const { done } of batch) done.reject(error)
      }
    }
    this.#writing = undefined
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const kept = batch.map(({ id, bytes }, i) => ({ seq: this.#last + 1 + i, id, bytes }))
    const writes = kept.flatMap(({ seq, id, bytes }): Write[] => [
      { table: "envelopes", key: id, value: bytes },
      { table: "arrival", key: arrivalKey(seq), value: id },
      { table: "tags", key: concat(tagOf(bytes), id), value: arrivalKey(seq) },
    ])
    const last = this.#last + kept.length
    const dropped = await this.#dropping(last)
    const others = batch.flatMap((each) => each.writes)
    await this.#store.batch([...writes, ...others, ...dropped.writes], {
      sync: batch.some(({ sync }) => sync),
    })
    this.#last = last
    this.#first = dropped.first
    this.#remembered = dropped.remembered
    this.#recent = [...this.#recent, ...kept].slice(-RECENT_MAX)
    this.#rememberIds(kept)
    for (const [i, entry] of kept.entries()) batch[i]?.done.resolve(entry)
    this.#onKept(kept)
  }

  #rememberIds(kept: readonly Kept[]): void {
    for (const { id } of kept) this.#recentIds.add(toHex(id))
    let surplus = this.#recentIds.size - Math.min(RECENT_IDS_MAX, this.envelopesMax)
    for (const oldest of this.#recentIds) {
      if (surplus-- <= 0) return
      this.#recentIds.delete(oldest)
    }
  }

  /** What must go for the newest to be `last`: the oldest become bare ids, the oldest ids are forgotten. */
  async #dropping(last: number): Promise<Omit<Bounds, "last"> & { writes: readonly Write[] }> {
    const surplus = last - this.envelopesMax + 1
    const first = Math.max(this.#first, Math.min(surplus, this.#first + DROP_MAX, this.#last + 1))
    const remembered = Math.max(this.#remembered, first - this.envelopesMax * REMEMBERED_FACTOR)
    const writes: Write[] = []
    const gone = { gte: arrivalKey(this.#first), lt: arrivalKey(first) }
    if (first > this.#first) {
      for await (const [, id] of this.#store.range("arrival", gone)) {
        const bytes = await this.#store.get("envelopes", id)
        writes.push({ table: "envelopes", key: id, value: NOTHING })
        if (bytes !== undefined && bytes.length > 0)
          writes.push({ table: "tags", key: concat(tagOf(bytes), id), value: undefined })
      }
      writes.push({ table: "mesh", key: FIRST_KEPT, value: arrivalKey(first) })
    }
    const forgotten = { gte: arrivalKey(this.#remembered), lt: arrivalKey(remembered) }
    if (remembered > this.#remembered)
      for await (const [key, id] of this.#store.range("arrival", forgotten))
        writes.push(
          { table: "arrival", key, value: undefined },
          { table: "envelopes", key: id, value: undefined },
        )
    return { first, remembered, writes }
  }
}

interface Bounds {
  readonly first: number
  readonly last: number
  readonly remembered: number
}

async function boundsOf(store: Store): Promise<Bounds> {
  const seqAt = async (reverse: boolean) => {
    for await (const [key] of store.range("arrival", { reverse, limit: 1 }))
      return new Reader(key).u64()
    return undefined
  }
  const last = (await seqAt(true)) ?? 0
  const remembered = (await seqAt(false)) ?? 1
  const stored = await store.get("mesh", FIRST_KEPT)
  const first = stored === undefined ? remembered : new Reader(stored).u64()
  return { first, last, remembered }
}
