/**
 * Images as rows of text. Everywhere: half blocks, two pixels a cell. Where the terminal draws images itself (kitty's protocol with
 * Unicode placeholders): cells that stand for parts of an image that was sent to it beforehand, so that it scrolls and is cut like
 * any text. Without colours: shades. Pure.
 */
import type { Preview } from "../../node/api/types.ts"
import type { Row, Span } from "../rows.ts"
import { span } from "../rows.ts"

export type ImageStyle = "kitty" | "iterm2" | "sixel" | "blocks" | "shades" | "letters"

/** Cells that an image takes at most. */
export const IMAGE_COLUMNS_MAX = 60
export const IMAGE_ROWS_MAX = 18
/** Pixels of a cell of a terminal that draws images; their proportion is what matters. */
const CELL = { width: 10, height: 20 } as const
const RAMP = " .:-=+*#%@"
const SHADES = " ░▒▓█"
/** Bytes of one escape sequence; kitty takes no longer ones. */
const PIECE = 4096

type Environment = Readonly<Record<string, string | undefined>>

/** What this terminal can show. A multiplexer in between would have to pass images on, which most do not. */
export function chooseImages(env: Environment, colours: boolean, unicode: boolean): ImageStyle {
  if (!unicode) return "letters"
  if (!colours) return "shades"
  const multiplexed = (env["TMUX"] ?? "") !== "" || (env["STY"] ?? "") !== ""
  const draws =
    (env["KITTY_WINDOW_ID"] ?? "") !== "" ||
    env["TERM"] === "xterm-kitty" ||
    env["TERM"] === "xterm-ghostty" ||
    env["TERM_PROGRAM"] === "ghostty"
  if (multiplexed) return "blocks"
  return draws ? "kitty" : drawsFiles(env) ? "iterm2" : "blocks"
}

/** Terminals that know iTerm2's inline images. Whether one knows sixels it says when it is asked (terminal.ts). */
function drawsFiles(env: Environment): boolean {
  const program = env["TERM_PROGRAM"] ?? ""
  return env["LC_TERMINAL"] === "iTerm2" || ["iTerm.app", "WezTerm", "mintty"].includes(program)
}

/** The pixels to ask for so that the image fits into so many cells. */
export function pixelsFor(style: ImageStyle, columns: number, rows: number) {
  const cell = style === "kitty" ? CELL : { width: 1, height: 2 }
  return { width: columns * cell.width, height: rows * cell.height }
}

/** Rows that show the image. `number`: what a terminal that draws it was told to call it. */
export function imageRows(style: ImageStyle, preview: Preview, number: number): Row[] {
  const { width, height } = preview
  const rgb = Uint8Array.from(atob(preview.rgb), (character) => character.charCodeAt(0))
  if (rgb.length !== width * height * 3) return []
  if (style === "kitty")
    return placeholders(Math.ceil(width / CELL.width), Math.ceil(height / CELL.height), number)
  const rows: Row[] = []
  for (let y = 0; y < height; y += 2) {
    const cells = Array.from({ length: width }, (_, x) => {
      const top = pixel(rgb, width, x, y)
      const bottom = y + 1 < height ? pixel(rgb, width, x, y + 1) : BLACK
      return style === "blocks"
        ? painted("▀", hex(top), hex(bottom))
        : span(shade(style === "letters" ? RAMP : SHADES, top, bottom))
    })
    rows.push(joined(cells))
  }
  return rows
}

const BLACK = [0, 0, 0] as const
type Pixel = readonly [red: number, green: number, blue: number]

function pixel(rgb: Uint8Array, width: number, x: number, y: number): Pixel {
  const at = (y * width + x) * 3
  return [rgb[at] ?? 0, rgb[at + 1] ?? 0, rgb[at + 2] ?? 0]
}

const hex = (colour: Pixel) =>
  `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`

const painted = (text: string, color: string, backgroundColor?: string): Span => ({
  ...span(text),
  paint: backgroundColor === undefined ? { color } : { color, backgroundColor },
})

function shade(ramp: string, ...pixels: readonly Pixel[]): string {
  const light = pixels.reduce((sum, [r, g, b]) => sum + 0.3 * r + 0.59 * g + 0.11 * b, 0)
  const share = light / pixels.length / 256
  return ramp[Math.floor(share * ramp.length)] ?? " "
}

/** Neighbours that look alike become one span: fewer bytes to the terminal. */
function joined(cells: readonly Span[]): Row {
  const out: Span[] = []
  for (const cell of cells) {
    const last = out.at(-1)
    const alike =
      last?.paint?.color === cell.paint?.color &&
      last?.paint?.backgroundColor === cell.paint?.backgroundColor
    if (last !== undefined && alike) out[out.length - 1] = { ...last, text: last.text + cell.text }
    else out.push(cell)
  }
  return out
}

/** A cell of an image: which row is said by the first mark, and the columns follow from left to right. */
const PLACEHOLDER = "\u{10eeee}"
const MARKS = [
  0x305, 0x30d, 0x30e, 0x310, 0x312, 0x33d, 0x33e, 0x33f, 0x346, 0x34a, 0x34b, 0x34c, 0x350, 0x351,
  0x352, 0x357, 0x35b, 0x363, 0x364, 0x365, 0x366, 0x367, 0x368, 0x369,
] // prettier-ignore

function placeholders(columns: number, rows: number, number: number): Row[] {
  const color = `#${number.toString(16).padStart(6, "0")}`
  return Array.from({ length: Math.min(rows, MARKS.length) }, (_, y) => {
    const row = String.fromCodePoint(MARKS[y] ?? 0x305)
    const first = PLACEHOLDER + row + String.fromCodePoint(0x305)
    return [painted(first + PLACEHOLDER.repeat(columns - 1), color)]
  })
}

/** What a terminal that draws images is told beforehand: the pixels, the number, and the cells they fill. */
export function imageForTerminal(preview: Preview, number: number): string {
  const { width, height, rgb } = preview
  const [columns, rows] = [Math.ceil(width / CELL.width), Math.ceil(height / CELL.height)]
  const head = `a=T,U=1,q=2,f=24,s=${width},v=${height},i=${number},c=${columns},r=${rows}`
  let out = ""
  for (let at = 0; at === 0 || at < rgb.length; at += PIECE) {
    const more = at + PIECE < rgb.length ? 1 : 0
    const keys = at === 0 ? `${head},m=${more}` : `m=${more}`
    out += `\x1b_G${keys};${rgb.slice(at, at + PIECE)}\x1b\\`
  }
  return out
}

/** Takes an image back from the terminal. */
export const forgetImage = (number: number): string => `\x1b_Ga=d,d=I,q=2,i=${number}\x1b\\`
