/**
 * What is kept beside a message so that it can be shown to somebody else later: an MLS message is decrypted once, and what opened it is
 * gone afterwards. The envelope itself lies in the mailbox and is not kept again. Whoever has a record and the envelope reads all that was
 * said in it: the record is as secret as those words, and goes when any of them goes.
 *
 *   record  1 · signed by (length 2) · leaf 4 · key 32 · nonce 12 · group context (length 2) · envelopes 1, each: id 32, key 32
 *   or      2 · content id 16: the record of that content holds what this one would
 */
import { type Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { COMPOSITE_FRAGMENTS_MAX } from "../crypto/fragment.ts"
import { type Opening, sessionLimits } from "../crypto/session.ts"
import { MESSAGE_ID_BYTES } from "./said.ts"

/** One envelope of a payload, and what opens it. */
export interface Carrier {
  /** 32 bytes. */
  readonly id: Bytes
  /** Opens this envelope and no other, 32 bytes. */
  readonly key: Bytes
}

/** One that brought a piece of a payload in the making. */
export interface PieceCarrier extends Carrier {
  /** Of its fragment. */
  readonly index: number
}

export interface Evidence {
  readonly opening: Opening
  /** The leaf key that signed it. */
  readonly signedBy: Bytes
  /** In the order of their fragments, 1 to COMPOSITE_FRAGMENTS_MAX. */
  readonly carriers: readonly Carrier[]
}

export type EvidenceRecord =
  | { readonly kind: "evidence"; readonly evidence: Evidence }
  | { readonly kind: "beside"; readonly owner: Bytes }

/** Any leaf key there may be. */
export const LEAF_KEY_BYTES_MAX = 4096

export function writeOpening(out: Writer, { leaf, key, nonce, context }: Opening): Writer {
  return out.u32(leaf).raw(key).raw(nonce).bytes(context, 2)
}

/** Throws CryptoError. */
export const readOpening = (read: Reader): Opening => ({
  leaf: read.u32(),
  key: read.raw(32),
  nonce: read.raw(12),
  context: read.bytes(2, sessionLimits.CONTEXT_MAX_BYTES),
})

export function encodeEvidence(record: EvidenceRecord): Bytes {
  if (record.kind === "beside") return new Writer().u8(2).raw(record.owner).finish()
  const { opening, signedBy, carriers } = record.evidence
  const out = writeOpening(new Writer().u8(1).bytes(signedBy, 2), opening).u8(carriers.length)
  for (const { id, key } of carriers) out.raw(id).raw(key)
  return out.finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeEvidence(bytes: Bytes): EvidenceRecord {
  const read = new Reader(bytes)
  const kind = read.u8()
  if (kind === 2) {
    const owner = read.raw(MESSAGE_ID_BYTES)
    read.done()
    return { kind: "beside", owner }
  }
  if (kind !== 1) throw new CryptoError("BAD_VERSION", "evidence record")
  const signedBy = read.bytes(2, LEAF_KEY_BYTES_MAX)
  const opening = readOpening(read)
  const carriers = Array.from({ length: readCarriers(read) }, () => ({
    id: read.raw(32),
    key: read.raw(32),
  }))
  read.done()
  return { kind: "evidence", evidence: { opening, signedBy, carriers } }
}

export function encodeCarriers(carriers: readonly PieceCarrier[]): Bytes {
  const out = new Writer()
  for (const { index, id, key } of carriers) out.u8(index).raw(id).raw(key)
  return out.finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeCarriers(bytes: Bytes): PieceCarrier[] {
  const read = new Reader(bytes)
  const carriers: PieceCarrier[] = []
  while (read.left > 0) carriers.push({ index: read.u8(), id: read.raw(32), key: read.raw(32) })
  return carriers
}

/** A number of envelopes that one payload may have. Throws CryptoError BAD_ENCODING. */
export function readCarriers(read: Reader): number {
  const count = read.u8()
  if (count < 1 || count > COMPOSITE_FRAGMENTS_MAX)
    throw new CryptoError("BAD_ENCODING", `a payload of ${count} envelopes`)
  return count
}
