/**
 * Node and its libraries hand out `Buffer`s, which look like `Uint8Array`s but whose `slice` shares memory instead of copying. Bytes
 * that come in from outside pass through here once, so that nothing further in has to know.
 */
import type { Bytes } from "../crypto/bytes.ts"

/** The same memory as a plain Uint8Array. */
export const plain = (bytes: Uint8Array): Bytes =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
