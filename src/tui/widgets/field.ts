/**
 * One-line fields of forms as rows: a label, what was typed (masked where it is a secret), and where the cursor stands. A
 * value longer than its room shows the part around the cursor.
 */
import type { Row } from "../rows.ts"
import { labelled, span } from "../rows.ts"
import { cells, graphemes } from "../wrap.ts"
import { drawn, sanitizeLine } from "../sanitize.ts"
import type { Draft } from "./draft.ts"

export const LABEL_WIDTH = 14

export interface FieldView {
  readonly row: Row
  /** Column of the cursor. */
  readonly x: number
}

export function fieldRow(
  label: string,
  draft: Draft,
  width: number,
  mask: string | null,
): FieldView {
  const head = LABEL_WIDTH + 1
  const room = Math.max(4, width - head - 1)
  const shown = (text: string) =>
    mask === null ? drawn(text).replaceAll("\n", " ") : mask.repeat(graphemes(text).length)
  const before = shown(draft.text.slice(0, draft.cursor))
  const after = shown(draft.text.slice(draft.cursor))
  let left = before
  if (cells(left) > room - 1) {
    const kept: string[] = []
    let used = 1
    for (const cluster of graphemes(left).reverse()) {
      used += cells(cluster)
      if (used > room - 1) break
      kept.unshift(cluster)
    }
    left = `…${kept.join("")}`
  }
  let right = ""
  let used = cells(left)
  for (const cluster of graphemes(after)) {
    used += cells(cluster)
    if (used > room) break
    right += cluster
  }
  return {
    row: [span(" "), labelled(label, LABEL_WIDTH), span(left + right)],
    x: head + cells(left),
  }
}

/** A field that is not being written in. */
export const settledRow = (label: string, value: string): Row => [
  span(" "),
  labelled(label, LABEL_WIDTH),
  span(sanitizeLine(value)),
]
