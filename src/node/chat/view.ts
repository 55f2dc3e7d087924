/** What the API shows of chat's records. Pure. */
import { type Channel } from "../../chat/channel.ts"
import { type ChatContact, unnamed } from "../../chat/contact.ts"
import { groupIn, isAdmin, type GroupMember } from "../../chat/group.ts"
import { type FileNote, safeName } from "../../chat/file.ts"
import { UNKNOWN_TYPE } from "../../chat/file-type.ts"
import { type ChatMessage, positionText } from "../../chat/message.ts"
import type { Notice } from "../../chat/notice.ts"
import type { ChatThread } from "../../chat/thread.ts"
import type { Wish } from "../../chat/wishes.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, equal, fromUtf8, toHex, utf8 } from "../../crypto/bytes.ts"
import { epochOf, isMember, signingOf } from "../../crypto/session.ts"
import type {
  Contact,
  GroupView,
  Member,
  MentionView,
  Message,
  NoticeView,
  PendingChange,
  ReactionView,
  ThreadSummary,
} from "../api/types.ts"

/** What a view looks names up in; `ChatBook` is one. */
export interface Names {
  readonly me: Address
  readonly contacts: ReadonlyMap<Address, ChatContact>
  /** Of whom no key for post-quantum signatures was found when last looked for. */
  readonly lacking: ReadonlySet<Address>
  groupChannel(thread: ChatThread): Channel | undefined
}

export function contactView(
  { lacking }: Pick<Names, "lacking">,
  { address, name, theirName, standing, verified, claims, signing }: ChatContact,
): Contact {
  const postQuantumSignatures = signing === "composite"
  const lacksKey = postQuantumSignatures && lacking.has(address)
  const shown = { address, name, theirName, state: standing, verified, claims }
  return { ...shown, postQuantumSignatures, lacksKey }
}

const fileView = ({ name, type, ref }: FileNote) => ({
  name: safeName(name),
  size: ref.size,
  type: /^[a-z0-9.+-]{1,60}\/[a-z0-9.+-]{1,60}$/.test(type) ? type : UNKNOWN_TYPE,
})

/**
 * How somebody is called: the petname of a contact; of others what they call themselves, which anybody can, and therefore never without
 * the end of their address.
 */
export function nameOf({ contacts }: Names, who: Address, channel: Channel | undefined): string {
  const contact = contacts.get(who)
  if (contact !== undefined) return contact.name
  const theirs = channel?.group?.people.get(who)?.name ?? ""
  return theirs === "" ? unnamed(who) : `${theirs} (${who.slice(-6)})`
}

/** Characters of an answered message that are shown beside the answer. */
export const QUOTE_MAX = 200

/** `answered`: the message that this one answers, if it is here. */
export function messageView(
  names: Names,
  thread: ChatThread,
  message: ChatMessage,
  answered?: ChatMessage,
): Message {
  const { audience, awaited, edited, place, readBy, replyTo } = message
  const group = thread.group === null ? undefined : names.groupChannel(thread)
  return {
    id: toHex(message.id),
    thread: toHex(thread.id),
    author: message.author,
    authorName: message.mine ? "" : nameOf(names, message.author, group),
    mine: message.mine,
    text: message.text,
    sentAtMs: message.sentAtMs,
    state: message.delivery,
    failure: null,
    receipts:
      audience === 0 ? null : { got: audience - awaited.length, of: audience, read: readBy.length },
    late: message.late,
    again: message.again,
    place: typeof place === "string" ? null : { height: place.height, index: place.index },
    replyTo: replyTo === null ? null : quoteView(names, group, replyTo, answered),
    mentions: message.mentions.map((each) => mentionView(names, group, message.text, each)),
    edited: edited?.counts === true ? { atMs: edited.atMs, first: edited.first.text } : null,
    deleted: message.deleted,
    reactions: reactionViews(names, group, message),
    lifetime: message.lifetime,
    sets: message.sets,
    notice: message.notice === null ? null : noticeView(names, group, message.notice),
    file: message.file === undefined ? null : fileView(message.file),
    position: positionText(message),
  }
}

const noticeView = (
  names: Names,
  group: Channel | undefined,
  { kind, who, name }: Notice,
): NoticeView => ({
  kind,
  who: who.map((address) => {
    const me = address === names.me
    return { address, name: me ? "" : nameOf(names, address, group), me }
  }),
  name: kind === "renamed" ? name : null,
})

function quoteView(
  names: Names,
  group: Channel | undefined,
  id: Bytes,
  answered: ChatMessage | undefined,
): NonNullable<Message["replyTo"]> {
  if (answered === undefined) return { id: toHex(id), authorName: "", mine: false, text: null }
  const { mine, author, text, file } = answered
  const words = text === "" && file !== undefined ? safeName(file.name) : text
  return {
    id: toHex(id),
    authorName: mine ? "" : nameOf(names, author, group),
    mine,
    text: Array.from(words).slice(0, QUOTE_MAX).join(""),
  }
}

