import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { beginOfDay } from "../../../src/node/chat/search-days.ts"

/** A Friday, at noon on this machine's clock. */
const NOW = new Date(2026, 10, 20, 12, 30).getTime()
const day = (year: number, month: number, date: number) => new Date(year, month - 1, date).getTime()

describe("a day that a search names", () => {
  it("is its first moment in this machine's time", () => {
    for (const [text, begin] of [
      ["2026-11-20", day(2026, 11, 20)],
      ["2026-02", day(2026, 2, 1)],
      ["2025", day(2025, 1, 1)],
      ["today", day(2026, 11, 20)],
      ["yesterday", day(2026, 11, 19)],
      ["fri", day(2026, 11, 20)],
      ["monday", day(2026, 11, 16)],
      ["saturday", day(2026, 11, 14)],
      ["7d", day(2026, 11, 13)],
      ["2w", day(2026, 11, 6)],
    ] as const)
      assert.equal(beginOfDay(text, NOW), begin, text)
  })

  it("is none when there is no such day", () => {
    for (const text of [
      "2026-02-30",
      "2026-13",
      "mo",
      "mondays",
      "someday",
      "",
      "-1d",
      "20.11.2026",
    ])
      assert.equal(beginOfDay(text, NOW), undefined, text)
  })
})
