/**
 * Fragments: a payload longer than one envelope's plaintext is cut into up to 8 pieces, each sealed as an envelope of its own; a payload
 * that fits is one fragment. Commits and invitations of larger groups may take more of them. Plaintexts are versioned, zero-padded to the exact size, and have one encoding (DESIGN §5).
 *
 *   version 1 · transfer id 8 (zero when there is one fragment) · index 1 · count 1 · length 2 · data · zeros
 */
import { primitives } from "#primitives"
import { type Bytes, concat, Reader, Writer } from "./bytes.ts"
import { CryptoError } from "./errors.ts"

const VERSION = 1
const HEADER_BYTES = 13
export const TRANSFER_ID_BYTES = 8
/** Of what is said. */
export const FRAGMENTS_MAX = 8
/** The same where every message carries 4,691 bytes of composite signature. */
export const COMPOSITE_FRAGMENTS_MAX = 11
/** Of a commit: 520 KB, which is one among the most members that a group holds, none of whom has committed yet. */
export const COMMIT_FRAGMENTS_MAX = 255
/** Of a first contact: 130 KB, an invitation into a group of about thirty. */
export const INTRO_FRAGMENTS_MAX = 64

export interface Fragment {
  /** 8 bytes; all zero for a payload of one fragment. */
  readonly transfer: Bytes
  readonly index: number
  readonly count: number
  readonly data: Bytes
}

/** Longest payload when a plaintext has `plaintextBytes`. */
export const payloadBytesMax = (plaintextBytes: number, countMax = FRAGMENTS_MAX) =>
  (plaintextBytes - HEADER_BYTES) * countMax

/** Cuts a payload into plaintexts of exactly `plaintextBytes`. Throws CryptoError TOO_LARGE over `countMax` fragments. */
export function cut(payload: Bytes, plaintextBytes: number, countMax = FRAGMENTS_MAX): Bytes[] {
  const room = plaintextBytes - HEADER_BYTES
  const count = Math.max(1, Math.ceil(payload.length / room))
  if (count > countMax)
    throw new CryptoError("TOO_LARGE", `${payload.length} bytes need ${count} fragments`)
  const transfer =
    count === 1 ? new Uint8Array(TRANSFER_ID_BYTES) : primitives.randomBytes(TRANSFER_ID_BYTES)
  return Array.from({ length: count }, (_, index) => {
    const data = payload.subarray(index * room, (index + 1) * room)
    const head = new Writer().u8(VERSION).raw(transfer).u8(index).u8(count).bytes(data, 2).finish()
    return concat(head, new Uint8Array(plaintextBytes - head.length))
  })
}

/** Strict decoding of one plaintext of at most `countMax`. Throws CryptoError BAD_VERSION, BAD_LENGTH or BAD_ENCODING. */
export function decodeFragment(plaintext: Bytes, countMax = FRAGMENTS_MAX): Fragment {
  const read = new Reader(plaintext)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `fragment version ${version}`)
  const transfer = read.raw(TRANSFER_ID_BYTES)
  const index = read.u8()
  const count = read.u8()
  const data = read.bytes(2, plaintext.length)
  read.zeros()
  const alone = transfer.every((byte) => byte === 0)
  if (count < 1 || count > countMax || index >= count || (count === 1) !== alone)
    throw new CryptoError("BAD_ENCODING", `fragment ${index} of ${count}`)
  // All but the last are full: one payload has one way to be cut.
  const full = plaintext.length - HEADER_BYTES
  if (index < count - 1 && data.length !== full)
    throw new CryptoError("BAD_ENCODING", "a fragment before the last is not full")
  if (count > 1 && data.length === 0) throw new CryptoError("BAD_ENCODING", "empty fragment")
  return { transfer, index, count, data }
}

/** A payload in the making: the fragments seen so far, by index. */
export interface Partial {
  readonly count: number
  readonly pieces: readonly (Bytes | undefined)[]
}

/**
 * Adds a fragment of one transfer to what is there. A fragment that contradicts the earlier ones (another count) is ignored: what came
 * first stays. Returns the payload when it is whole.
 */
export function join(before: Partial | undefined, fragment: Fragment): Partial | Bytes {
  const partial = before ?? { count: fragment.count, pieces: Array<undefined>(fragment.count) }
  if (partial.count !== fragment.count || partial.pieces[fragment.index] !== undefined)
    return partial
  const pieces = Array.from(partial.pieces, (piece, i) =>
    i === fragment.index ? fragment.data : piece,
  )
  const whole = pieces.filter((piece) => piece !== undefined)
  return whole.length === partial.count ? concat(...whole) : { count: partial.count, pieces }
}

export function encodePartial({ count, pieces }: Partial): Bytes {
  const out = new Writer().u8(count)
  for (const piece of Array.from(pieces)) out.bytes(piece ?? new Uint8Array(0), 2)
  return out.finish()
}

/** From our own store: throws CryptoError when that is damaged. */
export function decodePartial(bytes: Bytes): Partial {
  const read = new Reader(bytes)
  const count = read.u8()
  if (count < 2 || count > COMMIT_FRAGMENTS_MAX)
    throw new CryptoError("BAD_ENCODING", "partial payload")
  const pieces = Array.from({ length: count }, () => {
    const piece = read.bytes(2, 4096)
    return piece.length === 0 ? undefined : piece
  })
  read.done()
  return { count, pieces }
}
