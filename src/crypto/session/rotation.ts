/**
 * A commit that gives our leaf a new signature key (RFC 9420 §12.4.1 with an update path and no proposals). ts-mls signs message and
 * leaf with one key, so the steps are put together here from its parts: the message is signed with the old key, which the others
 * know, and the new leaf with the new one. Nothing differs otherwise from the path commit that ts-mls makes.
 */
import type { ClientState, PrivateMessage } from "ts-mls"
import { addHistoricalReceiverData, nextEpochContext } from "ts-mls/clientState.js"
import { createConfirmationTag, createContentCommitSignature } from "ts-mls/framedContent.js"
import { initializeEpoch } from "ts-mls/keySchedule.js"
import { protect } from "ts-mls/messageProtection.js"
import { getCommitSecret, pathToPathSecrets } from "ts-mls/pathSecrets.js"
import { mergePrivateKeyPaths, toPrivateKeyPath, updateLeafKey } from "ts-mls/privateKeyPath.js"
import { createSecretTree } from "ts-mls/secretTree.js"
import { treeHashRoot } from "ts-mls/treeHash.js"
import { leafWidth, toLeafIndex, toNodeIndex } from "ts-mls/treemath.js"
import { createUpdatePath } from "ts-mls/updatePath.js"
import type { Bytes } from "../bytes.ts"
import { assert } from "../errors.ts"
import { leafAt } from "./state.ts"
import { signaturePublicOf } from "./signature.ts"
import { suiteOf } from "./suite.ts"

const WIRE_FORMAT = "mls_private_message"
const NOTHING = new Uint8Array(0)
const NO_SECRET = new Uint8Array(32)

export interface Rotation {
  readonly message: PrivateMessage
  readonly newState: ClientState
}

/** `signatureSeed`: of the group's kind, kept by the new state. */
export async function rotate(mls: ClientState, signatureSeed: Bytes): Promise<Rotation> {
  const suite = suiteOf(mls)
  const { tree, path, privatePath, commitSecret } = await newPath(mls, signatureSeed)
  const { framedContent, signature } = await createContentCommitSignature(
    mls.groupContext,
    WIRE_FORMAT,
    { proposals: [], path },
    { senderType: "member", leafIndex: mls.privatePath.leafIndex },
    NOTHING,
    mls.signaturePrivateKey,
    suite.signature,
  )
  const groupContext = await nextEpochContext(
    mls.groupContext,
    WIRE_FORMAT,
    framedContent,
    signature,
    await treeHashRoot(tree, suite.hash),
    mls.confirmationTag,
    suite.hash,
  )
  const { keySchedule, encryptionSecret } = await initializeEpoch(
    mls.keySchedule.initSecret,
    commitSecret,
    groupContext,
    NO_SECRET,
    suite.kdf,
  )
  const confirmationTag = await createConfirmationTag(
    keySchedule.confirmationKey,
    groupContext.confirmedTranscriptHash,
    suite.hash,
  )
  const { privateMessage } = await protect(
    mls.keySchedule.senderDataSecret,
    NOTHING,
    mls.groupContext,
    mls.secretTree,
    { ...framedContent, auth: { contentType: "commit", signature, confirmationTag } },
    mls.privatePath.leafIndex,
    mls.clientConfig.paddingConfig,
    suite,
  )
  const [historicalReceiverData] = addHistoricalReceiverData(mls)
  const newState: ClientState = {
    ...mls,
    groupContext,
    ratchetTree: tree,
    secretTree: await createSecretTree(leafWidth(tree.length), encryptionSecret, suite.kdf),
    keySchedule,
    privatePath,
    historicalReceiverData,
    confirmationTag,
    signaturePrivateKey: signatureSeed,
  }
  return { message: privateMessage, newState }
}

/** New keys from our leaf to the root, under a leaf that carries the new signature key. */
async function newPath(mls: ClientState, signatureSeed: Bytes) {
  const suite = suiteOf(mls)
  const { leafIndex } = mls.privatePath
  const leaf = leafAt(mls.ratchetTree, leafIndex)
  assert(leaf !== undefined, "our own leaf is in the tree")
  const renamed = mls.ratchetTree.slice()
  renamed[2 * leafIndex] = {
    nodeType: "leaf",
    leaf: { ...leaf, signaturePublicKey: signaturePublicOf(signatureSeed) },
  }
  const [tree, path, pathSecrets, leafKey] = await createUpdatePath(
    renamed,
    toLeafIndex(leafIndex),
    mls.groupContext,
    signatureSeed,
    suite,
  )
  const top = pathSecrets.at(-1)
  return {
    tree,
    path,
    privatePath: mergePrivateKeyPaths(
      updateLeafKey(mls.privatePath, await suite.hpke.exportPrivateKey(leafKey)),
      await toPrivateKeyPath(pathToPathSecrets(pathSecrets), leafIndex, suite),
    ),
    commitSecret:
      top === undefined
        ? NO_SECRET
        : await getCommitSecret(tree, toNodeIndex(top.nodeIndex), top.secret, suite.kdf),
  }
}
