/**
 * Which of a member's 32 slots of a period are still free. A slot is used up on the disk before anything is posted under it, and for ever:
 * two payloads in one slot would be linked, and one of them lost. After a restore nobody knows what was used since the backup, so
 * nothing is free until a period has been seen to begin.
 */
import { primitives } from "#primitives"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { SLOTS } from "../../crypto/membership/statement.ts"
import type { MemberRecords, SlotsUsed } from "./member-records.ts"

/** Periods remembered: the present one and the one before. */
const PERIODS_KEPT = 2

/**
 * A period that begins sooner after the newest block was here cannot be told from one that began long ago and is only now heard of.
 * Validators take a tick after as much (`TICK_TOLERANCE`).
 */
const LIVE_SHARE = 7 / 8

const bit = (slot: number) => 2 ** slot
const has = (used: number, slot: number) => Math.floor(used / bit(slot)) % 2 === 1

type Kept = Pick<SlotsUsed, "from" | "periods">

export class Slots {
  readonly #records: MemberRecords
  readonly #storeId: Bytes
  /** As on the disk, and those that are being written. */
  readonly #used: Map<number, number>
  /** The first period of which slots may be used; undefined while a restored member does not know it. */
  #from: number | undefined
  /** The period that ran, and since when it is known that there was no later one, while `#from` is being found. */
  #newest: { readonly period: number; readonly sinceMs: number } | undefined
  #writing: Promise<void> = Promise.resolve()

  private constructor(records: MemberRecords, storeId: Bytes, { from, periods }: Kept) {
    this.#records = records
    this.#storeId = storeId
    this.#used = new Map(periods)
    this.#from = from
  }

  /** `isNew`: the membership was made just now. Throws StoreError, CryptoError. */
  static async open(
    records: MemberRecords,
    storeId: Bytes,
    { isNew }: { readonly isNew: boolean },
  ): Promise<Slots> {
    const kept = await records.slots()
    if (kept !== undefined && equal(kept.storeId, storeId)) return new Slots(records, storeId, kept)
    const from = isNew ? 0 : undefined
    const slots = new Slots(records, storeId, { from, periods: new Map() })
    await slots.#write()
    return slots
  }

  /** Whether a restored member waits still for a period that only it can have used slots of. */
  get isWaiting(): boolean {
    return this.#from === undefined
  }

  /**
   * For a restored member: what the ledger shows. The first period that it sees begin, a good while after it had the newest block, was
   * not there yet when the old installation still ran. `periodMs`: the least that one lasts. Throws StoreError.
   */
  async watch(
    { period, isNewest }: { readonly period: number; readonly isNewest: boolean },
    { nowMs, periodMs }: { readonly nowMs: number; readonly periodMs: number },
  ): Promise<void> {
    if (this.#from !== undefined || !isNewest) return
    const before = this.#newest
    if (before?.period === period) return
    this.#newest = { period, sinceMs: nowMs }
    if (before === undefined || nowMs - before.sinceMs < LIVE_SHARE * periodMs) return
    this.#from = period
    await this.#save()
  }

  /** Those of a period that nothing was made for. */
  free(period: number): readonly number[] {
    if (this.#from === undefined || period < this.#from) return []
    const used = this.#used.get(period) ?? 0
    return Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => !has(used, slot))
  }

  /** One of the free ones, all alike likely, not marked yet; undefined when there is none besides these. */
  pick(period: number, besides: ReadonlySet<number>): number | undefined {
    const free = this.free(period).filter((slot) => !besides.has(slot))
    const random = primitives.randomBytes(4).reduce((sum, byte) => sum * 256 + byte, 0)
    return free[random % free.length]
  }

  /** Uses it up: on the disk when it resolves. Throws StoreError, and then it counts as used as well. */
  async use(period: number, slot: number): Promise<void> {
    const used = this.#used.get(period) ?? 0
    if (!has(used, slot)) this.#used.set(period, used + bit(slot))
    for (const each of this.#used.keys()) if (each <= period - PERIODS_KEPT) this.#used.delete(each)
    await this.#save()
  }

  #save(): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write())
    return this.#writing
  }

  #write(): Promise<void> {
    const newest = [...this.#used].sort(([a], [b]) => b - a).slice(0, PERIODS_KEPT)
    const kept = { storeId: this.#storeId, from: this.#from, periods: new Map(newest) }
    return this.#records.putSlots(kept)
  }
}
