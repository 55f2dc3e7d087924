/** The property that every decoder of foreign bytes is held to: a value or a coded error, never anything else. */
import assert from "node:assert/strict"
import fc from "fast-check"
import { CodedError } from "../../src/crypto/errors.ts"

export function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert(error instanceof CodedError, `not a coded error: ${String(error)}`)
    return error.code as string
  }
  return assert.fail("should have thrown a coded error")
}

function decodesOrSaysWhy<T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array): T | undefined {
  const before = bytes.slice()
  try {
    return decode(bytes)
  } catch (error) {
    assert(
      error instanceof CodedError,
      `crashed on ${Buffer.from(bytes).toString("hex")}: ${String(error)}`,
    )
    return undefined
  } finally {
    assert.deepEqual(bytes, before, "a decoder must not write into its input")
  }
}

/**
 * Random bytes, every kind of truncation, bit flips and trailing bytes. Where `encode` is given, whatever decodes must encode to the
 * very same bytes: one value, one encoding.
 */
export function strictDecoder<T>(
  valid: Uint8Array,
  decode: (bytes: Uint8Array) => T,
  encode?: (value: T) => Uint8Array,
): void {
  const canonical = (bytes: Uint8Array) => {
    const value = decodesOrSaysWhy(decode, bytes)
    if (value !== undefined && encode !== undefined) assert.deepEqual(encode(value), bytes)
    return value
  }
  assert.notEqual(canonical(valid), undefined, "the valid example must decode")
  const numRuns = 100
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2 * Math.min(valid.length, 512) }), (bytes) => {
      canonical(bytes)
    }),
    { numRuns },
  )
  fc.assert(
    fc.property(fc.nat(valid.length - 1), (length) => {
      assert.equal(decodesOrSaysWhy(decode, valid.slice(0, length)), undefined, `cut to ${length}`)
    }),
    { numRuns },
  )
  fc.assert(
    fc.property(fc.nat(valid.length * 8 - 1), (bit) => {
      const flipped = valid.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      canonical(flipped)
    }),
    { numRuns },
  )
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (tail) => {
      const longer = new Uint8Array([...valid, ...tail])
      assert.equal(decodesOrSaysWhy(decode, longer), undefined, "trailing bytes")
    }),
    { numRuns: 20 },
  )
}
