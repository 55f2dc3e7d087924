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
import { assert, CryptoError } from "./errors.ts"
import type { StoredKeyPackage } from "./identity.ts"

const VERSION = 1
/** Key packages of an offer: as many as a directory record holds, with some room. */
export const OFFER_SIZE = 10
const OFFER_MAX = 16
/** The same of those with composite signatures, 15.4 KB each; a last-resort one comes beside it. */
export const COMPOSITE_OFFER_SIZE = 1
const PACKAGE_BYTES_MAX = 20 * 1024
/** A used package opens further first contacts for so long: two strangers may have picked it at the same time. */
export const USED_GRACE_MS = 24 * 3_600_000

export interface OneTimePackage extends StoredKeyPackage {
  /** 32 bytes, by which a Welcome names it. */
  readonly reference: Bytes
  /** When its private part is destroyed, in milliseconds since 1970; null while it is on offer. */
  readonly destroyAtMs: number | null
}

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
    .u8(VERSION)
    .raw(each.reference)
    .u64(each.destroyAtMs ?? 0)
  return out.bytes(each.public, 4).bytes(each.private, 4).finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeOneTime(bytes: Bytes): OneTimePackage {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "one-time package record")
  const [reference, destroyAtMs] = [read.raw(32), read.u64()]
  const pair = {
    public: read.bytes(4, PACKAGE_BYTES_MAX),
    private: read.bytes(4, PACKAGE_BYTES_MAX),
  }
  read.done()
  return { ...pair, reference, destroyAtMs: destroyAtMs === 0 ? null : destroyAtMs }
}
