/**
 * Which of a member's 32 slots of a period are still free. A slot is used up on the disk before anything is posted under it, and for ever:
 * two payloads in one slot would be linked, and one of them lost. After a restore nobody knows what was used since the backup, so the
 * period that runs is left out.
 */
import { primitives } from "#primitives"
import { type Bytes, equal } from "../crypto/bytes.ts"
import { SLOTS } from "../crypto/membership/statement.ts"
import type { MemberRecords } from "./member-records.ts"

const ALL = 2 ** SLOTS - 1
/** Periods remembered: the present one and the one before. */
const PERIODS_KEPT = 2

const bit = (slot: number) => 2 ** slot
const has = (used: number, slot: number) => Math.floor(used / bit(slot)) % 2 === 1

export class Slots {
  readonly #records: MemberRecords
  readonly #storeId: Bytes
  /** As on the disk, and those that are being written. */
  readonly #used: Map<number, number>
  #writing: Promise<void> = Promise.resolve()

  private constructor(records: MemberRecords, storeId: Bytes, used: Map<number, number>) {
    this.#records = records
    this.#storeId = storeId
    this.#used = used
  }

  /** `isNew`: the membership was made just now. `period`: the running one. Throws StoreError, CryptoError. */
  static async open(
    records: MemberRecords,
    storeId: Bytes,
    { isNew, period }: { readonly isNew: boolean; readonly period: number },
  ): Promise<Slots> {
    const kept = await records.slots()
    const isOurs = kept !== undefined && equal(kept.storeId, storeId)
    const slots = new Slots(records, storeId, new Map(isOurs ? kept.periods : []))
    if (!isOurs && !isNew) slots.#used.set(period, ALL)
    if (!isOurs) await slots.#write()
    return slots
  }

  /** Those of a period that nothing was made for. */
  free(period: number): readonly number[] {
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
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write())
    await this.#writing
  }

  #write(): Promise<void> {
    const newest = [...this.#used].sort(([a], [b]) => b - a).slice(0, PERIODS_KEPT)
    return this.#records.putSlots({ storeId: this.#storeId, periods: new Map(newest) })
  }
}
