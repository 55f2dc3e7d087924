/** How large an image says it is, from its header alone: PNG (RFC 2083), JPEG (T.81 annex B), GIF89a, BMP. Pure. */
import type { Bytes } from "../../crypto/bytes.ts"

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** `undefined` where the header does not say, or says nonsense. */
export function claimedSize(type: string, bytes: Bytes): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    const size = SIZES.get(type)?.(view)
    return size !== undefined && size.width > 0 && size.height > 0 ? size : undefined
  } catch (error) {
    // the header is cut
    if (error instanceof RangeError) return undefined
    throw error
  }
}

const SIZES: ReadonlyMap<string, (view: DataView) => ImageSize | undefined> = new Map([
  ["image/png", (view: DataView) => ({ width: view.getUint32(16), height: view.getUint32(20) })],
  [
    "image/gif",
    (view: DataView) => ({ width: view.getUint16(6, true), height: view.getUint16(8, true) }),
  ],
  ["image/bmp", bitmapSize],
  ["image/jpeg", jpegSize],
])

function bitmapSize(view: DataView): ImageSize {
  // the oldest form has 16-bit sides; a negative height means rows from the top
  if (view.getUint32(14, true) === 12)
    return { width: view.getUint16(18, true), height: view.getUint16(20, true) }
  return { width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) }
}

/** The largest frame that any of the headers claims. */
function jpegSize(view: DataView): ImageSize | undefined {
  let found: ImageSize | undefined
  let at = 2
  while (at + 4 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) return found
    const marker = view.getUint8(at + 1)
    if (marker === 0xff) {
      at += 1
      continue
    }
    // from the scan on there is only data
    if (marker === 0xda || marker === 0xd9) return found
    const isFrame =
      marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
    if (isFrame) {
      const size = { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
      if (found === undefined || size.width * size.height > found.width * found.height) found = size
    }
    at += 2 + view.getUint16(at + 2)
  }
  return found
}
