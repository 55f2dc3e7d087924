/**
 * Blobs at this peer (DESIGN §9): its own, which it brings to keepers and fetches from them, and others' chunks, which it keeps if it is
 * a keeper. No stream runs between two people because they correspond: chunks go to the keepers nearest to their ids and come from
 * there, and nobody who keeps one knows what it belongs to. What a blob holds is known to whoever has its ref.
 */
import { type Bytes, concat, toHex } from "../../crypto/bytes.ts"
import {
  BLOB_BYTES_MAX,
  type BlobRef,
  CHUNK_DATA_BYTES,
  chunkCount,
  chunkLength,
  isSingle,
  newBlobKey,
  openChunk,
  openManifest,
  type SealedChunk,
  sealChunk,
  sealManifest,
} from "../../crypto/blob.ts"
import { grantEnvelope, grantRoot } from "../../crypto/blob-grant.ts"
import { blake3 } from "../../crypto/blake3.ts"
import { CodedError, CryptoError } from "../../crypto/errors.ts"
import { type Verdict } from "../../crypto/verdict.ts"
import { download } from "./download.ts"
import { Keepers, type KeepersParts } from "./keepers.ts"
import {
  BLOB_PROTOCOL,
  BLOB_REQUEST_BYTES_MAX,
  type BlobRequest,
  decodeBlobRequest,
  encodeBlobRefusal,
  encodeChunk,
  encodeHave,
  encodeKeepers,
  encodeStored,
  type KeeperRole,
} from "./messages.ts"
import { BlobPeers } from "./peers.ts"
import { upload, type UploadOptions } from "./upload.ts"
import type { ChunkShelf } from "./chunk-shelf.ts"
import type { Streams } from "../transport/streams.ts"

/** Largest blob that `get` gives as one piece. */
export const GET_BYTES_MAX = 16 * 1024 * 1024
/** Admissions that were found good, remembered by a hash. */
const GRANTED_MAX = 1024
/** Without any change in peers, what could not be done is tried again after this. */
const RETRY_MS = 5_000
const SERVE_DEADLINE_MS = 30_000

export type BlobErrorCode =
  /** Larger than a blob can be, or than the caller takes. */
  | "BLOB_TOO_LARGE"
  /** Its chunks are there, but they are not what they should be: whoever made it made it wrong. */
  | "BLOB_DAMAGED"
  /** A chunk that should lie here does not. */
  | "BLOB_MISSING"
  /** There is no room for more chunks here. */
  | "BLOBS_FULL"

export class BlobError extends CodedError<BlobErrorCode> {}

export interface BlobsParts extends Pick<
  KeepersParts,
  "self" | "connected" | "addressesOf" | "connect" | "clock"
> {
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly shelf: ChunkShelf
  readonly streams: Streams
  /** What this peer does with others' chunks. */
  readonly role: KeeperRole
  /** Judges an admission, which stands in the first 384 of 4096 bytes. */
  readonly judge: (envelope: Bytes) => Verdict | Promise<Verdict>
  /** Fills one in. */
  readonly pay: (envelope: Bytes, signal: AbortSignal) => Promise<Bytes>
}

export interface FetchOptions {
  readonly signal: AbortSignal
  /** Chunks that are here, and how many there are. */
  readonly onProgress?: (chunks: number, total: number) => void
}

export class Blobs {
  readonly #parts: BlobsParts
  readonly #keepers: Keepers
  readonly #peers: BlobPeers
  readonly #granted = new Set<string>()
  #pay: BlobsParts["pay"]
  #changed = Promise.withResolvers<undefined>()

