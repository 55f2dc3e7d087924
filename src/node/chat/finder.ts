/** Whom or which thread a word means: an id, an address, a petname, a group's name, or the unique beginning of one of those. */
import type { ChatContact } from "../../chat/contact.ts"
import { type ChatThread, threadIdOf } from "../../chat/thread.ts"
import type { Address } from "../../crypto/address.ts"
import { toHex } from "../../crypto/bytes.ts"
import { ApiError } from "../api/errors.ts"
import type { GroupView } from "../api/types.ts"
import type { ChatBook } from "./book.ts"

/** An address is long; this much of its end tells people apart, and is asked for at least. */
const ADDRESS_PREFIX_MIN = 8

export class Finder {
  readonly #book: Pick<ChatBook, "me" | "contacts" | "threads" | "threadWith">

  constructor(book: Pick<ChatBook, "me" | "contacts" | "threads" | "threadWith">) {
    this.#book = book
  }

  contact(which: string): ChatContact {
    const contact = this.#book.contacts.get(this.peerOf(which))
    if (contact === undefined)
      throw new ApiError("UNKNOWN_CONTACT", "nobody of that name or address")
    return contact
  }

  thread(which: string): ChatThread {
    const known = this.#book.threads.get(which) ?? this.#groupCalled(which)
    if (known !== undefined) return known
    const id = toHex(threadIdOf(this.#book.me, this.peerOf(which)))
    const thread = this.#book.threads.get(id)
    if (thread === undefined) throw new ApiError("UNKNOWN_THREAD", "there is no such thread")
    return thread
  }

  /** The thread to write into: one with a contact may begin with that. */
  threadTo(which: string): ChatThread {
    const known = this.#book.threads.get(which) ?? this.#groupCalled(which)
    return known ?? this.#book.threadWith(this.contact(which).address)
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

  /** Somebody in a group, by the name they have in it, by contact or by address. */
  memberOf({ members }: Pick<GroupView, "members">, who: string): Address {
    const like = members.filter(
      ({ address, name }) => address === who || (name === who && name !== ""),
    )
    const [only, another] = like
    if (another !== undefined)
      throw new ApiError("AMBIGUOUS_CONTACT", "several members are called that")
    if (only !== undefined) return only.address as Address
    const address = this.peerOf(who)
    if (members.every((member) => member.address !== address))
      throw new ApiError("NOT_A_MEMBER", "they are not in this group")
    return address
  }

  /** A thread id, an address, a petname, or the unique beginning of one of the last two. */
  peerOf(which: string): Address {
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
