/**
 * What a profile that came out of a backup remembers of it: how far its history is complete, and what must not be used again. It lies
 * in the vault as the record `restored`.
 *
 *   version 2 · height 8 · block hash 32 · standing 1 · period 4 · package hashes 32 each, to the end
 */
import { type Bytes, Reader, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { labelledHash } from "../../crypto/kdf.ts"

const VERSION = 2

/**
 * `unchecked`: the validators have changed since the genesis, and the chain is not here yet. `certified`: the genesis' validators
 * signed the block. `agreed`: the chain that this peer has checked from the genesis on holds that very block. `contradicted`: it holds
 * another one.
 */
export const STANDINGS = ["unchecked", "certified", "agreed", "contradicted"] as const
export type Standing = (typeof STANDINGS)[number]

export interface Restored {
  /** Everything that was ordered up to this height and was for this identity is in the history; 0 where nothing is ordered. */
  readonly height: number
  /** 32 bytes; zeros where nothing is ordered. */
  readonly hash: Bytes
  readonly standing: Standing
  /** The ledger's period in the backup: who posts by proofs must use no slot of it, nor of one that the old peer may have seen. */
  readonly period: number
  /** `packageHash` of every key package that first contacts could use until then: the old peer may have joined groups with them. */
  readonly packages: readonly Bytes[]
}

export const packageHash = (keyPackage: Bytes): Bytes =>
  labelledHash("restored key package", keyPackage)

export function encodeRestored(restored: Restored): Bytes {
  const out = new Writer()
    .u8(VERSION)
    .u64(restored.height)
    .raw(restored.hash)
    .u8(STANDINGS.indexOf(restored.standing))
    .u32(restored.period)
  for (const hash of restored.packages) out.raw(hash)
  return out.finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeRestored(bytes: Bytes): Restored {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "restored record")
  const height = read.u64()
  const hash = read.raw(32)
  const standing = STANDINGS[read.u8()]
  if (standing === undefined) throw new CryptoError("BAD_ENCODING", "restored record")
  const period = read.u32()
  const packages: Bytes[] = []
  while (read.left > 0) packages.push(read.raw(32))
  return { height, hash, standing, period, packages }
}
