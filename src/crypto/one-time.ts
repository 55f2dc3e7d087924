/**
 * One-time key packages (RFC 9420 §16.8): what they are for is that the key which opens a first contact is destroyed with it. The owner
 * gives them to keepers (package-pool.ts), who hand each out once; a group that is joined by one uses it up, and its private part goes in
 * the same write. This is the owner's record of one.
 *
 *   private  version 2 · reference 32 · epoch 4 · destroy at 8 · (length 4) public · (length 4) private     for the vault only
 */
import { type Bytes, Reader, Writer } from "./bytes.ts"
import { EPOCH_MS, EPOCH_SLACK } from "./directory-record.ts"
import { CryptoError } from "./errors.ts"
import type { StoredKeyPackage } from "./identity.ts"
import type { Signing } from "./session.ts"

const VERSION = 2
/** Those that nobody used stay so long after the day that they were given out for: first contacts travel, and senders lose the network. */
export const KEEP_UNUSED_MS = 14 * EPOCH_MS
/** Private parts kept at a time, by how the groups sign that they are for; beyond, the oldest are destroyed before their time. */
export const ONE_TIME_MAX: Readonly<Record<Signing, number>> = { ed25519: 1024, composite: 256 }
const PACKAGE_BYTES_MAX = 20 * 1024

export interface OneTimePackage extends StoredKeyPackage {
  /** 32 bytes, by which a Welcome names it. */
  readonly reference: Bytes
  /** The day since 1970 that it was given out for; 0 when nobody hands it out any more. */
  readonly epoch: number
  /** When its private part is destroyed, used or not, in milliseconds since 1970; null in a record of an earlier version. */
  readonly destroyAtMs: number | null
}

/** When a package that is given out for a day is destroyed although nobody used it. Readers may be a day behind. */
export const destroyedAt = (epoch: number): number =>
  (epoch + 1 + EPOCH_SLACK) * EPOCH_MS + KEEP_UNUSED_MS

export function encodeOneTime(each: OneTimePackage): Bytes {
  const out = new Writer()
    .u8(VERSION)
    .raw(each.reference)
    .u32(each.epoch)
    .u64(each.destroyAtMs ?? 0)
  return out.bytes(each.public, 4).bytes(each.private, 4).finish()
}

/** From our own sealed store; version 1 knew no days. Throws CryptoError when that is damaged. */
export function decodeOneTime(bytes: Bytes): OneTimePackage {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION && version !== 1)
    throw new CryptoError("BAD_VERSION", "one-time package record")
  const reference = read.raw(32)
  const epoch = version === 1 ? 0 : read.u32()
  const destroyAtMs = read.u64()
  const pair = {
    public: read.bytes(4, PACKAGE_BYTES_MAX),
    private: read.bytes(4, PACKAGE_BYTES_MAX),
  }
  read.done()
  return { ...pair, reference, epoch, destroyAtMs: destroyAtMs === 0 ? null : destroyAtMs }
}
