/**
 * Version 1 of the directory's record (directory-record.ts has the header and the checks): it holds an offer of key packages whole.
 *
 *   version 1 ‖ blinded key 32 ‖ epoch 4 ‖ order 8 ‖ nonce 12 ‖ sealed 40985 ‖ signature 64   = 41106 bytes
 *   sealed = AES-256-GCM of: kind 1 ‖ sequence 4 ‖ length 4 ‖ offer, zero-padded to 40960
 *
 * Kind 3 is an offer of one-time key packages (one-time.ts), 4 one of those for groups with composite signatures, each under a blinded key
 * of its own: who keeps them cannot tell them apart or put them together.
 */
import type { RecordKind } from "./blinding.ts"
import { type Bytes, Reader, Writer } from "./bytes.ts"
import {
  RECORD_HEADER_BYTES,
  type RecordPlace,
  type RecordRefused,
  signedRecord,
  unsealRecord,
} from "./directory-record.ts"
import { CryptoError } from "./errors.ts"
import { ignore, reject } from "./verdict.ts"

export type OfferKind = Exclude<RecordKind, "card">

/** Room for an offer. */
export const PAYLOAD_MAX_BYTES = 40 * 1024
const VERSION = 1
const KIND_BYTE: Readonly<Record<OfferKind, number>> = { offer: 3, "composite-offer": 4 }

export interface OfferParts extends RecordPlace {
  readonly kind: OfferKind
  /** At most PAYLOAD_MAX_BYTES. */
  readonly offer: Bytes
}

export interface OfferOpened {
  readonly verdict: "accept"
  readonly sequence: number
  /** As it was published, without padding. */
  readonly payload: Bytes
}

/** A new record, OFFER_RECORD_BYTES long. Throws CryptoError TOO_LARGE, BAD_LENGTH, BAD_KEY. */
export function makeOfferRecord(parts: OfferParts): Bytes {
  const { sequence, offer, kind } = parts
  if (offer.length > PAYLOAD_MAX_BYTES)
    throw new CryptoError("TOO_LARGE", `an offer of ${offer.length} bytes does not fit a record`)
  const content = new Writer()
    .u8(KIND_BYTE[kind])
    .u32(sequence)
    .bytes(offer, 4)
    .raw(new Uint8Array(PAYLOAD_MAX_BYTES - offer.length))
    .finish()
  return signedRecord(VERSION, parts, { clear: new Uint8Array(0), content })
}

/** What a reader who knows the address finds in an offer's record of that day. */
export function openOfferRecord(
  address: Bytes,
  epoch: number,
  record: Bytes,
  kind: OfferKind,
): OfferOpened | RecordRefused {
  const form = { version: VERSION, clearBytes: RECORD_HEADER_BYTES }
  const opened = unsealRecord(form, { address, epoch, kind }, record)
  if (opened.verdict !== "accept") return opened
  try {
    const reader = new Reader(opened.content)
    if (reader.u8() !== KIND_BYTE[kind]) return ignore("RECORD_VERSION")
    const sequence = reader.u32()
    const payload = reader.bytes(4, PAYLOAD_MAX_BYTES)
    reader.zeros()
    if (sequence !== opened.sequence) return reject("RECORD_CONTENT")
    return { verdict: "accept", sequence, payload }
  } catch (error) {
    if (error instanceof CryptoError) return reject("RECORD_CONTENT")
    throw error
  }
}
