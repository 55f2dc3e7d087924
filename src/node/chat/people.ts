/** The people one knows: added, accepted, compared, called something else, blocked (DESIGN §4, §10). What follows from that goes its own way. */
import {
  accepted,
  added,
  type ChatContact,
  CONTACTS_MAX,
  freeName,
  unnamed,
  verified,
} from "../../chat/contact.ts"
import { withClaim } from "../../chat/names.ts"
import { type Address, addressBytes } from "../../crypto/address.ts"
import { toHex, utf8 } from "../../crypto/bytes.ts"
import { type Identity, NAME_BYTES_MAX } from "../../crypto/identity.ts"
import type { Signing } from "../../crypto/session.ts"
import { ApiError } from "../api/errors.ts"
import type { Contact } from "../api/types.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Finder } from "./finder.ts"
import { ownSeed } from "./group-parts.ts"
import type { ChatThread } from "../../chat/thread.ts"
import type { Introductions } from "./introductions.ts"
import { contactView } from "./view.ts"
import { heavy } from "../heavy.ts"

export interface PeopleParts {
  readonly book: ChatBook
  readonly finder: Finder
  readonly introductions: Pick<Introductions, "reachOut" | "join">
  readonly identity: () => Identity
  readonly stopping: AbortSignal
}

export class People {
  readonly #book: ChatBook
  readonly #finder: Finder
  readonly #introductions: PeopleParts["introductions"]
  readonly #identity: () => Identity
  readonly #stopping: AbortSignal

  constructor({ book, finder, introductions, identity, stopping }: PeopleParts) {
    this.#book = book
    this.#finder = finder
    this.#introductions = introductions
    this.#identity = identity
    this.#stopping = stopping
  }

  all(): Contact[] {
    return Array.from(this.#book.contacts.values(), (each) => contactView(this.#book, each))
  }

  /** With `signing`, what the two say to each other is signed so from here on. */
  async add(address: Address, name: string | undefined, signing?: Signing): Promise<Contact> {
    if (signing !== undefined) ownSeed(this.#identity(), signing)
    if (address === this.#book.me) throw new ApiError("BAD_ADDRESS", "that is your own address")
    const contact = await this.#change(address, (before) => {
      if (before === undefined && this.#book.contacts.size >= CONTACTS_MAX)
        throw new ApiError("QUEUE_FULL", `a profile holds ${CONTACTS_MAX} contacts`)
      const wanted = name ?? before?.name ?? unnamed(address)
      const known = added(before, address, this.#freeName(wanted, address))
      const after = signing === undefined ? known : { ...known, signing }
      return withClaim(before, after, wanted, this.#book.contacts.values())
    })
    this.#welcome(address)
    return contactView(this.#book, contact)
  }

  /** Throws ApiError IDENTITY_CHANGED when they claim another's name, unless `anyway`. */
  async accept(which: string, { anyway = false } = {}): Promise<Contact> {
    const { address } = this.#finder.contact(which)
    const contact = await this.#change(address, (before) => {
      const known = before ?? this.#finder.contact(address)
      if (!anyway) mustBeDecided(known)
      return accepted(known)
    })
    this.#welcome(address)
    return contactView(this.#book, contact)
  }

  async safety(which: string): Promise<{ contact: Contact; number: string }> {
    const contact = this.#finder.contact(which)
    const [one, other] = [addressBytes(this.#book.me), addressBytes(contact.address)]
    const number = await heavy({ job: "safety-number", one, other }, this.#stopping)
    return { contact: contactView(this.#book, this.#finder.contact(contact.address)), number }
  }

  /** `compared` is what the user saw on the other side. Throws ApiError NUMBER_DIFFERS. */
  async verify(which: string, compared: string): Promise<Contact> {
    const { contact, number } = await this.safety(which)
    if (compared.replace(/\s/gu, "") !== number)
      throw new ApiError("NUMBER_DIFFERS", "that is not the safety number of this contact")
    const { address } = this.#finder.contact(contact.address)
    const changed = await this.#change(address, (before) =>
      verified(before ?? this.#finder.contact(address)),
    )
    this.#welcome(address)
    return contactView(this.#book, changed)
  }

  async unverify(which: string): Promise<Contact> {
    const { address } = this.#finder.contact(which)
    const contact = await this.#change(address, (before) => ({
      ...(before ?? this.#finder.contact(address)),
      verified: false,
    }))
    return contactView(this.#book, contact)
  }

  async block(which: string): Promise<Contact> {
    const { address } = this.#finder.contact(which)
    const contact = await this.#change(address, (before) => ({
      ...(before ?? this.#finder.contact(address)),
      standing: "blocked",
    }))
    return contactView(this.#book, contact)
  }

  async rename(which: string, name: string): Promise<Contact> {
    const { address } = this.#finder.contact(which)
    const contact = await this.#change(address, (before) => ({
      ...(before ?? this.#finder.contact(address)),
      name: this.#freeName(name, address),
    }))
    return contactView(this.#book, contact)
  }

  #freeName(wanted: string, address: Address): string {
    if (utf8(wanted).length > NAME_BYTES_MAX)
      throw new ApiError("BAD_PARAMS", `a name holds ${NAME_BYTES_MAX} bytes`)
    return freeName(wanted, this.#book.namesBut(address))
  }

  /** What follows from being in contact: a channel if there is none, and what waits for one. */
  #welcome(address: Address): void {
    const channels = this.#book.channelsWith(address)
    const isStronger = this.#book.contacts.get(address)?.signing === "composite"
    // One that signs with less is only read from now on; `reachOut` does nothing where there is one to write into.
    if (isStronger || channels.every(({ retired }) => retired))
      this.#introductions.reachOut(address)
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
}

/** Throws ApiError IDENTITY_CHANGED: nothing goes out to somebody who came under another's name before the user has decided. */
export function mustBeDecided({ claims }: ChatContact): void {
  if (claims !== null)
    throw new ApiError("IDENTITY_CHANGED", "another identity goes by the name of a contact")
}

/** Throws unless we may write there: NOT_A_MEMBER, BLOCKED_CONTACT, IDENTITY_CHANGED. */
export function mustTake(finder: Finder, thread: ChatThread): void {
  if (thread.peer === null) {
    if (thread.standing === "left")
      throw new ApiError("NOT_A_MEMBER", "you are not in this group any more")
    return
  }
  const contact = finder.contact(thread.peer)
  if (contact.standing === "blocked")
    throw new ApiError("BLOCKED_CONTACT", "this contact is blocked")
  mustBeDecided(contact)
}
