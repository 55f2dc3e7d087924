/**
 * Is this a ratchet tree? The checks of RFC 9420 §12.4.3.1 on the tree that a Welcome brings, done here and not by ts-mls, whose
 * own check follows indices that a stranger chose (an unmerged leaf beyond the tree makes it loop for ever), refuses sound trees
 * in which two parents of a new leaf await different newcomers, and takes some in which a parent leaves out a newcomer. Hashes and
 * signatures are its work all the same.
 */
import { primitives } from "#primitives"
import type { CiphersuiteImpl, GroupContext, Hash, LeafNode, Node, RatchetTree } from "ts-mls"
import { verifyLeafNodeSignature, verifyLeafNodeSignatureKeyPackage } from "ts-mls/leafNode.js"
import { calculateParentHash } from "ts-mls/parentHash.js"
import { getHpkePublicKey, resolution } from "ts-mls/ratchetTree.js"
import { treeHashRoot } from "ts-mls/treeHash.js"
import { directPath, left, type NodeIndex, right, toNodeIndex } from "ts-mls/treemath.js"
import { type Bytes, equal, toHex } from "../bytes.ts"
import { identityOf, speaks } from "./credential.ts"
import { isHybridKey } from "./keypackage.ts"
import { membersMax, suiteNamed } from "./suite.ts"

/** May throw what ts-mls throws for a tree whose hashes cannot be computed; that, too, means no. */
export async function isSoundTree(tree: RatchetTree, context: GroupContext): Promise<boolean> {
  const suite = suiteNamed(context.cipherSuite)
  if (!hasSoundShape(tree, membersMax(suite.name)) || !hasUniqueKeys(tree)) return false
  for (const [index, node] of tree.entries()) {
    if (node?.nodeType === "leaf" && !(await isSoundLeaf(node.leaf, index / 2, context, suite)))
      return false
  }
  return (
    (await hasSoundParentHashes(tree, suite.hash)) &&
    equal(context.treeHash, await treeHashRoot(tree, suite.hash))
  )
}

/** Leaves at even indices, parents at odd ones, a full tree, and every unmerged leaf where it may be. */
function hasSoundShape(tree: RatchetTree, leavesMax: number): boolean {
  const leaves = (tree.length + 1) / 2
  if (!Number.isInteger(Math.log2(leaves)) || leaves > leavesMax) return false
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
  const isNew = (kind: string, bytes: Bytes): boolean => {
    const before = seen.size
    return seen.add(`${kind} ${fingerprint(bytes)}`).size > before
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

/** No encryption key twice among `keys`, and none that the tree has already. */
export function areNewKeys(tree: RatchetTree, keys: readonly Bytes[]): boolean {
  const present = tree.flatMap((node) => (node === undefined ? [] : [getHpkePublicKey(node)]))
  const known = new Set(present.map(fingerprint))
  return keys.every((key) => {
    const before = known.size
    return known.add(fingerprint(key)).size > before
  })
}

const fingerprint = (key: Bytes): string => toHex(primitives.sha3_256(key))

function isSoundLeaf(
  leaf: LeafNode,
  index: number,
  context: GroupContext,
  suite: CiphersuiteImpl,
): Promise<boolean> {
  if (!speaks(suite.name, leaf) || !isHybridKey(leaf.hpkePublicKey)) return Promise.resolve(false)
  return leaf.leafNodeSource === "key_package"
    ? verifyLeafNodeSignatureKeyPackage(leaf, suite.signature)
    : verifyLeafNodeSignature(leaf, context.groupId, index, suite.signature)
}

async function hasSoundParentHashes(tree: RatchetTree, digest: Hash): Promise<boolean> {
  for (const [index, node] of tree.entries()) {
    if (node?.nodeType !== "parent") continue
    const parent = toNodeIndex(index)
    const { unmergedLeaves } = node.parent
    const vouchedFor =
      (await hasSetter(tree, parent, left(parent), unmergedLeaves, digest)) ||
      (await hasSetter(tree, parent, right(parent), unmergedLeaves, digest))
    if (!vouchedFor) return false
  }
  return true
}

/**
 * §7.9.2: on one side of the parent stands a node that was set together with it, and carries its hash. Everything else that has
 * to be told a secret on that side came later, which is to say: awaits being merged.
 */
async function hasSetter(
  tree: RatchetTree,
  parent: NodeIndex,
  child: NodeIndex,
  unmerged: readonly number[],
  digest: Hash,
): Promise<boolean> {
  const told = resolution(tree, child)
  const later = new Set(unmerged.map((leaf) => 2 * leaf))
  const setters = told.filter((index) => !later.has(index))
  const [setter] = setters
  if (setter === undefined || setters.length > 1) return false
  const claimed = parentHashOf(tree[setter])
  if (claimed === undefined) return false
  const [hash, ancestor] = await calculateParentHash(tree, setter, digest)
  return ancestor === parent && equal(hash, claimed)
}

/** Only parents and leaves that came with a commit's path carry one. */
function parentHashOf(node: Node | undefined): Uint8Array | undefined {
  if (node?.nodeType === "parent") return node.parent.parentHash
  return node?.leaf.leafNodeSource === "commit" ? node.leaf.parentHash : undefined
}
