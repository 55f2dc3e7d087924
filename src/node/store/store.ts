/**
 * Where a profile keeps what must outlive the process: one LevelDB, its tables side by side as sublevels, every batch atomic across
 * them (DESIGN §11). The same interface over memory serves `--ephemeral`. Nothing here knows what the bytes mean, and no time of
 * day is ever written beside them. LevelDB's own lock keeps a second process out; killing the process at any moment leaves the
 * state after some whole batch, and a batch written with `sync` survives a power cut as well.
 */
import { mkdir } from "node:fs/promises"
import type { AbstractLevel } from "abstract-level"
import { Level } from "level"
import { MemoryLevel } from "memory-level"
import { primitives } from "#primitives"
import { type Bytes, Reader, utf8, Writer } from "../../crypto/bytes.ts"
import { plain } from "../plain-bytes.ts"
import { storeError, StoreError } from "./errors.ts"
import { MIGRATIONS, type Migration } from "./migrations.ts"

/**
 * `envelopes`: id → 4096 bytes, or nothing for one that was dropped. `arrival`: sequence number → id. `tags`: tag ‖ id → sequence number.
 * `mesh`: what is known of the mesh and its peers, public. `sealed`: private records, encrypted before they come here. `ledger`: blocks
 * and their certificates. `chunks`: where in the chunk file a chunk lies. `nullifiers`: what membership proofs have used up
 * (nullifier-log.ts). `packages`: key packages that are handed out for others, sealed (node/packages/shelf.ts). A table that an older program did not know is simply empty, so one more needs no migration.
 */
export const TABLES = [
  "envelopes",
  "arrival",
  "tags",
  "mesh",
  "sealed",
  "ledger",
  "chunks",
  "nullifiers",
  "packages",
] as const
export type Table = (typeof TABLES)[number]

export interface Write {
  readonly table: Table
  readonly key: Bytes
  /** `undefined` deletes the key. */
  readonly value: Bytes | undefined
}

export interface Range {
  readonly gt?: Bytes
  readonly gte?: Bytes
  readonly lt?: Bytes
  readonly lte?: Bytes
  readonly limit?: number
  readonly reverse?: boolean
}

export type Entry = readonly [key: Bytes, value: Bytes]

/** Bytes given are copied; bytes returned are for reading only. Every call may throw StoreError. */
export interface Store {
  /** 16 random bytes drawn when the store was made: a peer's cursor means nothing in another store. */
  readonly id: Bytes
  readonly kind: "disk" | "memory"
  /** Schema of what lies in it: the newest this program knows. */
  readonly schema: number
  get(table: Table, key: Bytes): Promise<Bytes | undefined>
  /** Like `get`, at once: some microseconds, for the one lookup that decides whether work is needed at all. */
  peek(table: Table, key: Bytes): Bytes | undefined
  /** In the order of `keys`. */
  getMany(table: Table, keys: readonly Bytes[]): Promise<(Bytes | undefined)[]>
  /** In byte order of the keys, over the state at the time of the call. */
  range(table: Table, range?: Range): AsyncIterable<Entry>
  /** All or nothing. `sync`: on the disk, not just handed to the system, when it resolves. */
  batch(writes: readonly Write[], options?: { readonly sync?: boolean }): Promise<void>
  /**
   * Rewrites the files that hold keys from `gte` to `lt`: values that were overwritten or deleted there are gone from them afterwards.
   * Neither of the two may be the key of anything. In memory they are gone anyway.
   */
  compact(table: Table, gte: Bytes, lt: Bytes): Promise<void>
  /** Waits for running operations. Harmless when repeated. */
  close(): Promise<void>
}

export interface StoreOptions {
  readonly migrations?: readonly Migration[]
}

type Root = AbstractLevel<string | Buffer | Uint8Array, Bytes, Bytes>

const BYTES = { keyEncoding: "view", valueEncoding: "view" } as const
const SCHEMA = utf8("schema")
const STORE_ID = utf8("store id")
const STORE_ID_BYTES = 16
/** Small writes are gathered in memory up to this size before LevelDB sorts them into a file. */
const WRITE_BUFFER_BYTES = 8 * 1024 * 1024
const CACHE_BYTES = 8 * 1024 * 1024
const OPEN_FILES_MAX = 256

/** Opens or makes the store in `directory` (mode 0700). Throws StoreError BUSY, STORE_DAMAGED, STORE_NEWER, DISK_FULL or STORE_FAILED. */
export async function openStore(directory: string, options: StoreOptions = {}): Promise<Store> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw storeError(error)
  }
  const root = new Level<Bytes, Bytes>(directory, {
    ...BYTES,
    // ciphertext does not compress
    compression: false,
    writeBufferSize: WRITE_BUFFER_BYTES,
    cacheSize: CACHE_BYTES,
    maxOpenFiles: OPEN_FILES_MAX,
  })
  return await open(root, "disk", options)
}

/** A store that is gone when it is closed. */
export async function openMemoryStore(options: StoreOptions = {}): Promise<Store> {
  return await open(
    new MemoryLevel<Bytes, Bytes>({ ...BYTES, storeEncoding: "view" }),
    "memory",
    options,
  )
}

async function open(root: Root, kind: Store["kind"], options: StoreOptions): Promise<Store> {
  try {
    await root.open()
  } catch (error) {
    throw storeError(error)
  }
  const meta = sublevelOf(root, "meta")
  try {
    const id = await identify(root, meta)
    const migrations = options.migrations ?? MIGRATIONS
    const store = new LevelStore(root, kind, id, migrations.length + 1)
    await migrate(store, meta, migrations)
    return store
  } catch (error) {
    await root.close()
    throw storeError(error)
  }
}

