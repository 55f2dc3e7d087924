/**
 * The shelf: the directory records that this peer keeps for others with the blobs that they name, and the only door by which kad-dht
 * reaches the disk. kad-dht judges a record and then stores it in two steps, and stores provider entries and its own records without
 * asking anybody; so the shelf judges once more where the bytes are written, and writes nothing else. A blob is taken only for a record that
 * lies here and names it, and goes with it.
 *
 * Limits: MARKS_MAX records (then new keys are refused, unless one whose blob never came is in their way), RECORD_BYTES each and CARD_BLOB_BYTES for its blob, three days, PUT_ALLOWANCE a peer.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { NotFoundError } from "@libp2p/interface"
import { Libp2pRecord } from "@libp2p/record"
import { base32nopad } from "@scure/base"
import type { Datastore, Key } from "interface-datastore"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { isCardBlob } from "../../crypto/card-blob.ts"
import {
  blindedKeyIn,
  blobIdIn,
  checkRecord,
  directoryKey,
  EPOCH_SLACK,
  epochAt,
  type RecordAccepted,
  type RecordCode,
} from "../../crypto/directory-record.ts"
import { CodedError } from "../../crypto/errors.ts"
import { Allowance } from "../allowance.ts"
import type { Clock } from "../clock.ts"
import { type DirectoryStore, Marks } from "./marks.ts"

/** A peer puts its own card once an hour, and corrects others' stale records now and then. */
export const PUT_ALLOWANCE = { burst: 32, refillMs: 10_000 }

export type ShelfCode =
  | RecordCode
  /** Not a key of ours, or not a record at all. */
  | "RECORD_ROOM"
  /** An older record than the one that was here. */
  | "RECORD_STALE"
  /** No room for another key. */
  | "SHELF_FULL"
  /** The peer puts too often. */
  | "TOO_OFTEN"

/** How kad-dht wants to hear that a record is refused; it answers the peer by resetting the stream. */
export class ShelfError extends CodedError<ShelfCode> {}

const refuse = (code: ShelfCode): never => {
  throw new ShelfError(code, `directory record refused: ${code}`)
}

export interface ShelfParts {
  /** Where records and marks lie. */
  readonly store: DirectoryStore
  readonly clock: Clock
}

/** What an owner brings to keepers, and keeps itself if it is one. */
export interface OwnRecord {
  /** The DHT key it is filed under. */
  readonly key: Bytes
  readonly bytes: Bytes
  /** What the record names. */
  readonly blob?: { readonly id: Bytes; readonly bytes: Bytes }
}

type Judged = RecordAccepted & { readonly blinded: Bytes }

/** Where kad-dht keeps records in its datastore. */
const RECORD_PREFIX = "/dht/record/"

export class Shelf {
  readonly #store: DirectoryStore
  readonly #marks: Marks
  readonly #clock: Clock
  readonly #allowance: Allowance
  readonly #visitors = new AsyncLocalStorage<string>()
  #prunedEpoch: number | undefined
  #pruning: Promise<void> | undefined
  #writing: Promise<unknown> = Promise.resolve()

  /** What kad-dht gets instead of libp2p's datastore: reads of records, judged writes of records, and nothing else. */
  readonly guarded: Datastore

  constructor({ store, clock }: ShelfParts) {
    this.#store = store
    this.#marks = new Marks(store)
    this.#clock = clock
    this.#allowance = new Allowance(PUT_ALLOWANCE, clock)
    this.guarded = this.#guard()
  }

  /** Runs what a peer's stream sets off, so that judging and storing know that it was a peer, and which. */
  serve<T>(peer: string, run: () => T): T {
    return this.#visitors.run(peer, run)
  }

