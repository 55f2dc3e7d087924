/**
 * Private records in the store: sealed under the vault, under keys that tell a thief nothing. A key is the blinded name of a group of
 * records (16 bytes) followed by the item: a blinded name, or bytes that must sort (a message's position). What shows is how many
 * records there are, how large they are, and which were written together.
 */
import { type Bytes, concat, toHex } from "../crypto/bytes.ts"
import { blindName, openRecord, sealRecord, type Vault } from "../crypto/keyfile.ts"

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

  constructor(vault: Vault, shelf: SealedShelf) {
    this.#vault = vault
    this.#shelf = shelf
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

  /** Throws CryptoError BAD_SIGNATURE when the record was altered. */
  async get(key: Bytes): Promise<Bytes | undefined> {
    const value = await this.#shelf.get(key)
    return value === undefined ? undefined : openRecord(this.#vault, key, value)
  }

  /** In the order of the keys. Throws like `get`. */
  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    const values = await this.#shelf.getMany(keys)
    return keys.map((key, i) => {
      const value = values[i]
      return value === undefined ? undefined : openRecord(this.#vault, key, value)
    })
  }

  write(ops: readonly SealedOp[], options: { sync: boolean }): Promise<void> {
    return this.#shelf.write(ops, options)
  }

  /** Takes from the disk what was overwritten or deleted in a group; LevelDB keeps it for a while otherwise. */
  async erase(group: string): Promise<void> {
    const gte = this.#group(group)
    await this.#shelf.compact?.({ gte, lt: successor(gte) })
  }

  /** Items of a group in the order of their bytes (or the reverse), each opened. */
  async list(group: string, options: RangeOptions = {}): Promise<SealedItem[]> {
    const prefix = this.#group(group)
    const gte =
      options.after === undefined ? prefix : concat(prefix, options.after, new Uint8Array(1))
    const lt = options.before === undefined ? successor(prefix) : concat(prefix, options.before)
    const { reverse = false, limit = -1 } = options
    const rows = await this.#shelf.range({ gte, lt }, { reverse, limit })
    return rows.map(({ key, value }) => ({
      item: key.subarray(GROUP_BYTES),
      plaintext: openRecord(this.#vault, key, value),
    }))
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
