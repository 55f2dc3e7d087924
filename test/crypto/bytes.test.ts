import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  compare,
  concat,
  equal,
  fromHex,
  fromUtf8,
  Reader,
  toHex,
  utf8,
  Writer,
} from "../../src/crypto/bytes.ts"
import { CryptoError } from "../../src/crypto/errors.ts"

const bytes = fc.uint8Array({ maxLength: 200 })

describe("bytes: one value has one encoding", () => {
  it("reads back what it wrote and then has nothing left", () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.nat(65535),
        fc.maxSafeNat(),
        bytes,
        fc.string(),
        (a, b, c, d, e) => {
          const text = e.toWellFormed()
          const read = new Reader(
            new Writer().u8(a).u16(b).u64(c).bytes(d, 2).text(text, 4).finish(),
          )
          assert.deepEqual([read.u8(), read.u16(), read.u64()], [a, b, c])
          assert.deepEqual(read.bytes(2, 200), d)
          assert.equal(read.text(4, 10_000), text)
          read.done()
        },
      ),
    )
  })

  it("writes the same whatever room it was given, and what was finished stays as it was", () => {
    const pieces = fc.array(bytes, { maxLength: 6 })
    fc.assert(
      fc.property(pieces, pieces, fc.nat(300), (before, after, slack) => {
        const plainly = concat(...before)
        const exact = plainly.length
        for (const capacity of [0, exact, exact + slack, undefined]) {
          const writer = new Writer(capacity)
          for (const piece of before) writer.raw(piece)
          const finished = writer.finish()
          assert.deepEqual(finished, plainly)
          for (const piece of after) writer.raw(piece)
          assert.deepEqual(finished, plainly)
          assert.deepEqual(writer.finish(), concat(...before, ...after))
        }
      }),
    )
  })

  it("refuses trailing bytes, truncation, over-long fields and non-zero padding with a code", () => {
    const code = (run: () => unknown) => {
      try {
        run()
      } catch (error) {
        assert(error instanceof CryptoError)
        return error.code
      }
      return assert.fail("should have thrown")
    }
    assert.equal(
      code(() => new Reader(new Uint8Array(1)).done()),
      "BAD_ENCODING",
    )
    assert.equal(
      code(() => new Reader(new Uint8Array(1)).u16()),
      "BAD_LENGTH",
    )
    assert.equal(
      code(() => new Reader(new Uint8Array([9, 0])).bytes(1, 8)),
      "TOO_LARGE",
    )
    assert.equal(
      code(() => new Reader(new Uint8Array([0, 1])).zeros()),
      "BAD_ENCODING",
    )
    assert.equal(
      code(() => new Reader(new Uint8Array(8).fill(255)).u64()),
      "BAD_ENCODING",
    )
    assert.equal(
      code(() => new Writer().u8(256)),
      "TOO_LARGE",
    )
    assert.equal(
      code(() => fromHex("0g")),
      "BAD_ENCODING",
    )
    assert.equal(
      code(() => fromUtf8(new Uint8Array([0xff]))),
      "BAD_ENCODING",
    )
  })

  it("compares like LevelDB sorts and like a constant-time compare decides", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        assert.equal(Math.sign(compare(a, b)), Math.sign(Buffer.compare(a, b)))
        assert.equal(equal(a, b), Buffer.from(a).equals(b))
        assert.deepEqual(fromHex(toHex(a)), a)
        assert.deepEqual(concat(a, b), new Uint8Array(Buffer.concat([a, b])))
        assert.equal(fromUtf8(utf8(toHex(b))), toHex(b))
      }),
    )
  })
})