  /** kad-dht's validator, for records that are put here and for answers to our own questions. Throws ShelfError. */
  async validate(key: Bytes, record: Bytes): Promise<void> {
    const peer = this.#visitors.getStore()
    if (peer !== undefined && !this.#allowance.take(peer)) refuse("TOO_OFTEN")
    const { blinded, order } = this.#judge(key, record)
    const mark = await this.#marks.find(blinded)
    if (mark !== undefined && mark.order > order) refuse("RECORD_STALE")
  }

  /** The record kept under a key, if any: this peer's own questions begin at its own shelf. */
  find(blinded: Bytes): Promise<Bytes | undefined> {
    return this.#store.get(recordKey(blinded))
  }

  /** The blob that the record kept under a key names, if it is of this id and lies here undamaged. */
  async findBlob(blinded: Bytes, id: Bytes): Promise<Bytes | undefined> {
    if (!(await this.#names(blinded, id))) return undefined
    const blob = await this.#store.get(blobKey(blinded))
    return blob !== undefined && isCardBlob(id, blob) ? blob : undefined
  }

  /** Keeps a blob beside its record, written when it resolves; `false` when no record under this key names it, or it is not the one. */
  async keepBlob(blinded: Bytes, id: Bytes, blob: Bytes): Promise<boolean> {
    if (!isCardBlob(id, blob)) return false
    return this.#inTurn(async () => {
      if (!(await this.#names(blinded, id))) return false
      await this.#store.put(blobKey(blinded), blob)
      return true
    })
  }

  async #names(blinded: Bytes, id: Bytes): Promise<boolean> {
    const record = await this.find(blinded)
    const named = record && blobIdIn(record)
    return named !== undefined && equal(named, id)
  }

  /**
   * What this peer publishes itself: the mark is set in any case, so that nobody rolls it back here; record and blob are kept only
   * when `asKeeper`. A record that is refused (a newer one is here, or no room) is refused silently: others may take it.
   */
  async keepOwn({ key, bytes, blob }: OwnRecord, asKeeper: boolean): Promise<void> {
    try {
      const judged = this.#judge(key, bytes)
      await this.#keep(judged, asKeeper ? bytes : undefined)
      if (asKeeper && blob !== undefined) await this.keepBlob(judged.blinded, blob.id, blob.bytes)
    } catch (error) {
      if (!(error instanceof ShelfError)) throw error
    }
  }

  /** Drops what has had its days. Called once a day and before the first record is taken. */
  async prune(): Promise<void> {
    const epoch = epochAt(this.#clock.nowMs())
    if (this.#prunedEpoch === epoch) return
    this.#pruning ??= this.#prune(epoch).finally(() => (this.#pruning = undefined))
    await this.#pruning
  }

  async #prune(epoch: number): Promise<void> {
    await this.#marks.prune(epoch - EPOCH_SLACK, async (blinded) => {
      await this.#store.put(blobKey(blinded), undefined)
      await this.#store.put(recordKey(blinded), undefined)
    })
    this.#prunedEpoch = epoch
  }

  #judge(key: Bytes, record: Bytes): Judged {
    const blinded = blindedKeyIn(key) ?? refuse("RECORD_ROOM")
    const judged = checkRecord(blinded, record, epochAt(this.#clock.nowMs()))
    return judged.verdict === "accept" ? { ...judged, blinded } : refuse(judged.code)
  }

  async #put(at: Key, entry: Bytes): Promise<Key> {
    // kad-dht would keep whatever this peer puts, and where: `keepOwn` is asked instead.
    if (this.#visitors.getStore() === undefined) return at
    const { key, value } = decodeEntry(entry)
    if (at.toString() !== recordPath(key)) refuse("RECORD_ROOM")
    await this.#keep(this.#judge(key, value), value)
    return at
  }

  /** Raises the mark, and then keeps the record if there is one to keep; the blob of the one before goes first. */
  #keep({ blinded, epoch, order }: Judged, record: Bytes | undefined): Promise<void> {
    return this.#inTurn(async () => {
      await this.prune()
      const mark = { epoch, order }
      let raised = await this.#marks.raise(blinded, mark)
      if (raised === "FULL" && (await this.#makeRoom(blinded)))
        raised = await this.#marks.raise(blinded, mark)
      if (raised === "STALE") refuse("RECORD_STALE")
      if (raised === "FULL") refuse("SHELF_FULL")
      if (record === undefined) return
      const id = blobIdIn(record)
      if (id === undefined || !(await this.#names(blinded, id)))
        await this.#store.put(blobKey(blinded), undefined)
      await this.#store.put(recordKey(blinded), record)
    })
  }

  /** Drops the oldest record in the way of a key whose blob never came: who would fill the shelf has to bring 52 KiB for each place. */
  async #makeRoom(blinded: Bytes): Promise<boolean> {
    for (const other of await this.#marks.beside(blinded)) {
      const record = await this.find(other)
      const isWhole =
        record === undefined ||
        blobIdIn(record) === undefined ||
        (await this.#store.get(blobKey(other))) !== undefined
      if (isWhole) continue
      await this.#store.put(recordKey(other), undefined)
      await this.#marks.forget(other)
      return true
    }
    return false
  }

  /** One write after the other: a slow write of an old record must not end after a quick one of a new record. */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#writing.then(write)
    this.#writing = written.catch(() => undefined)
    return written
  }

  #guard(): Datastore {
    const never = (): never => refuse("RECORD_ROOM")
    return {
      has: async (at) => (await this.#at(at)) !== undefined,
      get: async (at) => (await this.#at(at)) ?? notFound(at),
      put: (at, entry) => this.#put(at, entry),
      // Days end by `prune`, never by kad-dht's own idea of age.
      delete: () => undefined,
      query: async function* () {},
      queryKeys: async function* () {},
      getMany: never,
      putMany: never,
      deleteMany: never,
      batch: never,
    }
  }

  /** kad-dht's entry for a path: the moment of arrival, which it wants to see, is not kept but made up. */
  async #at(at: Key): Promise<Bytes | undefined> {
    const blinded = blindedKeyAt(at)
    const record = blinded === undefined ? undefined : await this.find(blinded)
    if (blinded === undefined || record === undefined) return undefined
    return new Libp2pRecord(directoryKey(blinded), record, new Date()).serialize()
  }
}

const notFound = (at: Key): never => {
  throw new NotFoundError(`nothing at ${at.toString()}`)
}

const recordKey = (blinded: Bytes): string => `record/${toHex(blinded)}`
const blobKey = (blinded: Bytes): string => `blob/${toHex(blinded)}`

const recordPath = (key: Bytes): string => RECORD_PREFIX + base32nopad.encode(key).toLowerCase()

/** The blinded key whose record lies at a datastore path; `undefined` for anything that is not such a path. */
function blindedKeyAt(at: Key): Bytes | undefined {
  const path = at.toString()
  if (!path.startsWith(RECORD_PREFIX)) return undefined
  try {
    return blindedKeyIn(base32nopad.decode(path.slice(RECORD_PREFIX.length).toUpperCase()))
  } catch {
    return undefined
  }
}

/** kad-dht's own entry around a record: key, value and when it came. */
function decodeEntry(entry: Bytes): Libp2pRecord {
  try {
    return Libp2pRecord.deserialize(entry)
  } catch {
    return refuse("RECORD_ROOM")
  }
}
