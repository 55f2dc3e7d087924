/**
 * A test double of the API: one mesh in memory, no network, nothing stored. It behaves as the contract says and tells what
 * happened in `calls`; a test scripts what peers do through the methods that begin with `they`. Only for tests.
 */
import { PLAIN_MESSAGE, PLAIN_THREAD } from "../helpers/plain-views.ts"
import type {
  Preview,
  Transfer,
  Api,
  ApiErrorCode,
  ApiEvent,
  Contact,
  GroupView,
  Inviter,
  DeliveryState,
  Member,
  Message,
  Method,
  Params,
  PendingChange,
  Result,
  Status,
  ThreadSummary,
} from "../../src/node/api/types.ts"

class FakeError extends Error {
  readonly code: ApiErrorCode
  constructor(code: ApiErrorCode) {
    super(`the node's own words about ${code}`)
    this.code = code
  }
}

export const T0 = Date.UTC(2026, 10, 18, 9, 12)
export const ADDRESS = `sotto1${"q7x2mk9d".repeat(13)}a3c4e`
export const TICKET = `sotto-invite1${"k4n8w2pz".repeat(38)}`
export const NUMBER = "03528".repeat(6) + "71946".repeat(6)
export const addressOf = (name: string): string =>
  `sotto1${name.padEnd(109, "qpzry9x8gf2tvdw0")}`.slice(0, 115)

/** A thread's id: the name in hexadecimal, so that a failing test can be read. */
const idOf = (name: string): string =>
  Buffer.from(name).toString("hex").padEnd(32, "0").slice(0, 32)

const position = (index: number): string => index.toString().padStart(12, "0")

export interface Call {
  readonly method: Method
  readonly params: unknown
}

export class FakeApi implements Api {
  readonly calls: Call[] = []
  status: Status
  passphrase = "correct horse"
  /** Whom tickets name. */
  inviter: Inviter | null = { address: addressOf("bob"), name: "bob" }
  contacts = new Map<string, Contact>()
  /** Passphrases of backups, by path. */
  readonly backups = new Map<string, string>()
  threads = new Map<string, ThreadSummary>()
  groups = new Map<string, GroupView>()
  messages = new Map<string, Message[]>()
  /** Codes that the next call of a method ends in, once each. */
  failures = new Map<Method, ApiErrorCode>()
  #listeners = new Set<(event: ApiEvent) => void>()
  #closings = new Set<(reason: string) => void>()
  #waiting: { method: Method; resolve: (call: Call) => void }[] = []
  #made = 0

  constructor(identity: Status["identity"] = "open") {
    this.status = {
      version: "0.1.0",
      pid: 1,
      profile: "default",
      mesh: identity === "none" ? null : { name: "garden", meshId: "ab".repeat(32), validators: 1 },
      identity,
      address: identity === "open" ? ADDRESS : null,
      name: identity === "none" ? null : "alice",
      unprotected: false,
      ephemeral: false,
      listen: [],
      peers: [1, 2, 3, 4, 5].map((n) => ({
        peerId: `peer${n}`,
        address: `/ip4/10.0.0.${n}/tcp/4001`,
        direction: "outbound",
        encryption: "X25519MLKEM768",
        postQuantum: true,
        gossip: true,
      })),
      alone: null,
      sync: { state: "idle", done: 0, total: 0 },
      ledger: null,
      membership: null,
      envelopes: 18_204,
      restored: null,
      waiting: 0,
      damaged: 0,
    }
  }

  // --- the contract ---

  /** Other texts that lie in the envelope of whatever is exported. */
  besideExports = 0

