/** The page of a search: the question, what was found, and which of it Enter jumps to. */
import type { SearchHit } from "../../node/api/types.ts"
import { authorName } from "../model.ts"
import type { Model, Overlay } from "../model.ts"
import { blank, fit, line, span } from "../rows.ts"
import type { Row } from "../rows.ts"
import { sanitizeLine, sanitizeName } from "../sanitize.ts"
import { clockOf } from "../transcript.ts"
import { fieldRow } from "../widgets/field.ts"
import { progressText } from "../widgets/status-line.ts"
import { padEnd, wrap } from "../wrap.ts"
import type { Page } from "./page.tsx"

const HELP =
  'Words, "words in this order", from:name in:chat has:file before:2026-11-20 after:monday. The last word may be the beginning of one.'
const NAME_WIDTH = 10
const DAY_WIDTH = 15
/** Rows that are no results: the question, rules, what keys do. */
const ROWS_AROUND = 5

export function searchPage(model: Model, overlay: Extract<Overlay, { name: "search" }>): Page {
  const field = fieldRow("Search", overlay.query, model.columns, null)
  const room = Math.max(1, model.rows - ROWS_AROUND)
  const rows: Row[] = [field.row, blank, ...below(model, overlay, room)]
  while (rows.length < model.rows - 1) rows.push(blank)
  const isAnswered = overlay.asked === overlay.query.text.trim() && overlay.answer !== null
  const keys = isAnswered
    ? " Enter goes there · Up, Down choose · Esc back"
    : " Enter searches · Esc back"
  return { rows: [...rows, line(keys, "dim")], cursor: { x: field.x, y: 0 } }
}

function below(model: Model, overlay: Extract<Overlay, { name: "search" }>, room: number): Row[] {
  const { answer, asked, at } = overlay
  const words = (text: string, role: "dim" | "bad") =>
    wrap(text, model.columns - 2).map((part) => line(` ${part}`, role))
  if (model.notice !== null) return words(model.notice.text, "bad")
  if (asked === null) return words(HELP, "dim")
  if (answer === null)
    return words(
      model.progress === null ? "Searching …" : `Searching: ${progressText(model.progress)}`,
      "dim",
    )
  if (answer.hits.length === 0) return [line(" Nothing found."), blank, ...words(HELP, "dim")]
  const first = Math.max(0, Math.min(at - Math.floor(room / 2), answer.hits.length - room))
  const shown = answer.hits.slice(first, first + room)
  const rows = shown.map((hit, i) => hitRow(model, hit, first + i === at))
  return answer.more ? [...rows, line(" There is more: ask for less.", "dim")] : rows
}

function hitRow(model: Model, { message, title }: SearchHit, isChosen: boolean): Row {
  const { file, text, sentAtMs } = message
  const clock = clockOf(model.settings.timeZone)
  const shown = [file === null ? "" : `[${sanitizeName(file.name)}]`, sanitizeLine(text)]
  const row = [
    span(isChosen ? " > " : "   ", "strong"),
    span(padEnd(clock.day(sentAtMs), DAY_WIDTH), "dim"),
    span(` ${padEnd(sanitizeName(title), NAME_WIDTH)} `, "dim"),
    span(`${padEnd(authorName(model, message), NAME_WIDTH)} `, "strong"),
    span(shown.filter((part) => part !== "").join(" "), isChosen ? "strong" : "text"),
  ]
  return fit(row, model.columns)
}
