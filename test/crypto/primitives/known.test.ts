// Single well-known answers, for what has no vector file: FIPS 180-4 and FIPS 202 examples, the Argon2 reference tests, BLAKE3.
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { blake3 as wasm } from "hash-wasm"
import { toHex, utf8 } from "../../../src/crypto/bytes.ts"
import { BLAKE3_BYTES, blake3 } from "../../../src/crypto/blake3.ts"
import { both, native } from "./held.ts"

describe("known answers", () => {
  for (const p of both) {
    it(`${p.implementation}: SHA-256 and SHA3-256 of nothing and of "abc"`, () => {
      assert.deepEqual(
        [p.sha256(), p.sha256(utf8("abc")), p.sha3_256(), p.sha3_256(utf8("a"), utf8("bc"))].map(
          toHex,
        ),
        [
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
          "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a",
          "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
        ],
      )
    })

    it(`${p.implementation}: Argon2id, version 1.3, as the reference implementation tests it`, () => {
      const derive = (memoryKiB: number, lanes: number) =>
        toHex(p.argon2id(utf8("password"), utf8("somesalt"), { memoryKiB, passes: 2, lanes }, 32))
      assert.equal(
        derive(256, 1),
        "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
      )
      assert.equal(
        derive(256, 2),
        "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037",
      )
    })
  }
})

describe("BLAKE3", () => {
  it("of nothing and of abc", () => {
    assert.equal(BLAKE3_BYTES, 32)
    for (const p of both)
      assert.deepEqual([p.blake3(), p.blake3(utf8("a"), utf8("bc"))].map(toHex), [
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
      ])
  })

  it("is what the miner's library computes, over chunk boundaries too", async () => {
    const length = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.constantFrom(1023, 1024, 1025, 4096, 65_537),
    )
    const any = length.chain((size) => fc.uint8Array({ minLength: size, maxLength: size }))
    await fc.assert(
      fc.asyncProperty(any, async (bytes) => {
        for (const p of both) assert.equal(toHex(p.blake3(bytes)), await wasm(bytes))
        assert.deepEqual(blake3(bytes), native.blake3(bytes))
      }),
    )
  })
})
