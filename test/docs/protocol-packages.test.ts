/** PROTOCOL.md's formulas for key packages, written down a second time over another library: they make what keepers take and readers open. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { gcm } from "@noble/ciphers/aes.js"
import { ed25519 } from "@noble/curves/ed25519.js"
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js"
import { hkdf } from "@noble/hashes/hkdf.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { sha3_256 } from "@noble/hashes/sha3.js"
import { type Bytes, concat, toHex, utf8, Writer } from "../../src/crypto/bytes.ts"
import { checkHandful, openPackage, poolOf, tokenFor } from "../../src/crypto/package-pool.ts"

const run = (length: number, first = 0): Bytes =>
  Uint8Array.from({ length }, (_, i) => (i + first) % 256)
const named = (label: string): Bytes =>
  concat(utf8("sotto/1"), Uint8Array.of(label.length), utf8(label))
const derived = (label: string, secret: Bytes, context: Bytes, length: number): Bytes =>
  hkdf(sha3_256, secret, undefined, concat(named(label), context), length)
const hashed = (label: string, ...parts: Bytes[]): Bytes => sha3_256(concat(named(label), ...parts))

const { Point } = ed25519
const order = Point.Fn.ORDER

/** Section 10's signature of a blinded key. */
function signed(secret: bigint, blinded: Bytes, prefix: Bytes, message: Bytes): Bytes {
  const wide = (...parts: Bytes[]) => bytesToNumberLE(sha512(concat(...parts))) % order
  const r = wide(derived("blind nonce", prefix, blinded, 32), message)
  const commitment = Point.BASE.multiply(r).toBytes()
  const response = (r + wide(commitment, blinded, message) * secret) % order
  return concat(commitment, numberToBytesLE(response, 32))
}

describe("PROTOCOL.md: key packages", () => {
  it("pool, token, sealed package and handful", () => {
    const ways = [
      { signing: "ed25519", kind: 1, label: "blind packages", size: 4_096 },
      { signing: "composite", kind: 2, label: "blind composite packages", size: 16_384 },
    ] as const
    const [raw, day, meshId] = [concat(ed25519.getPublicKey(run(32)), run(32)), 20_000, run(32, 9)]
    const dayBytes = new Writer().u32(day).finish()
    const { scalar, prefix } = ed25519.utils.getExtendedPublicKey(run(32))
    for (const { signing, kind, label, size } of ways) {
      const secret = ((bytesToNumberLE(derived(label, raw, dayBytes, 64)) % order) * scalar) % order
      const blinded = Point.BASE.multiply(secret).toBytes()
      const place = concat(dayBytes, blinded)
      const pool = derived("key package pool", raw, place, 72)
      const ours = poolOf(raw, day, signing)
      assert.deepEqual(ours.blinded, blinded)

      const keyPackage = run(99)
      const padded = new Uint8Array(size - 28)
      padded.set(new Writer().bytes(keyPackage, 2).finish())
      const nonce = run(12)
      const sealed = concat(nonce, gcm(pool.subarray(0, 32), nonce, place).encrypt(padded))
      assert.equal(sealed.length, size)
      assert.deepEqual(openPackage(ours, sealed), keyPackage)

      const keeper = "12D3KooWkeeper"
      const to = new Writer().text(keeper, 1).finish()
      const token = hashed("key package token", pool.subarray(40), to)
      assert.deepEqual(tokenFor(ours, keeper), token)
      const offset = Number(BigInt(`0x${toHex(pool.subarray(32, 40))}`) % 2n ** 51n)
      const header = new Writer()
        .u8(1)
        .u8(kind)
        .raw(blinded)
        .u32(day)
        .u64(offset + 7)
        .raw(hashed("key package token hash", token))
        .u8(1)
        .u8(1)
        .finish()
      const message = concat(named("key packages given"), meshId, to, header, sha3_256(sealed))
      const handful = concat(header, signed(secret, blinded, prefix, message), sealed)
      const checked = checkHandful(handful, { meshId, keeper, epoch: day })
      assert(checked.verdict === "accept")
      assert.equal(checked.handful.order, offset + 7)
      assert.deepEqual(checked.handful.packages, [sealed])
      assert.equal(checked.handful.begins, true)
    }
  })
})
