/**
 * A terminal screen as SVG: every run of cells with one style is one text, held to the width of its cells, so that the
 * picture keeps its columns with any monospaced font. What the README shows is drawn by this from the real program.
 */
import type { IBufferCell } from "@xterm/headless"
import type { FakeTerminal } from "./terminal.ts"

const CELL_WIDTH = 8.4
const CELL_HEIGHT = 18
const MARGIN = 14
const GROUND = "#16181d"
const INK = "#d8dae0"

const hex = (rgb: number): string => `#${rgb.toString(16).padStart(6, "0")}`
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

interface Look {
  readonly ink: string
  readonly ground: string
  readonly bold: boolean
}

function lookOf(cell: IBufferCell): Look {
  const ink = cell.isFgRGB() ? hex(cell.getFgColor()) : INK
  const ground = cell.isBgRGB() ? hex(cell.getBgColor()) : GROUND
  const bold = cell.isBold() !== 0
  return cell.isInverse() !== 0 ? { ink: ground, ground: ink, bold } : { ink, ground, bold }
}

function run(drawn: string, look: Look, column: number, cells: number, row: number): string {
  const at = (cell: number) => (MARGIN + cell * CELL_WIDTH).toFixed(1)
  const y = MARGIN + row * CELL_HEIGHT
  const width = (cells * CELL_WIDTH).toFixed(1)
  const box =
    look.ground === GROUND
      ? ""
      : `<rect x="${at(column)}" y="${y}" width="${width}" height="${CELL_HEIGHT}" fill="${look.ground}"/>`
  // Spaces at either end are left to the ground: readers of SVG disagree on whether they count.
  const text = drawn.trim()
  if (text === "") return box
  const indent = drawn.length - drawn.trimStart().length
  const inner = ((cells - (drawn.length - text.length)) * CELL_WIDTH).toFixed(1)
  const weight = look.bold ? ' font-weight="bold"' : ""
  return `${box}<text x="${at(column + indent)}" y="${y + 13}" textLength="${inner}" fill="${look.ink}"${weight}>${escaped(text)}</text>`
}

export function toSvg(tty: FakeTerminal, title: string): string {
  const { cols, rows } = tty.term
  const parts: string[] = []
  for (let y = 0; y < rows; y++) {
    let at = { text: "", start: 0, look: "" }
    const flush = (end: number) => {
      if (at.text !== "")
        parts.push(run(at.text, JSON.parse(at.look) as Look, at.start, end - at.start, y))
    }
    for (let x = 0; x < cols; x++) {
      const cell = tty.cell(x, y)
      if (cell === undefined || cell.getWidth() === 0) continue
      const look = JSON.stringify(lookOf(cell))
      // A wide character stands for itself: fonts disagree most about those.
      if (look !== at.look || cell.getWidth() === 2 || tty.cell(at.start, y)?.getWidth() === 2) {
        flush(x)
        at = { text: "", start: x, look }
      }
      at.text += cell.getChars() || " "
    }
    flush(cols)
  }
  const width = Math.ceil(2 * MARGIN + cols * CELL_WIDTH)
  const height = 2 * MARGIN + rows * CELL_HEIGHT
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">`,
    `<rect width="100%" height="100%" rx="10" fill="${GROUND}"/>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" xml:space="preserve">`,
    ...parts.filter((part) => part !== ""),
    "</g>",
    "</svg>",
    "",
  ].join("\n")
}