/** From bytes of UTF-8 to the units that screens count. */
function mentionView(
  names: Names,
  group: Channel | undefined,
  text: string,
  { start, length, who }: ChatMessage["mentions"][number],
): MentionView {
  const bytes = utf8(text)
  const before = fromUtf8(bytes.subarray(0, start)).length
  const units = fromUtf8(bytes.subarray(start, start + length)).length
  const me = who === names.me
  const name = me ? "" : nameOf(names, who, group)
  return { start: before, length: units, address: who, name, me }
}

/** By sign, in the order in which people first said them here. */
function reactionViews(
  names: Names,
  group: Channel | undefined,
  { reactions }: ChatMessage,
): ReactionView[] {
  const views = new Map<string, { by: string[]; mine: boolean }>()
  for (const { by, signs } of reactions)
    for (const sign of signs) {
      const view = views.get(sign) ?? { by: [], mine: false }
      views.set(sign, view)
      if (by === names.me) view.mine = true
      else view.by.push(nameOf(names, by, group))
    }
  return Array.from(views, ([sign, view]) => ({ sign, ...view }))
}

export function threadView(
  names: Names,
  thread: ChatThread,
  last: ChatMessage | undefined,
): ThreadSummary {
  const shared = {
    id: toHex(thread.id),
    unread: thread.unread,
    mentions: thread.mentioned,
    lifetime: thread.lifetime?.lifetime ?? null,
    tells: { read: thread.tellsRead, typing: thread.tellsTyping },
    lacks: thread.lacks?.count ?? 0,
    last: last === undefined ? null : messageView(names, thread, last),
  }
  if (thread.peer !== null) {
    const contact = names.contacts.get(thread.peer)
    const request = contact?.standing === "request"
    const title = contact?.name ?? thread.peer
    const postQuantumSignatures = contact?.signing === "composite"
    const members = [thread.peer]
    return { ...shared, kind: "pair", title, members, request, left: false, postQuantumSignatures }
  }
  const channel = names.groupChannel(thread)
  const group = membersOf(channel)
  return {
    ...shared,
    kind: "group",
    title: thread.name,
    members: group.filter(({ address }) => address !== names.me).map(({ address }) => address),
    request: thread.standing === "request",
    left: thread.standing === "left",
    postQuantumSignatures: isComposite(channel),
  }
}

const isComposite = (channel: Channel | undefined): boolean =>
  channel !== undefined && signingOf(channel.state) === "composite"

const membersOf = (channel: Channel | undefined): readonly GroupMember[] =>
  channel === undefined ? [] : (groupIn(channel.state)?.members ?? [])

export function groupView(names: Names, thread: ChatThread): GroupView {
  const channel = names.groupChannel(thread)
  const group = channel && groupIn(channel.state)
  const summary = threadView(names, thread, undefined)
  const invitedBy = channel === undefined || channel.peer === names.me ? null : channel.peer
  return {
    thread: summary.id,
    name: thread.name,
    state: thread.standing,
    epoch: channel === undefined ? 0 : Number(epochOf(channel.state)),
    admin: group !== undefined && isAdmin(group, names.me),
    postQuantumSignatures: isComposite(channel),
    invitedBy,
    members: membersOf(channel).map((member) => memberView(names, channel, member)),
    pending: channel?.group?.wishes.flatMap((wish) => wishView(names, channel, wish)) ?? [],
    changing: channel !== undefined && isMember(channel.state) && channel.held.length > 0,
  }
}

function memberView(names: Names, channel: Channel | undefined, member: GroupMember): Member {
  const { address, key } = member
  const group = channel && groupIn(channel.state)
  const known = channel?.group?.people.get(address)
  const me = address === names.me
  return {
    address,
    name: me ? "" : nameOf(names, address, channel),
    theirName: known === undefined || known.name === "" ? null : known.name,
    me,
    admin: group !== undefined && isAdmin(group, address),
    here: me || (known !== undefined && known.name !== ""),
    vouched: me || (known !== undefined && equal(known.key, key)),
  }
}

/** Others' wishes, which they gave us to carry out, are none of ours. */
function wishView(names: Names, channel: Channel, wish: Wish): PendingChange[] {
  if (wish.kind === "readmit") return []
  const who = "who" in wish ? wish.who : null
  return [
    {
      kind: wish.kind,
      who,
      whoName: who === null ? null : nameOf(names, who, channel),
      name: wish.kind === "rename" ? wish.name : null,
      admin: wish.kind === "admin" ? wish.admin : null,
      lacksKey: wish.kind === "add" && isComposite(channel) && names.lacking.has(wish.who),
    },
  ]
}
