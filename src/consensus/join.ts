/**
 * How somebody becomes a member of the mesh (DESIGN §6): a commitment, what entitles to it, and a proof that whoever asks knows the secret
 * behind the commitment. A voucher entitles once. It holds a key of its own, vouched for by an operator, that signs the joining; so
 * who sees a voucher being used cannot use it for another commitment. In an open mesh, work entitles too.
 *
 *   voucher    version 1 (= 1) · operator's Ed25519 key 32 · seed of the voucher's Ed25519 key 32 · operator's signature 64
 *   signed     "sotto/voucher/1" · mesh id 32 · the voucher's public key 32
 *   joining    "sotto/join/1" · mesh id 32 · commitment 32 · what is used up 32
 *   evidence   1 · operator's key 32 · voucher's public key 32 · operator's signature 64 · voucher's signature under `joining` 64 · (length 2) proof
 *           or 2 · anchor 32 · nonce 8 · (length 2) proof
 *   used up    SHA3-256("sotto/voucher-spend/1" · mesh id · voucher's public key), or SHA3-256("sotto/join-work/1" · mesh id · commitment)
 *
 * Domains are texts with a length of 1 before them. Pure; the proof itself is judged elsewhere.
 */
import { concat, equal, exactly, Reader, Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { blake3 } from "../crypto/blake3.ts"
import { CryptoError } from "../crypto/errors.ts"
import { leadingZeroBits, powPrefix } from "../crypto/pow.ts"
import { ignore, reject, type Verdict } from "../crypto/verdict.ts"
import { primitives } from "#primitives"
import { ED25519_SIGNATURE_BYTES } from "./limits.ts"
import { seatOf, type ValidatorSet } from "./quorum.ts"
import type { MemberAddItem } from "./types.ts"

const VERSION = 1
const VOUCHER = 1
const WORK = 2
const NONCE_BYTES = 8
/** Length of an encoded voucher. */
export const VOUCHER_BYTES = 1 + 32 + 32 + 64
/** Longest proof of knowledge that is decoded. */
const PROOF_BYTES_MAX = 1024
/** Bits by which joining is dearer than one envelope: a member posts for ever after. */
export const JOIN_WORK_BITS = 8

const domain = (text: string) => new Writer().text(text, 1).finish()
const VOUCHER_DOMAIN = domain("sotto/voucher/1")
const JOIN_DOMAIN = domain("sotto/join/1")
const VOUCHER_SPEND_DOMAIN = domain("sotto/voucher-spend/1")
const WORK_SPEND_DOMAIN = domain("sotto/join-work/1")

export interface Voucher {
  /** Ed25519 key of the validator that vouches, 32 bytes. */
  readonly operator: Bytes
  /** Private key of the voucher, 32 bytes: whoever has it can join. */
  readonly seed: Bytes
  /** 64 bytes. */
  readonly signature: Bytes
}

/** What entitles to join, as an item shows it. */
type Title =
  | {
      readonly kind: "voucher"
      readonly operator: Bytes
      readonly key: Bytes
      readonly vouched: Bytes
      readonly signature: Bytes
    }
  | { readonly kind: "work"; readonly anchor: Bytes; readonly nonce: Bytes }

export interface Evidence {
  readonly title: Title
  /** Opaque here. */
  readonly proof: Bytes
}

const publicKeyOf = (seed: Bytes): Bytes =>
  primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(seed))
const vouchedBytes = (meshId: Bytes, key: Bytes) => concat(VOUCHER_DOMAIN, meshId, key)

/** A new voucher. `sign`: with the operator's Ed25519 key, 64 bytes. */
export function newVoucher(
  meshId: Bytes,
  operator: Bytes,
  sign: (message: Bytes) => Bytes,
): Voucher {
  const seed = primitives.randomBytes(32)
  const signature = sign(vouchedBytes(meshId, publicKeyOf(seed)))
  return { operator, seed, signature: exactly(signature, ED25519_SIGNATURE_BYTES, "signature") }
}

/** 129 bytes. */
export const encodeVoucher = ({ operator, seed, signature }: Voucher): Bytes =>
  new Writer().u8(VERSION).raw(operator).raw(seed).raw(signature).finish()

/** Throws CryptoError BAD_VERSION or BAD_LENGTH. */
export function decodeVoucher(bytes: Bytes): Voucher {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "a voucher")
  const voucher = { operator: read.raw(32), seed: read.raw(32), signature: read.raw(64) }
  read.done()
  return voucher
}

