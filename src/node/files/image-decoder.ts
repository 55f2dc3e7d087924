/**
 * The process behind image.ts: reads an image from standard input, writes pixels that fit the sides given as arguments to standard
 * output, ends. How large an image claims to be is read from its header by us, before any library sees it.
 */
import { decode as decodeBmp } from "fast-bmp"
import { decode as decodePng } from "fast-png"
import jpeg from "jpeg-js"
import { GifReader } from "omggif"
import { sniffed } from "../../chat/file-type.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { claimedSize } from "./image-header.ts"
import { IMAGE_ANSWERS, IMAGE_PIXELS_MAX, type ImageAnswer } from "./image-limits.ts"
import { fitted, type Raster } from "./image-scale.ts"

const JPEG_MEMORY_MIB = 512

function decode(type: string, bytes: Bytes): Raster {
  switch (type) {
    case "image/png": {
      const { width, height, data, channels, depth, palette } = decodePng(bytes)
      if (palette !== undefined) return fromPalette(width, height, data, palette)
      return { width, height, channels, depth: depth === 16 ? 16 : 8, data }
    }
    case "image/jpeg": {
      const { width, height, data } = jpeg.decode(bytes, {
        useTArray: true,
        formatAsRGBA: true,
        maxMemoryUsageInMB: JPEG_MEMORY_MIB,
      })
      return { width, height, channels: 4, depth: 8, data }
    }
    case "image/gif": {
      const reader = new GifReader(bytes)
      const data = new Uint8Array(reader.width * reader.height * 4)
      reader.decodeAndBlitFrameRGBA(0, data)
      return { width: reader.width, height: reader.height, channels: 4, depth: 8, data }
    }
    default: {
      const { width, height, channels, data } = decodeBmp(bytes)
      return { width, height, channels, depth: 8, data: data as Uint8Array }
    }
  }
}

function fromPalette(
  width: number,
  height: number,
  indexes: ArrayLike<number>,
  palette: readonly (readonly number[])[],
): Raster {
  const data = new Uint8Array(width * height * 4)
  for (let i = 0; i < width * height; i++)
    data.set([...(palette[indexes[i] ?? 0] ?? []), 255].slice(0, 4), i * 4)
  return { width, height, channels: 4, depth: 8, data }
}

const SHOWN = ["image/png", "image/jpeg", "image/gif", "image/bmp"]

function answer(bytes: Bytes, widthMax: number, heightMax: number): Bytes {
  const type = sniffed(bytes)
  if (!SHOWN.includes(type)) return saying("NOT_AN_IMAGE")
  const claimed = claimedSize(type, bytes)
  if (claimed === undefined) return saying("IMAGE_DAMAGED")
  if (claimed.width * claimed.height > IMAGE_PIXELS_MAX) return saying("IMAGE_TOO_LARGE")
  let raster: Raster
  try {
    raster = decode(type, bytes)
  } catch {
    return saying("IMAGE_DAMAGED")
  }
  const { width, height, rgb } = fitted(raster, widthMax, heightMax)
  const out = new Uint8Array(5 + rgb.length)
  out.set([0, width >> 8, width & 255, height >> 8, height & 255])
  out.set(rgb, 5)
  return out
}

const saying = (what: ImageAnswer) => Uint8Array.of(IMAGE_ANSWERS.indexOf(what))

const [width, height] = process.argv.slice(2).map(Number)
const input: Uint8Array[] = []
for await (const piece of process.stdin) input.push(piece as Uint8Array)
process.stdout.write(answer(new Uint8Array(Buffer.concat(input)), width ?? 1, height ?? 1))
