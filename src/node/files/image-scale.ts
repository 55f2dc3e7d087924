/** Pixels of any layout made small: each pixel of the result is the mean of those it stands for, over black where they are see-through. Pure. */

export interface Raster {
  readonly width: number
  readonly height: number
  /** Grey, grey and alpha, colours, colours and alpha. */
  readonly channels: number
  readonly depth: 8 | 16
  readonly data: ArrayLike<number>
}

export interface Fitted {
  readonly width: number
  readonly height: number
  /** Three bytes a pixel, row by row. */
  readonly rgb: Uint8Array
}

/** Fits into the sides given, keeps its shape, is never enlarged. */
export function fitted(raster: Raster, widthMax: number, heightMax: number): Fitted {
  const scale = Math.min(1, widthMax / raster.width, heightMax / raster.height)
  const width = Math.max(1, Math.min(widthMax, Math.round(raster.width * scale)))
  const height = Math.max(1, Math.min(heightMax, Math.round(raster.height * scale)))
  const rgb = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    const [top, bottom] = span(y, height, raster.height)
    for (let x = 0; x < width; x++) {
      const [left, right] = span(x, width, raster.width)
      rgb.set(mean(raster, left, right, top, bottom), (y * width + x) * 3)
    }
  }
  return { width, height, rgb }
}

/** Which of `from` pixels stand behind pixel `i` of `to`; at least one. */
function span(i: number, to: number, from: number): readonly [number, number] {
  const start = Math.floor((i * from) / to)
  return [start, Math.max(start + 1, Math.floor(((i + 1) * from) / to))]
}

function mean(raster: Raster, left: number, right: number, top: number, bottom: number) {
  const { width, channels, data, depth } = raster
  const hasColour = channels >= 3
  const hasAlpha = channels === 2 || channels === 4
  const full = depth === 16 ? 65_535 : 255
  let [red, green, blue] = [0, 0, 0]
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) {
      const at = (y * width + x) * channels
      const alpha = hasAlpha ? (data[at + channels - 1] ?? 0) / full : 1
      red += (data[at] ?? 0) * alpha
      green += (data[hasColour ? at + 1 : at] ?? 0) * alpha
      blue += (data[hasColour ? at + 2 : at] ?? 0) * alpha
    }
  const share = 255 / full / ((right - left) * (bottom - top))
  return [Math.round(red * share), Math.round(green * share), Math.round(blue * share)]
}