  async call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    await Promise.resolve()
    const call = { method, params }
    this.calls.push(call)
    const failure = this.failures.get(method)
    this.failures.delete(method)
    try {
      if (failure !== undefined) throw new FakeError(failure)
      // One table of methods cannot carry the type of the one that is asked for.
      const answer = (this.#methods as Record<string, (params: never) => unknown>)[method]
      if (answer === undefined) throw new FakeError("UNKNOWN_METHOD")
      return answer(params as never) as Result<M>
    } finally {
      const ready = this.#waiting.filter((wait) => wait.method === method)
      this.#waiting = this.#waiting.filter((wait) => wait.method !== method)
      for (const wait of ready) wait.resolve(call)
    }
  }

  events(listener: (event: ApiEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  closed(listener: (reason: string) => void): () => void {
    this.#closings.add(listener)
    return () => this.#closings.delete(listener)
  }

  async close(): Promise<void> {
    await Promise.resolve()
  }

  get listeners(): number {
    return this.#listeners.size + this.#closings.size
  }

  // --- scripting ---

  /** Resolves when a method has been called the next time. */
  called(method: Method): Promise<Call> {
    return new Promise((resolve) => this.#waiting.push({ method, resolve }))
  }

  count(method: Method): number {
    return this.calls.filter((call) => call.method === method).length
  }

  tell(event: ApiEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  goAway(reason: string): void {
    for (const listener of this.#closings) listener(reason)
  }

  withStatus(change: Partial<Status>): this {
    this.status = { ...this.status, ...change }
    this.tell({ type: "status", status: this.status })
    return this
  }

  contact(name: string, change: Partial<Contact> = {}): Contact {
    const contact: Contact = {
      address: addressOf(name),
      name,
      theirName: name,
      state: "accepted",
      verified: false,
      claims: null,
      postQuantumSignatures: false,
      lacksKey: false,
      ...change,
    }
    this.contacts.set(contact.address, contact)
    return contact
  }

  /** A thread with a contact of that name, made when there is none. */
  thread(name: string, change: Partial<ThreadSummary> = {}): ThreadSummary {
    const contact = this.contacts.get(addressOf(name)) ?? this.contact(name)
    const id = idOf(name)
    const thread: ThreadSummary = {
      ...PLAIN_THREAD,
      id,
      kind: "pair",
      left: false,
      title: name,
      members: [contact.address],
      unread: 0,
      last: null,
      request: contact.state === "request",
      ...change,
    }
    this.threads.set(id, thread)
    this.messages.set(id, this.messages.get(id) ?? [])
    return thread
  }

  /** A group of ours with these contacts in it, none of whom has been heard of; told to nobody. */
  group(name: string, addresses: readonly string[], change: Partial<GroupView> = {}): GroupView {
    const person = (address: string, me: boolean): Member => {
      const known = me ? undefined : this.#contact(address)
      const called = known?.name ?? ""
      return { address, name: called, theirName: null, me, admin: me, here: me, vouched: true }
    }
    const group: GroupView = {
      thread: idOf(name),
      name,
      state: "open",
      epoch: 0,
      admin: true,
      postQuantumSignatures: false,
      invitedBy: null,
      members: [person(ADDRESS, true), ...addresses.map((address) => person(address, false))],
      pending: [],
      changing: false,
      ...change,
    }
    this.groups.set(group.thread, group)
    this.messages.set(group.thread, [])
    this.threads.set(group.thread, {
      ...PLAIN_THREAD,
      id: group.thread,
      kind: "group",
      left: group.state === "left",
      postQuantumSignatures: group.postQuantumSignatures,
      title: name,
      members: group.members.filter(({ me }) => !me).map(({ address }) => address),
      unread: 0,
      last: null,
      request: group.state === "request",
    })
    return group
  }

  /** What was asked of a group is ordered: a new view of it, and word of that. */
  itIsOrdered(thread: string, change: Partial<GroupView>): void {
    this.groups.set(thread, { ...this.#group(thread), pending: [], ...change })
    this.#tellThread(thread)
  }

  #messageOf(id: string): Message {
    for (const all of this.messages.values()) {
      const found = all.find((message) => message.id === id)
      if (found !== undefined) return found
    }
    throw new FakeError("UNKNOWN_MESSAGE")
  }

  /** A message is another one now, and everybody is told. */
  change(id: string, change: Partial<Message>): Message {
    const message: Message = { ...this.#messageOf(id), ...change }
    const all = this.messages.get(message.thread) ?? []
    all[all.findIndex((each) => each.id === id)] = message
    this.tell({ type: "message-changed", message })
    return message
  }

  /** A message is not here any more. */
  takeAway(id: string): void {
    const { thread } = this.#messageOf(id)
    const all = this.messages.get(thread) ?? []
    this.messages.set(
      thread,
      all.filter((each) => each.id !== id),
    )
    this.tell({ type: "message-gone", thread, id })
  }

  /** Adds a message without telling anybody: history from before. */
  past(name: string, text: string, change: Partial<Message> = {}): Message {
    const known = this.threads.get(this.thread(name, {}).id)
    if (known === undefined) throw new Error("the thread was just made")
    const all = this.messages.get(known.id) ?? []
    const message: Message = {
      ...PLAIN_MESSAGE,
      id: (++this.#made).toString(16).padStart(32, "0"),
      thread: known.id,
      author: addressOf(name),
      authorName: name,
      mine: false,
      text,
      sentAtMs: T0 + all.length * 60_000,
      state: "delivered",
      failure: null,
      position: position(all.length + 1),
      ...change,
    }
    all.push(message)
    this.messages.set(known.id, all)
    this.threads.set(known.id, { ...known, last: message })
    return message
  }

  mine(name: string, text: string, state: DeliveryState, change: Partial<Message> = {}): Message {
    return this.past(name, text, { author: ADDRESS, mine: true, state, ...change })
  }

  /** A file on its way; told to nobody. */
  transfer(change: Partial<Transfer> = {}): Transfer {
    return {
      id: (++this.#made).toString(16).padStart(32, "0"),
      thread: "",
      direction: "up",
      name: "a.png",
      size: 2_000_000,
      state: "uploading",
      done: 500_000,
      bytesPerS: 250_000,
      leftS: 6,
      path: null,
      failure: null,
      ...change,
    }
  }

  threadOf(name: string): string {
    return this.threads.get(name)?.id ?? this.thread(name, {}).id
  }

  /** Four corners of four colours. */
  picture(width: number, height: number): Preview {
    const [w, h] = [Math.min(8, width), Math.min(8, height)]
    const rgb = Buffer.alloc(w * h * 3)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const [red, green] = [x < w / 2 ? 255 : 0, y < h / 2 ? 255 : 0]
        rgb.set([red, green, 128], (y * w + x) * 3)
      }
    return { width: w, height: h, rgb: rgb.toString("base64") }
  }

  /** They cannot read so many of our messages any more. */
  lack(name: string, lacks: number): void {
    const thread = this.threads.get(this.threadOf(name))
    if (thread === undefined) throw new Error("no such thread")
    this.threads.set(thread.id, { ...thread, lacks })
    this.#tellThread(thread.id)
  }

  /** A message arrives. */
  theySay(name: string, text: string): Message {
    const before = this.threads.get(idOf(name))
    const message = this.past(name, text)
    const thread = this.threads.get(message.thread)
    if (thread === undefined) throw new Error("no such thread")
    this.threads.set(thread.id, { ...thread, unread: (before?.unread ?? 0) + 1 })
    this.tell({ type: "message", message })
    this.#tellThread(thread.id)
    return message
  }

  /** A message of ours got further. */
  itIs(message: Message, state: DeliveryState, failure: string | null = null): void {
    const all = this.messages.get(message.thread) ?? []
    this.messages.set(
      message.thread,
      all.map((m) => (m.id === message.id ? { ...m, state, failure } : m)),
    )
    const { thread, id, receipts } = message
    this.tell({ type: "delivery", thread, id, state, failure, receipts })
  }

  #tellThread(id: string): void {
    const thread = this.threads.get(id)
    if (thread !== undefined) this.tell({ type: "thread", thread })
  }

  #group(thread: string): GroupView {
    const group = this.groups.get(thread)
    if (group === undefined) throw new FakeError("NOT_A_GROUP")
    return group
  }

  #nameOf(thread: string, who: string): string {
    const member = this.#group(thread).members.find(({ address }) => address === who)
    return member?.name ?? this.#contact(who).name
  }

  #memberOf(thread: string, wanted: string): string {
    const { members } = this.#group(thread)
    const found = members.find(({ address, name }) => address === wanted || name === wanted)
    if (found === undefined) throw new FakeError("NOT_A_MEMBER")
    return found.address
  }

  #asked(
    thread: string,
    wishes: readonly (Partial<PendingChange> & Pick<PendingChange, "kind">)[],
  ): { group: GroupView } {
    const before = this.#group(thread)
    const pending = wishes.map((wish) => ({
      who: null,
      name: null,
      admin: null,
      lacksKey: false,
      whoName: typeof wish.who === "string" ? this.#nameOf(thread, wish.who) : null,
      ...wish,
    }))
    const group = { ...before, pending: [...before.pending, ...pending] }
    this.groups.set(thread, group)
    return { group }
  }

  #standing(thread: string, state: "open" | "left"): GroupView {
    const group = { ...this.#group(thread), state }
    this.groups.set(thread, group)
    const known = this.threads.get(thread)
    if (known !== undefined)
      this.threads.set(thread, { ...known, request: false, left: state === "left" })
    this.#tellThread(thread)
    return group
  }

  #contact(wanted: string): Contact {
    const found = [...this.contacts.values()].find((c) => c.address === wanted || c.name === wanted)
    if (found === undefined) throw new FakeError("UNKNOWN_CONTACT")
    return found
  }

  #change(wanted: string, change: Partial<Contact>): { contact: Contact } {
    const contact = { ...this.#contact(wanted), ...change }
    this.contacts.set(contact.address, contact)
    this.tell({ type: "contact", contact })
    for (const thread of this.threads.values())
      if (
        thread.members[0] === contact.address &&
        thread.request !== (contact.state === "request")
      ) {
        this.threads.set(thread.id, { ...thread, request: contact.state === "request" })
        this.#tellThread(thread.id)
      }
    return { contact }
  }

  readonly #methods: { [M in Method]: (params: Params<M>) => Result<M> } = {
    status: () => this.status,
    subscribe: () => ({ status: this.status }),
    id: () => ({ address: ADDRESS, name: this.status.name ?? "" }),
    stop: () => ({}),
    "mesh.join": () => ({ meshId: "ab".repeat(32), inviter: null }),
    "backup.write": ({ path, passphrase }) => {
      if (path.includes("nowhere")) throw new FakeError("BAD_FILE")
      this.backups.set(path, passphrase)
      return { bytes: 1, records: 12, damaged: 0, height: 7, validator: true }
    },
    "profile.restore": ({ path, passphrase }) => {
      const sealed = this.backups.get(path)
      if (sealed === undefined) throw new FakeError("BAD_FILE")
      if (sealed !== passphrase) throw new FakeError("WRONG_PASSPHRASE")
      this.status = { ...this.status, identity: "open", address: ADDRESS, name: "Ada" }
      return { address: ADDRESS, name: "Ada", height: 7, standing: "certified" }
    },
    "validator.key": () => ({ key: "sotto-validator1fake" }),
    "validators.list": () => ({ validators: [] }),
    "validators.propose": () => {
      throw new FakeError("NO_LEDGER")
    },
    "mesh.invite": () => {
      throw new FakeError("NOT_OPERATOR")
    },
    "members.list": () => {
      throw new FakeError("NO_LEDGER")
    },
    "members.join": () => {
      throw new FakeError("NOT_INVITED")
    },
    "members.cancel": () => {
      throw new FakeError("NO_LEDGER")
    },
    "members.revoke": () => {
      throw new FakeError("NOT_OPERATOR")
    },
    "proposals.list": () => ({ proposals: [] }),
    "proposals.approve": () => {
      throw new FakeError("NO_LEDGER")
    },
    "ledger.show": () => {
      throw new FakeError("NO_LEDGER")
    },
    "ledger.resume": () => {
      throw new FakeError("NO_LEDGER")
    },
    "ledger.verify": () => {
      throw new FakeError("NO_LEDGER")
    },
    "mesh.ticket": () => ({ ticket: TICKET }),
    "profile.create": ({ name, passphrase, ticket }) => {
      if (ticket !== undefined && !ticket.startsWith("sotto-invite1"))
        throw new FakeError("BAD_TICKET")
      if (passphrase !== null && passphrase.length < 4) throw new FakeError("WEAK_PASSPHRASE")
      this.passphrase = passphrase ?? ""
      this.status = {
        ...this.status,
        identity: "open",
        name,
        address: ADDRESS,
        unprotected: passphrase === null,
        mesh: { name: "garden", meshId: "ab".repeat(32), validators: 1 },
      }
      this.tell({ type: "status", status: this.status })
      return {
        address: ADDRESS,
        ticket: TICKET,
        inviter: ticket === undefined ? null : this.inviter,
      }
    },
    unlock: ({ passphrase }) => {
      if (passphrase !== this.passphrase) throw new FakeError("WRONG_PASSPHRASE")
      this.status = { ...this.status, identity: "open", address: ADDRESS }
      return { address: ADDRESS }
    },
    "identity.show": () => ({
      sequence: 2,
      sinceMs: Date.UTC(2026, 10, 1),
      untilMs: Date.UTC(2026, 11, 1),
      oldUntilMs: [Date.UTC(2027, 0, 30)],
      onOffer: 10,
    }),
    "identity.rotate": () => ({
      sequence: 2,
      sinceMs: Date.UTC(2026, 10, 1),
      untilMs: Date.UTC(2026, 11, 1),
      oldUntilMs: [Date.UTC(2027, 0, 30)],
      onOffer: 10,
    }),
    "contacts.list": () => ({ contacts: [...this.contacts.values()] }),
    "contacts.add": ({ code, name, postQuantumSignatures }) => {
      if (!/^sotto(-invite)?1[a-z0-9]{20,}$/.test(code)) throw new FakeError("BAD_ADDRESS")
      const called = name ?? code.slice(6, 12)
      const contact: Contact = {
        address: code,
        name: called,
        theirName: null,
        state: "pending",
        verified: false,
        claims: null,
        postQuantumSignatures: postQuantumSignatures ?? false,
        lacksKey: false,
      }
      this.contacts.set(code, contact)
      this.tell({ type: "contact", contact })
      return { contact }
    },
    "contacts.remove": ({ contact }) => {
      const { address } = this.#contact(contact)
      this.contacts.delete(address)
      this.tell({ type: "contact-removed", address })
      return {}
    },
    "contacts.accept": ({ contact, anyway = false }) => {
      if (this.#contact(contact).claims !== null && !anyway) throw new FakeError("IDENTITY_CHANGED")
      return this.#change(contact, { state: "accepted", claims: null })
    },
    "contacts.safety": ({ contact }) => ({ contact: this.#contact(contact), number: NUMBER }),
    "contacts.verify": ({ contact, number }) => {
      if (number !== NUMBER) throw new FakeError("NUMBER_DIFFERS")
      return this.#change(contact, { state: "accepted", claims: null, verified: true })
    },
    "contacts.unverify": ({ contact }) => this.#change(contact, { verified: false }),
    "contacts.block": ({ contact }) => this.#change(contact, { state: "blocked" }),
    "contacts.rename": ({ contact, name }) => this.#change(contact, { name }),
    "groups.create": ({ name, members, postQuantumSignatures = false }) => {
      const group = this.group(name, members, { postQuantumSignatures })
      this.#tellThread(group.thread)
      return { group }
    },
    "groups.show": ({ group }) => ({ group: this.#group(group) }),
    "groups.add": ({ group, members }) =>
      this.#asked(
        group,
        members.map((who) => ({ kind: "add", who })),
      ),
    "groups.remove": ({ group, member }) =>
      this.#asked(group, [{ kind: "remove", who: this.#memberOf(group, member) }]),
    "groups.rename": ({ group, name }) => this.#asked(group, [{ kind: "rename", name }]),
    "groups.admin": ({ group, member, admin }) =>
      this.#asked(group, [{ kind: "admin", who: this.#memberOf(group, member), admin }]),
    "groups.accept": ({ group }) => ({ group: this.#standing(group, "open") }),
    "groups.rejoin": ({ group }) => this.#asked(group, [{ kind: "return" }]),
    "groups.leave": ({ group }) => ({ group: this.#standing(group, "left") }),
    "threads.hide": ({ thread }) => {
      if (!this.threads.delete(thread)) throw new FakeError("UNKNOWN_THREAD")
      this.tell({ type: "thread-removed", thread })
      return {}
    },
    "threads.list": () => ({ threads: [...this.threads.values()] }),
    "messages.search": ({ query, limit }) => {
      const all = [...this.messages.values()].flat()
      const found = all.filter(({ text }) => text.includes(query)).reverse()
      const hits = found.slice(0, limit).map((message) => {
        return { message, title: this.threads.get(message.thread)?.title ?? "" }
      })
      return { hits, more: found.length > limit }
    },
    "messages.page": ({ thread, before, after, limit }) => {
      const id = this.threads.has(thread)
        ? thread
        : [...this.threads.values()].find((t) => t.members.join() === thread)?.id
      if (id === undefined) throw new FakeError("UNKNOWN_THREAD")
      const all = this.messages.get(id) ?? []
      if (after !== undefined) {
        const behind = all.filter(({ position }) => position > after).slice(0, limit)
        return { messages: behind, before: after }
      }
      let end = all.length
      if (before !== undefined) while (end > 0 && (all[end - 1]?.position ?? "") >= before) end--
      const start = Math.max(0, end - limit)
      const messages = all.slice(start, end)
      return { messages, before: start > 0 ? (messages[0]?.position ?? null) : null }
    },
    "messages.send": ({ to, text, id, replyTo }) => {
      const contact = this.contacts.get(to)
      const known = this.threads.get(to)
      const name = contact?.name ?? known?.title
      if (name === undefined) throw new FakeError("UNKNOWN_THREAD")
      if (text.length > 100_000) throw new FakeError("MESSAGE_TOO_LONG")
      const fresh = known === undefined
      const answered = replyTo === undefined ? undefined : this.#messageOf(replyTo)
      const quote = answered && {
        replyTo: {
          id: answered.id,
          authorName: answered.authorName,
          mine: answered.mine,
          text: answered.text,
        },
      }
      const given = id === undefined ? {} : { id }
      const message = this.mine(name, text, "queued", { ...given, ...quote })
      if (fresh) this.#tellThread(message.thread)
      this.tell({ type: "message", message })
      return { message }
    },
    "messages.react": ({ id, signs }) => {
      const reactions = signs.map((sign) => ({ sign, by: [], mine: true }))
      return { message: this.change(id, { reactions }) }
    },
    "messages.edit": ({ id, text }) => {
      const first = this.#messageOf(id)
      if (!first.mine) throw new FakeError("NOT_YOURS")
      const edited = { atMs: T0, first: first.text }
      return { message: this.change(id, { text, edited }) }
    },
    "messages.delete": ({ id, forAll = false }) => {
      const { mine } = this.#messageOf(id)
      if (forAll && !mine) throw new FakeError("NOT_YOURS")
      if (forAll) this.change(id, { text: "", deleted: true, reactions: [] })
      else this.takeAway(id)
      return { recalled: false }
    },
    "messages.export": ({ id, path, others = false, unordered = false }) => {
      const { author } = this.#messageOf(id)
      if (this.besideExports > 0 && !others) throw new FakeError("OTHERS_INSIDE")
      const place = unordered ? null : { height: 7, index: 0 }
      const beside = { texts: this.besideExports, others: 0, group: null }
      return { path, bytes: 1, author, meshId: "ab".repeat(32), place, beside }
    },
    "messages.show": ({ id }) => ({ message: this.#messageOf(id) }),
    "threads.lifetime": ({ thread, seconds }) => {
      const lifetime = seconds === undefined ? null : { unit: "seconds" as const, amount: seconds }
      const known = this.threads.get(this.threadOf(thread))
      if (known === undefined) throw new FakeError("UNKNOWN_THREAD")
      this.threads.set(known.id, { ...known, lifetime })
      const message = this.mine(known.title, "", "queued", { sets: { lifetime } })
      this.tell({ type: "message", message })
      this.#tellThread(known.id)
      return { message }
    },
    "threads.tell": ({ thread, read, typing }) => {
      const known = this.threads.get(this.threadOf(thread))
      if (known === undefined) throw new FakeError("UNKNOWN_THREAD")
      const tells = { read: read ?? known.tells.read, typing: typing ?? known.tells.typing }
      this.threads.set(known.id, { ...known, tells })
      this.#tellThread(known.id)
      return { thread: { ...known, tells } }
    },
    "threads.again": ({ thread }) => {
      const known = this.threads.get(this.threadOf(thread))
      if (known === undefined) throw new FakeError("UNKNOWN_THREAD")
      this.threads.set(known.id, { ...known, lacks: 0 })
      this.#tellThread(known.id)
      return { said: known.lacks }
    },
    "threads.typing": () => ({}),
    "messages.retry": ({ id }) => {
      for (const all of this.messages.values()) {
        const at = all.findIndex((m) => m.id === id)
        const found = all[at]
        if (found === undefined) continue
        const message: Message = { ...found, state: "queued", failure: null }
        all[at] = message
        return { message }
      }
      throw new FakeError("UNKNOWN_MESSAGE")
    },
    "files.send": ({ path, to }) => {
      if (path.endsWith("/none")) throw new FakeError("NO_FILE")
      const name = path.split("/").at(-1) ?? ""
      return { transfer: this.transfer({ name, thread: this.threadOf(to) }) }
    },
    "files.list": () => ({
      files: [...this.messages.values()]
        .flat()
        .flatMap(({ file, id, thread, author, mine, sentAtMs }) =>
          file === null ? [] : [{ ...file, id, thread, author, mine, sentAtMs }],
        ),
    }),
    "files.save": ({ id, directory }) => {
      const message = [...this.messages.values()].flat().find((each) => each.id === id)
      if (message === undefined || message.file === null) throw new FakeError("NOT_A_FILE")
      const { name, size } = message.file
      const about = { id, name, size, thread: message.thread, direction: "down" as const }
      return { transfer: this.transfer({ ...about, state: "downloading", path: directory }) }
    },
    "files.preview": ({ width, height }) => this.picture(width, height),
    "files.cancel": () => ({}),
    "transfers.list": () => ({ transfers: [] }),
    "threads.read": ({ thread }) => {
      const known = this.threads.get(thread)
      if (known === undefined) throw new FakeError("UNKNOWN_THREAD")
      this.threads.set(thread, { ...known, unread: 0 })
      this.#tellThread(thread)
      return {}
    },
  }
}
