/**
 * A Groth16 proof on the wire: three points of BN254, compressed, 128 bytes.
 *
 *   A 32 (G1) · B 64 (G2) · C 32 (G1)
 *   G1: x as 32 bytes, little-endian; the highest bit is set when y is odd
 *   G2: x = a + b·i as a 32, b 32, each little-endian; the highest bit of b is set when y's real part is odd
 *
 * Coordinates are below the base field's order and the point at infinity does not occur, so a point has one encoding. Whether such an x
 * lies on the curve, and in the right subgroup, only the verifier finds out (groth16.ts).
 */
import { type Bytes, concat, exactly } from "../bytes.ts"
import { isZero } from "./field.ts"

export const PROOF_BYTES = 128
const G1_BYTES = 32
const G2_BYTES = 64
/** Bits of the last byte that are not the number's. */
const SIGN_BIT = 0x80

/** Order of the base field: what coordinates are numbers modulo. */
export const BASE_ORDER =
  21888242871839275222246405745257275088696311157297823662689037894645226208583n

/** A point of G1, affine. */
export type PointG1 = readonly [x: bigint, y: bigint]
/** A point of G2, affine: each coordinate as real and imaginary part. */
export type PointG2 = readonly [x: readonly [bigint, bigint], y: readonly [bigint, bigint]]

export interface ProofPoints {
  readonly a: PointG1
  readonly b: PointG2
  readonly c: PointG1
}

function littleEndian(value: bigint): Bytes {
  const out = new Uint8Array(32)
  for (let at = 0, rest = value; at < 32; at++, rest >>= 8n) out[at] = Number(rest & 255n)
  return out
}

function withSign(bytes: Bytes, odd: boolean): Bytes {
  const last = bytes.length - 1
  if (odd) bytes[last] = (bytes[last] ?? 0) | SIGN_BIT
  return bytes
}

const compressG1 = ([x, y]: PointG1) => withSign(littleEndian(x), (y & 1n) === 1n)

const compressG2 = ([[a, b], [ya]]: PointG2) =>
  withSign(concat(littleEndian(a), littleEndian(b)), (ya & 1n) === 1n)

/** 128 bytes. The points are affine, none at infinity. */
export const compressProof = ({ a, b, c }: ProofPoints): Bytes =>
  concat(compressG1(a), compressG2(b), compressG1(c))

/** The three points as they travel: views of `proof`. */
export function proofParts(proof: Bytes): { a: Bytes; b: Bytes; c: Bytes } {
  exactly(proof, PROOF_BYTES, "proof")
  return {
    a: proof.subarray(0, G1_BYTES),
    b: proof.subarray(G1_BYTES, G1_BYTES + G2_BYTES),
    c: proof.subarray(G1_BYTES + G2_BYTES),
  }
}

const ORDER = littleEndian(BASE_ORDER)

/** Whether a little-endian number of 32 bytes, without its sign bit if it has one, is below the order. */
function isCoordinate(bytes: Bytes, signed: boolean): boolean {
  for (let at = 31; at >= 0; at--) {
    const byte = (bytes[at] ?? 0) & (at === 31 && signed ? 0x7f : 0xff)
    const difference = byte - (ORDER[at] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** Whether 128 bytes could be a proof: every coordinate in its one spelling, no point at infinity. */
export function isProof(proof: Bytes): boolean {
  const { a, b, c } = proofParts(proof)
  if ([a, b, c].some(isZero)) return false
  return (
    isCoordinate(a, true) &&
    isCoordinate(b.subarray(0, 32), false) &&
    isCoordinate(b.subarray(32), true) &&
    isCoordinate(c, true)
  )
}
