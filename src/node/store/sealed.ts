/**
 * Private records in the store: sealed under the vault, under keys that tell a thief nothing. A key is the blinded name of a group of
 * records (16 bytes) followed by the item: a blinded name, or bytes that must sort (a message's position). What shows is how many
 * records there are, how large they are, and which were written together.
 *
 * One record that does not open any more (a bad block of a disk, somebody's hand) must not cost all others: where many are read it is left
 * out and counted, and what is written under its key replaces it. Whoever could alter it could as well have deleted it.
 */
import { type Bytes, concat, toHex } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { blindName, openRecord, sealRecord, type Vault } from "../../crypto/keyfile.ts"
import { Slices } from "../slices.ts"

export type SealedOp =
  | { readonly type: "put"; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: "del"; readonly key: Bytes }

/** The part of the store that sealed records live in. Keys sort as bytes. */
export interface SealedShelf {
  get(key: Bytes): Promise<Bytes | undefined>
  /** In the order of the keys. */
  getMany(keys: readonly Bytes[]): Promise<readonly (Bytes | undefined)[]>
  /** All at once or not at all; with `sync` on the disk when it resolves. */
  write(ops: readonly SealedOp[], options: { sync: boolean }): Promise<void>
  range(
    bounds: { gte: Bytes; lt: Bytes },
    options: { reverse: boolean; limit: number },
  ): Promise<readonly { key: Bytes; value: Bytes }[]>
  /** Rewrites what lies between, so that values that were overwritten or deleted are not in the files any more. */
  compact?(bounds: { gte: Bytes; lt: Bytes }): Promise<void>
}

const GROUP_BYTES = 16
/** Damaged records that are counted. */
const DAMAGED_MAX = 1_000
/** Records read at a time: opening them is part of one slice. */
const PAGE = 64

export interface SealedItem {
  /** The key behind the group's 16 bytes. */
  readonly item: Bytes
  readonly plaintext: Bytes
}

export interface RangeOptions {
  /** Only items after this one. */
  readonly after?: Bytes
  /** Only items before this one. */
  readonly before?: Bytes
  readonly reverse?: boolean
  readonly limit?: number
}

export class Sealed {
  readonly #vault: Vault
  readonly #shelf: SealedShelf
  readonly #groups = new Map<string, Bytes>()
  readonly #log: (line: string) => void
  /** Keys of records that did not open, in hexadecimal; DAMAGED_MAX at most. */
  readonly #damaged = new Set<string>()

  constructor(vault: Vault, shelf: SealedShelf, log: (line: string) => void = () => undefined) {
    this.#vault = vault
    this.#shelf = shelf
    this.#log = log
  }

  /** How many records were met that do not open. */
  get damaged(): number {
    return this.#damaged.size
  }

  /** `item` as text is blinded, as bytes it stands as it is. */
  key(group: string, item: string | Bytes): Bytes {
    const tail = typeof item === "string" ? blindName(this.#vault, `${group}/${item}`) : item
    return concat(this.#group(group), tail)
  }

  #group(name: string): Bytes {
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    const blinded = blindName(this.#vault, `group ${name}`)
    // Groups are few but for one per thread; the cache starts over before it could grow without end.
    if (this.#groups.size > 4096) this.#groups.clear()
    this.#groups.set(name, blinded)
    return blinded
  }

  put(key: Bytes, plaintext: Bytes): SealedOp {
    return { type: "put", key, value: sealRecord(this.#vault, key, plaintext) }
  }

  del(key: Bytes): SealedOp {
    return { type: "del", key }
  }

  /** Throws CryptoError BAD_SIGNATURE when the record was altered: for what nothing may go on without. */
  async get(key: Bytes): Promise<Bytes | undefined> {
    const value = await this.#shelf.get(key)
    return value === undefined ? undefined : openRecord(this.#vault, key, value)
  }

  /** A record that was altered is none. */
  async find(key: Bytes): Promise<Bytes | undefined> {
    const value = await this.#shelf.get(key)
    return value === undefined ? undefined : this.#opened(key, value)
  }

  /** The same for many, in the order of the keys. */
  async findMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    const values = await this.#shelf.getMany(keys)
    return keys.map((key, i) => {
      const value = values[i]
      return value === undefined ? undefined : this.#opened(key, value)
    })
  }

  #opened(key: Bytes, value: Bytes): Bytes | undefined {
    try {
      return openRecord(this.#vault, key, value)
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error
      const name = toHex(key)
      if (!this.#damaged.has(name) && this.#damaged.size < DAMAGED_MAX) {
        this.#damaged.add(name)
        this.#log("a private record does not open any more: it is damaged, and left out")
      }
      return undefined
    }
  }

  write(ops: readonly SealedOp[], options: { sync: boolean }): Promise<void> {
    return this.#shelf.write(ops, options)
  }

  /** Takes from the disk what was overwritten or deleted in a group; LevelDB keeps it for a while otherwise. */
  async erase(group: string): Promise<void> {
    const gte = this.#group(group)
    await this.#shelf.compact?.({ gte, lt: successor(gte) })
  }

  /** All items of a group, page by page: for groups that may be large. */
  async *each(group: string): AsyncGenerator<SealedItem> {
    for (let last: Bytes | undefined; ;) {
      const after = last === undefined ? {} : { after: last }
      const page = await this.list(group, { limit: PAGE, ...after })
      yield* page
      last = page.at(-1)?.item
      if (page.length < PAGE) return
    }
  }

  /** Items of a group in the order of their bytes (or the reverse), each opened; without those that were altered. */
  async list(group: string, options: RangeOptions = {}): Promise<SealedItem[]> {
    const prefix = this.#group(group)
    const gte =
      options.after === undefined ? prefix : concat(prefix, options.after, new Uint8Array(1))
    const lt = options.before === undefined ? successor(prefix) : concat(prefix, options.before)
    const { reverse = false, limit = -1 } = options
    const found: SealedItem[] = []
    // Opening takes most of it, and there may be many.
    const slices = new Slices()
    let bounds = { gte, lt }
    for (;;) {
      const wanted = limit < 0 ? limit : limit - found.length
      const rows = await this.#shelf.range(bounds, { reverse, limit: wanted })
      for (const { key, value } of rows) {
        await slices.pause()
        const plaintext = this.#opened(key, value)
        if (plaintext !== undefined) found.push({ item: key.subarray(GROUP_BYTES), plaintext })
      }
      const last = rows.at(-1)
      const isWhole = limit < 0 || rows.length < wanted || found.length >= limit
      if (last === undefined || isWhole) return found
      // A page is short at its end only: what was left out is made up for.
      const { key } = last
      bounds = reverse ? { gte, lt: key } : { gte: concat(key, new Uint8Array(1)), lt }
    }
  }
}

/** The first key behind all that start with `prefix`. */
function successor(prefix: Bytes): Bytes {
  const out = prefix.slice()
  for (let i = out.length - 1; i >= 0; i--) {
    const byte = out[i] ?? 0
    out[i] = (byte + 1) & 0xff
    if (byte !== 0xff) return out
  }
  throw new RangeError(`no key is behind ${toHex(prefix)}`)
}
