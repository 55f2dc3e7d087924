/** What a dishonest member or stranger could send: authentic in everything but the one thing that is wrong with it. */
import { primitives } from "#primitives"
import type { Commit, GroupInfo, PrivateMessage, Proposal, RatchetTree } from "ts-mls"
import { createProposal } from "ts-mls"
import { createConfirmationTag, createContentCommitSignature } from "ts-mls/framedContent.js"
import { extractWelcomeSecret, signGroupInfo } from "ts-mls/groupInfo.js"
import { encodeGroupSecrets } from "ts-mls/groupSecrets.js"
import { makeKeyPackageRef } from "ts-mls/keyPackage.js"
import { deriveKeySchedule } from "ts-mls/keySchedule.js"
import { protect } from "ts-mls/messageProtection.js"
import { encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { treeHashRoot } from "ts-mls/treeHash.js"
import { encryptWithLabel } from "ts-mls/crypto/hpke.js"
import { encryptGroupInfo } from "ts-mls/welcome.js"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { decodeMessage, encodeMessage } from "../../../src/crypto/session/codec.ts"
import { decodeKeyPackage } from "../../../src/crypto/session/keypackage.ts"
import { config, type SessionState, unwrap } from "../../../src/crypto/session/state.ts"
import { suiteOf } from "../../../src/crypto/session/suite.ts"

const EMPTY = new Uint8Array(0)
const NO_PSK = new Uint8Array(32)

/** A commit with any body, signed and encrypted by a member; only its confirmation tag is nonsense. */
export async function forgeCommit(
  state: SessionState,
  commit: Commit,
  confirmationTag: Bytes = new Uint8Array(32),
): Promise<Bytes> {
  const mls = unwrap(state)
  const suite = suiteOf(mls)
  const { leafIndex } = mls.privatePath
  const { framedContent, signature } = await createContentCommitSignature(
    mls.groupContext,
    "mls_private_message",
    commit,
    { senderType: "member", leafIndex },
    EMPTY,
    mls.signaturePrivateKey,
    suite.signature,
  )
  const { privateMessage } = await protect(
    mls.keySchedule.senderDataSecret,
    EMPTY,
    mls.groupContext,
    mls.secretTree,
    { ...framedContent, auth: { contentType: "commit", signature, confirmationTag } },
    leafIndex,
    config.paddingConfig,
    suite,
  )
  return frame(privateMessage)
}

const frame = (privateMessage: PrivateMessage): Bytes =>
  encodeMessage({ version: "mls10", wireformat: "mls_private_message", privateMessage })

export const inline = (...proposals: Proposal[]): Commit => ({
  proposals: proposals.map((proposal) => ({ proposalOrRefType: "proposal", proposal })),
  path: undefined,
})

export async function proposeAlone(
  state: SessionState,
  proposal: Proposal,
  asPublic: boolean,
): Promise<Bytes> {
  const mls = unwrap(state)
  const { message } = await createProposal(mls, asPublic, proposal, suiteOf(mls))
  return encodeMessage(message)
}

/** A proposal to add whoever `keyPackage` is of, with any field altered. */
export function addition(
  keyPackage: Bytes,
  alter: (fields: Exclude<ReturnType<typeof decodeKeyPackage>, string>) => void = () => undefined,
): Proposal {
  const decoded = decodeKeyPackage(keyPackage)
  if (typeof decoded === "string") throw new Error(decoded)
  const copy = structuredClone(decoded)
  alter(copy)
  return { proposalType: "add", add: { keyPackage: copy } }
}

/** A Welcome into the group of `state`, with its tree and group info altered before they are signed. */
export async function forgeWelcome(
  state: SessionState,
  forWhom: Bytes,
  alter: { tree?: (tree: RatchetTree) => void; info?: (info: GroupInfo) => void },
): Promise<Bytes> {
  const mls = unwrap(state)
  const suite = suiteOf(mls)
  const keyPackage = decodeKeyPackage(forWhom)
  if (typeof keyPackage === "string") throw new Error(keyPackage)
  const ratchetTree = structuredClone(mls.ratchetTree)
  alter.tree?.(ratchetTree)
  const treeHash = await treeHashRoot(ratchetTree, suite.hash).catch(() => new Uint8Array(32))
  const groupContext = { ...mls.groupContext, treeHash }
  const joinerSecret = primitives.randomBytes(32)
  const [schedule] = await deriveKeySchedule(joinerSecret, NO_PSK, groupContext, suite.kdf)
  const unsigned: GroupInfo = {
    groupContext,
    extensions: [{ extensionType: "ratchet_tree", extensionData: encodeRatchetTree(ratchetTree) }],
    confirmationTag: await createConfirmationTag(
      schedule.confirmationKey,
      groupContext.confirmedTranscriptHash,
      suite.hash,
    ),
    signer: mls.privatePath.leafIndex,
    signature: EMPTY,
  }
  alter.info?.(unsigned)
  const info = await signGroupInfo(unsigned, mls.signaturePrivateKey, suite.signature)
  const welcomeSecret = await extractWelcomeSecret(joinerSecret, NO_PSK, suite.kdf)
  const encryptedGroupInfo = await encryptGroupInfo(info, welcomeSecret, suite)
  const { enc, ct } = await encryptWithLabel(
    await suite.hpke.importPublicKey(keyPackage.initKey),
    "Welcome",
    encryptedGroupInfo,
    encodeGroupSecrets({ joinerSecret, pathSecret: undefined, psks: [] }),
    suite.hpke,
  )
  const newMember = await makeKeyPackageRef(keyPackage, suite.hash)
  return encodeMessage({
    version: "mls10",
    wireformat: "mls_welcome",
    welcome: {
      cipherSuite: suite.name,
      secrets: [{ newMember, encryptedGroupSecrets: { kemOutput: enc, ciphertext: ct } }],
      encryptedGroupInfo,
    },
  })
}

/** A message with another field than it was sent with. */
export function altered(message: Bytes, fields: Partial<PrivateMessage>): Bytes {
  const decoded = decodeMessage(message)
  if (decoded?.wireformat !== "mls_private_message") throw new Error("a PrivateMessage")
  return frame({ ...decoded.privateMessage, ...fields })
}
