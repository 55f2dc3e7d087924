/**
 * Coming back into a group: somebody who went on from a backup, or whose state of the group is lost or too far behind, is let in anew by
 * any member, in one commit that takes their old leaf out and puts a new one in. Nobody has to be asked for it, because the new leaf says
 * itself that its owner wants it: its mark is signed by the root key that the address is made of, for this group and this leaf key. So no
 * member can put somebody else's keys under an address, or throw anybody out that way. Marks are numbered, and a leaf keeps the one it came
 * in with: each serves once.
 *
 * In a group with composite signatures the Ed25519 root alone is not believed: the key package brings the owner's card along, which names
 * the new leaf key, and which both root keys have signed.
 *
 *   mark  version 1 · number 8 · Ed25519 signature 64
 *   plea  version 1 · kind 1 (= 3) · group id (length 1) · key package (length 4)        in intro envelopes, to a member
 */
import { primitives } from "#primitives"
import { type Address, addressBytes } from "../crypto/address.ts"
import { type Bytes, concat, Reader, Writer } from "../crypto/bytes.ts"
import { isLeafOf, verifyCard } from "../crypto/card.ts"
import { CryptoError } from "../crypto/errors.ts"
import { domain } from "../crypto/kdf.ts"
import { sessionLimits, SIGNATURE_KEY_BYTES } from "../crypto/session.ts"

const VERSION = 1
const SIGNATURE_BYTES = 64
const KIND_PLEA = 3

/** A number is a moment, in milliseconds since 1970; from one return to the next it grows by at least this much. */
export const RETURN_EVERY_MS = 10 * 60_000
/** Whoever is asked takes no number further ahead of their own clock: so nobody has the others commit more often for long. */
export const RETURN_AHEAD_MS = 60 * 60_000

export interface Plea {
  readonly group: Bytes
  /** With the mark in its leaf. */
  readonly keyPackage: Bytes
}

const signingBytes = (group: Bytes, number: number, leafKey: Bytes): Bytes =>
  concat(domain("group return"), new Writer().bytes(group, 1).u64(number).raw(leafKey).finish())

/** `root`: Ed25519 seed of the root key, 32 bytes; `leafKey`: public key of the new leaf. */
export function makeMark(root: Bytes, group: Bytes, number: number, leafKey: Bytes): Bytes {
  const { ed25519 } = primitives
  const signature = ed25519.sign(ed25519.importPrivate(root), signingBytes(group, number, leafKey))
  return new Writer().u8(VERSION).u64(number).raw(signature).finish()
}

interface Mark {
  readonly number: number
  readonly signature: Bytes
}

function readMark(bytes: Bytes): Mark | undefined {
  try {
    const read = new Reader(bytes)
    if (read.u8() !== VERSION) return undefined
    const mark = { number: read.u64(), signature: read.raw(SIGNATURE_BYTES) }
    read.done()
    return mark
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

/** The number of a leaf's mark; 0 for a leaf without one. */
export const numberOf = (mark: Bytes): number => readMark(mark)?.number ?? 0

export interface Said {
  readonly mark: Bytes
  /** The card that came along; empty for none. */
  readonly proof: Bytes
  /** Number of the leaf that this one takes the place of. */
  readonly before: number
}

/** Whether the owner of `address` has said that this leaf key is to come into this group in place of their leaf numbered `before`. */
export function isReturn(
  group: Bytes,
  address: Address,
  leafKey: Bytes,
  { mark, proof, before }: Said,
): boolean {
  if (leafKey.length === SIGNATURE_KEY_BYTES.composite && !isNamed(proof, address, leafKey))
    return false
  const read = readMark(mark)
  if (read === undefined || read.number < before + RETURN_EVERY_MS) return false
  const { ed25519 } = primitives
  try {
    const root = ed25519.importPublic(addressBytes(address).subarray(0, 32))
    return ed25519.verify(root, signingBytes(group, read.number, leafKey), read.signature)
  } catch (error) {
    if (error instanceof CryptoError) return false
    throw error
  }
}

/** Whether these bytes are a card of this address, signed by both its root keys, that names the leaf key. */
function isNamed(proof: Bytes, address: Address, leafKey: Bytes): boolean {
  try {
    const card = verifyCard(proof)
    return card.address === address && isLeafOf(card, leafKey)
  } catch (error) {
    if (error instanceof CryptoError) return false
    throw error
  }
}

export function encodePlea({ group, keyPackage }: Plea): Bytes {
  return new Writer().u8(VERSION).u8(KIND_PLEA).bytes(group, 1).bytes(keyPackage, 4).finish()
}

/** Whether what came as a first contact is a plea, and not a hello. */
export const isPlea = (bytes: Bytes): boolean => bytes[1] === KIND_PLEA

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodePlea(bytes: Bytes): Plea {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `plea of version ${version}`)
  if (read.u8() !== KIND_PLEA) throw new CryptoError("BAD_ENCODING", "not a plea")
  const group = read.bytes(1, sessionLimits.GROUP_ID_MAX_BYTES)
  const keyPackage = read.bytes(4, sessionLimits.KEY_PACKAGE_MAX_BYTES)
  read.done()
  return { group, keyPackage }
}
