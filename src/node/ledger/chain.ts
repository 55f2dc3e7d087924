/**
 * The chain as a peer keeps it: blocks with their certificates, the newest boundary checkpoint, and at which height each envelope was
 * ordered. Table `ledger`: `b` ‖ height 8 → block, `o` ‖ envelope id 32 → height 8, `stable` → certificate. What is written here was
 * verified; what is read back is checked again against its own hashes. Beside it lies the snapshot that a start goes on from
 * (snapshot.ts).
 */
import {
  decodeBlockRecord,
  decodeCertificate,
  encodeBlockRecord,
  encodeCertificate,
} from "../../consensus/codec.ts"
import { Ledger, type LedgerRules } from "../../consensus/ledger.ts"
import { TERM_HEIGHTS } from "../../consensus/limits.ts"
import { openTermOf } from "../../consensus/recovery.ts"
import type { BlockRecord, Certificate, Item } from "../../consensus/types.ts"
import { type Bytes, concat, equal, Reader, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { headOf, headWrite, resume, storedHead, UsesSoFar } from "./snapshot.ts"
import { StoreError } from "../store/errors.ts"
import type { Store, Write } from "../store/store.ts"

const STABLE = utf8("stable")
const u64 = (value: number) => new Writer().u64(value).finish()
const BLOCK = utf8("b")
const ORDERED = utf8("o")
const blockKey = (height: number) => concat(BLOCK, u64(height))
const orderedKey = (id: Bytes) => concat(ORDERED, id)
/** Terms whose blocks stay, however large: the open one is needed, and who lags a little asks for the one before. */
const TERMS_KEPT = 2
/** The event loop gets its turn after this long. */
const SLICE_MS = 8
/** Blocks of a chain in memory, where nothing may touch the disk. */
export const EPHEMERAL_CHAIN_BYTES_MAX = 64 * 1024 * 1024
/** What an ordered id takes beside its block, keys and tree of a store in memory included. */
const ORDERED_BYTES = 256
/** Parts of a snapshot that is made again are written so many at a time. */
const WRITES_TOGETHER = 256

/** Where a whole chain leads. */
export interface Replayed {
  readonly ledger: Ledger
  /** The newest blocks, at least all of the open term. */
  readonly recent: readonly BlockRecord[]
  /** Height of the snapshot that was gone on from, 0 for the genesis. */
  readonly resumedAt: number
  /** Why there was no snapshot to go on from. */
  readonly without: string | undefined
}

/** What a certified block did, in order. */
export interface ChainBlock {
  readonly height: number
  /** Envelopes that it ordered, 32 bytes each. */
  readonly ids: readonly Bytes[]
}

export const envelopesOf = (items: readonly Item[]): Bytes[] =>
  items.flatMap((item) => (item.type === "envelope" ? [item.id] : []))

export class LedgerChain {
  readonly #store: Store
  #height: number
  #last: BlockRecord | undefined
  #stable: Certificate | undefined
  /** Once the chain was replayed: where it led, kept up by whoever takes blocks, and what its blocks used up. */
  #ledger: Ledger | undefined
  #uses: UsesSoFar | undefined
  readonly #bytesMax: number
  /** What each block takes, the oldest that is kept first; only where they are let go. */
  readonly #sizes: number[] = []
  #bytes = 0

  private constructor(
    store: Store,
    bytesMax: number,
    at: Pick<LedgerChain, "height" | "last" | "stable">,
  ) {
    this.#store = store
    this.#bytesMax = bytesMax
    this.#height = at.height
    this.#last = at.last
    this.#stable = at.stable
  }

  /**
   * `inMemory`: in a store that begins empty the oldest blocks go beyond EPHEMERAL_CHAIN_BYTES_MAX (or `bytesMax`), but never one of the
   * last two terms. Otherwise everything is kept. Throws StoreError.
   */
  static async open(
    store: Store,
    { inMemory = false, bytesMax = EPHEMERAL_CHAIN_BYTES_MAX } = {},
  ): Promise<LedgerChain> {
    let last: BlockRecord | undefined
    for await (const [, bytes] of store.range("ledger", { ...BLOCKS, reverse: true, limit: 1 }))
      last = soundly(() => decodeBlockRecord(bytes))
    const stable = await store.get("ledger", STABLE)
    return new LedgerChain(store, inMemory ? bytesMax : Infinity, {
      height: last?.height ?? 0,
      last,
      stable: stable && soundly(() => decodeCertificate(stable)),
    })
  }

  /** Height of the oldest block that is kept, or would be. */
  get oldest(): number {
    return this.#bytesMax === Infinity ? 1 : this.#height - this.#sizes.length + 1
  }
  /** Whether the block that follows this height was here, and is not any more. */
  hasLetGo(height: number): boolean {
    return height < this.#height && height + 1 < this.oldest
  }
  /** Height of the last stored block, 0 for none. */
  get height(): number {
    return this.#height
  }
  get last(): BlockRecord | undefined {
    return this.#last
  }
  /** The newest proof that a term has ended. */
  get stable(): Certificate | undefined {
    return this.#stable
  }

  /** Stores blocks that follow each other, and perhaps a boundary checkpoint, in one batch. */
  async keep(
    blocks: readonly { readonly record: BlockRecord; readonly applied: readonly Item[] }[],
    stable: Certificate | undefined,
    options: { sync: boolean },
  ): Promise<void> {
    const writes: Write[] = []
    for (const { record, applied } of blocks) {
      const value = u64(record.height)
      const encoded = encodeBlockRecord(record)
      writes.push({ table: "ledger", key: blockKey(record.height), value: encoded })
      this.#weigh(encoded, applied)
      for (const id of envelopesOf(applied))
        writes.push({ table: "ledger", key: orderedKey(id), value })
    }
    if (stable !== undefined)
      writes.push({ table: "ledger", key: STABLE, value: encodeCertificate(stable) })
    if (writes.length === 0) return
    let uses = this.#uses
    for (const { record, applied } of blocks)
      uses = this.#addSnapshot(writes, uses, record, applied)
    await this.#store.batch(writes, options)
    this.#uses = uses
    this.#last = blocks.at(-1)?.record ?? this.#last
    this.#height = this.#last?.height ?? 0
    this.#stable = stable ?? this.#stable
    await this.#letGo()
  }

  #weigh(encoded: Bytes, applied: readonly Item[]): void {
    if (this.#bytesMax === Infinity) return
    const bytes = encoded.length + ORDERED_BYTES * applied.length
    this.#sizes.push(bytes)
    this.#bytes += bytes
  }

  /** The oldest blocks, and where they ordered what, while there is more than may be kept. */
  async #letGo(): Promise<void> {
    const blocksMin = TERMS_KEPT * (this.#ledger?.rules.termHeights ?? TERM_HEIGHTS)
    while (this.#bytes > this.#bytesMax && this.#sizes.length > blocksMin) {
      const { oldest } = this
      const record = await this.block(oldest)
      const ids = record === undefined ? [] : envelopesOf(record.batch.items)
      const gone = ids.filter((id) => this.orderedAt(id) === oldest).map(orderedKey)
      const keys = [blockKey(oldest), ...gone]
      await this.#store.batch(keys.map((key) => ({ table: "ledger", key, value: undefined })))
      this.#bytes -= this.#sizes.shift() ?? 0
    }
  }

  #addSnapshot(
    writes: Write[],
    before: UsesSoFar | undefined,
    { height }: BlockRecord,
    applied: readonly Item[],
  ): UsesSoFar | undefined {
    const ledger = this.#ledger
    if (before === undefined || ledger === undefined) return undefined
    const { next, writes: ours } = before.after(height, applied)
    writes.push(...ours)
    // The ledger may be a term further on already; then the next snapshot is the one that counts.
    if (ledger.boundaryHeight === height) writes.push(headWrite(headOf(ledger, next)))
    return next
  }

  /** The newest snapshot as it is stored. */
  head(): Promise<Bytes | undefined> {
    return storedHead(this.#store)
  }

  /** The next start replays the whole chain, and makes a new one. */
  dropHead(): Promise<void> {
    return this.#store.batch([headWrite(undefined)])
  }

  /** Encoded blocks above a height: at most `limit`, and no more bytes than `bytesMax` after the first. */
  async encodedAfter(height: number, limit: number, bytesMax: number): Promise<Bytes[]> {
    const found: Bytes[] = []
    let bytes = 0
    const range = { gt: blockKey(height), lt: blockKey(this.#height + 1), limit }
    for await (const [, value] of this.#store.range("ledger", range)) {
      bytes += value.length
      if (found.length > 0 && bytes > bytesMax) break
      found.push(value)
    }
    return found
  }

  /** The blocks above a height, in order. */
  async *records(after = 0): AsyncIterable<BlockRecord> {
    // Only one lower bound: beside a `gte`, LevelDB would not look at `gt`.
    const range = { gt: blockKey(after), lt: BLOCKS.lt }
    for await (const [, bytes] of this.#store.range("ledger", range))
      yield soundly(() => decodeBlockRecord(bytes))
  }

  /** What the blocks above a height ordered, at most so many blocks. */
  async orderedAfter(height: number, limit: number): Promise<readonly ChainBlock[]> {
    // Whoever follows asks for the newest, and then whether there is more: neither is worth a look at the disk.
    if (height >= this.#height) return []
    const last = this.#last
    if (last?.height === height + 1) return [this.#orderedBy(last)]
    const found: ChainBlock[] = []
    for await (const record of this.records(height)) {
      found.push(this.#orderedBy(record))
      if (found.length === limit) break
    }
    return found
  }

  #orderedBy({ height, batch }: BlockRecord): ChainBlock {
    return { height, ids: envelopesOf(batch.items).filter((id) => this.orderedAt(id) === height) }
  }

  async block(height: number): Promise<BlockRecord | undefined> {
    const bytes = await this.#store.get("ledger", blockKey(height))
    return bytes && soundly(() => decodeBlockRecord(bytes))
  }

  /** At which height an envelope (32 bytes) was ordered. */
  orderedAt(id: Bytes): number | undefined {
    const bytes = this.#store.peek("ledger", orderedKey(id))
    return bytes && new Reader(bytes).u64()
  }

  /** The state after the whole chain, worked out again from the newest sound snapshot on. Throws StoreError STORE_DAMAGED. */
  async replay(rules: LedgerRules): Promise<Replayed> {
    const found = await resume(this.#store, rules, (height) => this.block(height))
    if ("ledger" in found) return this.#replay(found.ledger, found.uses, undefined)
    return this.#replay(new Ledger(rules), UsesSoFar.atGenesis(rules), found.without)
  }

  /** The state of the newest sound snapshot, if there is one. */
  async resumed(rules: LedgerRules): Promise<Ledger | undefined> {
    const found = await resume(this.#store, rules, (height) => this.block(height))
    return "ledger" in found ? found.ledger : undefined
  }

  /** `without`: why the snapshot is to be written again, undefined for one that is sound. */
  async #replay(ledger: Ledger, from: UsesSoFar, without: string | undefined): Promise<Replayed> {
    const resumedAt = ledger.height
    const { termHeights } = ledger.rules
    const lastBoundary = this.#height - (this.#height % termHeights)
    const low = openTermOf(this.#height, termHeights, this.#stable) * termHeights
    const recent: BlockRecord[] = []
    let uses = from
    const writes: Write[] = []
    let began = performance.now()
    for await (const record of this.records(Math.min(low, resumedAt))) {
      if (record.height > low) recent.push(record)
      if (record.height <= resumedAt) continue
      const plan = ledger.plan(record.batch)
      if (record.height !== plan.height || !equal(plan.hash, record.certificate.digest))
        throw new StoreError("STORE_DAMAGED", `block ${record.height} does not follow`)
      ledger.apply(plan)
      const made = uses.after(record.height, plan.applied)
      uses = made.next
      if (without !== undefined) writes.push(...made.writes)
      if (without !== undefined && record.height === lastBoundary)
        writes.push(headWrite(headOf(ledger, uses)))
      if (writes.length >= WRITES_TOGETHER || record.height === lastBoundary)
        await this.#store.batch(writes.splice(0))
      if (performance.now() - began < SLICE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      began = performance.now()
    }
    await this.#store.batch(writes)
    this.#ledger = ledger
    this.#uses = uses
    return { ledger, recent, resumedAt, without }
  }
}

const BLOCKS = { gte: utf8("b"), lt: utf8("c") } as const

function soundly<T>(decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (cause instanceof CryptoError)
      throw new StoreError("STORE_DAMAGED", "a stored block does not decode", { cause })
    throw cause
  }
}
