/**
 * Messages of a group: writing one, and reading whatever arrives. All are PrivateMessages (RFC 9420 §6.3), commits too, so nobody
 * outside sees who wrote or what changed. Reading never throws for what it is given: a message that is malformed, foreign, late,
 * repeated or dishonest is `ignored` with a code, and the state stays what it was.
 */
import { createApplicationMessage, type PrivateMessage } from "ts-mls"
import { type UnprotectResult, unprotectPrivateMessage } from "ts-mls/messageProtection.js"
import { decryptSenderData } from "ts-mls/privateMessage.js"
import { type Bytes, equal } from "../bytes.ts"
import { assert } from "../errors.ts"
import { decodeMessage, frame } from "./codec.ts"
import { type CommitChanges, readCommit } from "./commit.ts"
import type { Member } from "./credential.ts"
import { type IgnoreCode, SessionError } from "./errors.ts"
import { withRead } from "./history.ts"
import * as limits from "./limits.ts"
import { type Opening, openingOf } from "./opening.ts"
import {
  assertMember,
  config,
  copyMember,
  isMember,
  leafAt,
  memberOf,
  type SessionState,
  unwrap,
  wrap,
} from "./state.ts"
import { suiteOf } from "./suite.ts"

export type Processed =
  | {
      readonly kind: "application"
      readonly plaintext: Bytes
      readonly authenticated: Bytes
      /** Who wrote it, as they stood in the group at `epoch`: by now their leaf may be someone else's. */
      readonly sender: Member
      readonly epoch: bigint
      /** What shows this message to somebody else. */
      readonly opening: Opening
      readonly next: SessionState
    }
  | ({ readonly kind: "commit"; readonly next: SessionState } & CommitChanges)
  | { readonly kind: "ignored"; readonly code: IgnoreCode }

const ignored = (code: IgnoreCode): Processed => ({ kind: "ignored", code })

/**
 * `authenticated` travels in the clear and is bound to the message; `opening` and `signedBy` (the own leaf's key) show it to others. Keep `next` and forget `state`: a state that sends twice uses a
 * key twice. Throws SessionError NOT_A_MEMBER or TOO_LARGE.
 */
export async function encrypt(
  state: SessionState,
  plaintext: Bytes,
  authenticated: Bytes = new Uint8Array(0),
): Promise<{ message: Bytes; opening: Opening; signedBy: Bytes; next: SessionState }> {
  assertMember(state)
  if (plaintext.length > limits.PLAINTEXT_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `plaintext of ${plaintext.length} bytes`)
  if (authenticated.length > limits.AUTHENTICATED_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `${authenticated.length} authenticated bytes`)
  const mls = unwrap(state)
  const { privateMessage, newState } = await createApplicationMessage(
    mls,
    plaintext,
    suiteOf(mls),
    authenticated,
  )
  const { senderDataSecret } = mls.keySchedule
  const opening = await openingOf({ ...mls, senderDataSecret }, privateMessage)
  const own = leafAt(mls.ratchetTree, opening.leaf)
  assert(own !== undefined, "a member has a leaf")
  const signedBy = own.signaturePublicKey.slice()
  return { message: frame(privateMessage), opening, signedBy, next: wrap(newState) }
}

/** Reads a message of this group. The verdict of a commit depends on state and message alone: all members reach the same one. */
export async function process(state: SessionState, bytes: Bytes): Promise<Processed> {
  const message = decodePrivate(bytes)
  if (typeof message === "string") return ignored(message)
  const mls = unwrap(state)
  if (!equal(message.groupId, mls.groupContext.groupId)) return ignored("OTHER_GROUP")
  const keys = keysFor(state, message)
  if (typeof keys === "string") return ignored(keys)
  const opened = await open(keys, message)
  if (typeof opened === "string") return ignored(opened)
  const { content, tree } = opened
  if (content.content.sender.senderType !== "member") return ignored("NOT_AUTHENTIC")
  const sender = content.content.sender.leafIndex
  const author = memberOf(keys.ratchetTree, sender)
  if (author === undefined) return ignored("NOT_AUTHENTIC")
  if (sender === mls.privatePath.leafIndex) return ignored("OWN_MESSAGE")
  switch (content.content.contentType) {
    case "proposal":
      return ignored("UNWANTED_PROPOSAL")
    case "application":
      return {
        kind: "application",
        plaintext: content.content.applicationData.slice(),
        authenticated: message.authenticatedData.slice(),
        sender: copyMember(author),
        epoch: message.epoch,
        opening: await openingOf(keys, message),
        next: wrap(withRead(mls, message.epoch, tree)),
      }
    case "commit": {
      const read = await readCommit(mls, message, content.content.commit, author, tree)
      return typeof read === "string" ? ignored(read) : { kind: "commit", ...read }
    }
  }
}

