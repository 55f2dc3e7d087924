/**
 * A leaf's way to the root of the membership tree (LeanIMT: a node without a right neighbour is its own parent, so the way has only
 * the siblings that exist), and the witness that a prover gives the circuit. The tree itself is the ledger's.
 */
import { poseidon2 } from "poseidon-lite/poseidon2"
import { type Bytes, equal } from "../bytes.ts"
import { assert } from "../errors.ts"
import { bytesOfNumber, fieldFrom, isZero, numberFrom } from "./field.ts"
import { scalarOf } from "./secret.ts"
import { TREE_DEPTH_MAX } from "./statement.ts"

/** How a member shows its leaf: to the prover only. */
export interface TreePath {
  /** From the leaf upwards, 32 bytes each, at most 20; empty when the leaf is the root. */
  readonly siblings: readonly Bytes[]
  /** Bit i: whether the node of level i is a right child. */
  readonly index: number
  /** 32 bytes. */
  readonly root: Bytes
}

/** The root that this leaf has by these siblings: 32 bytes. Throws CryptoError BAD_ENCODING. */
export function rootOfPath(leaf: Bytes, { siblings, index }: Omit<TreePath, "root">): Bytes {
  let node = fieldFrom(leaf)
  for (const [level, sibling] of siblings.entries()) {
    const other = fieldFrom(sibling)
    node = poseidon2(((index >> level) & 1) === 0 ? [node, other] : [other, node])
  }
  return bytesOfNumber(node)
}

/** Whether a path leads from this leaf to the root it names. A path longer than the circuit's, or to root 0, never does. */
export function isPathOf(leaf: Bytes, path: TreePath): boolean {
  const { siblings, index, root } = path
  if (siblings.length > TREE_DEPTH_MAX || index >>> siblings.length !== 0) return false
  return !isZero(root) && equal(rootOfPath(leaf, path), root)
}

/** The path of a tree that is one leaf: for joining. */
export const loneLeaf = (leaf: Bytes): TreePath => ({ siblings: [], index: 0, root: leaf })

/** The circuit's inputs, in its own names. */
export interface Witness {
  readonly secret: bigint
  readonly merkleProofLength: number
  readonly merkleProofIndex: number
  readonly merkleProofSiblings: readonly bigint[]
  readonly message: bigint
  readonly scope: bigint
}

/** `signal`, `scope`: field elements, 32 bytes. Throws CryptoError. The result holds the secret. */
export function witnessOf(secret: Bytes, path: TreePath, signal: Bytes, scope: Bytes): Witness {
  assert(path.siblings.length <= TREE_DEPTH_MAX, "a path is not longer than the circuit's")
  const siblings = path.siblings.map(fieldFrom)
  const missing = TREE_DEPTH_MAX - siblings.length
  return {
    secret: scalarOf(secret),
    merkleProofLength: path.siblings.length,
    merkleProofIndex: path.index,
    merkleProofSiblings: [...siblings, ...Array.from({ length: missing }, () => 0n)],
    message: numberFrom(signal),
    scope: numberFrom(scope),
  }
}
