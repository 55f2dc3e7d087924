/**
 * A row of the screen as spans of text in roles. Screens are made of these: plain values that a test can read, that a memo can
 * compare, and that one component paints.
 */
import type { Role } from "./theme.ts"
import { cells, padEnd, truncate } from "./wrap.ts"

export interface Span {
  readonly text: string
  readonly role: Role
  /** Colours of its own, over those of the role: parts of a picture. */
  readonly paint?: { readonly color: string; readonly backgroundColor?: string }
}

export type Row = readonly Span[]

export const span = (text: string, role: Role = "text"): Span => ({ text, role })
export const line = (text: string, role: Role = "text"): Row => [span(text, role)]
export const blank: Row = []

const measured = new WeakMap<Row, number>()

/** Cells of a row; remembered with it, since rows of messages are drawn again with every frame. */
export function rowCells(row: Row): number {
  const found = measured.get(row)
  if (found !== undefined) return found
  const sum = row.reduce((total, { text }) => total + cells(text), 0)
  measured.set(row, sum)
  return sum
}
export const rowText = (row: Row): string => row.map(({ text }) => text).join("")

/** Cut to `width` cells; what does not fit ends in an ellipsis. */
export function fit(row: Row, width: number): Row {
  if (rowCells(row) <= width) return row
  const out: Span[] = []
  let left = width
  for (const part of row) {
    const size = cells(part.text)
    if (size <= left) {
      out.push(part)
      left -= size
      continue
    }
    if (left > 0) out.push({ ...part, text: truncate(part.text, left) })
    break
  }
  return out
}

/** Exactly `width` cells: a column with something to its right. */
export function column(row: Row, width: number): Row {
  const cut = fit(row, width)
  const missing = width - rowCells(cut)
  return missing > 0 ? [...cut, span(" ".repeat(missing))] : cut
}

/** A rule with words in it. */
export function ruled(words: string, width: number, rule: string, role: Role): Row {
  const text = truncate(` ${words} `, width)
  const left = Math.max(0, (width - cells(text)) >> 1)
  return line(rule.repeat(left) + text + rule.repeat(Math.max(0, width - left - cells(text))), role)
}

/** As many parts as fit, joined by dots; the ones that matter most come first. */
export function joinFitting(parts: readonly Row[], width: number): Row {
  const out: Span[] = []
  let used = 0
  for (const part of parts) {
    const gap = out.length === 0 ? 1 : 3
    const size = rowCells(part)
    if (used + gap + size > width && out.length > 0) continue
    out.push(span(out.length === 0 ? " " : " · ", "dim"), ...part)
    used += gap + size
  }
  return fit(out, width)
}

export const labelled = (label: string, width: number): Span => span(padEnd(label, width), "dim")
