/**
 * Chat of one identity: what the screens and the command line ask for, over the book, the inbox, the outbox and the introductions.
 * Made when the vault opens, stopped before it closes.
 */
import type { Channel } from "../../chat/channel.ts"
import type { FileNote } from "../../chat/file.ts"
import type { Lifetime } from "../../chat/lifetime.ts"
import { type ChatThread, emptied } from "../../chat/thread.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { Signing } from "../../crypto/session.ts"
import { ApiError } from "../api/errors.ts"
import type { Contact, GroupView, Message, Page, ThreadSummary } from "../api/types.ts"
import { ChatBook, Step } from "./book.ts"
import { KeptCards } from "./cards.ts"
import { EvidenceKeeper } from "./evidence.ts"
import { Exports } from "./export.ts"
import { fileOf, filesIn } from "./files.ts"
import { Finder } from "./finder.ts"
import { Expiry } from "./expiry.ts"
import { Groups } from "./groups.ts"
import { Inbox, type InboxEvents } from "./inbox.ts"
import { type IntroductionEvents, Introductions } from "./introductions.ts"
import { messageIdOf, Messages, newMessageId } from "./messages.ts"
import { notice } from "./notices.ts"
import { Ordering } from "./order.ts"
import { Outbox } from "./outbox.ts"
import type { ChatParts } from "./parts.ts"
import { mustBeDecided, mustTake, People } from "./people.ts"
import { Places } from "./places.ts"
import { PAGE_MAX, type PageCursor, Reading } from "./reading.ts"
import { Lacks } from "./lacks.ts"
import { Transcript } from "./transcript.ts"
import { Typing } from "./typing.ts"
import { Search } from "./search.ts"
import { Updates } from "./updates.ts"
import type { FileMessage } from "../files/files.ts"

export class Chat {
  readonly search: Search
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  readonly #introductions: Introductions
  readonly #finder: Finder
  readonly #transcript: Transcript
  readonly #expiry: Expiry
  readonly #places: Places
  readonly #evidence: EvidenceKeeper
  readonly #typing: Typing
  readonly lacks: Lacks
  readonly #reading: Reading
  readonly messages: Messages
  readonly exports: Exports
  readonly #cards: KeptCards
  readonly #people: People
  readonly #groups: Groups
  readonly #updates: Updates
  readonly #order: Ordering | undefined
  readonly #stopping = new AbortController()

