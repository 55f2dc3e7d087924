import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { crc32, deflateSync } from "node:zlib"
import { encode as encodeBmp } from "fast-bmp"
import { encode as encodePng } from "fast-png"
import fc from "fast-check"
import jpeg from "jpeg-js"
import {
  decodeImage,
  ImageError,
  type ImageErrorCode,
  type Pixels,
} from "../../../src/node/files/image.ts"
import { claimedSize } from "../../../src/node/files/image-header.ts"
import { fitted } from "../../../src/node/files/image-scale.ts"

const decode = (bytes: Uint8Array, width = 64, height = 64) =>
  decodeImage(bytes, { width, height }, AbortSignal.timeout(30_000))

const failing = (code: ImageErrorCode) => (error: unknown) => {
  assert(error instanceof ImageError, String(error))
  assert.equal(error.code, code)
  return true
}

/** Left half red, right half blue. */
function halves(width: number, height: number, channels: 3 | 4): Uint8Array {
  const data = new Uint8Array(width * height * channels)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels
      data[at + (x < width / 2 ? 0 : 2)] = 255
      if (channels === 4) data[at + 3] = 255
    }
  return data
}

function looksLikeHalves({ width, height, rgb }: Pixels, slack = 0): void {
  const near = (at: number, expected: readonly number[]) => {
    for (const [i, value] of expected.entries())
      assert(Math.abs((rgb[at + i] ?? -999) - value) <= slack, `${rgb[at + i]} for ${value}`)
  }
  for (let y = 0; y < height; y++) {
    near(y * width * 3, [255, 0, 0])
    near((y * width + width - 1) * 3, [0, 0, 255])
  }
}

const png = (width: number, height: number) =>
  encodePng({ width, height, data: halves(width, height, 4), channels: 4, depth: 8 })

/** A PNG of one colour that says it is so large, made without ever holding it. */
function pngClaiming(width: number, height: number, data: Uint8Array): Uint8Array {
  const chunk = (type: string, body: Uint8Array) => {
    const named = Buffer.concat([Buffer.from(type, "latin1"), body])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(body.length)
    sum.writeUInt32BE(crc32(named))
    return Buffer.concat([length, named, sum])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 0, 0, 0, 0], 8)
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1")
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ])
}

/** 2 × 1 pixels, red and blue. */
const GIF = Buffer.from("R0lGODlhAgABAIABAP8AAAAA/yH5BAAAAAAALAAAAAACAAEAAAICRAoAOw==", "base64")

