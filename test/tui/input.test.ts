import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { PASTE_MAX, createDecoder } from "../../src/tui/input.ts"
import type { InputEvent } from "../../src/tui/input.ts"

const decode = (...chunks: (string | Uint8Array)[]): InputEvent[] => {
  const decoder = createDecoder()
  const events = chunks.flatMap((chunk) => decoder.push(chunk))
  return [...events, ...decoder.flush()]
}
const keys = (text: string): string[] =>
  decode(text).map((e) => (e.type === "key" ? e.chord : e.type === "text" ? `"${e.text}"` : e.type))

test("keys by every name terminals have for them", () => {
  const table: Record<string, string> = {
    "\r": "enter", "\n": "ctrl-j", "\t": "tab", "\x7f": "backspace", "\b": "backspace", "\x01": "ctrl-a", "\x1f": "ctrl-_", "\0": "ctrl-space",
    "\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1b[1;5C": "ctrl-right", "\x1b[1;3D": "alt-left", "\x1b[1;2A": "shift-up",
    "\x1b[H": "home", "\x1b[F": "end", "\x1b[1~": "home", "\x1b[4~": "end", "\x1b[5~": "pageup", "\x1b[6~": "pagedown", "\x1b[3~": "delete",
    "\x1b[2~": "insert", "\x1b[Z": "shift-tab", "\x1bOP": "f1", "\x1b[11~": "f1", "\x1b[15~": "f5", "\x1b[24~": "f12", "\x1b[1;5P": "ctrl-f1",
    "\x1b": "escape", "\x1ba": "alt-a", "\x1b1": "alt-1", "\x1b\r": "alt-enter", "\x1b\x7f": "alt-backspace", "\x1bö": "alt-ö",
    "\x1b[13;2u": "shift-enter", "\x1b[27;2;13~": "shift-enter", "\x1b[97;5u": "ctrl-a", "\x1b[97;3u": "alt-a", "\x1b[27u": "escape",
    "\x1bO": "alt-O", "\x1b]": "alt-]", "\x1bOM": "enter",
  } // prettier-ignore
  for (const [bytes, chord] of Object.entries(table))
    assert.deepEqual(keys(bytes), [chord], JSON.stringify(bytes))
})

test("Enter in the same chunk as the text before it is still Enter", () => {
  assert.deepEqual(keys("hello\r"), ['"hello"', "enter"])
})

test("two escapes are two keys, and an escape does not swallow the sequence behind it", () => {
  assert.deepEqual(keys("\x1b\x1b[A"), ["escape", "up"])
})

test("replies and mouse reports are never typed", () => {
  assert.deepEqual(keys("\x1b]11;rgb:0000/0000/0000\x07a"), ['"a"'])
  assert.deepEqual(keys("\x1b]11;rgb:0/0/0\x1b\\a"), ['"a"'])
  assert.deepEqual(keys("\x1bP1+r544e\x1b\\a"), ['"a"'])
  assert.deepEqual(keys("\x1b[?62;22ca"), ["abilities", '"a"'])
  assert.deepEqual(keys("\x1b[M !!a"), ['"a"'])
  assert.deepEqual(keys("\x1b[<64;10;10Ma"), ['"a"'])
  assert.deepEqual(keys("\x1b[12;40Ra"), ['"a"'])
})

test("focus comes and goes", () => {
  assert.deepEqual(decode("\x1b[O\x1b[I"), [
    { type: "focus", focused: false },
    { type: "focus", focused: true },
  ])
})

test("a paste is one event, with whatever it holds", () => {
  assert.deepEqual(decode("\x1b[200~a\r\x1b[31mb\x1b[201~c"), [
    { type: "paste", text: "a\r\x1b[31mb" },
    { type: "text", text: "c" },
  ])
  assert.deepEqual(decode("\x1b[200~\x1b[201~"), [{ type: "paste", text: "" }])
})

test("a paste is held to a limit", () => {
  const [event] = decode(`\x1b[200~${"x".repeat(PASTE_MAX + 100)}\x1b[201~`)
  assert.equal(event?.type === "paste" && event.text.length, PASTE_MAX)
})

test("an escape waits for more, and `flush` says that nothing came", () => {
  const decoder = createDecoder()
  assert.deepEqual(decoder.push("\x1b"), [])
  assert.equal(decoder.pending, true)
  assert.deepEqual(decoder.flush(), [{ type: "key", chord: "escape" }])
  assert.equal(decoder.pending, false)
})

/** Text runs may be cut wherever a chunk ended; what was typed is the same. */
const merged = (events: readonly InputEvent[]): InputEvent[] => {
  const out: InputEvent[] = []
  for (const event of events) {
    const last = out.at(-1)
    if (event.type === "text" && last?.type === "text")
      out[out.length - 1] = { type: "text", text: last.text + event.text }
    else out.push(event)
  }
  return out
}

const piece = fc.oneof(
  fc.constantFrom(
    "hello", "grüße", "漢字", "👋", "\r", "\n", "\t", "\x7f", "\x01", "\x1b[A", "\x1b[1;5C", "\x1b[5~", "\x1bOP", "\x1b[24~", "\x1ba", "\x1b\r",
    "\x1b[I", "\x1b[O", "\x1b[200~one\r\ntwo\x1b[201~", "\x1b[200~\x1b[31m\x1b[201~", "\x1b[13;2u", "\x1b]11;rgb:0/0/0\x07", "\x1b[<0;1;1M", "\x1b[M !!",
  ), // prettier-ignore
  fc.string({ unit: "grapheme" }).map((text) => text.replace(/\p{Cc}/gu, "")),
)

test("however the bytes are cut, the events are the same", () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      (pieces, cuts) => {
        const bytes = new TextEncoder().encode(pieces.join(""))
        const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
        const chunks = [0, ...at].map((from, i) => bytes.slice(from, at[i] ?? bytes.length))
        assert.deepEqual(merged(decode(...chunks)), merged(decode(bytes)))
      },
    ),
    { numRuns: 1500 },
  )
})

test("any bytes at all end in events, never in an error or in something held for ever", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (chunks) => {
      const decoder = createDecoder()
      for (const chunk of chunks)
        for (const event of decoder.push(chunk))
          if (event.type === "text") assert.doesNotMatch(event.text, /\p{Cc}/u)
      decoder.flush()
      assert.equal(decoder.pending, false)
    }),
    { numRuns: 1500 },
  )
})

test("an endless sequence is not kept", () => {
  const decoder = createDecoder()
  decoder.push("\x1b]")
  for (let i = 0; i < 100; i++) decoder.push("x".repeat(100))
  assert.equal(decoder.pending, false)
})
