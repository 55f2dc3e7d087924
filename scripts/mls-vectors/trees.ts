/**
 * Vectors of the ratchet tree (RFC 9420 §4, §7): what proposals do to it, resolutions, tree and parent hashes, and the signatures of
 * its leaves.
 */
import type { CiphersuiteImpl, RatchetTree } from "ts-mls"
import { verifyLeafNodeSignature } from "ts-mls/leafNode.js"
import { verifyParentHashes } from "ts-mls/parentHash.js"
import { decodeProposal, type Proposal } from "ts-mls/proposal.js"
import {
  addLeafNode,
  decodeRatchetTree,
  encodeRatchetTree,
  removeLeafNode,
  resolution,
  updateLeafNode,
} from "ts-mls/ratchetTree.js"
import { treeHash, treeHashRoot } from "ts-mls/treeHash.js"
import { nodeToLeafIndex, toLeafIndex, toNodeIndex } from "ts-mls/treemath.js"
import { decodeWhole, Fields, holds, MismatchError, same } from "./fields.ts"

export async function treeOperations(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const before = decodeWhole("tree_before", decodeRatchetTree, vector.bytes("tree_before"))
  same("tree hash before", await treeHashRoot(before, cs.hash), vector.bytes("tree_hash_before"))
  const proposal = decodeWhole("proposal", decodeProposal, vector.bytes("proposal"))
  const after = applied(before, proposal, vector.number("proposal_sender"))
  same("tree after", encodeRatchetTree(after), vector.bytes("tree_after"))
  same("tree hash after", await treeHashRoot(after, cs.hash), vector.bytes("tree_hash_after"))
}

function applied(tree: RatchetTree, proposal: Proposal, sender: number): RatchetTree {
  if (proposal.proposalType === "add") return addLeafNode(tree, proposal.add.keyPackage.leafNode)[0]
  if (proposal.proposalType === "update")
    return updateLeafNode(tree, proposal.update.leafNode, toLeafIndex(sender))
  if (proposal.proposalType === "remove")
    return removeLeafNode(tree, toLeafIndex(proposal.remove.removed))
  throw new MismatchError(`a proposal ${proposal.proposalType}`)
}

export async function treeValidation(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const tree = decodeWhole("tree", decodeRatchetTree, vector.bytes("tree"))
  for (const [node, published] of vector.list("resolutions").entries()) {
    const found = resolution(tree, toNodeIndex(node))
    holds(`resolution of ${node}`, JSON.stringify(found) === JSON.stringify(published))
  }
  for (const [node, published] of vector.list("tree_hashes").entries()) {
    const hash = await treeHash(tree, toNodeIndex(node), cs.hash)
    same(`tree hash of ${node}`, hash, new Fields({ published }).bytes("published"))
  }
  holds("parent hashes", await verifyParentHashes(tree, cs.hash))
  const groupId = vector.bytes("group_id")
  for (const [index, node] of tree.entries())
    if (node?.nodeType === "leaf") {
      const leafIndex = nodeToLeafIndex(toNodeIndex(index))
      const signed = await verifyLeafNodeSignature(node.leaf, groupId, leafIndex, cs.signature)
      holds(`signature of leaf ${leafIndex}`, signed)
    }
}