/** What a message shows without being opened: nobody has vouched for it yet. `undefined` when it is no message of a group. */
export function peek(
  bytes: Bytes,
):
  | { readonly contentType: "application" | "commit" | "proposal"; readonly epoch: bigint }
  | undefined {
  const message = decodePrivate(bytes)
  if (typeof message === "string") return undefined
  const { contentType, epoch } = message
  return { contentType, epoch }
}

function decodePrivate(bytes: Bytes): PrivateMessage | IgnoreCode {
  if (bytes.length > limits.MESSAGE_MAX_BYTES) return "TOO_LARGE"
  const message = decodeMessage(bytes)
  if (message === undefined) return "MALFORMED"
  return message.wireformat === "mls_private_message" ? message.privateMessage : "UNEXPECTED_KIND"
}

type EpochKeys = Pick<ReturnType<typeof unwrap>, "groupContext" | "secretTree" | "ratchetTree"> & {
  readonly senderDataSecret: Bytes
  readonly ownLeaf: number
}

/** The keys of the epoch a message is from, when it is one that may still be read. */
function keysFor(state: SessionState, message: PrivateMessage): EpochKeys | IgnoreCode {
  const mls = unwrap(state)
  const ownLeaf = mls.privatePath.leafIndex
  const now = mls.groupContext.epoch
  if (message.epoch > now) return "FUTURE_EPOCH"
  if (message.epoch === now) {
    if (message.contentType !== "application" && !isMember(state)) return "NOT_A_MEMBER"
    return { ...mls, senderDataSecret: mls.keySchedule.senderDataSecret, ownLeaf }
  }
  const past = mls.historicalReceiverData.get(message.epoch)
  if (past === undefined) return "EPOCH_GONE"
  return message.contentType === "application" ? { ...past, ownLeaf } : "STALE_HANDSHAKE"
}

async function open(
  keys: EpochKeys,
  message: PrivateMessage,
): Promise<UnprotectResult | IgnoreCode> {
  try {
    return await unprotectPrivateMessage(
      keys.senderDataSecret,
      message,
      keys.secretTree,
      keys.ratchetTree,
      keys.groupContext,
      config.keyRetentionConfig,
      suiteOf(keys),
    )
  } catch {
    // Whatever ts-mls or the suite found wrong, the sender made it so. The sender's ratchet tells which.
    return whyUnreadable(keys, message)
  }
}

async function whyUnreadable(keys: EpochKeys, message: PrivateMessage): Promise<IgnoreCode> {
  try {
    const data = await decryptSenderData(message, keys.senderDataSecret, suiteOf(keys))
    if (data === undefined) return "NOT_AUTHENTIC"
    if (data.leafIndex === keys.ownLeaf) return "OWN_MESSAGE"
    const node = keys.secretTree[2 * data.leafIndex]
    const ratchet = message.contentType === "application" ? node?.application : node?.handshake
    if (ratchet === undefined) return "NOT_AUTHENTIC"
    if (data.generation - ratchet.generation > limits.MESSAGES_AHEAD) return "TOO_FAR_AHEAD"
    const used =
      data.generation < ratchet.generation &&
      ratchet.unusedGenerations[data.generation] === undefined
    return used ? "REPLAYED" : "NOT_AUTHENTIC"
  } catch {
    // The sender data do not decrypt: not written by a member.
    return "NOT_AUTHENTIC"
  }
}
