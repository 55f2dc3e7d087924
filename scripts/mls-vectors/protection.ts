/**
 * Vectors of message protection (RFC 9420 §6): a proposal, a commit and application data of the member at leaf 1, as PublicMessage and
 * as PrivateMessage. The published ones must open to the published content, and so must our own of the same content.
 */
import {
  type CiphersuiteImpl,
  decodeMlsMessage,
  type GroupContext,
  type MLSMessage,
  type PrivateMessage,
} from "ts-mls"
import type { AuthenticatedContent } from "ts-mls/authenticatedContent.js"
import { decodeCommit, encodeCommit } from "ts-mls/commit.js"
import {
  createContentCommitSignature,
  type FramedContentInfo,
  signFramedContentApplicationOrProposal,
  toTbs,
} from "ts-mls/framedContent.js"
import {
  protect,
  protectApplicationData,
  protectProposal,
  unprotectPrivateMessage,
} from "ts-mls/messageProtection.js"
import {
  protectProposalPublic,
  protectPublicMessage,
  unprotectPublicMessage,
} from "ts-mls/messageProtectionPublic.js"
import { defaultPaddingConfig } from "ts-mls/paddingConfig.js"
import { decodeProposal, encodeProposal, type Proposal } from "ts-mls/proposal.js"
import type { PublicMessage } from "ts-mls/publicMessage.js"
import { createSecretTree } from "ts-mls/secretTree.js"
import type { Sender } from "ts-mls/sender.js"
import { defaultKeyRetentionConfig } from "ts-mls/keyRetentionConfig.js"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { contextOf, signatureKey } from "./context.ts"
import { decodeWhole, type Fields, holds, MismatchError, same } from "./fields.ts"

const LEAVES = 2
const SENDER = 1
const MEMBER: Sender = { senderType: "member", leafIndex: SENDER }
const NOTHING = new Uint8Array(0)

/** All that a check needs of the group. */
interface Group {
  readonly cs: CiphersuiteImpl
  readonly context: GroupContext
  readonly signPrivate: Bytes
  readonly signPublic: Bytes
  readonly membershipKey: Bytes
  readonly senderDataSecret: Bytes
  readonly encryptionSecret: Bytes
}

export async function messageProtection(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const group: Group = {
    cs,
    context: contextOf(vector, cs, vector.bytes("tree_hash")),
    signPrivate: signatureKey(vector, "signature_priv", cs),
    signPublic: vector.bytes("signature_pub"),
    membershipKey: vector.bytes("membership_key"),
    senderDataSecret: vector.bytes("sender_data_secret"),
    encryptionSecret: vector.bytes("encryption_secret"),
  }
  await proposals(vector, group)
  await commits(vector, group)
  await applications(vector, group)
}

async function proposals(vector: Fields, group: Group): Promise<void> {
  const raw = vector.bytes("proposal")
  const proposal = decodeWhole("proposal", decodeProposal, raw)
  await opensPublic("proposal_pub", publicOf(vector.bytes("proposal_pub")), raw, group)
  await opensPublic("own public proposal", await publicProposal(proposal, group), raw, group)
  await opensPrivate("proposal_priv", privateOf(vector.bytes("proposal_priv")), raw, group)
  const { privateMessage } = await protectProposal(
    group.signPrivate,
    group.senderDataSecret,
    proposal,
    NOTHING,
    group.context,
    await secretTree(group),
    SENDER,
    defaultPaddingConfig,
    group.cs,
  )
  await opensPrivate("own private proposal", privateMessage, raw, group)
}

async function publicProposal(proposal: Proposal, group: Group): Promise<PublicMessage> {
  const { signPrivate, membershipKey, context, cs } = group
  return (
    await protectProposalPublic(signPrivate, membershipKey, context, NOTHING, proposal, SENDER, cs)
  ).publicMessage
}

