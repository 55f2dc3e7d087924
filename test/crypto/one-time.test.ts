import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Writer } from "../../src/crypto/bytes.ts"
import { EPOCH_MS } from "../../src/crypto/directory-record.ts"
import {
  decodeOneTime,
  destroyedAt,
  encodeOneTime,
  KEEP_UNUSED_MS,
} from "../../src/crypto/one-time.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { strictDecoder } from "../helpers/decoders.ts"

const parts = {
  public: primitives.randomBytes(3477),
  private: primitives.randomBytes(97),
  reference: primitives.randomBytes(32),
}

describe("the owner's record of a one-time key package", () => {
  it("decodes to what was encoded, and to nothing else", () => {
    for (const epoch of [0, 20_777])
      for (const destroyAtMs of [null, 1_800_000_000_000]) {
        const each = { ...parts, epoch, destroyAtMs }
        assert.deepEqual(decodeOneTime(encodeOneTime(each)), each)
      }
    const small = { ...parts, public: new Uint8Array(9), epoch: 20_777, destroyAtMs: 1 }
    strictDecoder(encodeOneTime(small), decodeOneTime)
  })

  it("of an earlier version belongs to no day", () => {
    for (const destroyAtMs of [0, 1_800_000_000_000]) {
      const before = new Writer()
        .u8(1)
        .raw(parts.reference)
        .u64(destroyAtMs)
        .bytes(parts.public, 4)
        .bytes(parts.private, 4)
        .finish()
      const then = destroyAtMs === 0 ? null : destroyAtMs
      assert.deepEqual(decodeOneTime(before), { ...parts, epoch: 0, destroyAtMs: then })
    }
  })

  it("says when its private part goes although nobody used it: 14 days after the last reader can be given it", () => {
    const day = 20_777
    const lastTakenMs = (day + 2) * EPOCH_MS
    assert.equal(destroyedAt(day), lastTakenMs + KEEP_UNUSED_MS)
  })
})
