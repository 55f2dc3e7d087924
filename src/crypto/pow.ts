/**
 * Proof of work: admission kind 2 (DESIGN §6). BLAKE3(meshId ‖ anchor ‖ envelope id ‖ nonce) must begin with `bits` zero bits. The
 * anchor is a recent block's hash, so that work cannot be stockpiled; in a mesh without a ledger it is the mesh id. Which anchors are
 * good and what each asks for is the ledger's to say (node/ledger/periods.ts).
 *
 *   0  1   kind = 2
 *   1  32  anchor
 *   33 8   nonce, big-endian
 *   41 343 zero
 *
 * Mining itself is elsewhere (a worker of the node); here is what everybody checks, at the price of one hash.
 */
import { blake3 } from "./blake3.ts"
import { type Bytes, compare, concat, exactly } from "./bytes.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES, envelopeId } from "./envelope.ts"
import { ACCEPT, ignore, reject, type Verdict } from "./verdict.ts"

export const POW_KIND = 2
export const NONCE_BYTES = 8
const ANCHOR_AT = 1
const NONCE_AT = 33
const FIELDS_END = NONCE_AT + NONCE_BYTES

export type PowCode = "POW_KIND" | "POW_PADDING" | "POW_ANCHOR" | "POW_BITS"

/** Work that counts. */
export interface WorkPrice {
  /** What it is bound to, 32 bytes. */
  readonly anchor: Bytes
  /** Leading zero bits asked for, 0 to 64. */
  readonly bits: number
}

export interface PowRule {
  /** 32 bytes. */
  readonly meshId: Bytes
  /** What counts at present. */
  readonly prices: readonly WorkPrice[]
}

/** What is hashed before the nonce: meshId ‖ anchor ‖ envelope id, 96 bytes. */
export function powPrefix(meshId: Bytes, anchor: Bytes, id: Bytes): Bytes {
  return concat(
    exactly(meshId, 32, "mesh id"),
    exactly(anchor, 32, "anchor"),
    exactly(id, 32, "id"),
  )
}

/** Number of leading zero bits. */
export function leadingZeroBits(hash: Bytes): number {
  let bits = 0
  for (const byte of hash) {
    if (byte !== 0) return bits + Math.clz32(byte) - 24
    bits += 8
  }
  return bits
}

/** Writes the admission field into a copy of `envelope`. `nonce`: 8 bytes. */
export function writeProofOfWork(envelope: Bytes, anchor: Bytes, nonce: Bytes): Bytes {
  exactly(envelope, ENVELOPE_BYTES, "envelope")
  const out = envelope.slice()
  out.fill(0, 0, ADMISSION_BYTES)
  out[0] = POW_KIND
  out.set(exactly(anchor, 32, "anchor"), ANCHOR_AT)
  out.set(exactly(nonce, NONCE_BYTES, "nonce"), NONCE_AT)
  return out
}

/** What an envelope's work is bound to, 32 bytes; undefined where it is admitted otherwise. */
export const anchorOf = (envelope: Bytes): Bytes | undefined =>
  envelope[0] === POW_KIND ? envelope.subarray(ANCHOR_AT, NONCE_AT) : undefined

/** Judges the admission field of an envelope of 4096 bytes; cheap checks first. */
export function verifyProofOfWork(rule: PowRule, envelope: Bytes): Verdict<PowCode> {
  exactly(envelope, ENVELOPE_BYTES, "envelope")
  // [REJECT] the kind is one that this mesh admits
  if (envelope[0] !== POW_KIND) return reject("POW_KIND")
  // [REJECT] what is not a field is zero: an envelope has one encoding
  for (let at = FIELDS_END; at < ADMISSION_BYTES; at++)
    if (envelope[at] !== 0) return reject("POW_PADDING")
  const anchor = envelope.subarray(ANCHOR_AT, NONCE_AT)
  // [IGNORE] the anchor is recent: a neighbour may know a block that is not here yet
  const price = rule.prices.find((each) => compare(each.anchor, anchor) === 0)
  if (price === undefined) return ignore("POW_ANCHOR")
  const nonce = envelope.subarray(NONCE_AT, FIELDS_END)
  const work = blake3(powPrefix(rule.meshId, anchor, envelopeId(envelope)), nonce)
  // [REJECT] the work was done
  return leadingZeroBits(work) >= price.bits ? ACCEPT : reject("POW_BITS")
}