/** What joining by this voucher uses up, 32 bytes: what the ledger remembers it by. */
export const spendOfVoucher = (meshId: Bytes, { seed }: Voucher): Bytes =>
  spendOfKey(meshId, publicKeyOf(seed))

const spendOfKey = (meshId: Bytes, key: Bytes): Bytes =>
  primitives.sha3_256(VOUCHER_SPEND_DOMAIN, meshId, key)

/** What joining by work uses up, 32 bytes: a commitment joins once, so whoever was removed does not come back with it. */
export const spendOfWork = (meshId: Bytes, commitment: Bytes): Bytes =>
  primitives.sha3_256(WORK_SPEND_DOMAIN, meshId, commitment)

/** All that a joining says besides what entitles to it and the proof: what both of them are bound to. */
export const joiningBytes = (meshId: Bytes, commitment: Bytes, spend: Bytes): Bytes =>
  concat(JOIN_DOMAIN, meshId, exactly(commitment, 32, "commitment"), exactly(spend, 32, "spend"))

/** Joins by a voucher. `proof`: of knowledge, over `joiningBytes`. */
export function joinByVoucher(
  meshId: Bytes,
  commitment: Bytes,
  voucher: Voucher,
  proof: Bytes,
): MemberAddItem {
  const { ed25519 } = primitives
  const spend = spendOfVoucher(meshId, voucher)
  const key = publicKeyOf(voucher.seed)
  const joining = joiningBytes(meshId, commitment, spend)
  const signature = ed25519.sign(ed25519.importPrivate(voucher.seed), joining)
  const { operator, signature: vouched } = voucher
  const title = { kind: "voucher", operator, key, vouched, signature } as const
  return itemOf(commitment, spend, { title, proof })
}

/** What a nonce is sought for: BLAKE3(mesh id ‖ anchor ‖ hash of `joiningBytes` ‖ nonce), as for an envelope. 32 bytes. */
export const joinWorkId = (meshId: Bytes, commitment: Bytes): Bytes =>
  primitives.sha3_256(joiningBytes(meshId, commitment, spendOfWork(meshId, commitment)))

/** Joins by work done for `joinWorkId`. */
export function joinByWork(
  meshId: Bytes,
  commitment: Bytes,
  { anchor, nonce }: { readonly anchor: Bytes; readonly nonce: Bytes },
  proof: Bytes,
): MemberAddItem {
  const title = { kind: "work", anchor, nonce } as const
  return itemOf(commitment, spendOfWork(meshId, commitment), { title, proof })
}

const itemOf = (commitment: Bytes, spend: Bytes, evidence: Evidence): MemberAddItem => ({
  type: "member-add",
  commitment,
  voucher: spend,
  evidence: encodeEvidence(evidence),
})

export function encodeEvidence({ title, proof }: Evidence): Bytes {
  const out = new Writer()
  if (title.kind === "voucher")
    out.u8(VOUCHER).raw(title.operator).raw(title.key).raw(title.vouched).raw(title.signature)
  else out.u8(WORK).raw(title.anchor).raw(title.nonce)
  return out.bytes(proof, 2).finish()
}

/** Throws CryptoError BAD_ENCODING, BAD_LENGTH or TOO_LARGE. */
export function decodeEvidence(bytes: Bytes): Evidence {
  const read = new Reader(bytes)
  const title = readTitle(read)
  const proof = read.bytes(2, PROOF_BYTES_MAX)
  read.done()
  return { title, proof }
}

function readTitle(read: Reader): Title {
  const kind = read.u8()
  if (kind === VOUCHER)
    return {
      kind: "voucher",
      operator: read.raw(32),
      key: read.raw(32),
      vouched: read.raw(64),
      signature: read.raw(64),
    }
  if (kind === WORK) return { kind: "work", anchor: read.raw(32), nonce: read.raw(NONCE_BYTES) }
  throw new CryptoError("BAD_ENCODING", `no title of kind ${kind}`)
}

