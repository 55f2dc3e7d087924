/**
 * Which Ed25519 encodings we look at all: canonical ones (y < p) of points that are not of small order, and S < L (RFC 8032
 * section 5.1.7). Libraries differ on exactly these, and a set of validators that differs can be split by one crafted
 * signature; so both implementations refuse here, before their library is asked. What is left to the library is the
 * cofactorless equation of section 5.1.7, compared as encoded bytes. Whether a point is on the curve is not decided here:
 * such a key verifies nothing. All inputs are public, so nothing needs to be constant-time.
 */
import { fromHex } from "../bytes.ts"
import type { Bytes } from "../bytes.ts"

/** p = 2^255 - 19 and L = 2^252 + 27742317777372353535851937790883648493, little-endian. */
const P = fromHex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
const L = fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")

/**
 * The y of the eight points whose order divides 8, without their sign bit: order 4, 1, 2, and twice order 8. Their
 * non-canonical twins need no entry, because y < p is asked first.
 */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map(fromHex)

const SIGN = 0x80

/** Little-endian a[at..at+32) < bound, the top bit of `a` cleared by `mask`. */
function below(a: Bytes, at: number, bound: Bytes, mask: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const left = (a[at + i] ?? 0) & (i === 31 ? mask : 0xff)
    const right = bound[i] ?? 0
    if (left !== right) return left < right
  }
  return false
}

function sameY(a: Bytes, at: number, y: Bytes): boolean {
  for (let i = 0; i < 31; i++) if (a[at + i] !== y[i]) return false
  return ((a[at + 31] ?? 0) & ~SIGN) === y[31]
}

/** The 32 bytes at `at` are a canonical y of a point that is not of small order. */
export function isSoundPoint(bytes: Bytes, at = 0): boolean {
  return below(bytes, at, P, ~SIGN & 0xff) && !SMALL_ORDER.some((y) => sameY(bytes, at, y))
}

/** R of a 64-byte signature is a sound point and S < L. */
export function isSoundSignature(signature: Bytes): boolean {
  return isSoundPoint(signature) && below(signature, 32, L, 0xff)
}
