import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  EMPTY_WINDOW,
  expected,
  isExpected,
  pastOf,
  readWindow,
  see,
  SEEN_AHEAD_MAX,
  use,
  type Window,
  windowSize,
  writeWindow,
} from "../../src/chat/window.ts"
import { Reader, Writer } from "../../src/crypto/bytes.ts"

const SIZE = 32
const stored = (window: Window) => {
  const out = new Writer()
  writeWindow(out, window)
  const read = new Reader(out.finish())
  const back = readWindow(read)
  read.done()
  return back
}

describe("receiving window: the next 32 tags of each sender", () => {
  it("starts with counters 0 to 31", () => {
    assert.deepEqual(
      expected(EMPTY_WINDOW, SIZE),
      Array.from({ length: SIZE }, (_, i) => i),
    )
  })

  it("takes every counter once, in any order within its reach, and forgets none", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(SIZE - 1), { maxLength: 200 }), (jumps) => {
        let window = EMPTY_WINDOW
        const used = new Set<number>()
        for (const jump of jumps) {
          const open = expected(window, SIZE)
          const counter = open[jump % open.length]!
          assert(isExpected(window, counter, SIZE))
          assert(!used.has(counter), "a used counter is not expected again")
          window = stored(use(window, counter, SIZE))
          used.add(counter)
          assert(!isExpected(window, counter, SIZE))
          const highest = Math.max(...used)
          for (let ahead = highest + 1; ahead <= highest + SIZE; ahead++)
            assert(isExpected(window, ahead, SIZE), `${ahead} after ${highest}`)
          assert(!isExpected(window, highest + SIZE + 1, SIZE))
        }
      }),
    )
  })

  it("stays bounded: a gap older than sixteen windows is given up, and none that is younger", () => {
    let window = EMPTY_WINDOW
    for (let counter = 1; counter < 16 * SIZE; counter++) window = use(window, counter, SIZE)
    assert(isExpected(stored(window), 0, SIZE))
    for (let counter = 16 * SIZE; counter < 1000; counter++)
      window = stored(use(window, counter, SIZE))
    assert(!isExpected(window, 0, SIZE))
    assert.equal(expected(window, SIZE).length, SIZE)
    assert.equal(window.base, 1000)
  })

  it("is smaller in large threads, where a map of all would not fit", () => {
    assert.equal(windowSize(2), 32)
    assert.equal(windowSize(100), 32)
    assert.equal(windowSize(101), 8)
  })

  it("is moved ahead by what only opened, so far and no further, and loses nothing by it", () => {
    let window = EMPTY_WINDOW
    for (let counter = 0; counter < 5_000; counter += SIZE - 1)
      if (isExpected(window, counter, SIZE)) window = see(window, counter)
    assert(isExpected(window, SEEN_AHEAD_MAX, SIZE))
    assert(!isExpected(window, SEEN_AHEAD_MAX + 2 * SIZE, SIZE))
    for (let counter = 0; counter < SIZE; counter++) assert(isExpected(window, counter, SIZE))
    assert.deepEqual(stored(window), EMPTY_WINDOW, "whoever starts looks again")
    assert.equal(see(window, 3), window)
  })

  it("tells what was used up, as far back as it goes", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(SIZE - 1), { maxLength: SIZE }), (counters) => {
        let window = EMPTY_WINDOW
        for (const counter of counters) window = use(window, counter, SIZE)
        assert.deepEqual(
          pastOf(stored(window)),
          counters.toSorted((a, b) => a - b),
        )
      }),
    )
  })
})
