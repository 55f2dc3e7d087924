/**
 * QR codes as rows of half blocks: two modules a cell, so that the code stays square and small. Only drawn when it fits whole,
 * with its quiet zone; a cut code is worse than none. Black on white whatever the theme; without colours the light modules
 * are the drawn ones, which is right on the dark ground most terminals have.
 */
import { encode } from "uqr"
import type { Row } from "../rows.ts"
import { span } from "../rows.ts"

/** Modules of white around the code; two are enough for every reader tried. */
const QUIET = 2
/** Byte mode at level L ends here. */
const TEXT_MAX = 2900

const matrix = (text: string) =>
  encode(text.toUpperCase(), { ecc: "L", border: QUIET, boostEcc: false })

/** Cells that the code takes, or null when no code holds that much. */
export function qrSize(text: string): { readonly columns: number; readonly rows: number } | null {
  if (text === "" || text.length > TEXT_MAX) return null
  const { size } = matrix(text)
  return { columns: size, rows: Math.ceil(size / 2) }
}

/** Rows of the code, or null when it does not fit. Upper case is smaller: codes are written in it. */
export function qrRows(
  text: string,
  columns: number,
  rows: number,
  colours: boolean,
): Row[] | null {
  if (text === "" || text.length > TEXT_MAX) return null
  const { data, size } = matrix(text)
  if (size > columns || Math.ceil(size / 2) > rows) return null
  const out: Row[] = []
  for (let y = 0; y < size; y += 2) {
    let cells = ""
    for (let x = 0; x < size; x++) {
      const upper = data[y]?.[x] === colours
      const lower = (data[y + 1]?.[x] ?? false) === colours
      cells += upper ? (lower ? "█" : "▀") : lower ? "▄" : " "
    }
    out.push([span(cells, "qr")])
  }
  return out
}
