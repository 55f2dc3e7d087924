import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  cut,
  decodeFragment,
  decodePartial,
  encodePartial,
  join,
  type Partial,
  payloadBytesMax,
} from "../../src/crypto/fragment.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

const SIZE = 2112
const max = payloadBytesMax(SIZE)

function assemble(plaintexts: readonly Uint8Array[]): Uint8Array | Partial | undefined {
  let state: Partial | undefined
  for (const plaintext of plaintexts) {
    const next = join(state, decodeFragment(plaintext))
    if (next instanceof Uint8Array) return next
    // What is in the making survives a restart: it is stored and read back between any two fragments.
    state = decodePartial(encodePartial(next))
  }
  return state
}

describe("fragments: a payload longer than one body is cut, each piece its own envelope", () => {
  it("comes back whole from any order, with duplicates in between", () => {
    const lengths = fc.oneof(fc.nat(SIZE * 2), fc.integer({ min: 0, max }))
    fc.assert(
      fc.property(
        lengths,
        fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 }),
        (length, dice) => {
          const payload = new Uint8Array(length).map((_, i) => i * 31)
          const pieces = cut(payload, SIZE)
          for (const piece of pieces) assert.equal(piece.length, SIZE)
          const order = pieces.map((piece, i) => ({ piece, key: dice[i] ?? 0 }))
          order.sort((a, b) => a.key - b.key)
          const shuffled = order.flatMap(({ piece }, i) => (i === 0 ? [piece, piece] : [piece]))
          assert.deepEqual(assemble(pieces.length === 1 ? pieces : shuffled), payload)
        },
      ),
      { numRuns: 60 },
    )
  })

  it("uses the fewest pieces and never more than eight", () => {
    assert.equal(cut(new Uint8Array(0), SIZE).length, 1)
    assert.equal(cut(new Uint8Array(max / 8), SIZE).length, 1)
    assert.equal(cut(new Uint8Array(max / 8 + 1), SIZE).length, 2)
    assert.equal(cut(new Uint8Array(max), SIZE).length, 8)
    assert.equal(
      codeOf(() => cut(new Uint8Array(max + 1), SIZE)),
      "TOO_LARGE",
    )
  })

  it("decodes strictly: padding must be zero, counts and lengths must make sense", () => {
    const [first, second] = cut(new Uint8Array(3000).fill(1), SIZE)
    assert(first && second)
    for (const [at, value] of [
      [0, 2],
      [9, 2],
      [10, 9],
      [10, 1],
      [10, 0],
    ] as const) {
      const wrong = first.slice()
      wrong[at] = value
      assert.match(
        codeOf(() => decodeFragment(wrong)),
        /^BAD_(VERSION|ENCODING)$/,
      )
    }
    const padded = second.slice()
    padded[SIZE - 1] = 1
    assert.equal(
      codeOf(() => decodeFragment(padded)),
      "BAD_ENCODING",
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        try {
          decodeFragment(bytes)
        } catch (error) {
          codeOf(() => {
            throw error
          })
        }
      }),
    )
  })

  it("keeps what came first when a later fragment contradicts it", () => {
    const [a0, a1] = cut(new Uint8Array(3000).fill(1), SIZE).map((each) => decodeFragment(each))
    const lie = { ...a1!, count: 3, index: 2 }
    const state = join(undefined, a0!)
    assert(!(state instanceof Uint8Array))
    assert.deepEqual(join(state, lie), state)
    assert.deepEqual(join(state, { ...a0!, data: new Uint8Array(1) }), state)
    assert.deepEqual(join(state, a1!), new Uint8Array(3000).fill(1))
  })

  it("stores what is in the making strictly, too", () => {
    const [piece] = cut(new Uint8Array(9000).fill(1), SIZE)
    const state = join(undefined, decodeFragment(piece!))
    assert(!(state instanceof Uint8Array))
    strictDecoder(encodePartial(state), decodePartial, encodePartial)
  })
})