const sublevelOf = (root: Root, name: string) => root.sublevel<Bytes, Bytes>(name, BYTES)
type Sublevel = ReturnType<typeof sublevelOf>

/** The store's id; a new store gets one, and a directory that holds other things is left alone. */
async function identify(root: Root, meta: Sublevel): Promise<Bytes> {
  const known = await meta.get(STORE_ID)
  if (known?.length === STORE_ID_BYTES) return plain(known)
  if ((await root.keys({ limit: 1 }).all()).length > 0)
    throw new StoreError("STORE_DAMAGED", "the store has contents but no id")
  const id = primitives.randomBytes(STORE_ID_BYTES)
  await meta.put(STORE_ID, id)
  return id
}

/** A store without a number is new: it starts at the newest schema. Each step is repeatable, so an interrupted one starts over. */
async function migrate(store: LevelStore, meta: Sublevel, migrations: readonly Migration[]) {
  const newest = migrations.length + 1
  const stored = await meta.get(SCHEMA)
  let version = stored === undefined ? newest : schemaFrom(stored)
  if (version > newest)
    throw new StoreError("STORE_NEWER", `store of schema ${version}, this program knows ${newest}`)
  for (const migration of migrations.slice(version - 1)) {
    for await (const writes of migration.run(store)) await store.batch(writes)
    version += 1
    await meta.put(SCHEMA, new Writer().u32(version).finish())
  }
  if (stored === undefined) await meta.put(SCHEMA, new Writer().u32(newest).finish())
}

function schemaFrom(bytes: Bytes): number {
  try {
    const read = new Reader(bytes)
    const version = read.u32()
    read.done()
    if (version > 0) return version
  } catch {
    // told below
  }
  throw new StoreError("STORE_DAMAGED", "the schema number is not one")
}

class LevelStore implements Store {
  readonly id: Bytes
  readonly kind: Store["kind"]
  readonly schema: number
  readonly #root: Root
  readonly #tables: Readonly<Record<Table, Sublevel>>

  constructor(root: Root, kind: Store["kind"], id: Bytes, schema: number) {
    this.#root = root
    this.kind = kind
    this.id = id
    this.schema = schema
    this.#tables = {
      envelopes: sublevelOf(root, "envelopes"),
      arrival: sublevelOf(root, "arrival"),
      tags: sublevelOf(root, "tags"),
      mesh: sublevelOf(root, "mesh"),
      sealed: sublevelOf(root, "sealed"),
      ledger: sublevelOf(root, "ledger"),
      chunks: sublevelOf(root, "chunks"),
      nullifiers: sublevelOf(root, "nullifiers"),
      packages: sublevelOf(root, "packages"),
    }
  }

  async get(table: Table, key: Bytes): Promise<Bytes | undefined> {
    return plainly(await told(this.#tables[table].get(key)))
  }

  peek(table: Table, key: Bytes): Bytes | undefined {
    try {
      return plainly(this.#tables[table].getSync(key))
    } catch (error) {
      throw storeError(error)
    }
  }

  async getMany(table: Table, keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return (await told(this.#tables[table].getMany([...keys]))).map(plainly)
  }

  async *range(table: Table, range: Range = {}): AsyncIterable<Entry> {
    try {
      for await (const [key, value] of this.#tables[table].iterator(range))
        yield [plain(key), plain(value)]
    } catch (error) {
      throw storeError(error)
    }
  }

  async batch(writes: readonly Write[], options: { sync?: boolean } = {}): Promise<void> {
    // LevelDB's own option, which memory has no use for
    const how = { ...BYTES, sync: options.sync === true }
    const operations = writes.map(({ table, key, value }) => {
      const sublevel = this.#tables[table]
      return value === undefined
        ? ({ type: "del", sublevel, key } as const)
        : ({ type: "put", sublevel, key, value: this.#own(value) } as const)
    })
    await told(this.#root.batch<Bytes, Bytes>(operations, how))
  }

  async compact(table: Table, gte: Bytes, lt: Bytes): Promise<void> {
    if (this.kind === "memory") return
    const sublevel = this.#tables[table]
    const [start, end] = [gte, lt].map((key) => sublevel.prefixKey(key, "view", false))
    // LevelDB's own, which the interface that memory shares does not have
    const root = this.#root as unknown as Compacting
    const compact = () => told(root.compactRange(start, end, { keyEncoding: "view" }))
    // LevelDB rewrites a file only when a newer one overlaps it. So everything goes to files first; then two marks at the ends of the
    // range make a newer file that overlaps all of them, and merging drops whatever newer writes have overtaken.
    await compact()
    await this.batch([gte, lt].map((key) => ({ table, key, value: undefined })))
    await compact()
  }

  async close(): Promise<void> {
    await told(this.#root.close())
  }

  /** LevelDB copies what it is given; memory keeps the very bytes, which the caller may write over later. */
  #own(value: Bytes): Bytes {
    return this.kind === "memory" ? value.slice() : value
  }
}

interface Compacting {
  compactRange(
    start: Bytes | undefined,
    end: Bytes | undefined,
    options: { keyEncoding: "view" },
  ): Promise<void>
}

const plainly = (bytes: Bytes | undefined) => (bytes === undefined ? undefined : plain(bytes))

async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw storeError(error)
  }
}
