/**
 * What membership proofs have used up (DESIGN §6.1): by period, which nullifier was shown under which key root, and which envelope took
 * which of its keys. First seen is what counts here; the ledger orders at most one and its choice wins, so others are kept beside it
 * when they are fetched for the ledger's sake. Rows are written in the same batch as the envelope, so that a restart reopens no slot.
 *
 *   table `nullifiers`: period 4 ‖ nullifier 32 ‖ key index 1 ‖ envelope id 32 → key root 32 ‖ 0 when it was the first, else 1
 */
import { type Bytes, concat, equal, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import type { MembershipFields } from "../../crypto/membership/admission.ts"
import type { Store, Write } from "../store/store.ts"

/** Nullifiers of the periods in the window: members × 32 × 2 at most. Beyond it further ones are ignored. */
export const NULLIFIERS_MAX = 262_144

/** One envelope's use of a key. */
export interface Use extends Pick<MembershipFields, "period" | "nullifier" | "keyIndex"> {
  /** 32 bytes. */
  readonly keyRoot: Bytes
  /** 32 bytes. */
  readonly id: Bytes
}

export type Standing =
  /** Nothing of it was seen. */
  | "new"
  /** Its proof was checked with another envelope; this key is free. */
  | "proven"
  /** This very envelope has it. */
  | "own"
  /** Another root under this nullifier, or another envelope under this key. */
  | "spent"
  /** No room for another nullifier. */
  | "full"

interface Shown {
  readonly root: Bytes
  /** By key index: id of the first envelope, in hexadecimal. */
  readonly taken: Map<number, string>
}

export class NullifierLog {
  readonly #store: Store
  readonly #periods = new Map<number, Map<string, Shown>>()
  #size = 0

  private constructor(store: Store) {
    this.#store = store
  }

  /** Reads what was kept. Throws StoreError. */
  static async open(store: Store): Promise<NullifierLog> {
    const log = new NullifierLog(store)
    for await (const [key, value] of store.range("nullifiers")) {
      const { use, first } = readRow(key, value)
      if (first) log.#remember(use)
    }
    return log
  }

  /** Nullifiers remembered. */
  get size(): number {
    return this.#size
  }

  /** Whether this nullifier was shown in this period, under whatever root. */
  has(period: number, nullifier: Bytes): boolean {
    return this.#periods.get(period)?.has(toHex(nullifier)) === true
  }

  standing({ period, nullifier, keyIndex, keyRoot, id }: Use): Standing {
    const shown = this.#periods.get(period)?.get(toHex(nullifier))
    if (shown === undefined) return this.#size >= NULLIFIERS_MAX ? "full" : "new"
    if (!equal(shown.root, keyRoot)) return "spent"
    const by = shown.taken.get(keyIndex)
    if (by === undefined) return "proven"
    return by === toHex(id) ? "own" : "spent"
  }

  /** Takes it in, after everything was checked; returns what must be written together with the envelope. */
  enter(use: Use): Write {
    const first = this.standing(use) !== "spent"
    if (first) this.#remember(use)
    return { table: "nullifiers", key: keyOf(use), value: valueOf(use, first) }
  }

  #remember({ period, nullifier, keyIndex, keyRoot, id }: Use): void {
    const shown = this.#periods.get(period) ?? new Map<string, Shown>()
    this.#periods.set(period, shown)
    const name = toHex(nullifier)
    let each = shown.get(name)
    if (each === undefined) {
      each = { root: keyRoot.slice(), taken: new Map() }
      shown.set(name, each)
      this.#size += 1
    }
    each.taken.set(keyIndex, toHex(id))
  }

  /** Forgets periods before this one. What is on the disk goes with `rowsBefore`. */
  forgetBefore(period: number): void {
    for (const [each, shown] of this.#periods) {
      if (each >= period) continue
      this.#size -= shown.size
      this.#periods.delete(each)
    }
  }

  /** Some rows of periods before this one: their envelopes, and how to delete them. */
  async rowsBefore(period: number, limit: number): Promise<readonly { id: Bytes; gone: Write }[]> {
    const rows: { id: Bytes; gone: Write }[] = []
    const range = { lt: new Writer().u32(period).finish(), limit }
    for await (const [key, value] of this.#store.range("nullifiers", range))
      rows.push({ id: readRow(key, value).use.id, gone: { table: "nullifiers", key, value: undefined } }) // prettier-ignore
    return rows
  }
}

const keyOf = ({ period, nullifier, keyIndex, id }: Use) =>
  new Writer().u32(period).raw(nullifier).u8(keyIndex).raw(id).finish()

const valueOf = ({ keyRoot }: Use, first: boolean) =>
  concat(keyRoot, new Uint8Array([first ? 0 : 1]))

function readRow(key: Bytes, value: Bytes): { use: Use; first: boolean } {
  const read = new Reader(key)
  const use = { period: read.u32(), nullifier: read.raw(32), keyIndex: read.u8(), id: read.raw(32) }
  read.done()
  return { use: { ...use, keyRoot: value.slice(0, 32) }, first: value[32] === 0 }
}
