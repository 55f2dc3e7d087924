/**
 * The shelf of key packages that this peer hands out for others, each at most once: a package is off the disk before it is given away
 * (`take`), so neither a crash nor two who ask at once get the same one. What lies here cannot be read here. A pool goes with its day, and
 * its mark with it, until when a handful that is not newer than the last one is refused, so none is put here twice.
 *
 *   key     0 · epoch 4 · way of signing 1 · blinded key 32              value   order 8 · hash of the token 32 · count 1 · slots 1 each
 *   key     1 · epoch 4 · way of signing 1 · blinded key 32 · slot 1     value   sealed package
 */
import { type Bytes, concat, equal, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import { EPOCH_SLACK, epochAt } from "../../crypto/directory-record.ts"
import { CryptoError } from "../../crypto/errors.ts"
import {
  checkHandful,
  type Handful,
  HANDFUL_MAX,
  SEALED_BYTES,
  tokenHash,
} from "../../crypto/package-pool.ts"
import { type Signing, SIGNINGS } from "../../crypto/session.ts"
import type { Clock } from "../clock.ts"
import type { PackagesRefusal, Taking } from "./messages.ts"
import type { Store, Write } from "../store/store.ts"
import { Turns } from "../turns.ts"

/** Pools of others' kept at a time, empty ones of these days included. */
export const POOLS_MAX = 4096
/** Bytes of packages kept at a time: on a disk, and in memory. */
export const PACKAGES_BYTES_MAX = 64 * 1024 * 1024
export const PACKAGES_MEMORY_BYTES_MAX = 8 * 1024 * 1024

const TABLE = "packages"
const [MARKS, SEALED] = [0, 1]

export interface PackageShelfParts {
  readonly store: Store
  readonly clock: Clock
  readonly meshId: Bytes
  /** This peer's id, as text. */
  readonly self: string
  readonly poolsMax?: number
  readonly bytesMax?: number
}

interface Kept {
  readonly signing: Signing
  readonly epoch: number
  readonly blinded: Bytes
  readonly order: number
  readonly tokenHash: Bytes
  /** Where its packages lie. */
  readonly slots: readonly number[]
}

type Named = Pick<Kept, "signing" | "epoch" | "blinded">

const keyOf = ({ signing, epoch, blinded }: Named): Bytes =>
  new Writer()
    .u32(epoch)
    .u8(SIGNINGS.indexOf(signing) + 1)
    .raw(blinded)
    .finish()

const markKey = (pool: Named): Bytes => concat(new Uint8Array([MARKS]), keyOf(pool))
const slotKey = (pool: Named, slot: number): Bytes =>
  concat(new Uint8Array([SEALED]), keyOf(pool), new Uint8Array([slot]))
const nameOf = (pool: Named): string => toHex(keyOf(pool))
const bytesOf = ({ signing, slots }: Kept): number => slots.length * SEALED_BYTES[signing]

export class PackageShelf {
  readonly #parts: PackageShelfParts
  readonly #turns = new Turns()
  readonly #pools: Map<string, Kept>
  readonly #bytesMax: number
  #bytes = 0

  private constructor(parts: PackageShelfParts, pools: Map<string, Kept>) {
    this.#parts = parts
    this.#pools = pools
    for (const pool of pools.values()) this.#bytes += bytesOf(pool)
    this.#bytesMax =
      parts.bytesMax ??
      (parts.store.kind === "memory" ? PACKAGES_MEMORY_BYTES_MAX : PACKAGES_BYTES_MAX)
  }

  /** Throws StoreError. A damaged mark counts as none: its packages are handed out to nobody. */
  static async open(parts: PackageShelfParts): Promise<PackageShelf> {
    const pools = new Map<string, Kept>()
    const range = { gte: new Uint8Array([MARKS]), lt: new Uint8Array([SEALED]) }
    for await (const [key, value] of parts.store.range(TABLE, range)) {
      const kept = decodeMark(key, value)
      if (kept !== undefined) pools.set(nameOf(kept), kept)
    }
    const shelf = new PackageShelf(parts, pools)
    await shelf.prune()
    await shelf.#sweep()
    return shelf
  }

  /** What lies under days that are over although no mark tells of it: the mark was damaged. */
  async #sweep(): Promise<void> {
    const { store, clock } = this.#parts
    const oldest = new Writer().u32(epochAt(clock.nowMs()) - EPOCH_SLACK).finish()
    for (const kind of [MARKS, SEALED]) {
      const first = new Uint8Array([kind])
      for await (const [key] of store.range(TABLE, { gte: first, lt: concat(first, oldest) }))
        await store.batch([{ table: TABLE, key, value: undefined }])
    }
  }

  /** Pools, and bytes of packages, that are kept at the moment. */
  get size(): { readonly pools: number; readonly bytes: number } {
    return { pools: this.#pools.size, bytes: this.#bytes }
  }

  /** Judges a handful and keeps its packages. How many of its pool are here now, on the disk; or why not. Throws StoreError. */
  async give(bytes: Bytes): Promise<number | PackagesRefusal> {
    const { meshId, self, clock } = this.#parts
    const epoch = epochAt(clock.nowMs())
    const checked = checkHandful(bytes, { meshId, keeper: self, epoch })
    if (checked.verdict !== "accept") return "UNSOUND"
    return await this.#turns.run(() => this.#keep(checked.handful))
  }

  async #keep(handful: Handful): Promise<number | PackagesRefusal> {
    await this.#prune()
    const before = this.#pools.get(nameOf(handful))
    if (before !== undefined && handful.order <= before.order) return "STALE"
    const stay = before === undefined || handful.begins ? [] : before.slots
    const gone = before?.slots.filter((slot) => !stay.includes(slot)) ?? []
    const free = freeSlots(handful.signing, stay).slice(0, handful.packages.length)
    if (free.length < handful.packages.length) return "FULL"
    const { signing, epoch, blinded, order } = handful
    const slots = [...stay, ...free]
    const kept = { signing, epoch, blinded, order, tokenHash: handful.tokenHash, slots }
    if (!this.#hasRoom(before, kept)) return "FULL"
    await this.#write(
      [
        markOf(kept),
        ...gone
          .filter((slot) => !free.includes(slot))
          .map((slot) => writeOf(handful, slot, undefined)),
        ...free.map((slot, i) => writeOf(handful, slot, handful.packages[i])),
      ],
      kept,
    )
    return slots.length
  }

  /** Whether there is a package for this token: cheap, and of this moment. */
  has(taking: Taking): boolean {
    const kept = this.#pools.get(nameOf(taking))
    return (
      kept !== undefined && kept.slots.length > 0 && equal(kept.tokenHash, tokenHash(taking.token))
    )
  }

  /** A package that nobody was given before and nobody will be given again; `undefined` when there is none for this token. Throws StoreError. */
  async take(taking: Taking): Promise<Bytes | undefined> {
    return await this.#turns.run(async () => {
      const kept = this.#pools.get(nameOf(taking))
      const [slot, ...left] = kept?.slots ?? []
      if (kept === undefined || slot === undefined || !this.has(taking)) return undefined
      const sealed = await this.#parts.store.get(TABLE, slotKey(kept, slot))
      const after = { ...kept, slots: left }
      // On the disk before anybody sees it: handed out twice is what must not happen, not handed out at all may.
      await this.#write([markOf(after), writeOf(kept, slot, undefined)], after)
      return sealed?.length === SEALED_BYTES[kept.signing] ? sealed : undefined
    })
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#turns.idle()
  }

  /** Drops the pools of days that are over. */
  async prune(): Promise<void> {
    await this.#turns.run(() => this.#prune())
  }

  async #prune(): Promise<void> {
    const oldest = epochAt(this.#parts.clock.nowMs()) - EPOCH_SLACK
    const over = Array.from(this.#pools.values()).filter(({ epoch }) => epoch < oldest)
    for (const pool of over) {
      const dropped = pool.slots.map((slot) => writeOf(pool, slot, undefined))
      const mark = { table: TABLE, key: markKey(pool), value: undefined } as const
      await this.#parts.store.batch([mark, ...dropped])
      this.#pools.delete(nameOf(pool))
      this.#bytes -= bytesOf(pool)
    }
  }

  async #write(writes: readonly Write[], after: Kept): Promise<void> {
    await this.#parts.store.batch(writes, { sync: true })
    const before = this.#pools.get(nameOf(after))
    this.#bytes += bytesOf(after) - (before === undefined ? 0 : bytesOf(before))
    this.#pools.set(nameOf(after), after)
  }

  #hasRoom(before: Kept | undefined, after: Kept): boolean {
    const bytes = this.#bytes - (before === undefined ? 0 : bytesOf(before)) + bytesOf(after)
    const { poolsMax = POOLS_MAX } = this.#parts
    return bytes <= this.#bytesMax && (before !== undefined || this.#pools.size < poolsMax)
  }
}

function freeSlots(signing: Signing, taken: readonly number[]): number[] {
  const all = Array.from({ length: HANDFUL_MAX[signing] }, (_, slot) => slot)
  return all.filter((slot) => !taken.includes(slot))
}

const writeOf = (pool: Named, slot: number, value: Bytes | undefined): Write => ({
  table: TABLE,
  key: slotKey(pool, slot),
  value,
})

const markOf = (kept: Kept): Write => ({
  table: TABLE,
  key: markKey(kept),
  value: new Writer()
    .u64(kept.order)
    .raw(kept.tokenHash)
    .bytes(new Uint8Array(kept.slots), 1)
    .finish(),
})

function decodeMark(key: Bytes, value: Bytes): Kept | undefined {
  try {
    const name = new Reader(key)
    name.u8()
    const [epoch, signing] = [name.u32(), SIGNINGS[name.u8() - 1]]
    const blinded = name.raw(32)
    name.done()
    const read = new Reader(value)
    const [order, hash] = [read.u64(), read.raw(32)]
    if (signing === undefined) return undefined
    const slots = Array.from(read.bytes(1, HANDFUL_MAX[signing]))
    read.done()
    return { signing, epoch, blinded, order, tokenHash: hash, slots }
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}