export type JoinCode =
  /** [REJECT] not evidence of any kind. */
  | "JOIN_EVIDENCE"
  /** [REJECT] what it uses up is not what its evidence stands for. */
  | "JOIN_SPEND"
  /** [REJECT] this mesh takes no work for membership. */
  | "JOIN_POLICY"
  /** [IGNORE] vouched for by somebody who is no operator, or not any more. */
  | "JOIN_OPERATOR"
  /** [REJECT] the operator did not vouch for this. */
  | "JOIN_VOUCHER"
  /** [REJECT] the voucher was used for something else. */
  | "JOIN_SIGNATURE"
  /** [IGNORE] work on something that is not known here, or not any more. */
  | "JOIN_ANCHOR"
  /** [REJECT] too little work. */
  | "JOIN_WORK"

export interface JoinRule {
  /** 32 bytes. */
  readonly meshId: Bytes
  /** Whether work entitles. */
  readonly isOpen: boolean
  /** The validators in force. */
  readonly set: ValidatorSet
  /** What work may be bound to at present, and the bits of one envelope under it. */
  readonly prices: readonly { readonly anchor: Bytes; readonly bits: number }[]
}

/** Judges what entitles, cheap checks first; the proof is not looked at. With `proof`: it is next. */
export function judgeTitle(
  { commitment, voucher: spend, evidence }: MemberAddItem,
  rule: JoinRule,
): { readonly proof: Bytes } | Exclude<Verdict<JoinCode>, { readonly verdict: "accept" }> {
  let decoded: Evidence
  try {
    decoded = decodeEvidence(evidence)
  } catch (error) {
    // [REJECT] it decodes
    if (error instanceof CryptoError) return reject("JOIN_EVIDENCE")
    throw error
  }
  const { title, proof } = decoded
  const wrong =
    title.kind === "voucher"
      ? judgeVoucher(title, commitment, spend, rule)
      : judgeWork(title, commitment, spend, rule)
  return wrong ?? { proof }
}

type Wrong = Exclude<Verdict<JoinCode>, { readonly verdict: "accept" }> | undefined

function judgeVoucher(
  title: Extract<Title, { kind: "voucher" }>,
  commitment: Bytes,
  spend: Bytes,
  { meshId, set }: JoinRule,
): Wrong {
  // [REJECT] it uses up this very voucher
  if (!equal(spend, spendOfKey(meshId, title.key))) return reject("JOIN_SPEND")
  // [IGNORE] an operator in force stands behind it: another peer may have followed further, or less far
  if (seatOf(set, title.operator) < 0) return ignore("JOIN_OPERATOR")
  // [REJECT] that operator does
  if (!isSigned(title.operator, vouchedBytes(meshId, title.key), title.vouched))
    return reject("JOIN_VOUCHER")
  // [REJECT] the voucher's holder meant this commitment
  if (!isSigned(title.key, joiningBytes(meshId, commitment, spend), title.signature))
    return reject("JOIN_SIGNATURE")
  return undefined
}

function judgeWork(
  { anchor, nonce }: Extract<Title, { kind: "work" }>,
  commitment: Bytes,
  spend: Bytes,
  { meshId, isOpen, prices }: JoinRule,
): Wrong {
  // [REJECT] the mesh is open to who works
  if (!isOpen) return reject("JOIN_POLICY")
  // [REJECT] it uses up this commitment
  if (!equal(spend, spendOfWork(meshId, commitment))) return reject("JOIN_SPEND")
  const price = prices.find((each) => equal(each.anchor, anchor))
  // [IGNORE] the anchor is of this period or the one before
  if (price === undefined) return ignore("JOIN_ANCHOR")
  const work = blake3(powPrefix(meshId, anchor, joinWorkId(meshId, commitment)), nonce)
  // [REJECT] the work was done
  return leadingZeroBits(work) >= price.bits + JOIN_WORK_BITS ? undefined : reject("JOIN_WORK")
}

function isSigned(key: Bytes, message: Bytes, signature: Bytes): boolean {
  try {
    return primitives.ed25519.verify(primitives.ed25519.importPublic(key), message, signature)
  } catch (error) {
    // a key that is none
    if (error instanceof CryptoError) return false
    throw error
  }
}

/** Whether an operator in force vouches for it: what its holder can find out before using it. */
export function isVouched(meshId: Bytes, set: ValidatorSet, voucher: Voucher): boolean {
  const { operator, seed, signature } = voucher
  return (
    seatOf(set, operator) >= 0 &&
    isSigned(operator, vouchedBytes(meshId, publicKeyOf(seed)), signature)
  )
}
