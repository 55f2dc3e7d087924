// RFC 8032 leaves room for verifiers to disagree. Signatures made for that room, from noble's points, so that the equation
// holds and only strictness decides.
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { ED25519_TORSION_SUBGROUP, ed25519 as noble } from "@noble/curves/ed25519.js"
import { sha512 } from "@noble/hashes/sha2.js"
import fc from "fast-check"
import { concat, utf8 } from "../../../src/crypto/bytes.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { isSoundPoint, isSoundSignature } from "../../../src/crypto/primitives/ed25519-points.ts"
import { both, hex } from "./held.ts"

const { Point } = noble
const order = Point.Fn.ORDER
const P = 2n ** 255n - 19n

function littleEndian(value: bigint): Bytes {
  const out = new Uint8Array(32)
  for (let i = 0; i < 32; i++) out[i] = Number((value >> BigInt(8 * i)) & 0xffn)
  return out
}
const toInteger = (bytes: Bytes) =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
const challenge = (R: Bytes, A: Bytes, message: Bytes) =>
  toInteger(sha512(concat(R, A, message))) % order

/** Messages 0, 1, 2, ... until the challenge suits; a torsion component vanishes in one of eight. */
function grind(R: Bytes, A: Bytes, suits: (k: bigint) => boolean): { message: Bytes; k: bigint } {
  for (let i = 0; i < 1000; i++) {
    const message = utf8(`message ${i}`)
    const k = challenge(R, A, message)
    if (suits(k)) return { message, k }
  }
  throw new Error("no message found")
}

const verdicts = (A: Bytes, message: Bytes, signature: Bytes) =>
  both.map(({ ed25519 }) => ed25519.verify(ed25519.importPublic(A), message, signature))

const torsion = ED25519_TORSION_SUBGROUP.map(hex)
const secret = 123456789n
const A = Point.BASE.multiply(secret).toBytes()

describe("what counts as an Ed25519 point", () => {
  it("is no point of small order, of which noble's list has eight", () => {
    assert.equal(torsion.length, 8)
    for (const encoding of torsion) assert.equal(isSoundPoint(encoding), false)
  })

  it("is no point of small order with its sign bit turned", () => {
    for (const encoding of torsion) {
      const turned = encoding.slice()
      turned[31]! ^= 0x80
      assert.equal(isSoundPoint(turned), false)
    }
  })

  it("is only y below p, whatever the sign", () => {
    for (let y = P; y < 2n ** 255n; y++)
      for (const sign of [0n, 1n])
        assert.equal(isSoundPoint(littleEndian(y + (sign << 255n))), false)
    assert.equal(isSoundPoint(littleEndian(P - 2n)), true)
  })

  it("is every key that noble makes, and every signature", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        assert.equal(isSoundPoint(noble.getPublicKey(seed)), true)
        assert.equal(isSoundSignature(noble.sign(seed, seed)), true)
      }),
      { numRuns: 25 },
    )
  })

  it("agrees with arithmetic on integers", () => {
    const near = fc.oneof(fc.bigInt(P - 40n, P + 18n), fc.bigInt(0n, 40n), fc.bigInt(0n, P - 1n))
    const small = new Set(torsion.map((encoding) => toInteger(encoding) % 2n ** 255n))
    fc.assert(
      fc.property(near, fc.boolean(), (y, sign) => {
        const encoding = littleEndian(y + (sign ? 2n ** 255n : 0n))
        assert.equal(isSoundPoint(encoding), y < P && !small.has(y))
      }),
    )
  })
})

describe("Ed25519 signatures made to split verifiers", () => {
  it("a key of small order is refused at import, though the equation holds", () => {
    for (const encoding of torsion) {
      const R = Point.BASE.multiply(secret).toBytes()
      const { message } = grind(R, encoding, (k) => k % 8n === 0n)
      const signature = concat(R, littleEndian(secret))
      assert.equal(noble.verify(signature, message, encoding, { zip215: true }), true)
      for (const { ed25519 } of both)
        assert.throws(() => ed25519.importPublic(encoding), { code: "BAD_KEY" })
    }
  })

  it("an R of small order is refused, though the equation holds", () => {
    const R = Point.ZERO.toBytes()
    const message = utf8("any message")
    const signature = concat(R, littleEndian((challenge(R, A, message) * secret) % order))
    assert.equal(noble.verify(signature, message, A), true)
    assert.deepEqual(verdicts(A, message, signature), [false, false])
  })

  it("S + L is refused", () => {
    const { ed25519 } = both[0]!
    const key = ed25519.importPrivate(hex("07".repeat(32)))
    const message = utf8("once only")
    const signature = ed25519.sign(key, message)
    const again = concat(
      signature.subarray(0, 32),
      littleEndian(toInteger(signature.subarray(32)) + order),
    )
    const raw = ed25519.publicFromPrivate(key)
    assert.deepEqual(verdicts(raw, message, signature), [true, true])
    assert.deepEqual(verdicts(raw, message, again), [false, false])
  })

  it("a key with a torsion component verifies only where the cofactor is not needed", () => {
    const eighth = Point.fromBytes(
      torsion.find((e) => !Point.fromBytes(e, true).double().double().is0())!,
    )
    const mixed = Point.BASE.multiply(secret).add(eighth).toBytes()
    const nonce = 987654321n
    const R = Point.BASE.multiply(nonce).toBytes()
    for (const vanishes of [true, false]) {
      const { message, k } = grind(R, mixed, (k) => (k % 8n === 0n) === vanishes)
      const signature = concat(R, littleEndian((nonce + k * secret) % order))
      assert.equal(noble.verify(signature, message, mixed), true, "the cofactored equation holds")
      assert.deepEqual(verdicts(mixed, message, signature), [vanishes, vanishes])
    }
  })

  it("a key that is not on the curve is imported, and verifies nothing", () => {
    let y = 2n
    const isOnCurve = (encoding: Bytes) => {
      try {
        Point.fromBytes(encoding)
        return true
      } catch {
        return false
      }
    }
    while (isOnCurve(littleEndian(y))) y++
    const signature = both[0]!.ed25519.sign(
      both[0]!.ed25519.importPrivate(hex("07".repeat(32))),
      utf8("x"),
    )
    assert.deepEqual(verdicts(littleEndian(y), utf8("x"), signature), [false, false])
  })
})
