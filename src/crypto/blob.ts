/**
 * Blobs: files and large payloads, cut into chunks that peers keep for others (DESIGN §9). Every chunk is 262,144 bytes, AES-256-GCM
 * (SP 800-38D) under a key of its own over data padded with zeros, and is named by the BLAKE3 hash of its ciphertext: whoever keeps
 * chunks can check them and can tell nothing from their lengths, nor which belong together. The key of a blob is random, so the same
 * file twice gives other chunks.
 *
 *   ref           version 1 (= 1) · size 8 · key 32 · root 32 (id of the root chunk)
 *   chunk key     derive("blob chunk", key, index 4); index 2^32 - 1 for the manifest
 *   root chunk    the data itself where they fit one chunk; otherwise the manifest: count 4 · the ids of the data chunks, 32 each, in order
 *
 * Nothing here stores or sends; randomness comes from the primitives alone.
 */
import { primitives } from "#primitives"
import { blake3, BLAKE3_BYTES } from "./blake3.ts"
import { type Bytes, equal, exactly, Reader, Writer } from "./bytes.ts"
import { CryptoError } from "./errors.ts"
import { derive } from "./kdf.ts"

/** Ciphertext of any chunk. */
export const CHUNK_BYTES = 262_144
/** Data that one chunk holds. */
export const CHUNK_DATA_BYTES = 262_128
export const CHUNK_ID_BYTES = BLAKE3_BYTES
/** Ids that one manifest holds: a blob has at most so many data chunks. */
export const CHUNKS_MAX = 8191
/** Largest blob, 2 GiB less a little. */
export const BLOB_BYTES_MAX = CHUNKS_MAX * CHUNK_DATA_BYTES
export const BLOB_REF_BYTES = 73

const VERSION = 1
const KEY_BYTES = 32
const MANIFEST = 2 ** 32 - 1
const MANIFEST_HEAD_BYTES = 4
/** Each key seals one chunk. */
const NONCE = new Uint8Array(12)

/** Everything that is needed to find a blob and to read it: who has it can. */
export interface BlobRef {
  /** Bytes of the blob itself, at most BLOB_BYTES_MAX. */
  readonly size: number
  /** 32 bytes, secret. */
  readonly key: Bytes
  /** 32 bytes: id of the root chunk. */
  readonly root: Bytes
}

/** A data chunk's place in its blob, or the manifest's. */
export type ChunkPlace = number | "manifest"

export interface SealedChunk {
  /** 32 bytes. */
  readonly id: Bytes
  /** CHUNK_BYTES. */
  readonly bytes: Bytes
}

/** Data chunks of a blob of this size; an empty blob has one. */
export const chunkCount = (size: number): number => Math.max(1, Math.ceil(size / CHUNK_DATA_BYTES))

/** Bytes of the blob that stand in this data chunk. */
export const chunkLength = (size: number, index: number): number =>
  Math.max(0, Math.min(CHUNK_DATA_BYTES, size - index * CHUNK_DATA_BYTES))

export const newBlobKey = (): Bytes => primitives.randomBytes(KEY_BYTES)

/** Whether these bytes are the chunk of this id. */
export const isChunk = (id: Bytes, bytes: Bytes): boolean =>
  bytes.length === CHUNK_BYTES && equal(blake3(bytes), id)

/** `data`: at most CHUNK_DATA_BYTES. Throws CryptoError TOO_LARGE. */
export function sealChunk(key: Bytes, place: ChunkPlace, data: Bytes): SealedChunk {
  if (data.length > CHUNK_DATA_BYTES)
    throw new CryptoError("TOO_LARGE", `${data.length} bytes for one chunk`)
  const bytes = primitives.aesGcmSeal(keyOf(key, place), NONCE, padded(data))
  return { id: blake3(bytes), bytes }
}

function padded(data: Bytes): Bytes {
  if (data.length === CHUNK_DATA_BYTES) return data
  const out = new Uint8Array(CHUNK_DATA_BYTES)
  out.set(data)
  return out
}

/**
 * The first `length` bytes of what a chunk holds; the rest must be zero. Throws CryptoError BAD_SIGNATURE where it does not open under
 * this key at this place, BAD_LENGTH and BAD_ENCODING: then whoever made the blob made it wrong.
 */
export function openChunk(key: Bytes, place: ChunkPlace, bytes: Bytes, length: number): Bytes {
  exactly(bytes, CHUNK_BYTES, "chunk")
  const opened = primitives.aesGcmOpen(keyOf(key, place), NONCE, bytes)
  if (opened === undefined)
    throw new CryptoError("BAD_SIGNATURE", "the chunk is not this blob's at this place")
  for (let at = length; at < opened.length; at++)
    if (opened[at] !== 0) throw new CryptoError("BAD_ENCODING", "padding is not zero")
  return opened.subarray(0, length)
}

const keyOf = (key: Bytes, place: ChunkPlace) => {
  const index = new Writer().u32(place === "manifest" ? MANIFEST : place).finish()
  return derive("blob chunk", exactly(key, KEY_BYTES, "blob key"), index, KEY_BYTES)
}

/** The chunk that names the others. Throws CryptoError TOO_LARGE. */
export function sealManifest(key: Bytes, ids: readonly Bytes[]): SealedChunk {
  const out = new Writer().u32(ids.length)
  for (const id of ids) out.raw(exactly(id, CHUNK_ID_BYTES, "chunk id"))
  return sealChunk(key, "manifest", out.finish())
}

/** The ids of the data chunks, in order. Throws like `openChunk`. */
export function openManifest({ key, size }: BlobRef, bytes: Bytes): Bytes[] {
  const count = chunkCount(size)
  const length = MANIFEST_HEAD_BYTES + count * CHUNK_ID_BYTES
  const read = new Reader(openChunk(key, "manifest", bytes, length))
  if (read.u32() !== count) throw new CryptoError("BAD_ENCODING", "a manifest of another size")
  return Array.from({ length: count }, () => read.raw(CHUNK_ID_BYTES))
}

/** Whether the root chunk holds the data itself. */
export const isSingle = ({ size }: BlobRef): boolean => chunkCount(size) === 1

/** 73 bytes. Throws CryptoError TOO_LARGE or BAD_LENGTH. */
export function encodeBlobRef({ size, key, root }: BlobRef): Bytes {
  if (size > BLOB_BYTES_MAX) throw new CryptoError("TOO_LARGE", `a blob of ${size} bytes`)
  const out = new Writer()
    .u8(VERSION)
    .u64(size)
    .raw(exactly(key, KEY_BYTES, "blob key"))
  return out.raw(exactly(root, CHUNK_ID_BYTES, "chunk id")).finish()
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeBlobRef(bytes: Bytes): BlobRef {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `blob ref of version ${version}`)
  const size = read.u64()
  if (size > BLOB_BYTES_MAX) throw new CryptoError("TOO_LARGE", `a blob of ${size} bytes`)
  const ref = { size, key: read.raw(KEY_BYTES), root: read.raw(CHUNK_ID_BYTES) }
  read.done()
  return ref
}
