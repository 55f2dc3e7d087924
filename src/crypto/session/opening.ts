/**
 * Showing one message to somebody who was never in the group: what opens it, and nothing else of the group, and the check that its author
 * signed it. In a PrivateMessage (RFC 9420 §6.3) the signature covers the whole FramedContentTBS: content, author's leaf, and the
 * GroupContext of the epoch. Key and nonce are those of one generation of one sender's ratchet (§9.1): both are derived one way from the
 * generation's secret, which is not shown, so no other message opens by them.
 *
 * Whose the signature key is, this file does not know; the caller has a card for that.
 */
import { encodeGroupContext, decodeGroupContext, type GroupContext } from "ts-mls/groupContext.js"
import { verifyFramedContentSignature } from "ts-mls/framedContent.js"
import type { PrivateMessage, SecretTree } from "ts-mls"
import {
  decodePrivateMessageContent,
  decryptSenderData,
  encodePrivateContentAAD,
  encodePrivateMessageContent,
  toAuthenticatedContent,
} from "ts-mls/privateMessage.js"
import { ratchetToGeneration } from "ts-mls/secretTree.js"
import { primitives } from "#primitives"
import { type Bytes, equal } from "../bytes.ts"
import { assert } from "../errors.ts"
import { aboutIn } from "./about.ts"
import { decodeMessage, decodeStrictly } from "./codec.ts"
import { CONTEXT_MAX_BYTES, MESSAGE_MAX_BYTES } from "./limits.ts"
import { config } from "./state.ts"
import { signingNamed, suiteOf } from "./suite.ts"

/** What opens one application message. Whoever has it beside the message reads that message: as secret as its words. */
export interface Opening {
  /** The author's place in the ratchet tree. */
  readonly leaf: number
  /** AES-256-GCM, 32 bytes. */
  readonly key: Bytes
  /** 12 bytes; the reuse guard is in it already. */
  readonly nonce: Bytes
  /** The GroupContext of the message's epoch, encoded (§8.1), at most CONTEXT_MAX_BYTES. Not secret among members. */
  readonly context: Bytes
}

/** A message as it was shown. */
export interface Shown {
  readonly plaintext: Bytes
  readonly groupId: Bytes
  readonly epoch: bigint
  /** What the group's members agreed on (its name, say); empty in one that has nothing of the kind. */
  readonly about: Bytes
}

export type ShownFault =
  /** No application message of a group. */
  | "BAD_MESSAGE"
  /** A group context that is none, of another group or epoch than the message, or of a suite that is none of ours. */
  | "OTHER_GROUP"
  /** Key and nonce do not open it. */
  | "NOT_OPENED"
  /** This key did not sign it. */
  | "BAD_SIGNATURE"

/** What opens this message, from the epoch's keys as they were before it was read or written. */
export async function openingOf(
  keys: {
    readonly senderDataSecret: Bytes
    readonly secretTree: SecretTree
    readonly groupContext: GroupContext
  },
  message: PrivateMessage,
): Promise<Opening> {
  const suite = suiteOf(keys)
  const sender = await decryptSenderData(message, keys.senderDataSecret, suite)
  assert(sender !== undefined, "a message that was opened, or made here, says who sent it")
  const { key, nonce } = await ratchetToGeneration(
    keys.secretTree,
    sender,
    "application",
    config.keyRetentionConfig,
    suite,
  )
  return { leaf: sender.leafIndex, key, nonce, context: encodeGroupContext(keys.groupContext) }
}

/** Opens `bytes` (an MLSMessage) and checks its author's signature under `signatureKey`. Never throws for what it is given. */
export async function readShown(
  bytes: Bytes,
  { leaf, key, nonce, context }: Opening,
  signatureKey: Bytes,
): Promise<Shown | ShownFault> {
  const message = bytes.length > MESSAGE_MAX_BYTES ? undefined : decodeMessage(bytes)
  if (message?.wireformat !== "mls_private_message") return "BAD_MESSAGE"
  const { privateMessage } = message
  if (privateMessage.contentType !== "application") return "BAD_MESSAGE"
  const group = contextOf(context, privateMessage)
  const about = group && aboutIn(group.extensions)
  if (group === undefined || about === undefined) return "OTHER_GROUP"
  const opened = primitives.aesGcmOpen(
    key,
    nonce,
    privateMessage.ciphertext,
    encodePrivateContentAAD({
      groupId: privateMessage.groupId,
      epoch: privateMessage.epoch,
      contentType: privateMessage.contentType,
      authenticatedData: privateMessage.authenticatedData,
    }),
  )
  if (opened === undefined) return "NOT_OPENED"
  const inside = decodeStrictly(
    decodePrivateMessageContent("application"),
    encodePrivateMessageContent(config.paddingConfig),
    opened,
  )
  if (inside?.contentType !== "application") return "BAD_MESSAGE"
  const { content, auth } = toAuthenticatedContent(inside, privateMessage, leaf)
  const signed = await verifyFramedContentSignature(
    signatureKey,
    "mls_private_message",
    content,
    auth,
    group,
    suiteOf({ groupContext: group }).signature,
  )
  if (!signed) return "BAD_SIGNATURE"
  const { groupId, epoch } = privateMessage
  return { plaintext: inside.applicationData.slice(), groupId: groupId.slice(), epoch, about }
}

function contextOf(
  bytes: Bytes,
  { groupId, epoch }: Pick<PrivateMessage, "groupId" | "epoch">,
): GroupContext | undefined {
  if (bytes.length > CONTEXT_MAX_BYTES) return undefined
  const context = decodeStrictly(decodeGroupContext, encodeGroupContext, bytes)
  const fits =
    context?.version === "mls10" &&
    signingNamed(context.cipherSuite) !== undefined &&
    equal(context.groupId, groupId) &&
    context.epoch === epoch
  return fits ? context : undefined
}
