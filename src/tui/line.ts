/** Line mode: the chat for screen readers, dumb terminals and pipes. Each message is printed once, in words; nothing is redrawn. */
import { randomBytes } from "node:crypto"
import type { Api, ApiEvent, Contact, Message, Status, ThreadSummary } from "../node/api/types.ts"
import { COMMANDS, completions, contactName, interpret } from "./commands.ts"
import type { GroupIntent, Intent } from "./commands.ts"
import { writeBackup } from "./line-backup.ts"
import { askGroup, saidOf } from "./groups.ts"
import { about } from "./line-about.ts"
import { retry, save, sendFile } from "./line-files.ts"
import { carryOutGroup } from "./line-groups.ts"
import { authorName, entries } from "./model.ts"
import { sanitize, sanitizeLine } from "./sanitize.ts"
import { failureOf, spoken } from "./sentences.ts"
import { STATE_WORDS } from "./theme.ts"
import { transferEnd } from "./widgets/transfers.ts"
import { clockOf } from "./transcript.ts"
import { tidyCode } from "./overlays.ts"
import { accept, claimOf, contactLine, strengthen, tellLack, verify } from "./line-people.ts"
import { searchInLines } from "./line-search.ts"
import { createProfile, openVault } from "./line-setup.ts"
import { changeWords, claimWords, describe, opened, wordsOf } from "./line-words.ts"
import { LeftError, Talk } from "./talk.ts"

export interface LineOptions {
  readonly stdin?: NodeJS.ReadableStream
  readonly stdout?: NodeJS.WritableStream
  readonly userName?: string
  readonly timeZone?: string
}

/** Messages read out when a chat is opened. */
const RECENT = 10
/** Sent messages whose progress is still announced. */
const FOLLOWED_MAX = 1000

/** What line mode knows; replaced piece by piece as the API tells. */
interface Known {
  contacts: ReadonlyMap<string, Contact>
  threads: ReadonlyMap<string, ThreadSummary>
  status: Status
}

/** Runs until the input ends or `/quit`; resolves with the process's exit code. The API is closed by whoever opened it. */
export async function runLine(
  ready: Api | Promise<Api>,
  options: LineOptions = {},
): Promise<number> {
  let session: LineSession | null = null
  const talk = new Talk(options.stdin ?? process.stdin, options.stdout ?? process.stdout, (line) =>
    session === null ? [] : completions(line, session.names()),
  )
  try {
    const api = await ready
    const { status } = await api.call("subscribe", {})
    session = new LineSession(api, talk, status, clockOf(options.timeZone ?? null))
    await session.open(options.userName ?? "")
    return await session.run()
  } catch (error) {
    if (error instanceof LeftError) return 0
    talk.say(spoken(error))
    return 1
  } finally {
    session?.stop()
    talk.close()
  }
}

class LineSession {
  readonly #api: Api
  readonly #talk: Talk
  readonly #clock: { time(ms: number): string }
  readonly #known: Known
  readonly #endings: (() => void)[] = []
  /** Own messages whose state is announced: id to text. */
  readonly #followed = new Map<string, string>()
  readonly #printed = new Set<string>()
  #open: string | null = null

