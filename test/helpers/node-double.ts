/**
 * A node for tests of what stands in front of one: an `Api` that keeps its few facts in memory, or in one JSON file of its data
 * directory so that a second process finds them again. It has no peers and no keys. The contact called `echo` answers.
 * Everything sent moves through the delivery states one event at a time, up to `reach`.
 */
import { PLAIN_MESSAGE, PLAIN_THREAD } from "./plain-views.ts"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createHash, randomBytes } from "node:crypto"
import { join } from "node:path"
import { ApiError } from "../../src/node/api/errors.ts"
import { serveApi } from "../../src/node/api/server.ts"
import type {
  FileView,
  Transfer,
  Api,
  ApiEvent,
  Contact,
  DeliveryState,
  IdentityKeys,
  Message,
  Method,
  Params,
  Result,
  Status,
  ThreadSummary,
} from "../../src/node/api/types.ts"

interface Facts {
  mesh: string | null
  name: string | null
  passphrase: string | null
  contacts: Contact[]
  messages: Message[]
}

const STATES: readonly DeliveryState[] = ["queued", "gossiped", "ordered", "delivered"]
export const TICKET = "sotto-invite1qqqsyqcyq5rqwzqf"
export const NUMBER = "0123456789".repeat(6)
const hex32 = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32)
export const addressOf = (name: string) => `sotto1${hex32(name)}${hex32(`${name}'`)}`
/** Whom every ticket names here: with an escape sequence, as strangers may. */
const INVITER = { address: addressOf("bob"), name: "bob\u001b[2J" }

const LEDGER = {
  height: 7,
  validators: 1,
  quorum: 1,
  role: "validating",
  linked: 0,
  behind: 0,
  waiting: 0,
  damaged: 0,
  stalled: false,
  problem: null,
} as const

export interface DoubleOptions {
  readonly file?: string
  readonly locked?: boolean
  /** How far a message gets. */
  readonly reach?: DeliveryState
  readonly onStop?: () => void
}

