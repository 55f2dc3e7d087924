import assert from "node:assert/strict"
import { test } from "node:test"
import stringWidth from "string-width"
import { sanitize } from "../../src/tui/sanitize.ts"
import { cells, graphemes, padEnd, padStart, truncate, wrap, wrapRows } from "../../src/tui/wrap.ts"
import { hostileText, seeded } from "./random.ts"

test("rows never run past their column, and together they are the text", () => {
  const random = seeded(7)
  for (let i = 0; i < 2000; i++) {
    const text = sanitize(hostileText(random, 40))
    const width = 2 + Math.floor(random() * 30)
    const rows = wrapRows(text, width)
    for (const row of wrap(text, width)) {
      assert.ok(cells(row) <= width, `${JSON.stringify(row)} is wider than ${width}`)
      // What the painter measures may be less than our bound, never more.
      assert.ok(stringWidth(row) <= cells(row))
    }
    assert.ok(rows.every((row) => text.slice(row.start).startsWith(row.text)))
    assert.equal(rows.map((row) => row.text).join(""), text.replaceAll("\n", ""))
  }
})

test("lines break behind words, inside a word only when it is longer than a row", () => {
  assert.deepEqual(wrap("ship it on friday", 8), ["ship it ", "on ", "friday"])
  assert.deepEqual(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij ", "kl"])
  assert.deepEqual(wrap("漢字漢字", 5), ["漢字", "漢字"])
  assert.deepEqual(wrap("a\n\nb", 5), ["a", "", "b"])
  assert.deepEqual(wrap("", 5), [""])
})

test("a space that hangs over the edge is not drawn", () => {
  assert.deepEqual(wrap("abcd efgh", 4), ["abcd", "efgh"])
})

test("a cluster counts as much as the most that a terminal draws for it", () => {
  assert.equal(cells("abc"), 3)
  assert.equal(cells("漢"), 2)
  assert.equal(cells("é"), 1)
  assert.equal(cells("👍🏽"), 4)
})

test("a user-perceived character is one", () => {
  assert.deepEqual(graphemes("e\u0301👍🏽x"), ["e\u0301", "👍🏽", "x"])
})

test("cutting and padding give the width they were asked for", () => {
  assert.equal(truncate("hello", 5), "hello")
  assert.equal(truncate("hello!", 5), "hell…")
  assert.equal(truncate("漢字漢", 4), "漢…")
  assert.equal(padEnd("漢", 4), "漢  ")
  assert.equal(padStart("bob", 5), "  bob")
  assert.equal(padStart("bartholomew", 5), "bart…")
})
