/**
 * A group's state as bytes, exactly as ts-mls's `encodeGroupState` writes it, and of it by itself the one thing that every message
 * changes: the secret tree, from which message keys come. A ratchet tree (1,600 bytes a node) changes with commits only and is encoded
 * once; of a secret tree a message changes one node, and the others are not encoded again.
 */
import type { ClientState, RatchetTree, SecretTree } from "ts-mls"
import { contramapBufferEncoders, encode } from "ts-mls/codec/tlsEncoder.js"
import { bigintMapEncoder, varLenDataEncoder } from "ts-mls/codec/variableLength.js"
import { epochReceiverDataEncoder } from "ts-mls/epochReceiverData.js"
import { groupActiveStateEncoder } from "ts-mls/groupActiveState.js"
import { groupContextEncoder } from "ts-mls/groupContext.js"
import { keyScheduleEncoder } from "ts-mls/keySchedule.js"
import { privateKeyPathEncoder } from "ts-mls/privateKeyPath.js"
import { ratchetTreeEncoder } from "ts-mls/ratchetTree.js"
import { secretTreeEncoder, secretTreeNodeEncoder } from "ts-mls/secretTree.js"
import { unappliedProposalsEncoder } from "ts-mls/unappliedProposals.js"
import { type Bytes, concat } from "../bytes.ts"

const encodeTree = encode(ratchetTreeEncoder)

const encodeBefore = encode(
  contramapBufferEncoders(
    [groupContextEncoder, keyScheduleEncoder, secretTreeEncoder],
    ({ groupContext, keySchedule, secretTree }: ClientState) =>
      [groupContext, keySchedule, secretTree] as const,
  ),
)

const encodeBehind = encode(
  contramapBufferEncoders(
    [
      privateKeyPathEncoder,
      varLenDataEncoder,
      unappliedProposalsEncoder,
      varLenDataEncoder,
      bigintMapEncoder(epochReceiverDataEncoder),
      groupActiveStateEncoder,
    ],
    (mls: ClientState) =>
      [
        mls.privatePath,
        mls.signaturePrivateKey,
        mls.unappliedProposals,
        mls.confirmationTag,
        mls.historicalReceiverData,
        mls.groupActiveState,
      ] as const,
  ),
)

const encodeVarLen = encode(varLenDataEncoder)
const encodeNode = encode(secretTreeNodeEncoder)
/** Nodes are never changed, only replaced; what was encoded of one is gone with it. */
const encodedNodes = new WeakMap<SecretTree[number], Bytes>()

/** As ts-mls writes it: one node behind the other, behind the length of all. */
export function encodeSecretTree(tree: SecretTree): Bytes {
  const nodes = tree.map((node) => {
    const known = encodedNodes.get(node)
    if (known !== undefined) return known
    const bytes = encodeNode(node)
    encodedNodes.set(node, bytes)
    return bytes
  })
  return encodeVarLen(concat(...nodes))
}

/** Trees are never changed, only replaced. */
const encoded = new WeakMap<RatchetTree, Bytes>()

function treeOf({ ratchetTree }: ClientState): Bytes {
  const known = encoded.get(ratchetTree)
  if (known !== undefined) return known
  const bytes = encodeTree(ratchetTree)
  encoded.set(ratchetTree, bytes)
  return bytes
}

/** Behind `prefix`. */
export const encodeGroup = (prefix: Bytes, mls: ClientState): Bytes =>
  concat(prefix, encodeBefore(mls), treeOf(mls), encodeBehind(mls))
