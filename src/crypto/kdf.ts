/**
 * Labelled key derivation and hashing: HKDF-SHA3-256 (RFC 5869 over FIPS 202) and SHA3-256 with one domain prefix, so that no two
 * uses of a secret, and no two kinds of signed or hashed bytes, can ever be taken for each other.
 */
import { primitives } from "#primitives"
import { type Bytes, concat, utf8 } from "./bytes.ts"

/** Longest label in bytes; the length byte before it makes the prefix injective. */
const LABEL_BYTES_MAX = 64

/** `"sotto/1" ‖ length(label) ‖ label`: what everything hashed, derived or signed here begins with. */
export function domain(label: string): Bytes {
  const name = utf8(label)
  if (name.length === 0 || name.length > LABEL_BYTES_MAX) throw new RangeError(`label ${label}`)
  return concat(utf8("sotto/1"), new Uint8Array([name.length]), name)
}

/** `length` bytes of key material from `secret`, bound to `label` and to every byte of `context`. */
export function derive(label: string, secret: Bytes, context: Bytes, length: number): Bytes {
  return primitives.hkdfSha3_256(secret, new Uint8Array(0), concat(domain(label), context), length)
}

/** SHA3-256 over the domain and the parts, 32 bytes. The parts must be of fixed length or length-prefixed by the caller. */
export function labelledHash(label: string, ...parts: readonly Bytes[]): Bytes {
  return primitives.sha3_256(domain(label), ...parts)
}
