/**
 * Images from strangers, made small. The decoders run in a process of their own that may read nothing but its own program, has no
 * environment, and is killed when it takes too long or too much memory: image decoders are where messengers are broken into.
 * What comes back is checked as if it came from a peer.
 */
import { spawn } from "node:child_process"
import { readFile } from "node:fs/promises"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { type Bytes, concat, Reader } from "../../crypto/bytes.ts"
import { CodedError, CryptoError } from "../../crypto/errors.ts"
import { IMAGE_ANSWERS, PREVIEW_SIDE_MAX } from "./image-limits.ts"

export type ImageErrorCode =
  /** Not an image of a kind that is shown: PNG, JPEG, GIF, BMP. */
  | "NOT_AN_IMAGE"
  /** More pixels, or more memory or time to decode, than an image may take. */
  | "IMAGE_TOO_LARGE"
  /** It begins like an image and is none. */
  | "IMAGE_DAMAGED"

export class ImageError extends CodedError<ImageErrorCode> {}

const DECODING_MS = 10_000
/** Resident memory of the decoder. */
const MEMORY_BYTES_MAX = 768 * 1024 * 1024
const LOOK_MS = 50
const HEAP_MIB = 256

export interface Pixels {
  readonly width: number
  readonly height: number
  /** Three bytes a pixel, row by row. */
  readonly rgb: Bytes
}

/** The first frame, scaled to fit into `size` and never enlarged. Throws ImageError, the signal's reason. */
export async function decodeImage(
  bytes: Bytes,
  size: { readonly width: number; readonly height: number },
  signal: AbortSignal,
): Promise<Pixels> {
  const width = Math.min(PREVIEW_SIDE_MAX, Math.max(1, size.width))
  const height = Math.min(PREVIEW_SIDE_MAX, Math.max(1, size.height))
  const answer = await inProcess([String(width), String(height)], bytes, signal)
  return pixelsIn(answer, width, height)
}

function pixelsIn(answer: Bytes, widthMax: number, heightMax: number): Pixels {
  try {
    const read = new Reader(answer)
    const said = IMAGE_ANSWERS[read.u8()]
    if (said !== "DECODED") throw new ImageError(said ?? "IMAGE_DAMAGED", "the image was refused")
    const [width, height] = [read.u16(), read.u16()]
    const rgb = read.raw(width * height * 3)
    read.done()
    if (width >= 1 && height >= 1 && width <= widthMax && height <= heightMax)
      return { width, height, rgb }
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error
  }
  throw new ImageError("IMAGE_DAMAGED", "the decoder gave no image")
}

async function inProcess(
  words: readonly string[],
  input: Bytes,
  signal: AbortSignal,
): Promise<Bytes> {
  signal.throwIfAborted()
  const program = fileURLToPath(new URL("./image-decoder.js", import.meta.url))
  const child = spawn(
    process.execPath,
    [
      "--permission",
      `--allow-fs-read=${homeOf(program)}`,
      `--max-old-space-size=${HEAP_MIB}`,
      "--no-warnings",
      program,
      ...words,
    ],
    { env: {}, stdio: ["pipe", "pipe", "ignore"], cwd: "/" },
  )
  const out: Bytes[] = []
  let length = 0
  const over = { limit: false }
  const end = (large: boolean) => {
    over.limit ||= large
    child.kill("SIGKILL")
  }
  const timer = setTimeout(() => end(true), DECODING_MS)
  const watch = setInterval(() => {
    void memoryOf(child.pid).then((held) => {
      if (held > MEMORY_BYTES_MAX) end(true)
    })
  }, LOOK_MS)
  const onAbort = () => end(false)
  signal.addEventListener("abort", onAbort, { once: true })
  try {
    child.stdout.on("data", (piece: Uint8Array) => {
      length += piece.length
      if (length > ANSWER_BYTES_MAX) end(false)
      else out.push(piece)
    })
    // it may be gone before it has read all: its answer counts
    child.stdin.on("error", () => undefined)
    child.stdin.end(input)
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", () => resolve())
    })
  } finally {
    clearTimeout(timer)
    clearInterval(watch)
    signal.removeEventListener("abort", onAbort)
  }
  signal.throwIfAborted()
  if (over.limit) throw new ImageError("IMAGE_TOO_LARGE", "decoding took too much memory or time")
  return concat(...out)
}

const ANSWER_BYTES_MAX = 5 + PREVIEW_SIDE_MAX * PREVIEW_SIDE_MAX * 3

/** The folder that holds the program with its libraries: the bundle's own, or what is above `dist`. */
function homeOf(program: string): string {
  const at = program.lastIndexOf("/dist/src/")
  return at === -1 ? dirname(program) : program.slice(0, at)
}

/** Where the system tells; elsewhere time and pixels must do. */
async function memoryOf(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/statm`, "utf8").catch(() => "")
  return Number(text.split(" ")[1] ?? 0) * 4096
}