  private constructor(parts: BlobsParts) {
    this.#parts = parts
    this.#pay = parts.pay
    this.#peers = new BlobPeers(parts.streams, parts.meshId)
    this.#keepers = new Keepers({
      ...parts,
      ask: (peer, signal) => this.#peers.keepers(peer, signal),
    })
  }

  /** Answers other peers from now on. Ends with the streams it was given. */
  static async start(parts: BlobsParts): Promise<Blobs> {
    const blobs = new Blobs(parts)
    const limits = { requestBytesMax: BLOB_REQUEST_BYTES_MAX, deadlineMs: SERVE_DEADLINE_MS }
    await parts.streams.serve(BLOB_PROTOCOL, limits, (request, peer) =>
      blobs.#answer(decodeBlobRequest(request), peer),
    )
    return blobs
  }

  /** A peer came or went: what waits for keepers looks again. */
  peersChanged(): void {
    this.#changed.resolve(undefined)
    this.#changed = Promise.withResolvers()
  }

  /**
   * Seals bytes into chunks, brings them to their keepers and resolves when they have them; waits for keepers as long as there are none.
   * The sender need not be there any more then. Throws BlobError BLOB_TOO_LARGE or BLOBS_FULL, StoreError, the signal's reason.
   */
  async put(source: Bytes | AsyncIterable<Bytes>, signal: AbortSignal): Promise<BlobRef> {
    const ref = await this.seal(source, signal)
    await this.upload(ref, { signal })
    return ref
  }

  /**
   * The bytes of a blob of at most GET_BYTES_MAX. Goes on trying until it has them. Throws BlobError BLOB_TOO_LARGE, BLOB_DAMAGED or
   * BLOBS_FULL, StoreError, the signal's reason.
   */
  async get(ref: BlobRef, signal: AbortSignal): Promise<Bytes> {
    if (ref.size > GET_BYTES_MAX)
      throw new BlobError("BLOB_TOO_LARGE", `a blob of ${ref.size} bytes at once`)
    await this.fetch(ref, { signal })
    const pieces: Bytes[] = []
    for await (const piece of this.read(ref)) pieces.push(piece)
    return concat(...pieces)
  }

  /** Only the first half of `put`: the chunks lie here, and `upload` can be called now or after a restart. Same errors. */
  async seal(source: Bytes | AsyncIterable<Bytes>, signal: AbortSignal): Promise<BlobRef> {
    const key = newBlobKey()
    const ids: Bytes[] = []
    let size = 0
    for await (const data of inChunks(source)) {
      signal.throwIfAborted()
      size += data.length
      if (size > BLOB_BYTES_MAX)
        throw new BlobError("BLOB_TOO_LARGE", `a blob holds ${BLOB_BYTES_MAX} bytes`)
      ids.push(await this.#keepOwn(sealChunk(key, ids.length, data)))
    }
    const [first] = ids
    if (ids.length === 1 && first !== undefined) return { size, key, root: first }
    return { size, key, root: await this.#keepOwn(sealManifest(key, ids)) }
  }

  /** From now on admissions are filled in by this: somebody lives here who may be a member. */
  payBy(pay: BlobsParts["pay"]): void {
    this.#pay = pay
  }

  /** Brings a sealed blob to its keepers. Throws BlobError BLOB_MISSING or BLOB_DAMAGED, StoreError, the signal's reason. */
  async upload(ref: BlobRef, options: UploadOptions): Promise<void> {
    const ids = await this.#idsHere(ref)
    const parts = {
      keepers: this.#keepers,
      peers: this.#peers,
      chunk: (id: Bytes) => this.#chunkHere(id),
      pay: this.#pay,
      change: (signal: AbortSignal) => this.#change(signal),
    }
    await upload(parts, isSingle(ref) ? ids : [...ids, ref.root], options)
  }

  /** Brings a blob whose chunks lie here, own or fetched, to those keepers that do not have them any more. Same errors as `upload`. */
  async bringAgain(ref: BlobRef, signal: AbortSignal): Promise<void> {
    await this.upload(ref, { signal, resumed: true })
  }

  /** Resolves when every chunk lies here; tries until then. Same errors as `get` but for the size. */
  async fetch(ref: BlobRef, { signal, onProgress }: FetchOptions): Promise<void> {
    const total = chunkCount(ref.size) + (isSingle(ref) ? 0 : 1)
    let here = 0
    const onChunk = () => onProgress?.(++here, total)
    await this.#fetchAll([ref.root], signal, onChunk)
    if (isSingle(ref)) return
    const ids = await this.#idsHere(ref)
    await this.#fetchAll(ids, signal, onChunk)
  }

  /** The bytes of a blob whose chunks lie here, in pieces of at most CHUNK_DATA_BYTES. Throws BlobError BLOB_MISSING or BLOB_DAMAGED. */
  async *read(ref: BlobRef): AsyncGenerator<Bytes> {
    const ids = await this.#idsHere(ref)
    for (const [index, id] of ids.entries()) {
      const chunk = await this.#chunkHere(id)
      yield sound(() => openChunk(ref.key, index, chunk, chunkLength(ref.size, index)))
    }
  }

  async #fetchAll(ids: readonly Bytes[], signal: AbortSignal, onChunk: () => void): Promise<void> {
    const { shelf } = this.#parts
    const parts = { keepers: this.#keepers, peers: this.#peers, shelf }
    const missing: Bytes[] = []
    for (const id of ids)
      if (shelf.has(id)) onChunk()
      else missing.push(id)
    while (!(await download(parts, missing.splice(0), signal, onChunk))) {
      for (const id of ids) if (!shelf.has(id)) missing.push(id)
      if (missing.length > 0 && shelf.isFull)
        throw new BlobError("BLOBS_FULL", "there is no room for the chunks of this blob")
      await this.#change(signal)
    }
  }

  async #idsHere(ref: BlobRef): Promise<readonly Bytes[]> {
    if (isSingle(ref)) return [ref.root]
    const manifest = await this.#chunkHere(ref.root)
    return sound(() => openManifest(ref, manifest))
  }

  async #chunkHere(id: Bytes): Promise<Bytes> {
    const chunk = await this.#parts.shelf.get(id)
    if (chunk === undefined) throw new BlobError("BLOB_MISSING", "a chunk is not here")
    return chunk
  }

  async #keepOwn({ id, bytes }: SealedChunk): Promise<Bytes> {
    if (!(await this.#parts.shelf.keep(id, bytes, { own: true })))
      throw new BlobError("BLOBS_FULL", "there is no room for more chunks here")
    return id
  }

  /** Until peers come or go, or for a while. */
  async #change(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise: later, resolve } = Promise.withResolvers<undefined>()
    const wake = () => resolve(undefined)
    const cancel = this.#parts.clock.after(RETRY_MS, wake)
    signal.addEventListener("abort", wake, { once: true })
    try {
      await Promise.race([later, this.#changed.promise])
    } finally {
      cancel()
      signal.removeEventListener("abort", wake)
    }
    signal.throwIfAborted()
  }

  async #answer(request: BlobRequest, peer: string): Promise<Bytes> {
    const { meshId, role, shelf } = this.#parts
    if (toHex(request.meshId) !== toHex(meshId)) return encodeBlobRefusal("OTHER_MESH")
    if (request.kind === "keepers") return encodeKeepers({ role, others: this.#keepers.told(peer) })
    if (role === "none") return encodeBlobRefusal("NO_KEEPER")
    switch (request.kind) {
      case "have":
        return encodeHave(request.ids.map((id) => shelf.has(id)))
      case "get":
        return encodeChunk(await shelf.get(request.id))
      case "put":
        return await this.#take(request)
    }
  }

  async #take(put: Extract<BlobRequest, { kind: "put" }>): Promise<Bytes> {
    const id = blake3(put.chunk)
    // [REJECT] the chunk is among those that the admission is for, and the admission is one
    const envelope = grantEnvelope(grantRoot(id, put.place), put.admission)
    if (!(await this.#isGranted(envelope))) return encodeBlobRefusal("NOT_ADMITTED")
    return (await this.#parts.shelf.keep(id, put.chunk))
      ? encodeStored()
      : encodeBlobRefusal("FULL")
  }

  /** One admission stands for many chunks and is judged once. */
  async #isGranted(envelope: Bytes): Promise<boolean> {
    const name = toHex(blake3(envelope))
    if (this.#granted.has(name)) return true
    const { verdict } = await this.#parts.judge(envelope)
    if (verdict !== "accept") return false
    this.#granted.add(name)
    const [oldest] = this.#granted
    if (this.#granted.size > GRANTED_MAX && oldest !== undefined) this.#granted.delete(oldest)
    return true
  }
}

/** What the author sealed, or BLOB_DAMAGED. */
function sound<T>(open: () => T): T {
  try {
    return open()
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause
    throw new BlobError("BLOB_DAMAGED", "the blob was made wrong", { cause })
  }
}

/** The same bytes in pieces of CHUNK_DATA_BYTES, the last one shorter; one empty piece for nothing. Each is good until the next. */
async function* inChunks(source: Bytes | AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  const chunk = new Uint8Array(CHUNK_DATA_BYTES)
  let length = 0
  let any = false
  for await (const piece of source instanceof Uint8Array ? [source] : source) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + CHUNK_DATA_BYTES - length)
      chunk.set(part, length)
      length += part.length
      at += part.length
      if (length < CHUNK_DATA_BYTES) continue
      any = true
      yield chunk
      length = 0
    }
  }
  if (length > 0 || !any) yield chunk.subarray(0, length)
}
