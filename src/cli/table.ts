/** Columns for people: cells padded to the widest, by what a terminal shows and not by what a string counts. */
import stringWidth from "string-width"
import { neutralLine } from "./neutral.ts"

/** Longest cell that still widens its column. */
const CELL_MAX = 48

export function printTable(rows: readonly (readonly string[])[]): void {
  const clean = rows.map((row) => row.map(neutralLine))
  const widths: number[] = []
  for (const row of clean)
    for (const [at, cell] of row.entries())
      widths[at] = Math.max(widths[at] ?? 0, Math.min(CELL_MAX, stringWidth(cell)))
  for (const row of clean) {
    const cells = row.map((cell, at) =>
      at === row.length - 1
        ? cell
        : cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - stringWidth(cell)) + 2),
    )
    process.stdout.write(`${cells.join("").trimEnd()}\n`)
  }
}
