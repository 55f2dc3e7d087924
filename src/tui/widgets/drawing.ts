/** Encodes a picture for a terminal that draws it itself. Takes some tenths of a second: for a thread of its own. Pure. */
import { encode } from "fast-png"
import { FINALIZER, introducer, sixelEncodeIndexed } from "sixel/lib/SixelEncoder.js"
import type { RGBColor } from "sixel/lib/Types.js"
import type { Preview } from "../../node/api/types.ts"
import { type DrawnStyle, LEFT, TOP } from "./picture.ts"

/** What draws it at its place and puts the cursor back; undefined for a picture that does not hold what it says. */
export function drawing(style: DrawnStyle, preview: Preview): string | undefined {
  const { width, height } = preview
  const rgb = Uint8Array.from(atob(preview.rgb), (character) => character.charCodeAt(0))
  if (width < 1 || height < 1 || rgb.length !== width * height * 3) return undefined
  const image = style === "iterm2" ? inlineImage(rgb, width, height) : sixels(rgb, width, height)
  return `\x1b7\x1b[${TOP};${LEFT}H${image}\x1b8`
}

/** iTerm2: a file of any kind that it knows, in base64, and how large to draw it. */
function inlineImage(rgb: Uint8Array, width: number, height: number): string {
  const png = encode({ width, height, channels: 3, depth: 8, data: rgb })
  const about = `inline=1;size=${png.length};width=${width}px;height=${height}px;doNotMoveCursor=1`
  return `\x1b]1337;File=${about}:${Buffer.from(png).toString("base64")}\x07`
}

/** Levels of red, green and blue: 252 colours together, as many registers as terminals have. */
const LEVELS = [6, 7, 6] as const
const PALETTE = Array.from({ length: LEVELS[0] * LEVELS[1] * LEVELS[2] }, (_, i) => {
  const [green, blue] = [Math.floor(i / LEVELS[2]) % LEVELS[1], i % LEVELS[2]]
  const red = Math.floor(i / (LEVELS[1] * LEVELS[2]))
  const full = (level: number, of: number) => Math.round((255 * level) / (of - 1))
  return [full(red, LEVELS[0]), full(green, LEVELS[1]), full(blue, LEVELS[2])] as RGBColor
})
/** Bayer's matrix: which of 16 neighbours are rounded up first. */
const DITHER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5].map((n) => (n + 0.5) / 16)

function sixels(rgb: Uint8Array, width: number, height: number): string {
  const indices = new Uint16Array(width * height)
  for (let at = 0; at < indices.length; at++) {
    const [x, y] = [at % width, Math.floor(at / width)]
    const up = DITHER[(y % 4) * 4 + (x % 4)] ?? 0
    let index = 0
    for (const [channel, levels] of LEVELS.entries()) {
      const exact = ((rgb[3 * at + channel] ?? 0) * (levels - 1)) / 255
      index = index * levels + Math.min(levels - 1, Math.floor(exact + up))
    }
    indices[at] = index
  }
  return introducer(1) + sixelEncodeIndexed(indices, width, height, PALETTE) + FINALIZER
}
