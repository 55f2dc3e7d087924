/**
 * Rows out of text. Wrapping is ours because only rows that we made ourselves can be counted, cached and drawn one screen at
 * a time; the layout engine would lay out the whole history. Widths are upper bounds: a cluster of several code points
 * counts as the sum of its parts, which is the most that any terminal draws, so a row never runs past its column.
 */
import stringWidth from "string-width"

// One cell and one character each, whatever stands beside them: Latin, Greek, Cyrillic, rules and boxes. Most text is only that.
const SINGLE =
  /^[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u0391-\u03ff\u0400-\u0482\u048a-\u04ff\u2010-\u2027\u2500-\u257f]*$/
const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** User-perceived characters of sanitised text. */
export const graphemes = (text: string): string[] =>
  SINGLE.test(text) ? text.split("") : Array.from(segmenter.segment(text), ({ segment }) => segment)

/** Widths of clusters seen; measuring one costs microseconds, and a language uses few. Emptied when it has grown to this. */
const KNOWN_MAX = 8192
const known = new Map<string, number>()

function cellsOfCluster(cluster: string): number {
  const found = known.get(cluster)
  if (found !== undefined) return found
  const whole = stringWidth(cluster)
  let sum = 0
  for (const point of cluster) sum += stringWidth(point)
  const width = Math.max(whole, sum)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(cluster, width)
  return width
}

/** Terminal cells that sanitised text takes at most. */
export function cells(text: string): number {
  if (SINGLE.test(text)) return text.length
  let sum = 0
  for (const cluster of graphemes(text)) sum += cellsOfCluster(cluster)
  return sum
}

/** Cuts to `width` cells, with an ellipsis where something was lost. */
export function truncate(text: string, width: number): string {
  if (width <= 0) return ""
  if (cells(text) <= width) return text
  let out = ""
  let used = 1
  for (const cluster of graphemes(text)) {
    used += cellsOfCluster(cluster)
    if (used > width) break
    out += cluster
  }
  return `${out}…`
}

export const padEnd = (text: string, width: number): string => {
  const cut = truncate(text, width)
  return cut + " ".repeat(Math.max(0, width - cells(cut)))
}

export const padStart = (text: string, width: number): string => {
  const cut = truncate(text, width)
  return " ".repeat(Math.max(0, width - cells(cut))) + cut
}

/** A wrapped row and where it starts in the text it was cut from, in UTF-16 units. */
export interface WrappedRow {
  readonly text: string
  readonly start: number
}

/**
 * Rows of at most `width` cells (2 at least). Breaks after spaces, inside a word only where the word is longer than a row.
 * Nothing is dropped: the rows joined, with line feeds between lines, are the text again.
 */
export function wrapRows(text: string, width: number): WrappedRow[] {
  const out: WrappedRow[] = []
  let start = 0
  for (const line of text.split("\n")) {
    wrapLine(line, start, Math.max(2, width), out)
    start += line.length + 1
  }
  return out
}

function wrapLine(line: string, offset: number, width: number, out: WrappedRow[]): void {
  if (line.length <= width && SINGLE.test(line)) {
    out.push({ text: line, start: offset })
    return
  }
  let row = ""
  let rowCells = 0
  let start = offset
  // Where the row could end: just behind its last space.
  let breakAt = 0
  for (const cluster of graphemes(line)) {
    const size = cellsOfCluster(cluster)
    if (rowCells + size > width && row !== "" && cluster !== " ") {
      const cut = breakAt > 0 ? breakAt : row.length
      out.push({ text: row.slice(0, cut), start })
      start += cut
      row = row.slice(cut)
      rowCells = cells(row)
      breakAt = 0
      if (rowCells + size > width) {
        out.push({ text: row, start })
        start += row.length
        row = ""
        rowCells = 0
      }
    }
    row += cluster
    rowCells += size
    if (cluster === " ") breakAt = row.length
  }
  out.push({ text: row, start })
}

/** The rows as they are drawn: a space that hangs over the edge is not. */
export const wrap = (text: string, width: number): string[] =>
  wrapRows(text, width).map((row) =>
    cells(row.text) > width ? row.text.replace(/ +$/, "") : row.text,
  )
