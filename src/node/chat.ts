/**
 * Chat of one identity: what the screens and the command line ask for, over the book, the inbox, the outbox and the introductions.
 * Made when the vault opens, stopped before it closes.
 */
import { primitives } from "#primitives"
import type { Channel } from "../chat/channel.ts"
import {
  accepted,
  added,
  type ChatContact,
  CONTACTS_MAX,
  freeName,
  unnamed,
  verified,
} from "../chat/contact.ts"
import { MESSAGE_ID_BYTES } from "../chat/content.ts"
import type { FileNote } from "../chat/file.ts"
import { type ChatMessage, positionOf } from "../chat/message.ts"
import { withClaim } from "../chat/names.ts"
import { type ChatThread, readUpTo, threadIdOf } from "../chat/thread.ts"
import { type Address, addressBytes } from "../crypto/address.ts"
import { type Bytes, toHex, utf8 } from "../crypto/bytes.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"
import { ApiError } from "./api/errors.ts"
import type { Contact, GroupView, Message, Page, ThreadSummary } from "./api/types.ts"
import { ChatBook, Step } from "./chat-book.ts"
import { Groups } from "./chat-groups.ts"
import { Inbox, type InboxEvents } from "./chat-inbox.ts"
import { type IntroductionEvents, Introductions } from "./chat-introductions.ts"
import { Ordering } from "./chat-order.ts"
import { Outbox } from "./chat-outbox.ts"
import type { ChatParts } from "./chat-parts.ts"
import { Updates } from "./chat-updates.ts"
import { contactView, messageView } from "./chat-view.ts"
import type { FileMessage } from "./files.ts"
import { heavy } from "./heavy.ts"

/** An address is long; this much of its end tells people apart, and is asked for at least. */
const ADDRESS_PREFIX_MIN = 8
const PAGE_MAX = 500
const UNREAD_COUNT_MAX = 10_000

export class Chat {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  readonly #introductions: Introductions
  readonly #groups: Groups
  readonly #updates: Updates
  readonly #order: Ordering | undefined
  readonly #stopping = new AbortController()