  private constructor(given: ChatParts) {
    this.#book = new ChatBook(given)
    this.#cards = new KeptCards(given, this.#book)
    const parts = this.#cards.partsKeeping(given)
    this.#finder = new Finder(this.#book)
    this.search = new Search(parts, this.#book)
    this.#book.followTexts((changes) => this.search.follow(changes))
    this.#transcript = new Transcript(this.#book, (thread) => this.#expiry.eraseSoon(thread))
    this.#expiry = new Expiry(parts, this.#book, this.#transcript)
    this.#evidence = new EvidenceKeeper(this.#book, this.#transcript)
    const kept = { transcript: this.#transcript, expiry: this.#expiry }
    const apply = this.#evidence.sifting((...said) => this.#inbox.later(...said))
    this.#places = new Places(parts, this.#book, kept, apply)
    this.#outbox = new Outbox(parts, this.#book, this.#transcript, {
      spoke: (group) => this.#updates.spoke(group),
      leaving: async (step, { unplaced, trace }) => {
        await this.#places.leaving(step, unplaced)
        await this.#evidence.keep(step, { by: parts.me, ...trace })
      },
      passedAt: (id) => this.#order?.passedAt(id),
    })
    this.lacks = new Lacks(parts, this.#book, this.#outbox)
    this.#typing = new Typing(parts, this.#book, this.#outbox)
    this.#groups = new Groups(parts, this.#book, this.#outbox, {
      inbox: () => this.#inbox,
      order: () => this.#order,
    })
    const events = this.#events(parts)
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
            placed: (height, ids) => this.#places.ordered(height, ids),
            moved: () => this.#places.moved().then(() => this.#groups.returns.moved()),
            lost: () => void this.#groups.returns.wantAll(),
          })
        : undefined
    this.#introductions = new Introductions(parts, this.#book, this.#outbox, events)
    this.#people = new People({
      book: this.#book,
      finder: this.#finder,
      introductions: this.#introductions,
      identity: () => parts.identity,
      stopping: this.#stopping.signal,
    })
    const shared = { book: this.#book, outbox: this.#outbox, ...kept }
    this.messages = new Messages({ parts, welcomes: (thread) => this.#welcomes(thread), ...shared })
    this.exports = new Exports(parts, this.#book, this.#cards, this.#stopping.signal)
    const isUnordered = parts.order === "arrival" && parts.readsOnly !== true
    this.#reading = new Reading({ isUnordered, ...shared })
    this.#updates = new Updates(parts, this.#book, {
      inPair: (group, may) => this.#introductions.renew(group, may),
      inGroup: (group) => this.#groups.renew(group),
    })
  }

  #events(parts: ChatParts): InboxEvents & IntroductionEvents {
    return {
      introduced: (channel) => this.#introductions.verify(channel),
      height: () => this.#order?.height ?? 0,
      passedAt: (id) => this.#order?.passedAt(id),
      fellBehind: () => this.#order?.kick(),
      transcript: this.#transcript,
      signed: (step, payload, deferred) => this.#evidence.keep(step, payload, deferred),
      places: this.#places,
      far: this.#groups.far,
      typing: (thread, by, content) => this.#typing.heard(thread, by, content),
      settled: async (step, settled, by) => {
        await notice(parts, this.#book, step, settled, by)
        this.#groups.settled(step, settled, by.at)
        if (settled.channel.group === null) this.#advanced(settled.channel)
      },
      lacks: (thread, above) => this.lacks.answer(thread, above),
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
    await chat.#transcript.load()
    await chat.#expiry.load()
    await chat.#order?.load()
    await chat.#places.load()
    await chat.#inbox.load()
    await chat.#groups.load()
    chat.#outbox.start()
    chat.#expiry.start()
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
    await this.search.stop()
    // Together: who invites or commits may be waiting for admissions, which end with the outbox.
    await Promise.all([this.#introductions.stop(), this.#groups.stop(), this.#outbox.stop()])
    await this.#order?.stop()
    await this.#inbox.stop()
    await this.#expiry.stop()
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
    this.#inbox.retryNow()
    this.#outbox.posting.offerAgain()
    this.#introductions.retryNow()
    this.#groups.retryNow()
  }

  /** A peer fetched these envelopes from us. */
  taken(ids: readonly Bytes[]): Promise<void> {
    return this.#outbox.posting.taken(ids)
  }

  contacts = (): Contact[] => this.#people.all()
  addContact = (address: Address, name: string | undefined, signing?: Signing): Promise<Contact> =>
    this.#people.add(address, name, signing)
  accept = (which: string, options: { anyway?: boolean } = {}): Promise<Contact> =>
    this.#people.accept(which, options)
  safety = (which: string): Promise<{ contact: Contact; number: string }> =>
    this.#people.safety(which)
  verify = (which: string, compared: string): Promise<Contact> =>
    this.#people.verify(which, compared)
  unverify = (which: string): Promise<Contact> => this.#people.unverify(which)
  block = (which: string): Promise<Contact> => this.#people.block(which)
  rename = (which: string, name: string): Promise<Contact> => this.#people.rename(which, name)

  threads(): ThreadSummary[] {
    return Array.from(this.#book.threads.values())
      .filter(({ hidden }) => !hidden)
      .map((thread) => this.#book.view(thread))
      .sort((a, b) => ((b.last?.position ?? "") < (a.last?.position ?? "") ? -1 : 1))
  }

  /** Forgets the person and everything said. */
  async remove(which: string): Promise<void> {
    const { address } = this.#finder.contact(which)
    await this.#cards.forget(address)
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
      await this.#book.erase(thread.id, page)
    }
  }

  async send(to: string, text: string, id: string | undefined, replyTo?: string): Promise<Message> {
    const messageId = id === undefined ? newMessageId() : messageIdOf(id)
    const answers = replyTo === undefined ? {} : { replyTo: messageIdOf(replyTo) }
    const thread = this.#finder.threadTo(to)
    const message = await this.messages.say(thread, messageId, text, answers)
    this.#typing.sent(thread)
    return message
  }

  /** Whom `to` means, in a form that stays, and their thread. Throws like `send`. */
  addressee(to: string): { to: string; thread: string } {
    const thread = this.#finder.threadTo(to)
    mustTake(this.#finder, thread)
    // A contact's thread may not be there yet.
    return { to: thread.peer ?? toHex(thread.id), thread: toHex(thread.id) }
  }

  /** A message that brings a file which others can read already. Repeating it with the same id is harmless. */
  sendFile(to: string, text: string, id: Bytes, file: FileNote): Promise<Message> {
    return this.messages.say(this.#finder.threadTo(to), id, text, { file })
  }

  fileOf = (id: Bytes): Promise<FileMessage | undefined> => fileOf(this.#book, id)
  files = (which: string | undefined, limit: number): Promise<FileMessage[]> =>
    filesIn(this.#book, which === undefined ? undefined : this.#finder.thread(which).id, limit)

  /** Answering a stranger accepts them, and writing into a group that one was let into accepts that. */
  async #welcomes(thread: ChatThread): Promise<void> {
    mustTake(this.#finder, thread)
    if (thread.peer === null) {
      if (thread.standing === "request") await this.#groups.accept(thread)
    } else if (this.#finder.contact(thread.peer).standing === "request")
      await this.accept(thread.peer)
  }

  groupCreate(name: string, people: readonly string[], signing?: Signing): Promise<GroupView> {
    return this.#groups.create(
      name,
      people.map((who) => this.#wanted(who)),
      signing,
    )
  }

  groupShow = (which: string): GroupView => this.#groups.show(this.#finder.thread(which))
  groupAdd = (which: string, people: readonly string[]): Promise<GroupView> =>
    this.#groups.add(
      this.#finder.thread(which),
      people.map((who) => this.#wanted(who)),
    )
  groupRemove = (which: string, who: string): Promise<GroupView> =>
    this.#groups.remove(this.#finder.thread(which), this.#memberOf(which, who))
  groupRename = (which: string, name: string): Promise<GroupView> =>
    this.#groups.rename(this.#finder.thread(which), name)
  groupAdmin = (which: string, who: string, admin: boolean): Promise<GroupView> =>
    this.#groups.setAdmin(this.#finder.thread(which), this.#memberOf(which, who), admin)
  groupRejoin = (which: string): Promise<GroupView> =>
    this.#groups.rejoin(this.#finder.thread(which))
  groupAccept = (which: string): Promise<GroupView> =>
    this.#groups.accept(this.#finder.thread(which))
  groupLeave = (which: string): Promise<GroupView> => this.#groups.leave(this.#finder.thread(which))

  /** A contact to bring into a group. Throws BLOCKED_CONTACT. */
  #wanted(who: string): Address {
    const contact = this.#finder.contact(who)
    if (contact.standing === "blocked")
      throw new ApiError("BLOCKED_CONTACT", "this contact is blocked")
    mustBeDecided(contact)
    return contact.address
  }

  /** Somebody in a group, by the name they have in it, by contact or by address. */
  #memberOf(which: string, who: string): Address {
    return this.#finder.memberOf(this.groupShow(which), who)
  }

  /** Erases what was said, for us; the thread comes back when something is said in it. */
  async hide(which: string): Promise<void> {
    const { id } = this.#finder.thread(which)
    await this.#book.turns.run(async () => {
      const thread = this.#book.threads.get(toHex(id))
      if (thread === undefined) return
      await this.#eraseMessages(thread)
      this.#book.last.delete(toHex(id))
      const step = new Step()
      this.#outbox.forgetWaiting(step, thread)
      const gone = thread.standing === "left" && thread.group !== null
      step.threads.set(toHex(id), gone ? null : emptied(thread))
      await this.#book.commit(step, { sync: true })
    })
  }

  /** The page before a position, or the one after one. */
  page = (which: string, cursor: PageCursor = {}, limit = PAGE_MAX): Promise<Page> =>
    this.#reading.page(this.#finder.thread(which), cursor, limit)
  read = (which: string, through: string): Promise<void> =>
    this.#reading.read(this.#finder.thread(which), new Uint8Array(Buffer.from(through, "hex")))

  /** From now on what is said in a thread disappears so long after; null: it stays. */
  setLifetime = (which: string, lifetime: Lifetime | null): Promise<Message> =>
    this.messages.setLifetime(this.#finder.threadTo(which), lifetime)

  /** Whether we tell others in this thread that we have read, or that we write. */
  async tell(which: string, how: { read?: boolean; typing?: boolean }): Promise<ThreadSummary> {
    const thread = this.#finder.thread(which)
    return (await this.#reading.tell(thread, how)) ?? this.#book.view(thread)
  }

  /** We write in a thread, or not any more. */
  typing = (which: string, active: boolean): Promise<void> =>
    this.#typing.write(this.#finder.threadTo(which), active)
}
