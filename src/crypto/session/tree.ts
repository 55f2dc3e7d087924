/**
 * Is this a ratchet tree? The checks of RFC 9420 §12.4.3.1 on the tree that a Welcome brings, done here and not by ts-mls, whose
 * own check follows indices that a stranger chose (an unmerged leaf beyond the tree makes it loop for ever) and refuses sound
 * trees in which two parents of a new leaf await different newcomers. Hashes and signatures are its work all the same.
 */
import type { GroupContext, LeafNode, RatchetTree } from "ts-mls"
import { verifyLeafNodeSignature, verifyLeafNodeSignatureKeyPackage } from "ts-mls/leafNode.js"
import { verifyParentHashes } from "ts-mls/parentHash.js"
import { treeHashRoot } from "ts-mls/treeHash.js"
import { directPath, toNodeIndex } from "ts-mls/treemath.js"
import { equal, toHex } from "../bytes.ts"
import { identityOf, speaksOurSuite } from "./credential.ts"
import { isHybridKey } from "./keypackage.ts"
import { MEMBERS_MAX } from "./limits.ts"
import { suite } from "./suite.ts"

/** May throw what ts-mls throws for a tree whose hashes cannot be computed; that, too, means no. */
export async function isSoundTree(tree: RatchetTree, context: GroupContext): Promise<boolean> {
  if (!hasSoundShape(tree) || !hasUniqueKeys(tree)) return false
  for (const [index, node] of tree.entries()) {
    if (node?.nodeType === "leaf" && !(await isSoundLeaf(node.leaf, index / 2, context)))
      return false
  }
  return (
    (await verifyParentHashes(tree, suite.hash)) &&
    equal(context.treeHash, await treeHashRoot(tree, suite.hash))
  )
}

/** Leaves at even indices, parents at odd ones, a full tree, and every unmerged leaf where it may be. */
function hasSoundShape(tree: RatchetTree): boolean {
  const leaves = (tree.length + 1) / 2
  if (!Number.isInteger(Math.log2(leaves)) || leaves > MEMBERS_MAX) return false
  return tree.every((node, index) => {
    if (node === undefined) return true
    if (node.nodeType === "leaf") return index % 2 === 0
    return index % 2 === 1 && hasSoundUnmerged(tree, index, node.parent.unmergedLeaves)
  })
}

/** §7.1: ascending, present, below this parent, and known to every parent in between. */
function hasSoundUnmerged(tree: RatchetTree, parent: number, unmerged: readonly number[]): boolean {
  const width = (tree.length + 1) / 2
  return unmerged.every((leaf, position) => {
    if (position > 0 && leaf <= (unmerged[position - 1] ?? leaf)) return false
    if (leaf >= width || tree[2 * leaf] === undefined) return false
    const path: readonly number[] = directPath(toNodeIndex(2 * leaf), width)
    const here = path.indexOf(parent)
    return here >= 0 && path.slice(0, here).every((index) => knows(tree, index, leaf))
  })
}

function knows(tree: RatchetTree, index: number, leaf: number): boolean {
  const node = tree[index]
  return (
    node === undefined || (node.nodeType === "parent" && node.parent.unmergedLeaves.includes(leaf))
  )
}

/** No two nodes share an encryption key, no two members a signature key or an identity. */
function hasUniqueKeys(tree: RatchetTree): boolean {
  const seen = new Set<string>()
  const isNew = (kind: string, bytes: Uint8Array): boolean => {
    const before = seen.size
    return seen.add(`${kind} ${toHex(bytes)}`).size > before
  }
  return tree.every((node) => {
    if (node === undefined) return true
    if (node.nodeType === "parent") return isNew("encryption", node.parent.hpkePublicKey)
    const identity = identityOf(node.leaf.credential)
    return (
      identity !== undefined &&
      isNew("encryption", node.leaf.hpkePublicKey) &&
      isNew("signature", node.leaf.signaturePublicKey) &&
      isNew("identity", identity)
    )
  })
}

function isSoundLeaf(leaf: LeafNode, index: number, context: GroupContext): Promise<boolean> {
  if (!speaksOurSuite(leaf) || !isHybridKey(leaf.hpkePublicKey)) return Promise.resolve(false)
  return leaf.leafNodeSource === "key_package"
    ? verifyLeafNodeSignatureKeyPackage(leaf, suite.signature)
    : verifyLeafNodeSignature(leaf, context.groupId, index, suite.signature)
}
