/**
 * What a file is, by its first bytes and never by its name. A table of signatures and no parser: libraries that look deeper unpack
 * what strangers sent, and have hung on it. What is not recognised is text if it reads as such, and otherwise bytes.
 */
import type { Bytes } from "../crypto/bytes.ts"

/** Bytes from the beginning that are looked at. */
export const SNIFFED_BYTES = 4096
export const UNKNOWN_TYPE = "application/octet-stream"

const hex = (text: string) => text.split(" ").map((pair) => Number.parseInt(pair, 16))
const ascii = (text: string) => Array.from(text, (character) => character.charCodeAt(0))

/** Type, where, which bytes. The first that fits counts. */
const SIGNATURES: readonly (readonly [type: string, at: number, bytes: readonly number[]])[] = [
  ["image/png", 0, hex("89 50 4e 47 0d 0a 1a 0a")],
  ["image/jpeg", 0, hex("ff d8 ff")],
  ["image/gif", 0, ascii("GIF87a")],
  ["image/gif", 0, ascii("GIF89a")],
  ["image/webp", 8, ascii("WEBP")],
  ["audio/wav", 8, ascii("WAVE")],
  ["video/x-msvideo", 8, ascii("AVI ")],
  ["image/avif", 4, ascii("ftypavif")],
  ["image/heic", 4, ascii("ftypheic")],
  ["audio/mp4", 4, ascii("ftypM4A")],
  ["video/quicktime", 4, ascii("ftypqt")],
  ["video/mp4", 4, ascii("ftyp")],
  ["image/tiff", 0, hex("49 49 2a 00")],
  ["image/tiff", 0, hex("4d 4d 00 2a")],
  ["application/pdf", 0, ascii("%PDF-")],
  ["application/postscript", 0, ascii("%!PS")],
  [
    "application/vnd.oasis.opendocument.text",
    30,
    ascii("mimetypeapplication/vnd.oasis.opendocument.text"),
  ],
  [
    "application/vnd.oasis.opendocument.spreadsheet",
    30,
    ascii("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"),
  ],
  [
    "application/vnd.oasis.opendocument.presentation",
    30,
    ascii("mimetypeapplication/vnd.oasis.opendocument.presentation"),
  ],
  ["application/epub+zip", 30, ascii("mimetypeapplication/epub+zip")],
  ["application/zip", 0, hex("50 4b 03 04")],
  ["application/zip", 0, hex("50 4b 05 06")],
  ["application/gzip", 0, hex("1f 8b")],
  ["application/x-bzip2", 0, ascii("BZh")],
  ["application/x-xz", 0, hex("fd 37 7a 58 5a 00")],
  ["application/zstd", 0, hex("28 b5 2f fd")],
  ["application/x-7z-compressed", 0, hex("37 7a bc af 27 1c")],
  ["application/vnd.rar", 0, ascii("Rar!")],
  ["application/x-tar", 257, ascii("ustar")],
  ["application/msword", 0, hex("d0 cf 11 e0 a1 b1 1a e1")],
  ["application/rtf", 0, ascii("{\\rtf")],
  ["audio/ogg", 0, ascii("OggS")],
  ["audio/flac", 0, ascii("fLaC")],
  ["audio/mpeg", 0, ascii("ID3")],
  ["audio/mpeg", 0, hex("ff fb")],
  ["video/webm", 0, hex("1a 45 df a3")],
  ["application/x-elf", 0, hex("7f 45 4c 46")],
  ["application/vnd.microsoft.portable-executable", 0, ascii("MZ")],
  ["application/wasm", 0, hex("00 61 73 6d")],
  ["application/vnd.sqlite3", 0, ascii("SQLite format 3")],
  ["image/svg+xml", 0, ascii("<svg")],
  ["text/html", 0, ascii("<!DOCTYPE html")],
  ["text/x-shellscript", 0, ascii("#!")],
]

/** Office documents are zip files whose entries are named so. */
const OFFICE: readonly (readonly [type: string, entry: string])[] = [
  ["application/vnd.openxmlformats-officedocument.wordprocessingml.document", "word/"],
  ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xl/"],
  ["application/vnd.openxmlformats-officedocument.presentationml.presentation", "ppt/"],
]

/** The media type of a file that begins like this. */
export function sniffed(beginning: Bytes): string {
  const head = beginning.subarray(0, SNIFFED_BYTES)
  const [type] = SIGNATURES.find(([, at, bytes]) => has(head, at, bytes)) ?? []
  if (type === "application/zip") return officeType(head) ?? type
  if (type !== undefined) return type
  if (isBitmap(head)) return "image/bmp"
  return isText(head) ? "text/plain" : UNKNOWN_TYPE
}

const has = (head: Bytes, at: number, bytes: readonly number[]) =>
  bytes.every((byte, i) => head[at + i] === byte)

/** "BM" alone begins many a text: the header's length, at 14, is one of few. */
const isBitmap = (head: Bytes) =>
  has(head, 0, ascii("BM")) &&
  [12, 40, 52, 56, 64, 108, 124].some((length) => has(head, 14, [length, 0, 0, 0]))

function officeType(head: Bytes): string | undefined {
  const text = new TextDecoder("latin1").decode(head)
  return OFFICE.find(([, entry]) => text.includes(entry))?.[0]
}

/** UTF-8 without control characters but for line ends and tabs; the last character may be cut. */
function isText(head: Bytes): boolean {
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true })
  } catch {
    return false
  }
  return text.length > 0 && !/[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]/.test(text)
}

/** What people call it. */
export function typeName(type: string): string {
  return NAMES.get(type) ?? type
}

const NAMES: ReadonlyMap<string, string> = new Map([
  ["image/png", "PNG image"],
  ["image/jpeg", "JPEG image"],
  ["image/gif", "GIF image"],
  ["image/bmp", "BMP image"],
  ["image/webp", "WebP image"],
  ["application/pdf", "PDF"],
  ["application/zip", "zip archive"],
  ["text/plain", "text"],
  [OFFICE[0]?.[0] ?? "", "Word document"],
  [OFFICE[1]?.[0] ?? "", "Excel sheet"],
  [OFFICE[2]?.[0] ?? "", "PowerPoint slides"],
  [UNKNOWN_TYPE, "unknown kind"],
])
