/**
 * The membership proof as admission field: kind 1 of an envelope's first 384 bytes (DESIGN §6.1, PROTOCOL.md "Admission").
 *
 *   0    1    kind = 1
 *   1    4    period
 *   5    2    slot, below 32
 *   7    32   nullifier, below the field's order
 *   39   128  proof (proof.ts)
 *   167  1    key index, below 8
 *   168  32   one-time key, Ed25519
 *   200  96   its path
 *   296  64   its signature over the envelope id
 *   360  24   zero
 *
 * Here is what needs no state: the encoding, and what follows from it. Decoding is strict: one field has one encoding.
 */
import { primitives } from "#primitives"
import { type Bytes, concat, exactly, Reader, Writer } from "../bytes.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES, envelopeId } from "../envelope.ts"
import { domain } from "../kdf.ts"
import { reject, type Verdict } from "../verdict.ts"
import { FIELD_BYTES, isField } from "./field.ts"
import {
  KEY_PATH_BYTES,
  ONE_TIME_KEYS,
  rootFromPath,
  signalOfKeys,
  verifyEnvelope,
} from "./one-time-keys.ts"
import { isProof, PROOF_BYTES } from "./proof.ts"
import { SLOTS, type Statement } from "./statement.ts"

export const MEMBERSHIP_KIND = 1
const FIELDS_END = 360

export interface MembershipFields {
  readonly period: number
  readonly slot: number
  /** 32 bytes. */
  readonly nullifier: Bytes
  /** 128 bytes. */
  readonly proof: Bytes
  readonly keyIndex: number
  /** Ed25519, 32 bytes. */
  readonly key: Bytes
  /** 96 bytes. */
  readonly path: Bytes
  /** 64 bytes. */
  readonly signature: Bytes
}

export type MembershipCode =
  /** [REJECT] another kind. */
  | "MEMBER_KIND"
  /** [REJECT] something else than zeros after the fields. */
  | "MEMBER_PADDING"
  /** [REJECT] slot or key index out of range. */
  | "MEMBER_RANGE"
  /** [REJECT] a number or a point in another spelling than its own. */
  | "MEMBER_ENCODING"
  /** [IGNORE] a period outside the window. */
  | "MEMBER_PERIOD"
  /** [IGNORE] this peer does not know the period's root yet. */
  | "MEMBER_ROOT"
  /** [IGNORE] the key, or the nullifier under another root, was seen before. */
  | "MEMBER_SPENT"
  /** [REJECT] not signed by the key it names. */
  | "MEMBER_SIGNATURE"
  /** [REJECT] the proof does not hold. */
  | "MEMBER_PROOF"

/** 384 bytes, to stand before the rest of an envelope. */
export function encodeMembership(fields: MembershipFields): Bytes {
  return new Writer()
    .u8(MEMBERSHIP_KIND)
    .u32(fields.period)
    .u16(fields.slot)
    .raw(exactly(fields.nullifier, FIELD_BYTES, "nullifier"))
    .raw(exactly(fields.proof, PROOF_BYTES, "proof"))
    .u8(fields.keyIndex)
    .raw(exactly(fields.key, 32, "one-time key"))
    .raw(exactly(fields.path, KEY_PATH_BYTES, "path"))
    .raw(exactly(fields.signature, 64, "signature"))
    .raw(new Uint8Array(ADMISSION_BYTES - FIELDS_END))
    .finish()
}

/** A copy of `envelope` (4096 bytes) with this admission. */
export function writeMembership(envelope: Bytes, fields: MembershipFields): Bytes {
  exactly(envelope, ENVELOPE_BYTES, "envelope")
  return concat(encodeMembership(fields), envelope.subarray(ADMISSION_BYTES))
}

/** The fields of an envelope of 4096 bytes, or why it has none. Checks the encoding and nothing that costs more than a look. */
export function readMembership(
  envelope: Bytes,
): { readonly fields: MembershipFields } | { readonly wrong: Verdict<MembershipCode> } {
  exactly(envelope, ENVELOPE_BYTES, "envelope")
  const wrong = (code: MembershipCode) => ({ wrong: reject(code) })
  // [REJECT] the kind is this one
  if (envelope[0] !== MEMBERSHIP_KIND) return wrong("MEMBER_KIND")
  // [REJECT] what is not a field is zero
  if (envelope.subarray(FIELDS_END, ADMISSION_BYTES).some((byte) => byte !== 0))
    return wrong("MEMBER_PADDING")
  const read = new Reader(envelope.subarray(1, FIELDS_END))
  const fields: MembershipFields = {
    period: read.u32(),
    slot: read.u16(),
    nullifier: read.raw(FIELD_BYTES),
    proof: read.raw(PROOF_BYTES),
    keyIndex: read.u8(),
    key: read.raw(32),
    path: read.raw(KEY_PATH_BYTES),
    signature: read.raw(64),
  }
  // [REJECT] the slot is one of the quota, the key one of the eight
  if (fields.slot >= SLOTS || fields.keyIndex >= ONE_TIME_KEYS) return wrong("MEMBER_RANGE")
  // [REJECT] numbers and points are in their one spelling
  if (!isField(fields.nullifier) || !isProof(fields.proof)) return wrong("MEMBER_ENCODING")
  return { fields }
}

/** Root of the one-time keys that these fields claim: 32 bytes. */
export const keyRootOf = ({ key, keyIndex, path }: MembershipFields): Bytes =>
  rootFromPath(key, keyIndex, path)

/** What the proof has to prove. `treeRoot`: of the period; `scope`: of period and slot; `keyRoot`: as from `keyRootOf`. 32 bytes each. */
export const statementOf = (
  treeRoot: Bytes,
  scope: Bytes,
  nullifier: Bytes,
  keyRoot: Bytes,
): Statement => ({ root: treeRoot, nullifier, signal: signalOfKeys(keyRoot), scope })

/** Whether the envelope bears the signature of the key that its fields name. */
export const isSigned = (meshId: Bytes, envelope: Bytes, fields: MembershipFields): boolean =>
  verifyEnvelope(fields.key, meshId, envelopeId(envelope), fields.signature)

const NULLIFIER_TAG_BYTES = 31
const ROOT_TAG_BYTES = 16

/**
 * What the ledger orders of this proof beside the envelope's id: the spend, 32 bytes (31 that stand for the nullifier, then the key
 * index), and the 16 bytes that stand for the key root.
 */
export function ledgerTags({ nullifier, keyIndex }: MembershipFields, keyRoot: Bytes) {
  const tag = primitives.sha3_256(domain("membership spend"), nullifier)
  const spend = concat(tag.subarray(0, NULLIFIER_TAG_BYTES), new Uint8Array([keyIndex]))
  return { spend, root: keyRoot.slice(0, ROOT_TAG_BYTES) }
}

/** The same of an envelope of 4096 bytes; undefined when it has no such admission. */
export function membershipTags(envelope: Bytes): ReturnType<typeof ledgerTags> | undefined {
  const read = readMembership(envelope)
  return "fields" in read ? ledgerTags(read.fields, keyRootOf(read.fields)) : undefined
}
