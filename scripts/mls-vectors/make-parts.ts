/**
 * Vectors of MLS's single parts in sotto's own cipher suite: framing by the member at leaf 1 of two, a Welcome, TreeKEM among three
 * members (so that one leaf has no sibling), and headers of variable-length vectors at the edges of their three sizes.
 */
import { encodeMlsMessage, type GroupContext, type RatchetTree } from "ts-mls"
import { lengthEncoder } from "ts-mls/codec/variableLength.js"
import { encodeCommit } from "ts-mls/commit.js"
import { createContentCommitSignature } from "ts-mls/framedContent.js"
import { protect, protectApplicationData, protectProposal } from "ts-mls/messageProtection.js"
import { protectProposalPublic, protectPublicMessage } from "ts-mls/messageProtectionPublic.js"
import { defaultPaddingConfig } from "ts-mls/paddingConfig.js"
import { getCommitSecret } from "ts-mls/pathSecrets.js"
import { encodeProposal, type Proposal } from "ts-mls/proposal.js"
import { addLeafNode, encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { createSecretTree } from "ts-mls/secretTree.js"
import type { Sender } from "ts-mls/sender.js"
import { treeHashRoot } from "ts-mls/treeHash.js"
import { isAncestor, leafToNodeIndex, toLeafIndex, toNodeIndex } from "ts-mls/treemath.js"
import {
  applyUpdatePath,
  createUpdatePath,
  encodeUpdatePath,
  type PathSecret,
} from "ts-mls/updatePath.js"
import { primitives } from "#primitives"
import { type Bytes, toHex, utf8 } from "../../src/crypto/bytes.ts"
import * as session from "../../src/crypto/session.ts"
import { generateKeyPackage } from "../../src/crypto/session/keypackage.ts"
import { unwrap } from "../../src/crypto/session/state.ts"
import { signaturePublicOf } from "../../src/crypto/session/signature.ts"
import { SUITE_IDS, suites } from "../../src/crypto/session/suite.ts"

const suite = suites.ed25519

const NOW = Math.floor(Date.now() / 1000)
const ALWAYS = 2 ** 40
const SECRET_BYTES = 32
const NOTHING = new Uint8Array(0)
const secret = (): Bytes => primitives.randomBytes(SECRET_BYTES)

const contextOf = (treeHash: Bytes, epoch: bigint): GroupContext => ({
  version: "mls10",
  cipherSuite: suite.name,
  groupId: utf8("a vector"),
  epoch,
  treeHash,
  confirmedTranscriptHash: secret(),
  extensions: [],
})

const shared = (context: GroupContext) => ({
  cipher_suite: SUITE_IDS.ed25519,
  group_id: toHex(context.groupId),
  epoch: Number(context.epoch),
  confirmed_transcript_hash: toHex(context.confirmedTranscriptHash),
})

const SENDER = 1
const MEMBER: Sender = { senderType: "member", leafIndex: SENDER }

export async function protectionVector(): Promise<object> {
  const context = contextOf(secret(), 7n)
  const [signKey, membershipKey, senderData, encryption] = [secret(), secret(), secret(), secret()]
  const tree = () => createSecretTree(2, encryption, suite.kdf)
  const proposal: Proposal = { proposalType: "remove", remove: { removed: 0 } }
  const commit = { proposals: [{ proposalOrRefType: "proposal" as const, proposal }] }
  const data = utf8("application data")

  const { publicMessage } = await protectProposalPublic(
    signKey,
    membershipKey,
    context,
    NOTHING,
    proposal,
    SENDER,
    suite,
  )
  const closed = await protectProposal(
    signKey,
    senderData,
    proposal,
    NOTHING,
    context,
    await tree(),
    SENDER,
    defaultPaddingConfig,
    suite,
  )
  const signed = async (wireformat: "mls_public_message" | "mls_private_message") => {
    const { framedContent: content, signature } = await createContentCommitSignature(
      context,
      wireformat,
      { ...commit, path: undefined },
      MEMBER,
      NOTHING,
      signKey,
      suite.signature,
    )
    const auth = { contentType: "commit" as const, signature, confirmationTag: secret() }
    return { wireformat, content, auth }
  }
  const openCommit = await signed("mls_public_message")
  const { content, auth } = await signed("mls_private_message")
  const closedCommit = await protect(
    senderData,
    NOTHING,
    context,
    await tree(),
    { ...content, auth },
    SENDER,
    defaultPaddingConfig,
    suite,
  )
  const application = await protectApplicationData(
    signKey,
    senderData,
    data,
    NOTHING,
    context,
    await tree(),
    SENDER,
    defaultPaddingConfig,
    suite,
  )
  const inPublic = (message: typeof publicMessage) =>
    toHex(
      encodeMlsMessage({
        version: "mls10",
        wireformat: "mls_public_message",
        publicMessage: message,
      }),
    )
  const inPrivate = ({ privateMessage }: Pick<typeof closed, "privateMessage">) =>
    toHex(encodeMlsMessage({ version: "mls10", wireformat: "mls_private_message", privateMessage }))
  return {
    ...shared(context),
    tree_hash: toHex(context.treeHash),
    signature_priv: toHex(signKey),
    signature_pub: toHex(signaturePublicOf(signKey)),
    encryption_secret: toHex(encryption),
    sender_data_secret: toHex(senderData),
    membership_key: toHex(membershipKey),
    proposal: toHex(encodeProposal(proposal)),
    proposal_pub: inPublic(publicMessage),
    proposal_priv: inPrivate(closed),
    commit: toHex(encodeCommit({ ...commit, path: undefined })),
    commit_pub: inPublic(await protectPublicMessage(membershipKey, context, openCommit, suite)),
    commit_priv: inPrivate(closedCommit),
    application: toHex(data),
    application_priv: inPrivate(application),
  }
}

export async function welcomeVector(): Promise<object> {
  const signatureSeed = secret()
  const ada = await session.createGroup({
    groupId: utf8("a vector"),
    identity: utf8("ada"),
    signatureSeed,
  })
  const { publicPackage, privatePackage } = await packageOf("ben")
  const keyPackage = encodeMlsMessage({
    version: "mls10",
    wireformat: "mls_key_package",
    keyPackage: publicPackage,
  })
  const { welcome } = await session.addMembers(ada, [keyPackage], NOW)
  return {
    cipher_suite: SUITE_IDS.ed25519,
    init_priv: toHex(privatePackage.initPrivateKey),
    signer_pub: toHex(signaturePublicOf(signatureSeed)),
    key_package: toHex(keyPackage),
    welcome: toHex(welcome),
  }
}

const packageOf = (name: string) =>
  generateKeyPackage(
    { identity: utf8(name), signatureSeed: secret() },
    BigInt(NOW),
    BigInt(ALWAYS),
    false,
  )

export async function treeKemVector(): Promise<object> {
  const founder = await session.createGroup({
    groupId: utf8("a vector"),
    identity: utf8("ada"),
    signatureSeed: secret(),
  })
  const state = unwrap(founder)
  const others = [await packageOf("ben"), await packageOf("cleo")]
  let added: RatchetTree = state.ratchetTree
  for (const { publicPackage } of others) [added] = addLeafNode(added, publicPackage.leafNode)
  const keys = [
    state.signaturePrivateKey,
    ...others.map(({ privatePackage }) => privatePackage.signaturePrivateKey),
  ]
  // One path fills the tree, so that the members hold secrets of inner nodes.
  const before = contextOf(secret(), 6n)
  const [tree, , secrets, leafKey] = await createUpdatePath(
    added,
    toLeafIndex(0),
    before,
    state.signaturePrivateKey,
    suite,
  )
  const encryption = [
    await suite.hpke.exportPrivateKey(leafKey),
    ...others.map(({ privatePackage }) => privatePackage.hpkePrivateKey),
  ]
  const context = { ...before, epoch: 7n, treeHash: await treeHashRoot(tree, suite.hash) }
  return {
    ...shared(context),
    ratchet_tree: toHex(encodeRatchetTree(tree)),
    leaves_private: keys.map((signKey, index) => ({
      index,
      encryption_priv: toHex(encryption[index] ?? NOTHING),
      signature_priv: toHex(signKey),
      path_secrets: above(index, secrets, tree).map((each) => ({
        node: each.nodeIndex,
        path_secret: toHex(each.secret),
      })),
    })),
    update_paths: await Promise.all(
      keys.map((signKey, sender) => updatePath(tree, sender, keys.length, context, signKey)),
    ),
  }
}

async function updatePath(
  tree: RatchetTree,
  sender: number,
  leaves: number,
  context: GroupContext,
  signKey: Bytes,
): Promise<object> {
  const from = toLeafIndex(sender)
  // createUpdatePath seals for the epoch after the one it is given.
  const before = { ...context, epoch: context.epoch - 1n }
  const [, path, secrets] = await createUpdatePath(tree, from, before, signKey, suite)
  const after = await applyUpdatePath(tree, from, path, suite.hash)
  const last = secrets.at(-1)
  if (last === undefined) throw new Error("a path without a node")
  const node = toNodeIndex(last.nodeIndex)
  return {
    sender,
    update_path: toHex(encodeUpdatePath(path)),
    path_secrets: Array.from({ length: leaves }, (_, index) => {
      const [first] = index === sender ? [] : above(index, secrets, tree)
      return first === undefined ? null : toHex(first.secret)
    }),
    commit_secret: toHex(await getCommitSecret(after, node, last.secret, suite.kdf)),
    tree_hash_after: toHex(await treeHashRoot(after, suite.hash)),
  }
}

/** The secrets of a path that a leaf learns, from the lowest node up. */
const above = (leaf: number, secrets: readonly PathSecret[], tree: RatchetTree) =>
  secrets.filter(({ nodeIndex }) =>
    isAncestor(leafToNodeIndex(toLeafIndex(leaf)), toNodeIndex(nodeIndex), tree.length),
  )

const LENGTHS = [0, 1, 63, 64, 255, 256, 16_383, 16_384, 65_536, 0x3fff_ffff]

export const lengthVectors = (): readonly object[] =>
  LENGTHS.map((length) => {
    const [size, write] = lengthEncoder(length)
    const buffer = new ArrayBuffer(size)
    write(0, buffer)
    return { vlbytes_header: toHex(new Uint8Array(buffer)), length }
  })