  private constructor(parts: ChatParts) {
    this.#parts = parts
    this.#book = new ChatBook(parts)
    this.#outbox = new Outbox(parts, this.#book, { spoke: (group) => this.#updates.spoke(group) })
    this.#groups = new Groups(parts, this.#book, this.#outbox, {
      inbox: () => this.#inbox,
      order: () => this.#order,
    })
    const events = this.#events()
    this.#inbox = new Inbox(parts, this.#book, this.#outbox, events)
    const { ledger } = parts
    this.#order =
      parts.order === "ledger" && ledger !== undefined
        ? new Ordering({
            parts,
            ledger,
            book: this.#book,
            inbox: this.#inbox,
            outbox: this.#outbox,
            caughtUp: (group) => this.#groups.caughtUp(group),
            moved: () => this.#groups.returns.moved(),
          })
        : undefined
    this.#introductions = new Introductions(parts, this.#book, this.#outbox, events)
    this.#updates = new Updates(parts, this.#book, {
      inPair: (group, may) => this.#introductions.renew(group, may),
      inGroup: (group) => this.#groups.renew(group),
    })
  }

  #events(): InboxEvents & IntroductionEvents {
    return {
      introduced: (channel) => this.#introductions.verify(channel),
      height: () => this.#order?.height ?? 0,
      passedAt: (id) => this.#order?.passedAt(id),
      fellBehind: () => this.#order?.kick(),
      settled: (step, settled, at) => {
        this.#groups.settled(step, settled, at)
        if (settled.channel.group === null) this.#advanced(settled.channel)
      },
      heard: (channel, from, content) => this.#groups.heard(channel, from, content),
      expectNow: (tags) => this.#inbox.expectNow(tags),
      pleaded: async (batch, plea) => {
        batch.later.push(await this.#groups.readmission.heard(batch.step, plea))
      },
      letIn: (group) => this.#groups.returns.kick(group),
      groupEntered: (step, channel) => this.#groups.entered(step, channel),
      groupJoined: (channel) => this.#groups.join(channel),
    }
  }

  /** Keys in a thread of two may be others now. Looked at after this turn, when it is written. */
  #advanced(channel: Channel): void {
    void this.#book.turns
      .run(() => Promise.resolve())
      .then(() => this.#introductions.advanced(channel))
  }

  /** Loads what is there and takes up where the last process stopped. Throws CryptoError when a record was altered. */
  static async open(parts: ChatParts): Promise<Chat> {
    const chat = new Chat(parts)
    await chat.#book.load()
    await chat.#outbox.load()
    await chat.#order?.load()
    await chat.#inbox.load()
    await chat.#groups.load()
    chat.#outbox.start()
    chat.#introductions.start()
    chat.#groups.start()
    chat.#inbox.kick()
    chat.#order?.kick()
    return chat
  }

  /** Loads what is there and leaves it at that: for whoever only looks. Throws CryptoError when a record was altered. */
  static async openToRead(parts: ChatParts): Promise<Chat> {
    const chat = new Chat(parts)
    await chat.#book.load()
    await chat.#outbox.load()
    return chat
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new ApiError("STOPPING", "the node is stopping"))
    this.#updates.stop()
    // Together: who invites or commits may be waiting for admissions, which end with the outbox.
    await Promise.all([this.#introductions.stop(), this.#groups.stop(), this.#outbox.stop()])
    await this.#order?.stop()
    await this.#inbox.stop()
    await this.#book.turns.idle()
  }

  /** Texts and envelopes that no peer has taken yet. */
  get unsent(): number {
    return this.#outbox.unsent
  }

  /** The own operational keys were replaced. */
  keysChanged(): void {
    this.#introductions.keysChanged()
    this.#groups.keysChanged()
  }

  /** The mailbox has something new. */
  arrived(): void {
    this.#inbox.kick()
  }

  /** The ledger has grown. */
  blocksCame(): void {
    this.#order?.kick()
  }

  /** A peer appeared: a good moment also to read on, if reading had stopped at something that failed. */
  peersChanged(): void {
    this.#inbox.kick()
    this.#outbox.offerAgain()
    this.#introductions.retryNow()
    this.#groups.retryNow()
  }

  /** A peer fetched these envelopes from us. */
  taken(ids: readonly Bytes[]): Promise<void> {
    return this.#outbox.taken(ids)
  }

  contacts(): Contact[] {
    return Array.from(this.#book.contacts.values(), contactView)
  }

  threads(): ThreadSummary[] {
    return Array.from(this.#book.threads.values())
      .filter(({ hidden }) => !hidden)
      .map((thread) => this.#book.view(thread))
      .sort((a, b) => ((b.last?.position ?? "") < (a.last?.position ?? "") ? -1 : 1))
  }

  async addContact(address: Address, name: string | undefined): Promise<Contact> {
    if (address === this.#parts.me) throw new ApiError("BAD_ADDRESS", "that is your own address")
    const contact = await this.#change(address, (before) => {
      if (before === undefined && this.#book.contacts.size >= CONTACTS_MAX)
        throw new ApiError("QUEUE_FULL", `a profile holds ${CONTACTS_MAX} contacts`)
      const wanted = name ?? before?.name ?? unnamed(address)
      const after = added(before, address, this.#freeName(wanted, address))
      return withClaim(before, after, wanted, this.#book.contacts.values())
    })
    this.#welcome(address)
    return contactView(contact)
  }

  /** Throws ApiError IDENTITY_CHANGED when they claim another's name, unless `anyway`. */
  async accept(which: string, { anyway = false } = {}): Promise<Contact> {
    const { address } = this.#contact(which)
    const contact = await this.#change(address, (before) => {
      const known = before ?? this.#contact(address)
      if (!anyway) mustBeDecided(known)
      return accepted(known)
    })
    this.#welcome(address)
    return contactView(contact)
  }

  async safety(which: string): Promise<{ contact: Contact; number: string }> {
    const contact = this.#contact(which)
    const [one, other] = [addressBytes(this.#parts.me), addressBytes(contact.address)]
    const number = await heavy({ job: "safety-number", one, other }, this.#stopping.signal)
    return { contact: contactView(this.#contact(contact.address)), number }
  }

  /** `compared` is what the user saw on the other side. Throws ApiError NUMBER_DIFFERS. */
  async verify(which: string, compared: string): Promise<Contact> {
    const { contact, number } = await this.safety(which)
    if (compared.replace(/\s/gu, "") !== number)
      throw new ApiError("NUMBER_DIFFERS", "that is not the safety number of this contact")
    const { address } = this.#contact(contact.address)
    const changed = await this.#change(address, (before) =>
      verified(before ?? this.#contact(address)),
    )
    this.#welcome(address)
    return contactView(changed)
  }

  async unverify(which: string): Promise<Contact> {
    const { address } = this.#contact(which)
    const contact = await this.#change(address, (before) => ({
      ...(before ?? this.#contact(address)),
      verified: false,
    }))
    return contactView(contact)
  }

  async block(which: string): Promise<Contact> {
    const { address } = this.#contact(which)
    const contact = await this.#change(address, (before) => ({
      ...(before ?? this.#contact(address)),
      standing: "blocked",
    }))
    return contactView(contact)
  }

  async rename(which: string, name: string): Promise<Contact> {
    const { address } = this.#contact(which)
    const contact = await this.#change(address, (before) => ({
      ...(before ?? this.#contact(address)),
      name: this.#freeName(name, address),
    }))
    return contactView(contact)
  }

  #freeName(wanted: string, address: Address): string {
    if (utf8(wanted).length > NAME_BYTES_MAX)
      throw new ApiError("BAD_PARAMS", `a name holds ${NAME_BYTES_MAX} bytes`)
    return freeName(wanted, this.#book.namesBut(address))
  }

  /** What follows from being in contact: a channel if there is none, and what waits for one. */
  #welcome(address: Address): void {
    const channels = this.#book.channelsWith(address)
    if (channels.every(({ retired }) => retired)) this.#introductions.reachOut(address)
    for (const channel of channels) this.#introductions.join(channel)
  }

  async #change(
    address: Address,
    how: (before: ChatContact | undefined) => ChatContact,
  ): Promise<ChatContact> {
    return this.#book.turns.run(async () => {
      const contact = how(this.#book.contacts.get(address))
      const step = new Step()
      step.contacts.set(address, contact)
      // The thread's summary shows the petname and whether it is a request.
      const thread = this.#book.threadWith(address)
      step.threads.set(toHex(thread.id), thread)
      await this.#book.commit(step, { sync: true })
      return contact
    })
  }

  /** Forgets the person and everything said. */
  async remove(which: string): Promise<void> {
    const { address } = this.#contact(which)
    await this.#book.turns.run(async () => {
      const thread = this.#book.threadWith(address)
      await this.#eraseMessages(thread)
      const step = new Step()
      step.contacts.set(address, null)
      step.threads.set(toHex(thread.id), null)
      this.#outbox.forget(step, thread)
      for (const channel of this.#book.channelsWith(address))
        this.#inbox.forget(step, toHex(channel.groupId))
      await this.#book.commit(step, { sync: true })
    })
  }

  async #eraseMessages(thread: ChatThread): Promise<void> {
    const { records } = this.#book
    for (;;) {
      const page = await records.messages(thread.id, { limit: PAGE_MAX })
      if (page.length === 0) return
      const ops = page.flatMap((message) => records.delMessage(thread.id, message))
      await records.write(ops, { sync: false })
    }
  }

  async send(to: string, text: string, id: string | undefined): Promise<Message> {
    const messageId =
      id === undefined
        ? primitives.randomBytes(MESSAGE_ID_BYTES)
        : new Uint8Array(Buffer.from(id, "hex"))
    if (messageId.length !== MESSAGE_ID_BYTES)
      throw new ApiError("BAD_PARAMS", "a message id is 32 hexadecimal digits")
    return await this.#say(to, text, messageId)
  }

  /** Whom `to` means, in a form that stays, and their thread. Throws like `send`. */
  addressee(to: string): { to: string; thread: string } {
    const thread = this.#threadTo(to)
    this.#mustTake(thread)
    // A contact's thread may not be there yet.
    return { to: thread.peer ?? toHex(thread.id), thread: toHex(thread.id) }
  }

  /** A message that brings a file which others can read already. Repeating it with the same id is harmless. */
  sendFile(to: string, text: string, id: Bytes, file: FileNote): Promise<Message> {
    return this.#say(to, text, id, file)
  }

  /** The file that a message brought, if there is such a message and it brought one. */
  async fileOf(id: Bytes): Promise<FileMessage | undefined> {
    const found = await this.#book.records.findMessage(id)
    return found && this.#fileMessage(found)
  }

  /** Messages that brought files, the newest first. */
  async files(which: string | undefined, limit: number): Promise<FileMessage[]> {
    const thread = which === undefined ? undefined : this.#thread(which).id
    const found = await this.#book.records.files(limit, thread)
    return found.flatMap((each) => this.#fileMessage(each) ?? [])
  }

  #fileMessage({ thread: id, message }: { thread: Bytes; message: ChatMessage }) {
    const thread = this.#book.threads.get(toHex(id))
    const { file } = message
    if (thread === undefined || file === undefined) return undefined
    return { message: messageView(this.#book, thread, message), file }
  }

  async #say(to: string, text: string, id: Bytes, file?: FileNote): Promise<Message> {
    const target = this.#threadTo(to)
    await this.#welcomes(target)
    const { thread, message } = await this.#outbox.send(target, id, text, file)
    return messageView(this.#book, thread, message)
  }

  /** Answering a stranger accepts them, and writing into a group that one was let into accepts that. */
  async #welcomes(thread: ChatThread): Promise<void> {
    this.#mustTake(thread)
    if (thread.peer === null) {
      if (thread.standing === "request") await this.#groups.accept(thread)
    } else if (this.#contact(thread.peer).standing === "request") await this.accept(thread.peer)
  }

  /** Throws unless we may write there: NOT_A_MEMBER, BLOCKED_CONTACT, IDENTITY_CHANGED. */
  #mustTake(thread: ChatThread): void {
    if (thread.peer === null) {
      if (thread.standing === "left")
        throw new ApiError("NOT_A_MEMBER", "you are not in this group any more")
      return
    }
    const contact = this.#contact(thread.peer)
    if (contact.standing === "blocked")
      throw new ApiError("BLOCKED_CONTACT", "this contact is blocked")
    mustBeDecided(contact)
  }

  groupCreate(name: string, people: readonly string[]): Promise<GroupView> {
    return this.#groups.create(
      name,
      people.map((who) => this.#wanted(who)),
    )
  }

  groupShow = (which: string): GroupView => this.#groups.show(this.#thread(which))
  groupAdd = (which: string, people: readonly string[]): Promise<GroupView> =>
    this.#groups.add(
      this.#thread(which),
      people.map((who) => this.#wanted(who)),
    )
  groupRemove = (which: string, who: string): Promise<GroupView> =>
    this.#groups.remove(this.#thread(which), this.#memberOf(which, who))
  groupRename = (which: string, name: string): Promise<GroupView> =>
    this.#groups.rename(this.#thread(which), name)
  groupAdmin = (which: string, who: string, admin: boolean): Promise<GroupView> =>
    this.#groups.setAdmin(this.#thread(which), this.#memberOf(which, who), admin)
  groupAccept = (which: string): Promise<GroupView> => this.#groups.accept(this.#thread(which))
  groupLeave = (which: string): Promise<GroupView> => this.#groups.leave(this.#thread(which))

  /** A contact to bring into a group. Throws BLOCKED_CONTACT. */
  #wanted(who: string): Address {
    const contact = this.#contact(who)
    if (contact.standing === "blocked")
      throw new ApiError("BLOCKED_CONTACT", "this contact is blocked")
    mustBeDecided(contact)
    return contact.address
  }

  /** Somebody in a group, by the name they have in it, by contact or by address. */
  #memberOf(which: string, who: string): Address {
    const { members } = this.groupShow(which)
    const like = members.filter(
      ({ address, name }) => address === who || (name === who && name !== ""),
    )
    const [only, another] = like
    if (another !== undefined)
      throw new ApiError("AMBIGUOUS_CONTACT", "several members are called that")
    if (only !== undefined) return only.address as Address
    const address = this.#peerOf(who)
    if (members.every((member) => member.address !== address))
      throw new ApiError("NOT_A_MEMBER", "they are not in this group")
    return address
  }

  /** Erases what was said, for us; the thread comes back when something is said in it. */
  async hide(which: string): Promise<void> {
    const { id } = this.#thread(which)
    await this.#book.turns.run(async () => {
      const thread = this.#book.threads.get(toHex(id))
      if (thread === undefined) return
      await this.#eraseMessages(thread)
      this.#book.last.delete(toHex(id))
      const step = new Step()
      this.#outbox.forgetWaiting(step, thread)
      const gone = thread.standing === "left" && thread.group !== null
      step.threads.set(toHex(id), gone ? null : { ...thread, hidden: true, unread: 0 })
      await this.#book.commit(step, { sync: true })
    })
  }

  async retry(id: string): Promise<Message> {
    const found = await this.#book.records.findMessage(new Uint8Array(Buffer.from(id, "hex")))
    const thread = found && this.#book.threads.get(toHex(found.thread))
    if (found === undefined || thread === undefined)
      throw new ApiError("UNKNOWN_MESSAGE", "there is no such message")
    this.#outbox.offerAgain()
    this.#outbox.kick(thread)
    return messageView(this.#book, thread, found.message)
  }

  async page(which: string, before: string | undefined, limit: number): Promise<Page> {
    const thread = this.#thread(which)
    const wanted = Math.min(Math.max(1, limit), PAGE_MAX)
    const messages = await this.#book.records.messages(thread.id, {
      reverse: true,
      limit: wanted + 1,
      ...(before === undefined ? {} : { before: new Uint8Array(Buffer.from(before, "hex")) }),
    })
    const more = messages.length > wanted
    const shown = messages.slice(0, wanted).reverse()
    const first = shown[0]
    return {
      messages: shown.map((message) => messageView(this.#book, thread, message)),
      before: more && first !== undefined ? toHex(positionOf(first)) : null,
    }
  }

  async read(which: string, through: string): Promise<void> {
    const { id } = this.#thread(which)
    const position = new Uint8Array(Buffer.from(through, "hex"))
    await this.#book.turns.run(async () => {
      const thread = this.#book.threads.get(toHex(id))
      if (thread === undefined) return
      const behind = await this.#book.records.messages(id, {
        after: position,
        limit: UNREAD_COUNT_MAX,
      })
      const next = readUpTo(thread, position, behind.filter(({ mine }) => !mine).length)
      if (next === thread) return
      const step = new Step()
      step.threads.set(toHex(id), next)
      await this.#book.commit(step)
    })
  }

  #contact(which: string): ChatContact {
    const contact = this.#book.contacts.get(this.#peerOf(which))
    if (contact === undefined)
      throw new ApiError("UNKNOWN_CONTACT", "nobody of that name or address")
    return contact
  }

  #thread(which: string): ChatThread {
    const known = this.#book.threads.get(which) ?? this.#groupCalled(which)
    if (known !== undefined) return known
    const id = toHex(threadIdOf(this.#parts.me, this.#peerOf(which)))
    const thread = this.#book.threads.get(id)
    if (thread === undefined) throw new ApiError("UNKNOWN_THREAD", "there is no such thread")
    return thread
  }

  /** The thread to write into: one with a contact may begin with that. */
  #threadTo(which: string): ChatThread {
    const known = this.#book.threads.get(which) ?? this.#groupCalled(which)
    return known ?? this.#book.threadWith(this.#contact(which).address)
  }

  /** A group of exactly this name, if no contact is called so, or the one whose name begins so, if no contact's does. */
  #groupCalled(which: string): ChatThread | undefined {
    const groups = Array.from(this.#book.threads.values()).filter(({ group }) => group !== null)
    const contacts = Array.from(this.#book.contacts.values(), ({ name }) => name)
    const folded = which.toLowerCase()
    const exact = groups.filter(({ name }) => name === which)
    const begin = (name: string) => name.toLowerCase().startsWith(folded)
    if (contacts.includes(which) && exact.length === 0) return undefined
    const found = exact.length > 0 ? exact : groups.filter(({ name }) => begin(name))
    const people =
      exact.length > 0 ? contacts.filter((name) => name === which) : contacts.filter(begin)
    if (found.length === 0) return undefined
    if (found.length + people.length > 1)
      throw new ApiError(
        "AMBIGUOUS_CONTACT",
        `${found.length + people.length} chats are called that`,
      )
    return found[0]
  }

  /** A thread id, an address, a petname, or the unique beginning of one of the last two. */
  #peerOf(which: string): Address {
    const thread = this.#book.threads.get(which)
    if (thread !== undefined) {
      if (thread.peer === null) throw new ApiError("UNKNOWN_CONTACT", "that is a group")
      return thread.peer
    }
    const contacts = Array.from(this.#book.contacts.values())
    const exact = contacts.find(({ address, name }) => address === which || name === which)
    if (exact !== undefined) return exact.address
    const folded = which.toLowerCase()
    const like = contacts.filter(
      ({ address, name }) =>
        name.toLowerCase().startsWith(folded) ||
        (which.length >= ADDRESS_PREFIX_MIN && address.startsWith(which)),
    )
    const [only, another] = like
    if (only === undefined || which === "")
      throw new ApiError("UNKNOWN_CONTACT", "nobody of that name or address")
    if (another !== undefined)
      throw new ApiError("AMBIGUOUS_CONTACT", `${like.length} contacts begin like that`)
    return only.address
  }
}

/** Throws ApiError IDENTITY_CHANGED: nothing goes out to somebody who came under another's name before the user has decided. */
function mustBeDecided({ claims }: ChatContact): void {
  if (claims !== null)
    throw new ApiError("IDENTITY_CHANGED", "another identity goes by the name of a contact")
}
