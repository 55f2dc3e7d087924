/** What the API shows of chat's records. Pure. */
import type { ChatContact } from "../chat/contact.ts"
import { type FileNote, safeName } from "../chat/file.ts"
import { UNKNOWN_TYPE } from "../chat/file-type.ts"
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

const fileView = ({ name, type, ref }: FileNote) => ({
  name: safeName(name),
  size: ref.size,
  type: /^[a-z0-9.+-]{1,60}\/[a-z0-9.+-]{1,60}$/.test(type) ? type : UNKNOWN_TYPE,
})

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
    file: message.file === undefined ? null : fileView(message.file),
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
