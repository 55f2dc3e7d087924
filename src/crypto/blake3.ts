/**
 * BLAKE3, 32 bytes, synchronous: for checking a proof of work and for the ids of blob chunks. Mining, which is millions of short
 * hashes, uses WebAssembly and lives with the miner. Keyed and derivation modes are not used here.
 */
import { primitives } from "#primitives"
import type { Bytes } from "./bytes.ts"

export const BLAKE3_BYTES = 32

/** Hash of the parts as if they were one; nothing separates them, so give all but one a fixed length. */
export const blake3 = (...parts: readonly Bytes[]): Bytes => primitives.blake3(...parts)
