/**
 * One-time key packages (RFC 9420 §16.8): what they are for is that the key which opens a first contact is destroyed soon after. The
 * owner offers a handful; whoever writes first picks one at random; the owner takes the one that was used from the offer and destroys
 * its private part USED_GRACE_MS later. Nobody hands them out, so two people can pick the same one: within the grace both get through.
 *
 * Key packages for groups with composite signatures are four times as large: a handful fits no record. Their offer holds one for one use,
 * and a last-resort one beside it.
 *
 *   offer    version 1 · sequence 4 · count 1 · (length 2) key package each          a record of the directory, beside the card
 *   private  version 1 · reference 32 · destroy at 8 (0: on offer) · (length 4) public · (length 4) private     for the vault only
 */
import { type Bytes, Reader, Writer } from "./bytes.ts"
import { EPOCH_MS, EPOCH_SLACK } from "./directory-record.ts"
import { assert, CryptoError } from "./errors.ts"
import type { StoredKeyPackage } from "./identity.ts"
import type { Signing } from "./session.ts"

const VERSION = 1
const RECORD_VERSION = 2
/** Those that nobody used stay so long after the day that they were given out for: first contacts travel, and senders lose the network. */
export const KEEP_UNUSED_MS = 14 * EPOCH_MS
/** Private parts kept at a time, by how the groups sign that they are for; beyond, the oldest are destroyed before their time. */
export const ONE_TIME_MAX: Readonly<Record<Signing, number>> = { ed25519: 1024, composite: 256 }
/** Key packages of an offer: as many as a directory record holds, with some room. */
export const OFFER_SIZE = 10
const OFFER_MAX = 16
/** The same of those with composite signatures, 15.4 KB each; a last-resort one comes beside it. */
export const COMPOSITE_OFFER_SIZE = 1
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

export interface Offer {
  /** Grows with every offer of its owner. */
  readonly sequence: number
  readonly packages: readonly Bytes[]
}

export function encodeOffer({ sequence, packages }: Offer): Bytes {
  assert(packages.length <= OFFER_MAX, "an offer is bounded")
  const out = new Writer().u8(VERSION).u32(sequence).u8(packages.length)
  for (const each of packages) out.bytes(each, 2)
  return out.finish()
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. Whose the packages are is not looked at. */
export function decodeOffer(bytes: Bytes): Offer {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `offer version ${version}`)
  const [sequence, count] = [read.u32(), read.u8()]
  if (count > OFFER_MAX) throw new CryptoError("TOO_LARGE", `${count} key packages`)
  const packages = Array.from({ length: count }, () => read.bytes(2, PACKAGE_BYTES_MAX))
  read.done()
  return { sequence, packages }
}

/** The offer's own sequence number; `undefined` when these bytes are none. */
export function offerSequence(bytes: Bytes): number | undefined {
  try {
    return decodeOffer(bytes).sequence
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

export function encodeOneTime(each: OneTimePackage): Bytes {
  const out = new Writer()
    .u8(RECORD_VERSION)
    .raw(each.reference)
    .u32(each.epoch)
    .u64(each.destroyAtMs ?? 0)
  return out.bytes(each.public, 4).bytes(each.private, 4).finish()
}

/** From our own sealed store; version 1 knew no days. Throws CryptoError when that is damaged. */
export function decodeOneTime(bytes: Bytes): OneTimePackage {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== RECORD_VERSION && version !== 1)
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
