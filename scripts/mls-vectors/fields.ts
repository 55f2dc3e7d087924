/**
 * Reading a published vector: JSON whose shape its authors describe, where binary data is hex. A field that is missing or of another
 * kind is a broken file, never a passed check.
 */
import { type Bytes, fromHex, toHex } from "../../src/crypto/bytes.ts"
import type { Decoder } from "ts-mls/codec/tlsDecoder.js"

/** The file is not what its name promises. */
export class BadVectorError extends Error {}

/** What was computed is not what the vector says. */
export class MismatchError extends Error {}

export class Fields {
  readonly #value: Readonly<Record<string, unknown>>

  constructor(value: unknown) {
    if (typeof value !== "object" || value === null) throw new BadVectorError("not an object")
    this.#value = value as Record<string, unknown>
  }

  has(name: string): boolean {
    return this.#value[name] !== undefined && this.#value[name] !== null
  }

  number(name: string): number {
    const value = this.#value[name]
    if (typeof value !== "number") throw new BadVectorError(`${name} is no number`)
    return value
  }

  text(name: string): string {
    const value = this.#value[name]
    if (typeof value !== "string") throw new BadVectorError(`${name} is no text`)
    return value
  }

  bytes(name: string): Bytes {
    return fromHex(this.text(name))
  }

  list(name: string): readonly unknown[] {
    const value = this.#value[name]
    if (!Array.isArray(value)) throw new BadVectorError(`${name} is no list`)
    return value
  }

  records(name: string): readonly Fields[] {
    return this.list(name).map((each) => new Fields(each))
  }

  record(name: string): Fields {
    return new Fields(this.#value[name])
  }
}

export function same(what: string, computed: Uint8Array, published: Uint8Array): void {
  if (toHex(computed) !== toHex(published)) throw new MismatchError(`${what} differs`)
}

export function holds(what: string, is: boolean): void {
  if (!is) throw new MismatchError(`${what} does not hold`)
}

/** All of the bytes as one value. */
export function decodeWhole<T>(what: string, decode: Decoder<T>, bytes: Bytes): T {
  const decoded = decode(bytes, 0)
  if (decoded?.[1] !== bytes.length) throw new MismatchError(`${what} does not decode`)
  return decoded[0]
}
