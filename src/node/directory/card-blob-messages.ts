/**
 * What two peers say on `/sotto/card/1`: one request frame, one reply frame a stream. The blobs of cards (crypto/card-blob.ts) go to the peers
 * that keep the directory records which name them, and come from there. Canonical bytes, big-endian:
 *
 *   request   kind 1, mesh id 32, blinded key 32, blob id 32, then
 *     1 have    nothing
 *     2 get     nothing
 *     3 put     the blob, 53,248
 *   reply     status 1 (0 = done, 1 = of another mesh, 2 = no record here names it, or it is another, 3 = too often), then for the kinds above
 *     1         0 or 1
 *     2         0, or 1 and the blob
 *     3         nothing
 */
import { BLINDED_KEY_BYTES } from "../../crypto/blinding.ts"
import { type Bytes, Reader, Writer } from "../../crypto/bytes.ts"
import { CARD_BLOB_BYTES, CARD_BLOB_ID_BYTES } from "../../crypto/card-blob.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { done, flag, repliesOf } from "../transport/stream-replies.ts"

export const CARD_BLOB_PROTOCOL = "/sotto/card/1"

const MESH_ID_BYTES = 32
export const CARD_BLOB_REQUEST_BYTES_MAX =
  1 + MESH_ID_BYTES + BLINDED_KEY_BYTES + CARD_BLOB_ID_BYTES + CARD_BLOB_BYTES
export const CARD_BLOB_REPLY_BYTES_MAX = 2 + CARD_BLOB_BYTES

/** Which blob: the one of this id, of the record under this key. */
export interface BlobName {
  /** 32 bytes. */
  readonly blinded: Bytes
  /** 32 bytes. */
  readonly id: Bytes
}

export type CardBlobRequest = BlobName & { readonly meshId: Bytes } & (
    | { readonly kind: "have" | "get" }
    | {
        readonly kind: "put"
        /** CARD_BLOB_BYTES. */
        readonly blob: Bytes
      }
  )

/** In place of an answer. */
export type CardBlobRefusal = "OTHER_MESH" | "UNNAMED" | "TOO_OFTEN"
const REPLIES = repliesOf<CardBlobRefusal>(["OTHER_MESH", "UNNAMED", "TOO_OFTEN"])

const KINDS = ["have", "get", "put"] as const

export function encodeCardBlobRequest(request: CardBlobRequest): Bytes {
  const { kind, meshId, blinded, id } = request
  const out = new Writer().u8(KINDS.indexOf(kind) + 1)
  out.raw(meshId).raw(blinded).raw(id)
  return kind === "put" ? out.raw(request.blob).finish() : out.finish()
}

/** Throws CryptoError. */
export function decodeCardBlobRequest(bytes: Bytes): CardBlobRequest {
  const read = new Reader(bytes)
  const kind = KINDS[read.u8() - 1]
  if (kind === undefined) throw new CryptoError("BAD_ENCODING", "unknown request")
  const meshId = read.raw(MESH_ID_BYTES)
  const name = { blinded: read.raw(BLINDED_KEY_BYTES), id: read.raw(CARD_BLOB_ID_BYTES) }
  const request =
    kind === "put"
      ? { kind, meshId, ...name, blob: read.raw(CARD_BLOB_BYTES) }
      : { kind, meshId, ...name }
  read.done()
  return request
}

export const encodeCardBlobRefusal = REPLIES.encodeRefusal

export const encodeKept = (): Bytes => done().finish()

export const encodeHas = (has: boolean): Bytes =>
  done()
    .u8(has ? 1 : 0)
    .finish()

export const encodeCardBlob = (blob: Bytes | undefined): Bytes =>
  blob === undefined ? done().u8(0).finish() : done().u8(1).raw(blob).finish()

export const decodeKept = (bytes: Bytes): null | CardBlobRefusal =>
  REPLIES.decode(bytes, () => null)

export const decodeHas = (bytes: Bytes): boolean | CardBlobRefusal =>
  REPLIES.decode(bytes, (read) => flag(read.u8()))

export const decodeCardBlob = (bytes: Bytes): { blob: Bytes | undefined } | CardBlobRefusal =>
  REPLIES.decode(bytes, (read) => ({
    blob: flag(read.u8()) ? read.raw(CARD_BLOB_BYTES) : undefined,
  }))
