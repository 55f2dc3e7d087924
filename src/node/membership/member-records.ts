/**
 * What this installation keeps of its membership, sealed like everything private: its secret, and which slots of the last periods it has
 * used. The slots say in which store they were written: in another store they came out of a backup, and how many more were
 * used since is not known.
 *
 *   secret   version 1 (= 1) · secret 32 · commitment 32
 *   voucher  as in its ticket (consensus/join.ts), until the ledger has taken or refused it
 *   slots    version 1 (= 1) · store id 16 · 1 when the first period is known, else 0 · first period 4 · count 1 ·
 *            each: period 4 · used slots as bits 4
 */
import { type Bytes, Reader, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { Sealed } from "../store/sealed.ts"

const VERSION = 1
const GROUP = "membership"
/** Periods whose slots are remembered: those whose proofs are taken. */
const PERIODS_MAX = 2

export interface MemberSecret {
  /** 32 bytes. */
  readonly secret: Bytes
  /** 32 bytes. */
  readonly commitment: Bytes
}

export interface SlotsUsed {
  /** Of the store that this was written to, 16 bytes. */
  readonly storeId: Bytes
  /** The first period of which any may be used; undefined while a restored member does not know it. */
  readonly from: number | undefined
  /** Period → one bit for each slot, the lowest for slot 0. */
  readonly periods: ReadonlyMap<number, number>
}

export class MemberRecords {
  readonly #sealed: Sealed

  constructor(sealed: Sealed) {
    this.#sealed = sealed
  }

  /** Throws CryptoError when the record is not one, StoreError. */
  async secret(): Promise<MemberSecret | undefined> {
    const bytes = await this.#sealed.get(this.#sealed.key(GROUP, "secret"))
    if (bytes === undefined) return undefined
    const read = reader(bytes)
    const found = { secret: read.raw(32), commitment: read.raw(32) }
    read.done()
    return found
  }

  async putSecret({ secret, commitment }: MemberSecret): Promise<void> {
    await this.#put("secret", new Writer().u8(VERSION).raw(secret).raw(commitment).finish())
  }

  /** The encoded voucher that is being used to join. */
  async voucher(): Promise<Bytes | undefined> {
    return await this.#sealed.get(this.#sealed.key(GROUP, "voucher"))
  }

  /** `undefined`: it has been used, or refused. */
  async putVoucher(voucher: Bytes | undefined): Promise<void> {
    const key = this.#sealed.key(GROUP, "voucher")
    const op = voucher === undefined ? this.#sealed.del(key) : this.#sealed.put(key, voucher)
    await this.#sealed.write([op], { sync: true })
  }

  async slots(): Promise<SlotsUsed | undefined> {
    const bytes = await this.#sealed.get(this.#sealed.key(GROUP, "slots"))
    if (bytes === undefined) return undefined
    const read = reader(bytes)
    const storeId = read.raw(16)
    const isKnown = read.u8()
    if (isKnown > 1) throw new CryptoError("BAD_ENCODING", "membership record")
    const first = read.u32()
    const from = isKnown === 1 ? first : undefined
    const count = read.u8()
    if (count > PERIODS_MAX) throw new CryptoError("TOO_LARGE", `${count} periods`)
    const periods = new Map<number, number>()
    for (let i = 0; i < count; i++) periods.set(read.u32(), read.u32())
    read.done()
    return { storeId, from, periods }
  }

  /** On the disk when it resolves. */
  async putSlots({ storeId, from, periods }: SlotsUsed): Promise<void> {
    const writer = new Writer().u8(VERSION).raw(storeId)
    writer
      .u8(from === undefined ? 0 : 1)
      .u32(from ?? 0)
      .u8(periods.size)
    for (const [period, used] of periods) writer.u32(period).u32(used)
    await this.#put("slots", writer.finish())
  }

  async #put(item: string, plaintext: Bytes): Promise<void> {
    const op = this.#sealed.put(this.#sealed.key(GROUP, item), plaintext)
    await this.#sealed.write([op], { sync: true })
  }
}

function reader(bytes: Bytes): Reader {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `membership record ${version}`)
  return read
}
