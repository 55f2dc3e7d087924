/**
 * Elements of BN254's scalar field, the numbers that the membership circuit speaks of. On the wire and in the ledger an element is 32
 * bytes, big-endian and below the order: a larger number that means the same element is refused, or one nullifier would have two
 * spellings. Hashes become elements by losing their last byte, so 248 bits of them count.
 */
import { type Bytes, exactly } from "../bytes.ts"
import { CryptoError } from "../errors.ts"

export const FIELD_BYTES = 32

/** Order of the scalar field (and of BN254's groups). */
export const FIELD_ORDER =
  21888242871839275222246405745257275088548364400416034343698204186575808495617n

/** Any big-endian number. */
export function numberFrom(bytes: Bytes): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

/** Big-endian, 32 bytes. */
export function bytesOfNumber(value: bigint): Bytes {
  const out = new Uint8Array(FIELD_BYTES)
  for (let at = FIELD_BYTES - 1, rest = value; at >= 0; at--, rest >>= 8n)
    out[at] = Number(rest & 255n)
  return out
}

const ORDER = bytesOfNumber(FIELD_ORDER)

/** Whether 32 bytes are an element in its one spelling. */
export function isField(bytes: Bytes): boolean {
  exactly(bytes, FIELD_BYTES, "field element")
  for (let at = 0; at < FIELD_BYTES; at++) {
    const difference = (bytes[at] ?? 0) - (ORDER[at] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** Throws CryptoError BAD_LENGTH or BAD_ENCODING. */
export function fieldFrom(bytes: Bytes): bigint {
  if (!isField(bytes)) throw new CryptoError("BAD_ENCODING", "not below the field's order")
  return numberFrom(bytes)
}

/** The element that stands for a hash of 32 bytes: its first 31, as 32 bytes of which the first is zero. */
export function fieldOfHash(hash: Bytes): Bytes {
  const out = new Uint8Array(FIELD_BYTES)
  out.set(exactly(hash, 32, "hash").subarray(0, FIELD_BYTES - 1), 1)
  return out
}

export const isZero = (bytes: Bytes): boolean => bytes.every((byte) => byte === 0)
