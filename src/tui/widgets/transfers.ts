/** Files on their way, in words: how far, how fast, how long still; and what came of them. Pure. */
import type { Message, Transfer } from "../../node/api/types.ts"
import { sanitizeLine, sanitizeName } from "../sanitize.ts"
import { SENTENCES } from "../sentences.ts"

const UNITS = ["bytes", "KB", "MB", "GB"] as const

/** `3.1 MB`, in thousands. */
export function sizeText(bytes: number): string {
  let [size, unit] = [bytes, 0]
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000
    unit += 1
  }
  const digits = unit === 0 || size >= 99.95 ? 0 : 1
  return `${size.toFixed(digits)} ${UNITS[unit] ?? ""}`
}

/** `40 s`, `3 min`, `2 h`. */
export function timeText(seconds: number): string {
  if (seconds < 100) return `${Math.max(1, Math.ceil(seconds))} s`
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3600)} h`
}

const TYPES: Readonly<Record<string, string>> = {
  "image/png": "PNG image",
  "image/jpeg": "JPEG image",
  "image/gif": "GIF image",
  "image/bmp": "BMP image",
  "application/pdf": "PDF",
  "application/zip": "zip archive",
  "text/plain": "text",
  "application/octet-stream": "some file",
}

/** What its author says it is, in words where there are any. */
export const typeName = (type: string): string =>
  Object.hasOwn(TYPES, type) ? (TYPES[type] ?? type) : sanitizeName(type)

const VERBS = {
  sealing: "reading",
  uploading: "sending",
  downloading: "fetching",
  saving: "saving",
  done: "done",
  failed: "failed",
} as const

/** `sending photo.jpg 42 % · 1.2 MB/s · 8 s left`. */
export function transferText(transfer: Transfer): string {
  const { state, size, done, bytesPerS, leftS } = transfer
  const share = size === 0 ? 100 : Math.floor((100 * done) / size)
  const parts = [`${VERBS[state]} ${sanitizeName(transfer.name)} ${share} %`]
  if (bytesPerS > 0) parts.push(`${sizeText(bytesPerS)}/s`)
  if (leftS !== null && leftS > 1) parts.push(`${timeText(leftS)} left`)
  return parts.join(" · ")
}

/** What came of it. */
export function transferEnd(transfer: Transfer): readonly ["good" | "bad", string] {
  const name = sanitizeName(transfer.name)
  const { failure, path, direction } = transfer
  if (failure !== null) {
    const known = Object.hasOwn(SENTENCES, failure)
      ? SENTENCES[failure as keyof typeof SENTENCES]
      : SENTENCES.INTERNAL
    return ["bad", `${name}: ${known.what} ${known.next}`]
  }
  return direction === "up"
    ? ["good", `${name} is with its keepers: you may leave.`]
    : ["good", `Saved as ${sanitizeLine(path ?? name)}`]
}

/** A message's file in a line: name, size, what it is said to be, and how to name it in a command. */
export const fileText = ({ id, file }: Message): string =>
  file === null
    ? ""
    : `${sanitizeName(file.name)} · ${sizeText(file.size)} · ${typeName(file.type)} · ${id.slice(0, 8)}`
