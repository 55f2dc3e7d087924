import assert from "node:assert/strict"
import { test } from "node:test"
import {
  drawn,
  hasControls,
  sanitize,
  sanitizeLine,
  sanitizeName,
  secretText,
  shortAddress,
  typedText,
} from "../../src/tui/sanitize.ts"
import { cells } from "../../src/tui/wrap.ts"
import { hostileText, seeded } from "./random.ts"

/** SOTTO_FUZZ=1000000 runs as many as the goal names; the everyday suite keeps to its time. */
const CASES = Number(process.env["SOTTO_FUZZ"] ?? 60_000)

// Everything that a terminal obeys, or that shows one thing and means another. Written apart from the code's own patterns.
const isForbidden = (point: number): boolean =>
  (point < 0x20 && point !== 0x0a) ||
  (point >= 0x7f && point <= 0x9f) ||
  (point >= 0x200b && point <= 0x200f) ||
  (point >= 0x2028 && point <= 0x202e) ||
  (point >= 0x2060 && point <= 0x206f) ||
  (point >= 0xfe00 && point <= 0xfe0f) ||
  (point >= 0xd800 && point <= 0xdfff) ||
  point === 0xad ||
  point === 0x61c ||
  point === 0xfeff ||
  point === 0x3164 ||
  (point >= 0xe0000 && point <= 0xe0fff)

test("nothing a peer writes reaches the terminal as a command, whatever it is made of", () => {
  const random = seeded(42)
  for (let i = 0; i < CASES; i++) {
    const text = hostileText(random, 24)
    const clean = sanitize(text)
    for (const char of clean) {
      const point = char.codePointAt(0) ?? 0
      assert.ok(!isForbidden(point), `U+${point.toString(16)} survives in ${JSON.stringify(text)}`)
    }
    assert.ok(!/\p{M}{5}/u.test(clean), `marks are piled up in ${JSON.stringify(clean)}`)
    assert.equal(sanitize(clean), clean, "cleaning twice is cleaning once")
    assert.ok(!sanitizeLine(text).includes("\n"))
    assert.match(sanitizeName(text), /^[\p{L}\p{M}\p{N}\p{P}\x20-\x7e]*$/u)
  }
})

test("ordinary text in any script stays what it is", () => {
  for (const text of [
    "hello",
    "grüße",
    "漢字",
    "שלום",
    "مرحبا",
    "नमस्ते",
    "👋 hi",
    "a\nb",
    "naïve café",
  ])
    assert.equal(sanitize(text), text)
  assert.equal(sanitize("e\u0301"), "é", "marks are composed where there is one character for both")
})

test("a tab is four spaces, and every kind of line break is one", () => {
  assert.equal(sanitize("a\tb"), "a    b")
  assert.equal(sanitize("a\r\nb\rc\u2028d\u0085e"), "a\nb\nc\nd\ne")
})

test("a sequence whose ESC is taken out is only its letters", () => {
  assert.equal(sanitize("\x1b[31mred"), "[31mred")
  assert.equal(sanitize("\u009b31mred"), "31mred")
})

test("a name wears no trust mark and no separator of ours", () => {
  assert.equal(sanitizeName("bob ✓ verified"), "bob verified")
  assert.equal(sanitizeName("bob · ✓ verified"), "bob verified")
  assert.equal(sanitizeName("⚠️ admin │ me"), "admin me")
  assert.equal(sanitizeName("👑"), "")
  assert.equal(sanitizeName("田中さん"), "田中さん")
})

test("a mark has no base of ours to sit on", () => {
  assert.equal(sanitize("\u0301\u0302start"), "start")
  assert.equal(sanitize("a\n\u0301b"), "a\nb")
})

test("controls in a paste are noticed, line breaks and tabs are not", () => {
  assert.equal(hasControls("two\r\nlines\tand a tab"), false)
  assert.equal(hasControls("\x1b[31m"), true)
  assert.equal(hasControls("left\u202eright"), true)
})

test("a short address keeps both its ends", () => {
  const short = shortAddress(`sotto1${"q".repeat(100)}abcd`)
  assert.equal(short, "sotto1qqqq…abcd")
  assert.equal(cells(short), 15)
})

test("one's own emoji are sent whole, and drawn without what has no width", () => {
  const family = "👨‍👩‍👧 ❤️"
  assert.equal(typedText(family), family)
  assert.equal(drawn(family), "👨👩👧 ❤")
  assert.equal(typedText("left\u202eright\u{e0041}\x1b[31m\u2066"), "leftright[31m")
  assert.equal(typedText("a\r\nb\tc"), "a\nb    c")
})

test("drawing a part of a draft gives a part of the drawing", () => {
  const random = seeded(3)
  for (let i = 0; i < 500; i++) {
    const text = typedText(hostileText(random, 20))
    const cut = Math.floor(random() * (text.length + 1))
    const start = text.slice(0, cut).toWellFormed() === text.slice(0, cut) ? text.slice(0, cut) : ""
    assert.ok(drawn(text).startsWith(drawn(start)))
  }
})

test("a secret keeps every space that was typed", () => {
  assert.equal(secretText("  two  spaces \u200d\r\n"), "  two  spaces \u200d")
})