describe("an image", () => {
  test("of each kind is decoded in a process of its own and made to fit", async () => {
    const small = await decode(png(200, 100), 20, 20)
    assert.deepEqual([small.width, small.height], [20, 10])
    looksLikeHalves(small)

    const raw = { width: 64, height: 32, data: halves(64, 32, 4) }
    const fromJpeg = await decode(new Uint8Array(jpeg.encode(raw, 95).data), 32, 32)
    assert.deepEqual([fromJpeg.width, fromJpeg.height], [32, 16])
    looksLikeHalves(fromJpeg, 8)

    const bmp = encodeBmp({
      width: 8,
      height: 4,
      data: halves(8, 4, 3),
      channels: 3,
      components: 3,
      bitsPerPixel: 24,
    })
    looksLikeHalves(await decode(bmp))

    const gif = await decode(GIF)
    assert.deepEqual([gif.width, gif.height], [2, 1])
    looksLikeHalves(gif)
  })

  test("is never enlarged", async () => {
    const { width, height } = await decode(png(3, 2), 500, 500)
    assert.deepEqual([width, height], [3, 2])
  })

  test("of 40,000 × 40,000 pixels is refused for what it claims, before it is decoded", async () => {
    const before = performance.now()
    const bomb = pngClaiming(40_000, 40_000, deflateSync(Buffer.alloc(1_000_000)))
    await assert.rejects(decode(bomb), failing("IMAGE_TOO_LARGE"))
    assert(performance.now() - before < 8_000)
  })

  test("whose data unpacks to far more than it claims does not take this process along", async () => {
    // 600 MB of zeros for an image of ten pixels
    const idat = deflateSync(Buffer.alloc(600_000_000), { level: 1 })
    const before = process.memoryUsage().rss
    await assert.rejects(decode(pngClaiming(10, 1, idat)), ImageError)
    assert(process.memoryUsage().rss - before < 300_000_000)
  })

  test("of another kind, or damaged, is said to be so", async () => {
    await assert.rejects(decode(Buffer.from("%PDF-1.7")), failing("NOT_AN_IMAGE"))
    await assert.rejects(decode(new Uint8Array(0)), failing("NOT_AN_IMAGE"))
    await assert.rejects(decode(png(40, 40).subarray(0, 60)), failing("IMAGE_DAMAGED"))
    await assert.rejects(
      decode(Buffer.from("\x89PNG\r\n\x1a\n", "latin1")),
      failing("IMAGE_DAMAGED"),
    )
    await assert.rejects(
      decode(Buffer.from("\xff\xd8\xff\xe0junk", "latin1")),
      failing("IMAGE_DAMAGED"),
    )
    await assert.rejects(decode(GIF.subarray(0, 20)), failing("IMAGE_DAMAGED"))
  })

  test("nobody waits for any more is given up", async () => {
    const giveUp = new AbortController()
    const size = { width: 10, height: 10 }
    const decoding = decodeImage(png(500, 500), size, giveUp.signal)
    giveUp.abort(new Error("enough"))
    await assert.rejects(decoding, /enough/)
  })
})

describe("the header says how large an image is", () => {
  test("whatever the bytes are", () => {
    const types = ["image/png", "image/jpeg", "image/gif", "image/bmp", "text/plain"]
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        const size = claimedSize(type, bytes)
        assert(size === undefined || (size.width > 0 && size.height > 0))
      }),
      { numRuns: 1000 },
    )
  })

  test("in JPEG the largest frame counts, behind any number of segments", () => {
    const frame = (height: number, width: number) => [
      0xff,
      0xc0,
      0,
      8,
      8,
      height >> 8,
      height & 255,
      width >> 8,
      width & 255,
      1,
    ]
    const segments = [0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xfe, 0, 2]
    const bytes = [0xff, 0xd8, ...segments, ...frame(10, 20), ...frame(3000, 5000), 0xff, 0xda]
    assert.deepEqual(claimedSize("image/jpeg", Uint8Array.from(bytes)), {
      width: 5000,
      height: 3000,
    })
  })
})

describe("making an image small", () => {
  test("keeps its shape, fits, and means what it stands for", () => {
    const side = fc.integer({ min: 1, max: 40 })
    fc.assert(
      fc.property(side, side, side, side, (width, height, widthMax, heightMax) => {
        const data = new Uint8Array(width * height).fill(77)
        const out = fitted({ width, height, channels: 1, depth: 8, data }, widthMax, heightMax)
        assert(out.width <= Math.min(width, widthMax) && out.height <= Math.min(height, heightMax))
        assert(out.width >= 1 && out.height >= 1)
        assert.equal(out.rgb.length, out.width * out.height * 3)
        assert(out.rgb.every((value) => value === 77))
      }),
    )
  })

  test("16 bits a channel become 8, and what is see-through becomes dark", () => {
    const deep = { width: 1, height: 1, channels: 3, depth: 16, data: [65_535, 32_768, 0] } as const
    assert.deepEqual([...fitted(deep, 9, 9).rgb], [255, 128, 0])
    const clear = { width: 1, height: 1, channels: 4, depth: 8, data: [200, 100, 50, 0] } as const
    assert.deepEqual([...fitted(clear, 9, 9).rgb], [0, 0, 0])
    const grey = { width: 1, height: 1, channels: 2, depth: 8, data: [200, 255] } as const
    assert.deepEqual([...fitted(grey, 9, 9).rgb], [200, 200, 200])
  })
})
