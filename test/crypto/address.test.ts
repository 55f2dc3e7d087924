import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  ADDRESS_CHARACTERS,
  addressBytes,
  addressFromBytes,
  addressOf,
  parseAddress,
} from "../../src/crypto/address.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { codeOf } from "../helpers/decoders.ts"

const sixtyFour = fc.uint8Array({ minLength: 64, maxLength: 64 })

describe("address: sotto1…, bech32m of the Ed25519 root and a hash of the SLH-DSA root", () => {
  it("is 115 characters and names exactly its 64 bytes", () => {
    fc.assert(
      fc.property(sixtyFour, (bytes) => {
        const address = addressFromBytes(bytes)
        assert.equal(address.length, ADDRESS_CHARACTERS)
        assert.match(address, /^sotto1[02-9ac-hj-np-z]+$/)
        assert.deepEqual(addressBytes(address), bytes)
      }),
    )
  })

  it("hashes the SLH-DSA root key and carries the Ed25519 root key as it is", () => {
    const ed25519Root = primitives.randomBytes(32)
    const slhDsaRoot = primitives.randomBytes(64)
    const parts = parseAddress(addressOf(ed25519Root, slhDsaRoot))
    assert.deepEqual(parts.ed25519Root, ed25519Root)
    assert.deepEqual(parts.slhDsaRootHash, primitives.sha3_256(slhDsaRoot))
  })

  it("catches every single mistyped character", () => {
    const address = addressFromBytes(primitives.randomBytes(64))
    for (let at = 0; at < address.length; at++) {
      const wrong = address[at] === "q" ? "p" : "q"
      const mistyped = address.slice(0, at) + wrong + address.slice(at + 1)
      assert.equal(
        codeOf(() => parseAddress(mistyped)),
        "BAD_ENCODING",
        mistyped,
      )
    }
  })

  it("refuses upper case, white space, other prefixes, cut and foreign text", () => {
    const address = addressFromBytes(primitives.randomBytes(64))
    for (const text of [
      "",
      "sotto1",
      address.toUpperCase(),
      ` ${address}`,
      address.slice(1),
      `${address}q`,
    ])
      assert.equal(
        codeOf(() => parseAddress(text)),
        "BAD_ENCODING",
        text,
      )
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.equal(
          codeOf(() => parseAddress(text)),
          "BAD_ENCODING",
        )
      }),
    )
  })
})
