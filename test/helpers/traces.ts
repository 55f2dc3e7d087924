/**
 * Looking for what must not be there: a secret in every form in which it could lie in somebody else's bytes (as it is, in hexadecimal,
 * base64, base32, bech32 and UTF-16, at every alignment), and moments of time as programs usually write them.
 */
import { base32nopad, base58, bech32m } from "@scure/base"
import { type Bytes, concat, toHex, utf8, Writer } from "../../src/crypto/bytes.ts"

export interface Trace {
  readonly what: string
  readonly needle: Buffer
}

/** Shorter needles turn up by chance. */
const NEEDLE_BYTES_MIN = 6
const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

type Encode = (bytes: Bytes) => string

const base64: Encode = (bytes) => Buffer.from(bytes).toString("base64").replaceAll("=", "")
const base64url: Encode = (bytes) => Buffer.from(bytes).toString("base64url")
const base32: Encode = (bytes) => base32nopad.encode(bytes)
const words: Encode = (bytes) => Array.from(bech32m.toWords(bytes), (word) => BECH32[word]).join("")

/** The characters that depend on `bytes` alone, wherever in a longer encoded text these begin. */
function aligned(bytes: Bytes, encode: Encode, group: number, bits: number): string[] {
  return Array.from({ length: group }, (_, before) => {
    const text = encode(concat(new Uint8Array(before), bytes))
    const first = Math.ceil((before * 8) / bits)
    const last = Math.floor(((before + bytes.length) * 8) / bits)
    return text.slice(first, last)
  })
}

function textForms(text: string): [string, Bytes][] {
  const utf16 = Buffer.from(text, "utf16le")
  return [
    ["UTF-8", utf8(text)],
    ["UTF-16LE", new Uint8Array(utf16)],
    ["UTF-16BE", new Uint8Array(Buffer.from(utf16).swap16())],
  ]
}

/** All forms of a secret: bytes as they are, a text in its encodings. */
export function tracesOf(what: string, secret: Bytes | string): Trace[] {
  const forms: [string, Bytes][] =
    typeof secret === "string" ? textForms(secret) : [["raw", secret]]
  const all = forms.flatMap(([form, bytes]): [string, Bytes | string][] => [
    [form, bytes],
    [`${form} hex`, toHex(bytes)],
    [`${form} HEX`, toHex(bytes).toUpperCase()],
    ...aligned(bytes, base64, 3, 6).map((text): [string, string] => [`${form} base64`, text]),
    ...aligned(bytes, base64url, 3, 6).map((text): [string, string] => [`${form} base64url`, text]),
    ...aligned(bytes, base32, 5, 5).flatMap((text): [string, string][] => [
      [`${form} BASE32`, text],
      [`${form} base32`, text.toLowerCase()],
    ]),
    ...aligned(bytes, words, 5, 5).map((text): [string, string] => [`${form} bech32`, text]),
    ...(bytes.length <= 64
      ? ([[`${form} base58`, base58.encode(bytes)]] as [string, string][])
      : []),
  ])
  return all
    .map(([form, needle]) => ({ what: `${what} (${form})`, needle: Buffer.from(needle) }))
    .filter(({ needle }) => needle.length >= NEEDLE_BYTES_MIN)
}

/**
 * Moments between two, in milliseconds: decimal digits, and eight bytes in either order. What all these moments have in common is looked
 * for, so a period of a minute is one needle and not sixty thousand.
 */
export function timeTraces(fromMs: number, toMs: number): Trace[] {
  const traces = new Map<string, Trace>()
  const add = (what: string, needle: Buffer) =>
    traces.set(`${what} ${needle.toString("hex")}`, { what, needle })
  for (let ms = fromMs; ms <= toMs + 100_000; ms += 50_000) {
    const seconds = Math.floor(ms / 1000)
    // a hundred seconds share eight digits; with the two behind, milliseconds as well
    add("decimal time", Buffer.from(String(seconds).slice(0, 8)))
    add("milliseconds", big(ms).subarray(0, 5))
    add("milliseconds, little-endian", big(ms).subarray(0, 5).reverse())
    add("microseconds", big(ms * 1000).subarray(0, 5))
    add(
      "microseconds, little-endian",
      big(ms * 1000)
        .subarray(0, 5)
        .reverse(),
    )
    add("seconds in eight bytes", big(seconds).subarray(0, 7))
    add("seconds in eight bytes, little-endian", big(seconds).subarray(0, 7).reverse())
    add("date", Buffer.from(new Date(ms).toISOString().slice(0, 13)))
  }
  return [...traces.values()]
}

/** Seconds in four bytes turn up in random bytes by chance: only for what is not random. */
export function shortTimeTraces(fromMs: number, toMs: number): Trace[] {
  const [from, to] = [Math.floor(fromMs / 1000) - 1, Math.ceil(toMs / 1000) + 1]
  return Array.from({ length: to - from + 1 }, (_, i) => from + i).flatMap((seconds) => {
    const needle = Buffer.from(new Writer().u32(seconds).finish())
    const what = "seconds in four bytes"
    return [
      { what, needle },
      { what: `${what}, little-endian`, needle: Buffer.from(needle).reverse() },
    ]
  })
}

const big = (value: number) => Buffer.from(new Writer().u64(value).finish())

/** What was found, for `assert.deepEqual(found(…), [])`. */
export function found(where: string, haystack: Uint8Array, traces: readonly Trace[]): string[] {
  const bytes = Buffer.from(haystack.buffer, haystack.byteOffset, haystack.length)
  return traces.flatMap(({ what, needle }) => {
    const at = bytes.indexOf(needle)
    return at === -1 ? [] : [`${what} in ${where} at ${at}`]
  })
}
