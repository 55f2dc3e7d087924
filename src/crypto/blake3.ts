/**
 * BLAKE3, 32 bytes, synchronous, over noble: for single hashes, such as checking a proof of work. Mining, which is millions
 * of them, uses WebAssembly and lives with the miner. Keyed and derivation modes are not used here.
 */
import { blake3 as noble } from "@noble/hashes/blake3.js"
import type { Bytes } from "./bytes.ts"

export const BLAKE3_BYTES = 32

/** Hash of the parts as if they were one; nothing separates them, so give all but one a fixed length. */
export function blake3(...parts: readonly Bytes[]): Bytes {
  const state = noble.create({ dkLen: BLAKE3_BYTES })
  for (const part of parts) state.update(part)
  return state.digest()
}
