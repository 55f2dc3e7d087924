/**
 * What two peers say on `/sotto/packages/1`: one request frame, one reply frame a stream. Every request names the mesh. Canonical bytes,
 * big-endian:
 *
 *   request   kind 1, mesh id 32, then
 *     1 give    a handful (crypto/package-pool.ts)
 *     2 take    way of signing 1, epoch 4, blinded key 32, token 32
 *   reply     status 1 (0 = done, 1 = of another mesh, 2 = not sound, 3 = older than what is here, 4 = no room, 5 = too often), then
 *     1          packages of that pool that are kept now 1
 *     2          0, or 1 and one sealed package
 */
import { BLINDED_KEY_BYTES } from "../../crypto/blinding.ts"
import { type Bytes, Reader, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import {
  HANDFUL_BYTES_MAX,
  HANDFUL_MAX,
  SEALED_BYTES,
  TOKEN_BYTES,
} from "../../crypto/package-pool.ts"
import { type Signing, SIGNINGS } from "../../crypto/session.ts"
import { atMost, done, flag, repliesOf } from "../transport/stream-replies.ts"

export const PACKAGES_PROTOCOL = "/sotto/packages/1"

export const PACKAGES_REQUEST_BYTES_MAX = 1 + 32 + HANDFUL_BYTES_MAX
export const PACKAGES_REPLY_BYTES_MAX = 2 + Math.max(...Object.values(SEALED_BYTES))

export interface Taking {
  readonly signing: Signing
  readonly epoch: number
  /** 32 bytes. */
  readonly blinded: Bytes
  /** 32 bytes. */
  readonly token: Bytes
}

export type PackagesRequest = { readonly meshId: Bytes } & (
  | { readonly kind: "give"; readonly handful: Bytes }
  | { readonly kind: "take"; readonly taking: Taking }
)

/** In place of an answer. */
export type PackagesRefusal = "OTHER_MESH" | "UNSOUND" | "STALE" | "FULL" | "TOO_OFTEN"
const REPLIES = repliesOf<PackagesRefusal>(["OTHER_MESH", "UNSOUND", "STALE", "FULL", "TOO_OFTEN"])

const KINDS = ["give", "take"] as const

export function encodePackagesRequest(request: PackagesRequest): Bytes {
  const out = new Writer().u8(KINDS.indexOf(request.kind) + 1).raw(request.meshId)
  if (request.kind === "give") return out.raw(request.handful).finish()
  const { signing, epoch, blinded, token } = request.taking
  return out
    .u8(SIGNINGS.indexOf(signing) + 1)
    .u32(epoch)
    .raw(blinded)
    .raw(token)
    .finish()
}

/** Throws CryptoError. A handful is not looked into. */
export function decodePackagesRequest(bytes: Bytes): PackagesRequest {
  const read = new Reader(bytes)
  const kind = KINDS[read.u8() - 1]
  if (kind === undefined) throw new CryptoError("BAD_ENCODING", "unknown request")
  const meshId = read.raw(32)
  if (kind === "give") return { meshId, kind, handful: read.raw(read.left) }
  const signing = SIGNINGS[read.u8() - 1]
  if (signing === undefined) throw new CryptoError("BAD_ENCODING", "unknown way of signing")
  const [epoch, blinded, token] = [read.u32(), read.raw(BLINDED_KEY_BYTES), read.raw(TOKEN_BYTES)]
  read.done()
  return { meshId, kind, taking: { signing, epoch, blinded, token } }
}

export const encodePackagesRefusal = REPLIES.encodeRefusal

export const encodeGiven = (left: number): Bytes => done().u8(left).finish()

export const encodeTaken = (sealed: Bytes | undefined): Bytes =>
  sealed === undefined ? done().u8(0).finish() : done().u8(1).raw(sealed).finish()

/** Throws CryptoError, also for more packages than a keeper can have. */
export const decodeGiven = (bytes: Bytes, signing: Signing): number | PackagesRefusal =>
  REPLIES.decode(bytes, (read) => atMost(read.u8(), HANDFUL_MAX[signing]))

/** Throws CryptoError. */
export const decodeTaken = (
  bytes: Bytes,
  signing: Signing,
): { readonly sealed: Bytes | undefined } | PackagesRefusal =>
  REPLIES.decode(bytes, (read) => ({
    sealed: flag(read.u8()) ? read.raw(SEALED_BYTES[signing]) : undefined,
  }))