async function commits(vector: Fields, group: Group): Promise<void> {
  const { context, cs } = group
  const raw = vector.bytes("commit")
  const commit = decodeWhole("commit", decodeCommit, raw)
  const published = publicOf(vector.bytes("commit_pub"))
  await opensPublic("commit_pub", published, raw, group)
  await opensPrivate("commit_priv", privateOf(vector.bytes("commit_priv")), raw, group)

  // Framing carries the tag without looking at it; the transcript's vectors check it.
  if (published.auth.contentType !== "commit") throw new MismatchError("commit_pub is no commit")
  const { confirmationTag } = published.auth
  const signed = async (wireformat: "mls_public_message" | "mls_private_message") => {
    const { framedContent, signature } = await createContentCommitSignature(
      context,
      wireformat,
      commit,
      MEMBER,
      NOTHING,
      group.signPrivate,
      cs.signature,
    )
    const auth = { contentType: "commit" as const, signature, confirmationTag }
    return { wireformat, content: framedContent, auth }
  }
  const open = await signed("mls_public_message")
  const own = await protectPublicMessage(group.membershipKey, context, open, cs)
  await opensPublic("own public commit", own, raw, group)
  const { content, auth } = await signed("mls_private_message")
  const { privateMessage } = await protect(
    group.senderDataSecret,
    NOTHING,
    context,
    await secretTree(group),
    { ...content, auth },
    SENDER,
    defaultPaddingConfig,
    cs,
  )
  await opensPrivate("own private commit", privateMessage, raw, group)
}

async function applications(vector: Fields, group: Group): Promise<void> {
  const raw = vector.bytes("application")
  await opensPrivate("application_priv", privateOf(vector.bytes("application_priv")), raw, group)
  const { privateMessage } = await protectApplicationData(
    group.signPrivate,
    group.senderDataSecret,
    raw,
    NOTHING,
    group.context,
    await secretTree(group),
    SENDER,
    defaultPaddingConfig,
    group.cs,
  )
  await opensPrivate("own application message", privateMessage, raw, group)
  holds("no public application message", await refusedInPublic(raw, group))
}

/** §6: application data is never sent as a PublicMessage. */
async function refusedInPublic(applicationData: Bytes, group: Group): Promise<boolean> {
  const { context, cs } = group
  const content = {
    groupId: context.groupId,
    epoch: context.epoch,
    sender: MEMBER,
    authenticatedData: NOTHING,
    contentType: "application" as const,
    applicationData,
  }
  const tbs = { ...toTbs(content, "mls_public_message", context), content }
  const auth = await signFramedContentApplicationOrProposal(group.signPrivate, tbs, cs)
  const whole: AuthenticatedContent = { wireformat: "mls_public_message", content, auth }
  return protectPublicMessage(group.membershipKey, context, whole, cs).then(
    () => false,
    () => true,
  )
}

const secretTree = ({ encryptionSecret, cs }: Group) =>
  createSecretTree(LEAVES, encryptionSecret, cs.kdf)

async function opensPublic(what: string, message: PublicMessage, raw: Bytes, group: Group) {
  const { membershipKey, context, cs, signPublic } = group
  const opened = await unprotectPublicMessage(membershipKey, context, [], message, cs, signPublic)
  same(what, rawOf(opened.content), raw)
}

async function opensPrivate(what: string, message: PrivateMessage, raw: Bytes, group: Group) {
  const { content } = await unprotectPrivateMessage(
    group.senderDataSecret,
    message,
    await secretTree(group),
    [],
    group.context,
    defaultKeyRetentionConfig,
    group.cs,
    group.signPublic,
  )
  const { sender } = content.content
  holds(`sender of ${what}`, sender.senderType === "member" && sender.leafIndex === SENDER)
  same(what, rawOf(content.content), raw)
}

function rawOf(content: FramedContentInfo): Bytes {
  if (content.contentType === "application") return content.applicationData
  if (content.contentType === "commit") return encodeCommit(content.commit)
  return encodeProposal(content.proposal)
}

const messageOf = (bytes: Bytes): MLSMessage => decodeWhole("a message", decodeMlsMessage, bytes)

function publicOf(bytes: Bytes): PublicMessage {
  const message = messageOf(bytes)
  if (message.wireformat === "mls_public_message") return message.publicMessage
  throw new MismatchError(`a ${message.wireformat} instead of a public message`)
}

function privateOf(bytes: Bytes): PrivateMessage {
  const message = messageOf(bytes)
  if (message.wireformat === "mls_private_message") return message.privateMessage
  throw new MismatchError(`a ${message.wireformat} instead of a private message`)
}
