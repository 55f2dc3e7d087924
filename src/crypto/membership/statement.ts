/**
 * What a membership proof states, and the numbers in which the circuit sees it (Semaphore v4: outputs root and nullifier, public inputs
 * message and scope). Nothing of it but the nullifier is ever sent: everybody works the rest out, so nobody can choose it.
 *
 *   scope of a payload = Poseidon(mesh, Poseidon(period, slot))      mesh = labelledHash("membership mesh", mesh id) without its last byte
 *   scope of joining   = labelledHash("membership join", mesh id) without its last byte
 */
import { poseidon2 } from "poseidon-lite/poseidon2"
import { type Bytes, exactly } from "../bytes.ts"
import { labelledHash } from "../kdf.ts"
import { bytesOfNumber, fieldOfHash, isField, isZero, numberFrom } from "./field.ts"

/** Payloads of one member in one period: slots 0 to 31. */
export const SLOTS = 32
/** Deepest tree that the circuit takes. */
export const TREE_DEPTH_MAX = 20

/** The public signals, field elements of 32 bytes each. */
export interface Statement {
  /** Of the membership tree; of one leaf alone, the commitment itself. */
  readonly root: Bytes
  readonly nullifier: Bytes
  /** What the proof is bound to: the message, in Semaphore's words. */
  readonly signal: Bytes
  readonly scope: Bytes
}

/** The scope of one payload, 32 bytes. Two Poseidon hashes, some tenths of a millisecond. */
export function payloadScope(meshId: Bytes, period: number, slot: number): Bytes {
  const mesh = fieldOfHash(labelledHash("membership mesh", exactly(meshId, 32, "mesh id")))
  const place = poseidon2([BigInt(period), BigInt(slot)])
  return bytesOfNumber(poseidon2([numberFrom(mesh), place]))
}

/** The scope of joining a mesh, 32 bytes: a member's proof that it knows the secret of its own commitment. */
export const joinScope = (meshId: Bytes): Bytes =>
  fieldOfHash(labelledHash("membership join", exactly(meshId, 32, "mesh id")))

/** What a join proof is bound to: everything in the item but the proof itself, however long. 32 bytes. */
export const joinSignal = (item: Bytes): Bytes => fieldOfHash(labelledHash("membership item", item))

/**
 * Whether numbers may be stated at all: in their one spelling, and a root that a tree can have. The circuit gives root 0 for a path
 * longer than it knows, with a valid proof.
 */
export function isStatement({ root, nullifier, signal, scope }: Statement): boolean {
  return [root, nullifier, signal, scope].every(isField) && !isZero(root)
}
