import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { addressBytes, addressOf } from "../../src/crypto/address.ts"
import { primitives as portable } from "../../src/crypto/primitives/portable.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { concat, utf8 } from "../../src/crypto/bytes.ts"
import { fingerprintDigits, safetyNumber, SAFETY_DIGITS } from "../../src/crypto/safety-number.ts"
import { codeOf } from "../helpers/decoders.ts"

const address = fc.uint8Array({ minLength: 64, maxLength: 64 })
/** Each run is ten thousand hashes. */
const few = { numRuns: 20 }

describe("safety number: 60 digits over the roots of two people", () => {
  it("is the same for both, and sixty digits", () => {
    fc.assert(
      fc.property(address, address, (one, other) => {
        const number = safetyNumber(one, other)
        assert.equal(number, safetyNumber(other, one))
        assert.match(number, /^[0-9]{60}$/)
        assert.equal(number.length, SAFETY_DIGITS)
      }),
      few,
    )
  })

  it("changes with every bit of either address", () => {
    fc.assert(
      fc.property(address, address, fc.nat(511), fc.boolean(), (one, other, bit, first) => {
        const changed = (first ? one : other).slice()
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const number = first ? safetyNumber(changed, other) : safetyNumber(one, changed)
        assert.notEqual(number, safetyNumber(one, other))
      }),
      few,
    )
  })

  it("changes with either root key of the one behind the address", () => {
    const [ed25519, slhDsa] = [primitives.randomBytes(32), primitives.randomBytes(64)]
    const digits = (a: Uint8Array, b: Uint8Array) =>
      fingerprintDigits(addressBytes(addressOf(a, b)))
    const before = digits(ed25519, slhDsa)
    assert.notEqual(before, digits(primitives.randomBytes(32), slhDsa))
    assert.notEqual(before, digits(ed25519, primitives.randomBytes(64)))
  })

  it("is the hash, iterated 5,200 times with the address, as groups of five bytes modulo 100,000", () => {
    const one = new Uint8Array(64).map((_, i) => i)
    let hash = portable.sha3_256(
      concat(utf8("sotto/1"), new Uint8Array([13]), utf8("safety number"), one),
    )
    for (let i = 0; i < 5_200; i++) hash = portable.sha3_256(concat(hash, one))
    const groups = [0, 5, 10, 15, 20, 25].map((at) =>
      (BigInt(`0x${Buffer.from(hash.slice(at, at + 5)).toString("hex")}`) % 100_000n)
        .toString()
        .padStart(5, "0"),
    )
    assert.equal(fingerprintDigits(one), groups.join(""))
  })

  it("takes whole addresses only", () => {
    assert.equal(
      codeOf(() => safetyNumber(new Uint8Array(63), new Uint8Array(64))),
      "BAD_LENGTH",
    )
  })
})
