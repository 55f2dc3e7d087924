/**
 * Strict, canonical binary encoding: one value has one encoding, one encoding has one value. Integers are big-endian and
 * unsigned. Variable-length fields carry a length of stated width. A `Reader` never returns views that outlive a check:
 * `done()` must be called last and refuses trailing bytes. Nothing here allocates by a length that a peer claims before
 * that many bytes are known to be present.
 */
import { CryptoError } from "./errors.ts"

export type Bytes = Uint8Array

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export const utf8 = (text: string): Bytes => encoder.encode(text)

/** UTF-8 decoding that refuses malformed input. Throws CryptoError BAD_ENCODING. */
export function fromUtf8(bytes: Bytes): string {
  try {
    return strictDecoder.decode(bytes)
  } catch (cause) {
    throw new CryptoError("BAD_ENCODING", "text is not UTF-8", { cause })
  }
}

export function concat(...parts: readonly Bytes[]): Bytes {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Constant-time for equal lengths; the length itself is not secret. */
export function equal(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

/** Lexicographic order of bytes: what LevelDB sorts by. Not constant-time; for public values. */
export function compare(a: Bytes, b: Bytes): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

export function toHex(bytes: Bytes): string {
  let out = ""
  for (const byte of bytes) out += HEX[byte] ?? ""
  return out
}

/** Lower- or upper-case hexadecimal of even length. Throws CryptoError BAD_ENCODING. */
export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text))
    throw new CryptoError("BAD_ENCODING", "not hexadecimal")
  const out = new Uint8Array(text.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return out
}

/** Throws CryptoError BAD_LENGTH unless `bytes` has exactly `length` bytes. Returns `bytes`, for use in expressions. */
export function exactly(bytes: Bytes, length: number, what: string): Bytes {
  if (bytes.length !== length)
    throw new CryptoError("BAD_LENGTH", `${what}: ${bytes.length} bytes, not ${length}`)
  return bytes
}

const WRITER_BYTES = 128

export class Writer {
  #bytes: Bytes
  #at = 0

  /** `capacity`: bytes that are likely to be written. It grows beyond; what fits exactly is not copied at the end. */
  constructor(capacity = WRITER_BYTES) {
    this.#bytes = new Uint8Array(capacity)
  }

  /** Fixed-length field, written as it is. */
  raw(bytes: Bytes): this {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  /** Room for so many bytes more. Returns where they begin. */
  #grow(length: number): number {
    const at = this.#at
    this.#at = at + length
    if (this.#at > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#at, 2 * this.#bytes.length))
      larger.set(this.#bytes.subarray(0, at))
      this.#bytes = larger
    }
    return at
  }

  #uint(value: number, width: number): this {
    if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * width))
      throw new CryptoError("TOO_LARGE", `${value} does not fit ${width} bytes`)
    const at = this.#grow(width)
    const bytes = this.#bytes
    for (let i = width - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256))
      bytes[at + i] = rest % 256
    return this
  }

  u8(value: number): this {
    return this.#uint(value, 1)
  }
  u16(value: number): this {
    return this.#uint(value, 2)
  }
  u32(value: number): this {
    return this.#uint(value, 4)
  }
  /** Eight bytes; the value must be a safe integer (below 2^53). */
  u64(value: number): this {
    return this.#uint(value, 8)
  }

  /** Length of `width` bytes, then the bytes. */
  bytes(value: Bytes, width: 1 | 2 | 4): this {
    return this.#uint(value.length, width).raw(value)
  }
  /** UTF-8 with a length of `width` bytes. */
  text(value: string, width: 1 | 2 | 4): this {
    return this.bytes(utf8(value), width)
  }

  /** What was written so far; it stays as it is, whatever is written after. */
  finish(): Bytes {
    // what is full is left behind by whatever is written next
    return this.#at === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#at)
  }
}

export class Reader {
  readonly #bytes: Bytes
  #at = 0

  constructor(bytes: Bytes) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** Where the next `length` bytes begin. Throws CryptoError BAD_LENGTH when there are fewer. */
  #take(length: number): number {
    if (length > this.left)
      throw new CryptoError("BAD_LENGTH", `${length} bytes wanted, ${this.left} left`)
    const at = this.#at
    this.#at = at + length
    return at
  }

  /** Copy of the next `length` bytes. Throws CryptoError BAD_LENGTH when there are fewer. */
  raw(length: number): Bytes {
    const at = this.#take(length)
    return this.#bytes.slice(at, at + length)
  }

  #uint(width: number): number {
    const at = this.#take(width)
    let value = 0
    for (let i = at; i < at + width; i++) value = value * 256 + (this.#bytes[i] ?? 0)
    if (!Number.isSafeInteger(value)) throw new CryptoError("BAD_ENCODING", "integer over 2^53")
    return value
  }

  u8(): number {
    return this.#uint(1)
  }
  u16(): number {
    return this.#uint(2)
  }
  u32(): number {
    return this.#uint(4)
  }
  u64(): number {
    return this.#uint(8)
  }

  bytes(width: 1 | 2 | 4, max: number): Bytes {
    const length = this.#uint(width)
    if (length > max) throw new CryptoError("TOO_LARGE", `field of ${length} bytes, at most ${max}`)
    return this.raw(length)
  }
  text(width: 1 | 2 | 4, max: number): string {
    return fromUtf8(this.bytes(width, max))
  }

  /** Everything that is left must be zero (canonical padding). Throws CryptoError BAD_ENCODING. */
  zeros(): void {
    if (this.raw(this.left).some((byte) => byte !== 0))
      throw new CryptoError("BAD_ENCODING", "padding is not zero")
  }

  /** No trailing bytes. Throws CryptoError BAD_ENCODING. */
  done(): void {
    if (this.left !== 0) throw new CryptoError("BAD_ENCODING", `${this.left} trailing bytes`)
  }
}