export class NodeDouble implements Api {
  /** What somebody, by the address, cannot read any more. */
  readonly lacks = new Map<string, number>()
  readonly calls: { method: Method; params: unknown; signal: AbortSignal | undefined }[] = []
  readonly #listeners = new Set<(event: ApiEvent) => void>()
  readonly #closedListeners = new Set<(reason: string) => void>()
  readonly #options: DoubleOptions
  readonly #facts: Facts = {
    mesh: null,
    name: null,
    passphrase: null,
    contacts: [],
    messages: [],
  }
  #locked: boolean
  #keys: IdentityKeys = {
    sequence: 2,
    sinceMs: Date.UTC(2026, 10, 1),
    untilMs: Date.UTC(2026, 11, 1),
    oldUntilMs: [Date.UTC(2027, 0, 30)],
    onOffer: 10,
  }

  constructor(options: DoubleOptions = {}) {
    this.#options = options
    if (options.file !== undefined) {
      try {
        Object.assign(this.#facts, JSON.parse(readFileSync(options.file, "utf8")))
      } catch {
        // the first start finds nothing
      }
    }
    this.#locked = options.locked ?? this.#facts.passphrase !== null
  }

  async call<M extends Method>(
    method: M,
    params: Params<M>,
    options: { signal?: AbortSignal } = {},
  ): Promise<Result<M>> {
    this.calls.push({ method, params, signal: options.signal })
    await Promise.resolve()
    const result = this.#methods[method](params)
    this.#save()
    return result
  }

  events(listener: (event: ApiEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get listening(): number {
    return this.#listeners.size
  }

  closed(listener: (reason: string) => void): () => void {
    this.#closedListeners.add(listener)
    return () => this.#closedListeners.delete(listener)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  tell(event: ApiEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  /** A message of somebody else's arrives. */
  receive(from: string, text: string): Message {
    const contact = this.#contact(from)
    const message = this.#message(contact, text, contact.address, "delivered")
    this.tell({ type: "message", message })
    this.#save()
    return message
  }

  readonly #methods: { [M in Method]: (params: Params<M>) => Result<M> } = {
    status: () => this.#status(),
    "profile.create": ({ name, passphrase, ticket }) => {
      if (this.#facts.name !== null)
        throw new ApiError("ALREADY_EXISTS", "this profile has an identity")
      if (passphrase !== null && passphrase.length < 4)
        throw new ApiError("WEAK_PASSPHRASE", "this passphrase is too short")
      this.#join(ticket)
      this.tell({ type: "progress", what: "making keys", done: 1, total: 1 })
      Object.assign(this.#facts, { name, passphrase })
      const inviter = ticket === undefined ? null : INVITER
      return { address: addressOf(name), ticket: TICKET, inviter }
    },
    "mesh.join": ({ ticket, name }) => {
      this.#join(ticket, name)
      return { meshId: hex32("mesh"), inviter: ticket === undefined ? null : INVITER }
    },
    "profile.restore": () => ({
      address: addressOf("double"),
      name: "double",
      height: 7,
      standing: "certified",
    }),
    "backup.write": () => ({ bytes: 1, records: 1, damaged: 0, height: 7, validator: true }),
    "validator.key": () => ({ key: "sotto-validator1double" }),
    "validators.list": () => ({
      validators: [{ seat: 0, standing: "in force", key: hex32("key"), own: true, linked: false }],
    }),
    "validators.propose": ({ add, remove }) => ({
      proposal: {
        id: hex32("proposal"),
        kind: "validators",
        add: add.map((key) => ({ key: hex32(key), proved: false })),
        remove,
        approvals: [hex32("key")],
        needed: 1,
        own: true,
        termsLeft: 8,
        after: { validators: 2, faulty: 0 },
        rivals: [],
      },
    }),
    "mesh.invite": ({ count }) => ({
      tickets: Array.from({ length: count }, (_, i) => ({
        ticket: TICKET,
        voucher: hex32(`voucher ${i}`),
      })),
    }),
    "members.list": () => ({
      members: [{ commitment: hex32("member"), place: 0, joinedBy: hex32("voucher 0"), own: true }],
      own: { state: "member", refusal: null, commitment: hex32("member"), left: 31 },
    }),
    "members.join": ({ ticket }) => {
      if (ticket === undefined) throw new ApiError("NOT_INVITED", "by invitation only")
      return { own: { state: "joined", refusal: null, commitment: hex32("member"), left: null } }
    },
    "members.cancel": () => ({
      own: { state: "none", refusal: null, commitment: null, left: null },
    }),
    "members.revoke": () => {
      throw new ApiError("UNKNOWN_MEMBER", "no member begins like this")
    },
    "proposals.list": () => ({ proposals: [] }),
    "proposals.approve": () => {
      throw new ApiError("UNKNOWN_PROPOSAL", "no open proposal has an id that begins like this")
    },
    "ledger.show": () => ({ ...LEDGER, set: hex32("set"), last: null }),
    "ledger.resume": () => ({ resumed: "no" }),
    "ledger.verify": () => ({ height: LEDGER.height, fault: null }),
    "mesh.ticket": () => {
      if (this.#facts.mesh === null)
        throw new ApiError("NO_MESH", "this profile belongs to no mesh")
      return { ticket: TICKET }
    },
    unlock: ({ passphrase }) => {
      const { name } = this.#identity(true)
      if (this.#facts.passphrase !== null && passphrase !== this.#facts.passphrase)
        throw new ApiError("WRONG_PASSPHRASE", "this passphrase does not open the vault")
      this.#locked = false
      return { address: addressOf(name) }
    },
    id: () => {
      const { name } = this.#identity()
      return { address: addressOf(name), name }
    },
    "identity.show": () => {
      this.#identity()
      return this.#keys
    },
    "identity.rotate": ({ forgetOld = false }) => {
      this.#identity()
      const { sequence, untilMs, oldUntilMs } = this.#keys
      const old = forgetOld ? [] : [untilMs, ...oldUntilMs]
      return (this.#keys = { ...this.#keys, sequence: sequence + 1, oldUntilMs: old })
    },
    "contacts.list": () => {
      this.#identity()
      return { contacts: this.#facts.contacts }
    },
    "contacts.add": ({ code, name, postQuantumSignatures = false }) => {
      this.#identity()
      const address = code === TICKET ? INVITER.address : code
      if (!address.startsWith("sotto1")) throw new ApiError("BAD_ADDRESS", "this is not an address")
      const contact: Contact = {
        address,
        name: name ?? address.slice(0, 12),
        theirName: null,
        state: "accepted",
        verified: false,
        claims: this.#facts.contacts.find((other) => other.name === name)?.address ?? null,
        postQuantumSignatures,
        lacksKey: false,
      }
      this.#facts.contacts.push(contact)
      this.tell({ type: "contact", contact })
      return { contact }
    },
    "contacts.remove": ({ contact }) => {
      const { address } = this.#contact(contact)
      this.#facts.contacts = this.#facts.contacts.filter((other) => other.address !== address)
      this.tell({ type: "contact-removed", address })
      return {}
    },
    "contacts.accept": ({ contact, anyway = false }) => {
      if (this.#contact(contact).claims !== null && !anyway)
        throw new ApiError("IDENTITY_CHANGED", "another identity of that name")
      return this.#change(contact, { state: "accepted", claims: null })
    },
    "contacts.safety": ({ contact }) => ({ contact: this.#contact(contact), number: NUMBER }),
    "contacts.verify": ({ contact, number }) => {
      if (number.replace(/\s/g, "") !== NUMBER)
        throw new ApiError("NUMBER_DIFFERS", "not this contact's number")
      return this.#change(contact, { state: "accepted", claims: null, verified: true })
    },
    "contacts.unverify": ({ contact }) => this.#change(contact, { verified: false }),
    "contacts.block": ({ contact }) => this.#change(contact, { state: "blocked" }),
    "contacts.rename": ({ contact, name }) => this.#change(contact, { name }),
    "groups.create": ({ name, members, postQuantumSignatures = false }) => {
      const me = { address: addressOf(this.#identity().name), name: "", theirName: null, me: true }
      const none = { name: null, admin: null, lacksKey: postQuantumSignatures }
      return {
        group: {
          ...{ thread: hex32(name), name, state: "open" as const, epoch: 0, admin: true },
          ...{ postQuantumSignatures, invitedBy: null, changing: false },
          members: [{ ...me, admin: true, here: true, vouched: true }],
          pending: members.map((who) => ({ kind: "add" as const, who, whoName: who, ...none })),
        },
      }
    },
    "groups.show": () => {
      throw new ApiError("NO_LEDGER", "no groups here")
    },
    "groups.add": () => {
      throw new ApiError("NO_LEDGER", "no groups here")
    },
    "groups.remove": () => {
      throw new ApiError("NO_LEDGER", "no groups here")
    },
    "groups.rename": () => {
      throw new ApiError("NO_LEDGER", "no groups here")
    },
    "groups.admin": () => {
      throw new ApiError("NO_LEDGER", "no groups here")
    },
    "groups.accept": () => {
      throw new ApiError("NO_LEDGER", "no groups here")
    },
    "groups.rejoin": () => {
      throw new ApiError("NO_LEDGER", "no groups here")
    },
    "groups.leave": () => {
      throw new ApiError("NO_LEDGER", "no groups here")
    },
    "threads.hide": () => ({}),
    "threads.list": () => ({ threads: this.#threads() }),
    "messages.page": ({ thread, before, limit }) => {
      const id = this.#thread(thread)
      const all = this.#facts.messages.filter(
        (m) => m.thread === id && (before === undefined || m.position < before),
      )
      const messages = all.slice(-limit)
      return {
        messages,
        before: messages.length < all.length ? messages[0]!.position : null,
      }
    },
    "messages.search": ({ query, limit }) => {
      if (query.startsWith("has:")) throw new ApiError("BAD_QUERY", "has: knows only file")
      const found = this.#facts.messages.filter(({ text }) => text.includes(query)).reverse()
      const hits = found.slice(0, limit).map((message) => ({ message, title: "a chat" }))
      return { hits, more: found.length > limit }
    },
    "messages.send": ({ to, text, id }) =>
      this.#send(to, text, id ?? randomBytes(16).toString("hex")),
    "messages.react": ({ id, signs }) => ({
      message: this.#changeMessage(id, {
        reactions: signs.map((sign) => ({ sign, by: [], mine: true })),
      }),
    }),
    "messages.edit": ({ id, text }) => ({
      message: this.#changeMessage(id, { text, edited: { atMs: 1, first: this.#found(id).text } }),
    }),
    "messages.delete": ({ id, forAll = false }) => {
      if (forAll && !this.#found(id).mine)
        throw new ApiError("NOT_YOURS", "only its author can do that")
      if (forAll) this.#changeMessage(id, { deleted: true, text: "" })
      else this.#facts.messages = this.#facts.messages.filter((message) => message.id !== id)
      this.#save()
      return { recalled: false }
    },
    "messages.export": ({ id, path, unordered = false }) => {
      const { author } = this.#found(id)
      const place = unordered ? null : { height: 7, index: 0 }
      const beside = { texts: 0, others: 0, group: null }
      return { path, bytes: 1, author, meshId: hex32("mesh"), place, beside }
    },
    "messages.show": ({ id }) => ({ message: this.#found(id) }),
    "threads.lifetime": ({ thread, seconds, blocks }) => {
      const unit = seconds === undefined ? "blocks" : "seconds"
      const amount = seconds ?? blocks
      const lifetime = amount === undefined ? null : ({ unit, amount } as const)
      const message = this.#message(this.#contact(thread), "", "sotto1me", "queued")
      return { message: { ...message, sets: { lifetime } } }
    },
    "threads.tell": ({ thread, read = false, typing = false }) => {
      const found = this.#threads().find(({ id }) => id === this.#thread(thread))
      if (found === undefined) throw new ApiError("UNKNOWN_THREAD", "there is no such thread")
      return { thread: { ...found, tells: { read, typing } } }
    },
    "threads.again": ({ thread }) => {
      const { address } = this.#contact(thread)
      const said = this.lacks.get(address) ?? 0
      this.lacks.delete(address)
      return { said }
    },
    "threads.typing": () => ({}),
    "messages.retry": ({ id }) => {
      const message = this.#facts.messages.find((m) => m.id === id)
      if (message === undefined) throw new ApiError("UNKNOWN_MESSAGE", "there is no such message")
      return { message }
    },
    "files.send": (params) => ({ transfer: this.#sendFile(params) }),
    "files.list": () => ({ files: this.#files() }),
    "files.save": (params) => ({ transfer: this.#saveFile(params) }),
    "files.preview": () => {
      throw new ApiError("NOT_A_FILE", "no message of this id brings a file")
    },
    "files.cancel": () => ({}),
    "transfers.list": () => ({ transfers: [] }),
    "threads.read": ({ thread }) => {
      this.#thread(thread)
      return {}
    },
    subscribe: () => ({ status: this.#status() }),
    stop: () => {
      setImmediate(() => {
        this.#options.onStop?.()
        for (const listener of this.#closedListeners) listener("STOPPING")
      })
      return {}
    },
  }

  #join(ticket: string | undefined, name = "home"): void {
    if (ticket !== undefined && !ticket.startsWith("sotto-invite1"))
      throw new ApiError("BAD_TICKET", "this is not an invite ticket")
    this.#facts.mesh ??= name
  }

  #identity(evenLocked = false): { name: string } {
    const { name } = this.#facts
    if (name === null) throw new ApiError("NO_IDENTITY", "this profile has no identity")
    if (this.#locked && !evenLocked) throw new ApiError("LOCKED", "the vault is locked")
    return { name }
  }

  #contact(reference: string): Contact {
    this.#identity()
    const found = this.#facts.contacts.filter(
      (c) => c.name.startsWith(reference) || c.address.startsWith(reference),
    )
    if (found.length > 1) throw new ApiError("AMBIGUOUS_CONTACT", "several contacts begin so")
    if (found[0] === undefined) throw new ApiError("UNKNOWN_CONTACT", "there is no such contact")
    return found[0]
  }

  #change(reference: string, change: Partial<Contact>): { contact: Contact } {
    const contact = { ...this.#contact(reference), ...change }
    this.#facts.contacts = this.#facts.contacts.map((c) =>
      c.address === contact.address ? contact : c,
    )
    return { contact }
  }

  #thread(reference: string): string {
    if (/^[0-9a-f]{32}$/.test(reference)) return reference
    return hex32(this.#contact(reference).address)
  }

  #threads(): ThreadSummary[] {
    this.#identity()
    return this.#facts.contacts.map((contact) => {
      const messages = this.#facts.messages.filter((m) => m.thread === hex32(contact.address))
      return {
        ...PLAIN_THREAD,
        id: hex32(contact.address),
        lacks: this.lacks.get(contact.address) ?? 0,
        kind: "pair" as const,
        left: false,
        title: contact.name,
        members: [contact.address],
        unread: messages.filter((m) => !m.mine).length,
        last: messages.at(-1) ?? null,
        request: contact.state === "request",
      }
    })
  }

  #found(id: string): Message {
    const message = this.#facts.messages.find((each) => each.id === id)
    if (message === undefined) throw new ApiError("UNKNOWN_MESSAGE", "there is no such message")
    return message
  }

  #changeMessage(id: string, change: Partial<Message>): Message {
    const message = { ...this.#found(id), ...change }
    this.#facts.messages = this.#facts.messages.map((each) => (each.id === id ? message : each))
    this.#save()
    this.tell({ type: "message-changed", message })
    return message
  }

  #message(contact: Contact, text: string, author: string, state: DeliveryState, id?: string) {
    const message: Message = {
      ...PLAIN_MESSAGE,
      id: id ?? randomBytes(16).toString("hex"),
      thread: hex32(contact.address),
      author,
      authorName: author === contact.address ? contact.name : "",
      mine: author !== contact.address,
      text,
      sentAtMs: 1_700_000_000_000 + this.#facts.messages.length * 1000,
      state,
      failure: null,
      position: this.#facts.messages.length.toString().padStart(8, "0"),
    }
    this.#facts.messages.push(message)
    return message
  }

  #files(): FileView[] {
    return this.#facts.messages.flatMap(({ file, ...message }) =>
      file === null
        ? []
        : [
            {
              ...file,
              id: message.id,
              thread: message.thread,
              author: message.author,
              mine: message.mine,
              sentAtMs: message.sentAtMs,
            },
          ],
    )
  }

  /** A file that a contact sent. */
  receiveFile(from: string, name: string): Message {
    const contact = this.#contact(from)
    const file = { name, size: 3_000_000, type: "image/png" }
    const message = { ...this.#message(contact, "", contact.address, "delivered"), file }
    this.#facts.messages[this.#facts.messages.length - 1] = message
    this.tell({ type: "message", message })
    this.#save()
    return message
  }

  #sendFile({ to, path, text = "", id }: Params<"files.send">): Transfer {
    if (path.endsWith("/none")) throw new ApiError("NO_FILE", "the file cannot be read")
    const name = path.split("/").at(-1) ?? ""
    const contact = this.#contact(to)
    const message = {
      ...this.#message(contact, text, addressOf(this.#facts.name ?? ""), "gossiped", id),
      file: { name, size: 3_000_000, type: "image/png" },
    }
    this.#facts.messages[this.#facts.messages.length - 1] = message
    return this.#moved({ id: message.id, thread: message.thread, direction: "up", name }, null)
  }

  #saveFile({ id, directory, name, overwrite }: Params<"files.save">): Transfer {
    const found = this.#files().find((file) => file.id === id)
    if (found === undefined) throw new ApiError("NOT_A_FILE", "no message of this id brings a file")
    if (found.name === "there.png" && overwrite !== true && name === undefined)
      throw new ApiError("FILE_EXISTS", "there is something of this name already")
    const saved = name ?? found.name
    const about = { id, thread: found.thread, direction: "down" as const, name: saved }
    return this.#moved(about, `${directory}/${saved}`)
  }

  /** Half of it at once, the rest a moment later. */
  #moved(
    about: Pick<Transfer, "id" | "thread" | "direction" | "name">,
    path: string | null,
  ): Transfer {
    const size = 3_000_000
    const state = about.direction === "up" ? "uploading" : "downloading"
    const half = { ...about, size, done: size / 2, bytesPerS: 1_000_000, leftS: 2, failure: null }
    const transfer: Transfer = { ...half, state, path: null }
    setTimeout(() => {
      this.tell({ type: "transfer", transfer })
      this.tell({
        type: "transfer",
        transfer: { ...half, state: "done", done: size, leftS: null, path },
      })
    }, 20)
    this.#save()
    return transfer
  }

  #send(to: string, text: string, id: string): { message: Message } {
    const contact = this.#contact(to)
    if (contact.claims !== null)
      throw new ApiError("IDENTITY_CHANGED", "another identity of that name")
    if (contact.state === "blocked") throw new ApiError("BLOCKED_CONTACT", "you blocked them")
    if (text === "") throw new ApiError("MESSAGE_EMPTY", "there is nothing to send")
    const before = this.#facts.messages.find((m) => m.id === id)
    if (before !== undefined) return { message: before }
    const { name } = this.#identity()
    const message = this.#message(contact, text, addressOf(name), "queued", id)
    const reach = STATES.indexOf(this.#options.reach ?? "delivered")
    for (const [at, state] of STATES.entries())
      if (at > 0 && at <= reach)
        setImmediate(() =>
          this.tell({
            type: "delivery",
            thread: message.thread,
            id,
            state,
            failure: null,
            receipts: null,
          }),
        )
    if (contact.name === "echo") setImmediate(() => this.receive("echo", `you said: ${text}`))
    return { message }
  }

  #status(): Status {
    const { mesh, name, passphrase } = this.#facts
    return {
      version: "0.0.0-double",
      pid: process.pid,
      profile: "default",
      mesh: mesh === null ? null : { name: mesh, meshId: hex32("mesh"), validators: 1 },
      identity: name === null ? "none" : this.#locked ? "locked" : "open",
      address: name === null ? null : addressOf(name),
      name,
      unprotected: name !== null && passphrase === null,
      ephemeral: false,
      listen: ["/ip4/127.0.0.1/tcp/4001"],
      peers: [
        {
          peerId: "12D3KooWDouble",
          address: "/ip4/127.0.0.1/tcp/4002",
          direction: "outbound",
          encryption: "X25519MLKEM768",
          postQuantum: true,
          gossip: true,
        },
      ],
      alone: null,
      sync: { state: "idle", done: 0, total: 0 },
      ledger: mesh === null ? null : LEDGER,
      membership: null,
      envelopes: this.#facts.messages.length,
      restored: null,
      waiting: 0,
      damaged: 0,
    }
  }

  #save(): void {
    if (this.#options.file !== undefined)
      writeFileSync(this.#options.file, JSON.stringify(this.#facts))
  }
}

/** The double in the place of a whole node: serves its socket, keeps its facts in `dataDir`. */
export async function startDouble(options: {
  dataDir: string
  socketPath: string | undefined
  reach?: DeliveryState
  onStop?: () => void
}): Promise<{ api: NodeDouble; stop: () => Promise<void> }> {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 })
  const unlock = lock(join(options.dataDir, "lock"))
  try {
    const api = new NodeDouble({ ...options, file: join(options.dataDir, "double.json") })
    const server = await serveApi({ socketPath: options.socketPath, api })
    return { api, stop: () => server.stop().then(unlock) }
  } catch (error) {
    unlock()
    throw error
  }
}

/** One owner at a time, as the real store has; a dead owner's lock is taken over. */
function lock(path: string): () => void {
  try {
    writeFileSync(path, `${process.pid}`, { flag: "wx" })
  } catch {
    // A lock that is being written, or has just been taken away, is somebody's.
    let owner = process.pid
    let alive = true
    try {
      owner = Number(readFileSync(path, "utf8")) || owner
      process.kill(owner, 0)
    } catch (error) {
      alive = (error as NodeJS.ErrnoException).code !== "ESRCH"
    }
    if (alive) throw new ApiError("BUSY", "another process holds this profile")
    writeFileSync(path, `${process.pid}`)
  }
  return () => rmSync(path, { force: true })
}
