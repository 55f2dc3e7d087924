/**
 * Pictures that a terminal draws itself over the cells of an empty page: iTerm2's inline images, or sixels. Such a picture belongs to no
 * text: it would stay behind when messages scroll, so it has a page of its own. How one is encoded stands in drawing.ts, which only a
 * thread of its own loads. Pure.
 */
import type { Cell } from "./cell.ts"
import type { ImageStyle } from "./image.ts"

/** Cells of the largest picture. */
export const PICTURE_COLUMNS_MAX = 80
export const PICTURE_ROWS_MAX = 24
/** Where it stands: below the title, after a margin; counted from 1. */
export const TOP = 3
export const LEFT = 2

/** Terminals that draw pictures by a protocol of their own, besides kitty's. */
export type DrawnStyle = Extract<ImageStyle, "iterm2" | "sixel">
export const isDrawn = (style: ImageStyle): style is DrawnStyle =>
  style === "iterm2" || style === "sixel"

/** Pixels to ask for on a page of so many cells. */
export function pixelsOnPage({ width, height }: Cell, columns: number, rows: number) {
  const across = Math.max(1, Math.min(PICTURE_COLUMNS_MAX, columns - 2 * LEFT))
  const down = Math.max(1, Math.min(PICTURE_ROWS_MAX, rows - TOP - 2))
  return { width: across * width, height: down * height }
}