  constructor(api: Api, talk: Talk, status: Status, clock: { time(ms: number): string }) {
    this.#api = api
    this.#talk = talk
    this.#clock = clock
    this.#known = { contacts: new Map(), threads: new Map(), status }
    this.#endings.push(api.events((event) => this.#onEvent(event)))
    this.#endings.push(
      api.closed((reason) => {
        talk.say(`The node has gone away. ${sanitizeLine(reason)}`)
        talk.close()
      }),
    )
  }

  stop(): void {
    for (const end of this.#endings) end()
  }

  names(): string[] {
    return [
      ...new Set([
        ...entries(this.#known).map((entry) => entry.title),
        ...[...this.#known.contacts.values()].map(contactName),
      ]),
    ]
  }

  /** First run or unlocking, when they are due; then contacts and chats. */
  async open(userName: string): Promise<void> {
    const { identity } = this.#known.status
    if (identity === "none")
      await createProfile(this.#api, this.#talk, this.#known.status, userName)
    if (identity === "locked") await openVault(this.#api, this.#talk)
    const [{ contacts }, { threads }] = await Promise.all([
      this.#api.call("contacts.list", {}),
      this.#api.call("threads.list", {}),
    ])
    this.#known.contacts = new Map(contacts.map((contact) => [contact.address, contact]))
    this.#known.threads = new Map(threads.map((thread) => [thread.id, thread]))
    this.#list()
  }

  async run(): Promise<never> {
    for (;;) {
      const line = await this.#talk.next()
      try {
        const answer = await this.#carryOut(interpret(line, this.names()))
        if (answer !== null && answer !== "") this.#talk.say(answer)
      } catch (error) {
        if (error instanceof LeftError) throw error
        this.#talk.say(spoken(error))
      }
    }
  }

  #list(): void {
    const all = entries(this.#known)
    const { status } = this.#known
    const peers = status.peers.length
    const alone = status.alone === null ? "" : `: ${sanitizeLine(status.alone.reason)}`
    this.#talk.say(peers > 0 ? `${peers} ${peers === 1 ? "peer" : "peers"}.` : `No peers${alone}.`)
    if (all.length === 0)
      this.#talk.say(
        "No messages yet. /id shows your code, /add takes a friend's, /help tells more.",
      )
    for (const entry of all) this.#talk.say(describe(entry))
    if (all.length > 0) this.#talk.say("/open name opens a chat.")
  }

  #onEvent(event: ApiEvent): void {
    switch (event.type) {
      case "status":
        this.#known.status = event.status
        break
      case "contact":
        if (
          event.contact.claims !== null &&
          this.#known.contacts.get(event.contact.address)?.claims !== event.contact.claims
        )
          this.#talk.say(
            `! ${claimOf(this.#known, event.contact)} /verify, /accept or /block decides.`,
          )
        this.#known.contacts = new Map(this.#known.contacts).set(
          event.contact.address,
          event.contact,
        )
        break
      case "contact-removed": {
        const contacts = new Map(this.#known.contacts)
        contacts.delete(event.address)
        this.#known.contacts = contacts
        break
      }
      case "thread":
        tellLack(this.#talk, this.#known.threads.get(event.thread.id), event.thread)
        this.#known.threads = new Map(this.#known.threads).set(event.thread.id, event.thread)
        if (event.thread.kind === "pair" && event.thread.members[0] === this.#open)
          this.#open = event.thread.id
        break
      case "thread-removed": {
        const threads = new Map(this.#known.threads)
        threads.delete(event.thread)
        this.#known.threads = threads
        if (this.#open === event.thread) this.#open = null
        break
      }
      case "message":
        this.#onMessage(event.message)
        break
      case "message-changed":
        this.#onChanged(event.message)
        break
      case "delivery": {
        const text = this.#followed.get(event.id)
        if (text === undefined) break
        const state = event.state === "failed" ? failureOf(event.failure) : STATE_WORDS[event.state]
        this.#talk.say(`(${state}: ${text})`)
        if (event.state === "delivered" || event.state === "read") this.#followed.delete(event.id)
        break
      }
      case "transfer":
        if (event.transfer.state === "done" || event.transfer.state === "failed")
          this.#talk.say(transferEnd(event.transfer)[1])
        break
      case "message-gone":
      case "typing":
      case "progress":
        break
    }
  }

  #onMessage(message: Message): void {
    // Own texts stand there as they were written; that a change of ours has come about is news.
    if (message.mine && message.notice === null) return
    if (message.thread === this.#open) {
      this.#print(message)
      this.#api
        .call("threads.read", { thread: message.thread, through: message.position })
        .catch(() => undefined)
    } else if (!this.#printed.has(message.id)) {
      this.#remember(message.id)
      this.#talk.say(
        `[${this.#titleOf(message)}] ${authorName(this.#known, message)}: ${sanitizeLine(wordsOf(message))}`,
      )
    }
  }

  /** What reads otherwise now is read out once more, and what was said to it. */
  #onChanged(message: Message): void {
    if (message.thread !== this.#open || !this.#printed.has(message.id)) return
    const words = changeWords(message)
    if (words !== "") this.#talk.say(words)
  }

  #titleOf(message: Message): string {
    return entries(this.#known).find((entry) => entry.key === message.thread)?.title ?? "new chat"
  }

  #remember(id: string): void {
    this.#printed.add(id)
    const oldest =
      this.#printed.size > FOLLOWED_MAX ? this.#printed.values().next().value : undefined
    if (oldest !== undefined) this.#printed.delete(oldest)
  }

  #print(message: Message): void {
    if (this.#printed.has(message.id)) return
    this.#remember(message.id)
    const state = message.mine
      ? ` (${message.state === "failed" ? failureOf(message.failure) : STATE_WORDS[message.state]})`
      : ""
    const time = this.#clock.time(message.sentAtMs)
    this.#talk.say(
      `${time} ${authorName(this.#known, message)}: ${sanitize(wordsOf(message))}${state}`,
    )
  }

  #find(name: string | null): string {
    if (name === null) {
      const entry = entries(this.#known).find(({ key }) => key === this.#open)
      if (entry?.contact) return entry.contact.address
      throw Object.assign(new Error("no contact is meant"), { code: "UNKNOWN_CONTACT" })
    }
    const found = [...this.#known.contacts.values()].find(
      (contact) => contactName(contact).toLowerCase() === name.toLowerCase(),
    )
    return found?.address ?? name
  }

  async #openChat(wanted: string): Promise<string | null> {
    const all = entries(this.#known)
    const lower = wanted.toLowerCase()
    const entry =
      all.find(({ title }) => title.toLowerCase() === lower) ??
      all.find(({ title }) => title.toLowerCase().startsWith(lower))
    if (entry === undefined) return "There is no chat of that name."
    this.#open = entry.key
    this.#talk.say(opened(entry, this.#known.threads.get(entry.key)))
    if (!this.#known.threads.has(entry.key)) return null
    const { messages } = await this.#api.call("messages.page", { thread: entry.key, limit: RECENT })
    for (const message of messages) {
      this.#printed.delete(message.id)
      this.#print(message)
    }
    const last = messages.at(-1)
    if (last !== undefined && !entry.request)
      await this.#api.call("threads.read", { thread: entry.key, through: last.position })
    return null
  }

  async #say(text: string): Promise<string | null> {
    if (text.trim() === "") return null
    if (this.#open === null) return "Open a chat first: /open name."
    const id = randomBytes(16).toString("hex")
    this.#followed.set(id, sanitizeLine(text).slice(0, 40))
    const oldest =
      this.#followed.size > FOLLOWED_MAX ? this.#followed.keys().next().value : undefined
    if (oldest !== undefined) this.#followed.delete(oldest)
    const { message } = await this.#api.call("messages.send", { to: this.#open, text, id })
    this.#remember(message.id)
    return null
  }

  /** Does what a line meant; gives what is to be said about it, null when that was said already. */
  async #carryOut(intent: Intent): Promise<string | null> {
    switch (intent.type) {
      case "say":
        return this.#say(intent.text)
      case "wrong":
        return intent.sentence
      case "open":
        return this.#openChat(intent.contact ?? "")
      case "next": {
        const next = entries(this.#known).find((entry) => entry.unread > 0)
        return next === undefined ? "Nothing unread." : this.#openChat(next.title)
      }
      case "add": {
        const code = tidyCode(intent.code === "" ? await this.#talk.ask("Code:") : intent.code)
        const params = intent.name === null ? { code } : { code, name: intent.name }
        const { contact } = await this.#api.call("contacts.add", params)
        return `${contactName(contact)} is added.`
      }
      case "accept": {
        const entry = entries(this.#known).find(({ key }) => key === this.#open)
        if (intent.contact !== null || entry?.group !== true)
          return accept(this.#api, this.#talk, this.#known, this.#find(intent.contact))
        const ask = { what: "accept", thread: entry.key } as const
        return saidOf(ask, await askGroup(this.#api, ask))
      }
      case "block": {
        const params = { contact: this.#find(intent.contact) }
        const { contact } = await this.#api.call("contacts.block", params)
        return `${contactName(contact)} is ${contact.state}.`
      }
      case "pq":
        return strengthen(this.#api, this.#find(intent.contact))
      case "verify":
        return verify(this.#api, this.#talk, this.#find(intent.contact))
      case "rename": {
        const params = { contact: this.#find(intent.contact), name: intent.name }
        const { contact } = await this.#api.call("contacts.rename", params)
        return `They are called ${contactName(contact)} here now.`
      }
      case "contacts":
        return [...this.#known.contacts.values()]
          .map((c) => `${contactLine(c)}${claimWords(c)}`)
          .join("\n")
      case "help":
        return COMMANDS.map(({ name, usage, help }) => `/${name} ${usage}: ${help}`).join("\n")
      case "id":
        return `Your code: ${sanitizeLine((await this.#api.call("id", {})).address)}`
      case "ticket":
        return `Invite ticket: ${sanitizeLine((await this.#api.call("mesh.ticket", {})).ticket)}`
      case "backup":
        return writeBackup(this.#api, this.#talk, intent.path)
      case "rotate":
        await this.#api.call("identity.rotate", {})
        return "You have new keys. Your code stays, and contacts notice nothing."
      case "group":
      case "pq-group":
      case "invite":
      case "remove":
      case "admin":
      case "title":
      case "members":
      case "leave":
      case "rejoin":
      case "hide":
        return this.#group(intent)
      case "reply":
      case "edit":
      case "export":
      case "react":
      case "delete":
      case "disappear":
      case "tell":
      case "again":
      case "copy":
        return about(this.#api, this.#open, intent)
      case "file":
        return sendFile(this.#api, this.#open, intent)
      case "save":
        return save(this.#api, this.#open, intent.id, intent.folder)
      case "search":
        return searchInLines(this.#api, this.#known, intent.query)
      case "view":
        return "Pictures are shown on the full screen; /save saves the file."
      case "retry":
        return retry(this.#api, this.#open)
      case "quit":
        throw new LeftError()
    }
  }

  async #group(intent: GroupIntent): Promise<string> {
    const known = this.#known
    const done = await carryOutGroup(this.#api, this.#talk, known, this.#open, intent)
    this.#open = done.open
    return done.said
  }
}
