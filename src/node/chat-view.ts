/** What the API shows of chat's records. Pure. */
import type { ChatContact } from "../chat/contact.ts"
import { type ChatMessage, positionText } from "../chat/message.ts"
import type { ChatThread } from "../chat/thread.ts"
import { toHex } from "../crypto/bytes.ts"
import type { Contact, Message, ThreadSummary } from "./api/types.ts"

export function contactView({
  address,
  name,
  theirName,
  standing,
  verified,
  claims,
}: ChatContact): Contact {
  return { address, name, theirName, state: standing, verified, claims }
}

export function messageView(thread: ChatThread, message: ChatMessage): Message {
  return {
    id: toHex(message.id),
    thread: toHex(thread.id),
    author: message.author,
    mine: message.mine,
    text: message.text,
    sentAtMs: message.sentAtMs,
    state: message.delivery,
    failure: null,
    late: message.late,
    position: positionText(message),
  }
}

export function threadView(
  thread: ChatThread,
  contact: ChatContact | undefined,
  last: ChatMessage | undefined,
): ThreadSummary {
  return {
    id: toHex(thread.id),
    title: contact?.name ?? thread.peer,
    members: [thread.peer],
    unread: thread.unread,
    last: last === undefined ? null : messageView(thread, last),
    request: contact?.standing === "request",
  }
}
