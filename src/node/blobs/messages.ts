/**
 * What two peers say on `/sotto/blob/1`: one request frame, one reply frame a stream. Every request names the mesh. Canonical bytes, big-endian:
 *
 *   request   kind 1, mesh id 32, then
 *     1 keepers  nothing: do you keep chunks, and whom do you know who does?
 *     2 have     count 1, ids 32 each
 *     3 get      id 32
 *     4 put      admission 384, leaf index 1, depth 1, tree nodes 32 each, chunk 262,144
 *   reply     status 1 (0 = done, 1 = of another mesh, 2 = keeps no chunks, 3 = no room, 4 = not admitted), then for the kinds above
 *     1          role 1 (0 = none, 1 = casual, 2 = headless), count 1, each: role 1, count 1, multiaddrs of length 2
 *     2          count 1, each: 0 or 1
 *     3          0, or 1 and the chunk
 *     4          nothing
 */
import { type Bytes, Reader, Writer } from "../../crypto/bytes.ts"
import { CHUNK_BYTES, CHUNK_ID_BYTES } from "../../crypto/blob.ts"
import { GRANT_DEPTH_MAX, type GrantPath } from "../../crypto/blob-grant.ts"
import { ADMISSION_BYTES } from "../../crypto/envelope.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { atMost, done, flag, repliesOf } from "../transport/stream-replies.ts"

export const BLOB_PROTOCOL = "/sotto/blob/1"

/** Ids in one question. */
export const HAVE_MAX = 64
/** Keepers named in one answer. */
export const KEEPERS_TOLD_MAX = 16
export const KEEPER_ADDRESSES_MAX = 8
const ADDRESS_BYTES_MAX = 256
const NODE_BYTES = 32

export const BLOB_REQUEST_BYTES_MAX =
  1 + 32 + ADMISSION_BYTES + 2 + GRANT_DEPTH_MAX * NODE_BYTES + CHUNK_BYTES
/** The longest answer but for a chunk: 16 keepers with 8 addresses each. */
export const BLOB_REPLY_BYTES_MAX = 2 + CHUNK_BYTES

/**
 * What a peer does with others' chunks: `headless` peers are always on and come first; `casual` ones keep them while somebody sits in
 * front of them, which is better than nobody; `none` keeps only what its own people put and get.
 */
export type KeeperRole = "none" | "casual" | "headless"
const ROLES: readonly KeeperRole[] = ["none", "casual", "headless"]

export interface KeeperTold {
  readonly role: KeeperRole
  /** Multiaddrs that end in its peer id. */
  readonly addresses: readonly string[]
}

export interface KeepersReply {
  /** What the peer that answers does. */
  readonly role: KeeperRole
  readonly others: readonly KeeperTold[]
}

export type BlobRequest = { readonly meshId: Bytes } & (
  | { readonly kind: "keepers" }
  | { readonly kind: "have"; readonly ids: readonly Bytes[] }
  | { readonly kind: "get"; readonly id: Bytes }
  | {
      readonly kind: "put"
      /** 384 bytes. */
      readonly admission: Bytes
      readonly place: GrantPath
      readonly chunk: Bytes
    }
)

/** In place of an answer. */
export type BlobRefusal = "OTHER_MESH" | "NO_KEEPER" | "FULL" | "NOT_ADMITTED"
const REPLIES = repliesOf<BlobRefusal>(["OTHER_MESH", "NO_KEEPER", "FULL", "NOT_ADMITTED"])

const KINDS = ["keepers", "have", "get", "put"] as const

export function encodeBlobRequest(request: BlobRequest): Bytes {
  const out = new Writer().u8(KINDS.indexOf(request.kind) + 1).raw(request.meshId)
  switch (request.kind) {
    case "keepers":
      return out.finish()
    case "have":
      out.u8(request.ids.length)
      for (const id of request.ids) out.raw(id)
      return out.finish()
    case "get":
      return out.raw(request.id).finish()
    case "put": {
      const { index, path } = request.place
      out.raw(request.admission).u8(index).u8(path.length)
      for (const node of path) out.raw(node)
      return out.raw(request.chunk).finish()
    }
  }
}

/** Throws CryptoError. */
export function decodeBlobRequest(bytes: Bytes): BlobRequest {
  const read = new Reader(bytes)
  const kind = KINDS[read.u8() - 1]
  if (kind === undefined) throw new CryptoError("BAD_ENCODING", "unknown request")
  const meshId = read.raw(32)
  const request = { meshId, ...requestFields(kind, read) }
  read.done()
  return request
}

function requestFields(kind: (typeof KINDS)[number], read: Reader) {
  switch (kind) {
    case "keepers":
      return { kind }
    case "have": {
      const count = atMost(read.u8(), HAVE_MAX)
      return { kind, ids: Array.from({ length: count }, () => read.raw(CHUNK_ID_BYTES)) }
    }
    case "get":
      return { kind, id: read.raw(CHUNK_ID_BYTES) }
    case "put": {
      const admission = read.raw(ADMISSION_BYTES)
      const index = read.u8()
      const depth = atMost(read.u8(), GRANT_DEPTH_MAX)
      const path = Array.from({ length: depth }, () => read.raw(NODE_BYTES))
      return { kind, admission, place: { index, path }, chunk: read.raw(CHUNK_BYTES) }
    }
  }
}

export const encodeBlobRefusal = REPLIES.encodeRefusal

export const encodeStored = (): Bytes => done().finish()

export function encodeKeepers({ role, others }: KeepersReply): Bytes {
  const out = done().u8(ROLES.indexOf(role)).u8(others.length)
  for (const { role: theirs, addresses } of others) {
    out.u8(ROLES.indexOf(theirs)).u8(addresses.length)
    for (const address of addresses) out.text(address, 2)
  }
  return out.finish()
}

export function encodeHave(have: readonly boolean[]): Bytes {
  const out = done().u8(have.length)
  for (const one of have) out.u8(one ? 1 : 0)
  return out.finish()
}

export const encodeChunk = (chunk: Bytes | undefined): Bytes =>
  chunk === undefined ? done().u8(0).finish() : done().u8(1).raw(chunk).finish()

export const decodeStored = (bytes: Bytes): null | BlobRefusal => REPLIES.decode(bytes, () => null)

export const decodeKeepers = (bytes: Bytes): KeepersReply | BlobRefusal =>
  REPLIES.decode(bytes, (read) => {
    const role = roleOf(read.u8())
    const others = Array.from({ length: atMost(read.u8(), KEEPERS_TOLD_MAX) }, () => {
      const theirs = roleOf(read.u8())
      const count = atMost(read.u8(), KEEPER_ADDRESSES_MAX)
      const addresses = Array.from({ length: count }, () => read.text(2, ADDRESS_BYTES_MAX))
      return { role: theirs, addresses }
    })
    return { role, others }
  })

export const decodeHave = (bytes: Bytes): readonly boolean[] | BlobRefusal =>
  REPLIES.decode(bytes, (read) =>
    Array.from({ length: atMost(read.u8(), HAVE_MAX) }, () => flag(read.u8())),
  )

export const decodeChunk = (bytes: Bytes): { chunk: Bytes | undefined } | BlobRefusal =>
  REPLIES.decode(bytes, (read) => ({
    chunk: flag(read.u8()) ? read.raw(CHUNK_BYTES) : undefined,
  }))

function roleOf(value: number): KeeperRole {
  const role = ROLES[value]
  if (role === undefined) throw new CryptoError("BAD_ENCODING", "no such role")
  return role
}
