import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { DRAFT_MAX, edit, emptyDraft, hasLine, put } from "../../../src/tui/widgets/draft.ts"
import type { Draft, DraftEdit, DraftMotion } from "../../../src/tui/widgets/draft.ts"
import { MOTIONS } from "../../../src/tui/keys.ts"
import { graphemes } from "../../../src/tui/wrap.ts"

/** `|` is the cursor. An edit is a motion by its name, or text that is typed. */
const at = (marked: string): Draft => {
  const cursor = marked.indexOf("|")
  return { ...emptyDraft, text: marked.replace("|", ""), cursor }
}
const shown = ({ text, cursor }: Draft): string => `${text.slice(0, cursor)}|${text.slice(cursor)}`
const after = (marked: string, ...edits: string[]): string =>
  shown(
    edits.reduce(
      (draft, change) =>
        edit(
          draft,
          MOTIONS.has(change) ? { type: change as DraftMotion } : { type: "insert", text: change },
        ),
      at(marked),
    ),
  )

test("typing goes in at the cursor", () => {
  assert.equal(after("ab|", "c"), "abc|")
  assert.equal(after("a|c", "b"), "ab|c")
})

test("Backspace takes a whole character, however many code points it has", () => {
  assert.equal(after("hi👍🏽|", "backspace"), "hi|")
  assert.equal(after("cafe\u0301|", "backspace"), "caf|")
  assert.equal(after("|a", "backspace"), "|a")
  assert.equal(after("|👋b", "delete"), "|b")
})

test("the keys of emacs", () => {
  assert.equal(after("one two|", "line-start"), "|one two")
  assert.equal(after("|one two", "line-end"), "one two|")
  assert.equal(after("one two|", "word-left"), "one |two")
  assert.equal(after("|one two", "word-right"), "one| two")
  assert.equal(after("one two|", "kill-word-back"), "one |")
  assert.equal(after("one two |", "kill-word-back"), "one |")
  assert.equal(after("|one two", "kill-word"), "| two")
  assert.equal(after("one| two", "kill-to-end"), "one|")
  assert.equal(after("one| two", "kill-to-start"), "| two")
  assert.equal(after("one two|", "kill-word-back", "line-start", "yank"), "two|one ")
  assert.equal(after("a|\nb", "kill-to-end"), "a|b")
})

test("lines of a draft are walked up and down in the same column", () => {
  assert.equal(after("long line\nab\nlo|ng", "line-up"), "long line\nab|\nlong")
  assert.equal(after("ab\ncd|ef\ngh", "line-down"), "ab\ncdef\ngh|")
  assert.equal(hasLine(at("a|b"), -1), false)
  assert.equal(hasLine(at("a\nb|"), -1), true)
  assert.equal(hasLine(at("a\nb|"), 1), false)
})

test("undo goes back edit by edit", () => {
  let draft = edit(emptyDraft, { type: "insert", text: "one " })
  draft = edit(draft, { type: "insert", text: "two" })
  draft = edit(draft, { type: "kill-to-start" })
  assert.equal(draft.text, "")
  draft = edit(draft, { type: "undo" })
  assert.equal(draft.text, "one two")
  draft = edit(edit(draft, { type: "undo" }), { type: "undo" })
  assert.equal(draft.text, "")
})

test("drafts of before come back, and what was being written waits", () => {
  let draft = put(edit(emptyDraft, { type: "insert", text: "first" }), true)
  draft = put(edit(draft, { type: "insert", text: "second" }), true)
  draft = edit(draft, { type: "insert", text: "now" })
  const older = edit(draft, { type: "older" })
  assert.equal(older.text, "second")
  assert.equal(edit(older, { type: "older" }).text, "first")
  assert.equal(edit(edit(older, { type: "older" }), { type: "older" }).text, "first")
  assert.equal(edit(older, { type: "newer" }).text, "now")
})

test("a draft has a limit", () => {
  const full = edit(emptyDraft, { type: "insert", text: "x".repeat(DRAFT_MAX + 5) })
  assert.equal(full.text.length, DRAFT_MAX)
  assert.equal(edit(full, { type: "insert", text: "y" }).text.length, DRAFT_MAX)
})

const change: fc.Arbitrary<DraftEdit> = fc.oneof(
  fc.record({
    type: fc.constant("insert" as const),
    text: fc.string({ unit: "grapheme", maxLength: 8 }),
  }),
  fc
    .constantFrom("\n", " ", "e\u0301", "👨‍👩‍👧", "a b")
    .map((text) => ({ type: "insert" as const, text })),
  fc.constantFrom(...([...MOTIONS] as DraftMotion[])).map((type) => ({ type })),
)

test("no edit leaves the cursor inside a character or outside the text", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      let draft = emptyDraft
      for (const next of changes) {
        draft = edit(draft, next)
        assert.ok(draft.cursor >= 0 && draft.cursor <= draft.text.length)
        assert.ok(draft.text.isWellFormed())
        assert.ok(draft.undo.length <= 100 && draft.past.length <= 50)
        if (next.type === "backspace" || next.type === "left") {
          let edge = 0
          const edges = new Set([
            0,
            ...graphemes(draft.text).map((cluster) => (edge += cluster.length)),
          ])
          assert.ok(edges.has(draft.cursor), shown(draft))
        }
      }
    }),
    { numRuns: 500 },
  )
})
