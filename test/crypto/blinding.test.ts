import assert from "node:assert/strict"
import { createPublicKey, verify as nodeVerify } from "node:crypto"
import { describe, it } from "node:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import fc from "fast-check"
import { blindedKey, blindedSigner } from "../../src/crypto/blinding.ts"
import { concat, fromHex, toHex, utf8 } from "../../src/crypto/bytes.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { CryptoError } from "../../src/crypto/errors.ts"
import { primitives as native } from "../../src/crypto/primitives/native.ts"
import { primitives as portable } from "../../src/crypto/primitives/portable.ts"

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const days = fc.nat(2 ** 32 - 1)
const person = fc
  .tuple(bytes32, bytes32)
  .map(([seed, slh]) => ({ seed, address: concat(ed25519.getPublicKey(seed), slh) }))

/** Plain RFC 8032 verification by OpenSSL, with nothing of ours in between. */
function opensslVerifies(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  const der = concat(fromHex("302a300506032b6570032100"), publicKey)
  const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" })
  return nodeVerify(null, message, key, signature)
}

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof CryptoError) return error.code
    throw error
  }
  return assert.fail("should have thrown")
}

describe("blinding: a key for a day, from an address alone", () => {
  it("gives the reader, who has the address, the key that the owner signs with", () => {
    fc.assert(
      fc.property(person, days, ({ seed, address }, day) => {
        assert.deepEqual(blindedKey(address, day), blindedSigner(seed, address, day).publicKey)
      }),
      { numRuns: 25 },
    )
  })

  it("signs what every ordinary Ed25519 verifier accepts, and only for that day and message", () => {
    fc.assert(
      fc.property(person, days, fc.uint8Array(), ({ seed, address }, day, message) => {
        const signer = blindedSigner(seed, address, day)
        const signature = signer.sign(message)
        assert.deepEqual(signature, signer.sign(message), "deterministic")
        assert(opensslVerifies(signer.publicKey, message, signature))
        for (const { ed25519: scheme } of [native, portable]) {
          const verifies = (key: Bytes, text: Bytes) =>
            scheme.verify(scheme.importPublic(key), text, signature)
          assert(verifies(signer.publicKey, message))
          assert(!verifies(signer.publicKey, concat(message, utf8("!"))))
          assert(!verifies(blindedKey(address, (day + 1) % 2 ** 32), message), "another day")
          assert(!verifies(address.slice(0, 32), message), "the root key itself")
        }
      }),
      { numRuns: 25 },
    )
  })

  it("shares no nonce between days: one message, two days, two commitments", () => {
    const seed = new Uint8Array(32).fill(5)
    const address = concat(ed25519.getPublicKey(seed), new Uint8Array(32).fill(6))
    const commitments = [0, 1, 2, 3].map((day) =>
      toHex(blindedSigner(seed, address, day).sign(utf8("same")).slice(0, 32)),
    )
    assert.equal(new Set(commitments).size, 4)
  })

  it("depends on the whole address: who knows only the root key cannot derive the day's key", () => {
    fc.assert(
      fc.property(person, bytes32, days, ({ address }, otherSlh, day) => {
        const other = concat(address.slice(0, 32), otherSlh)
        fc.pre(toHex(other) !== toHex(address))
        assert.notDeepEqual(blindedKey(address, day), blindedKey(other, day))
      }),
      { numRuns: 10 },
    )
  })

  it("looks like any other key: new every day, in the prime-order group, as many ones as zeros", () => {
    const seed = new Uint8Array(32).fill(9)
    const address = concat(ed25519.getPublicKey(seed), new Uint8Array(32))
    const keys = Array.from({ length: 128 }, (_, day) => blindedKey(address, day))
    assert.equal(new Set(keys.map(toHex)).size, 128, "no two days share a key")
    for (const key of keys.slice(0, 16)) assert(ed25519.Point.fromBytes(key).isTorsionFree())
    const bits = keys.map((key) => key.reduce((sum, byte) => sum + ones(byte), 0))
    const mean = bits.reduce((sum, count) => sum + count, 0) / keys.length
    // 255 free bits: mean 127.5, deviation of the mean of 128 keys 0.7.
    assert(Math.abs(mean - 127.5) < 4, `ones per key: ${mean}`)
  })

  it("refuses root keys of small order, mixed order, off the curve, or not canonical", () => {
    const slh = new Uint8Array(32).fill(1)
    const honest = ed25519.Point.fromBytes(ed25519.getPublicKey(new Uint8Array(32).fill(3)))
    const torsion = ed25519.Point.fromHex(
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    )
    const refused = {
      identity: fromHex("01".padEnd(64, "0")),
      "order 8": torsion.toBytes(),
      "mixed order": honest.add(torsion).toBytes(),
      "p + 1, the identity written otherwise": fromHex("ee".padEnd(62, "f") + "7f"),
      "x = 0 with a sign": fromHex("01".padEnd(62, "0") + "80"),
      "off the curve": fromHex("02".padEnd(64, "0")),
    }
    for (const [what, key] of Object.entries(refused))
      assert.equal(
        codeOf(() => blindedKey(concat(key, slh), 1)),
        "BAD_KEY",
        what,
      )
  })

  it("refuses a seed that is not the address's, and wrong lengths", () => {
    const seed = new Uint8Array(32).fill(7)
    const address = concat(ed25519.getPublicKey(seed), new Uint8Array(32))
    const other = new Uint8Array(32).fill(8)
    assert.equal(
      codeOf(() => blindedSigner(other, address, 1)),
      "BAD_KEY",
    )
    assert.equal(
      codeOf(() => blindedKey(address.slice(1), 1)),
      "BAD_LENGTH",
    )
    assert.equal(
      codeOf(() => blindedSigner(seed.slice(1), address, 1)),
      "BAD_LENGTH",
    )
  })

  it("never fails otherwise: any 64 bytes give a key or BAD_KEY", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), days, (address, day) => {
        try {
          assert.equal(blindedKey(address, day).length, 32)
        } catch (error) {
          assert(error instanceof CryptoError && error.code === "BAD_KEY")
        }
      }),
      { numRuns: 50 },
    )
  })
})

function ones(byte: number): number {
  let count = 0
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1
  return count
}
