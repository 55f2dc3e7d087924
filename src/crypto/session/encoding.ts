/**
 * A group's state as bytes, exactly as ts-mls's `encodeGroupState` writes it. It is stored after every message, and most of it, the
 * ratchet tree at 1,600 bytes a node, changes with commits only: so a tree is encoded once, and what was stored of it is used again.
 */
import type { ClientState, RatchetTree } from "ts-mls"
import { contramapBufferEncoders, encode } from "ts-mls/codec/tlsEncoder.js"
import { bigintMapEncoder, varLenDataEncoder } from "ts-mls/codec/variableLength.js"
import { epochReceiverDataEncoder } from "ts-mls/epochReceiverData.js"
import { groupActiveStateEncoder } from "ts-mls/groupActiveState.js"
import { groupContextEncoder } from "ts-mls/groupContext.js"
import { keyScheduleEncoder } from "ts-mls/keySchedule.js"
import { privateKeyPathEncoder } from "ts-mls/privateKeyPath.js"
import { ratchetTreeEncoder } from "ts-mls/ratchetTree.js"
import { secretTreeEncoder } from "ts-mls/secretTree.js"
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
