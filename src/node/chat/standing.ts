/** How somebody who writes stands with us, as a step has it, and what they are called. */
import type { Channel } from "../../chat/channel.ts"
import { named } from "../../chat/contact.ts"
import { withClaim } from "../../chat/names.ts"
import type { Address } from "../../crypto/address.ts"
import type { ChatBook, Step } from "./book.ts"

/** Whether we let this channel's people write to us. In a group that is one question for all of them. */
export function standingOf(
  book: ChatBook,
  step: Step,
  channel: Channel,
): "open" | "request" | "claimed" | "blocked" {
  if (channel.group !== null) {
    const { standing } = book.threadOf(channel)
    return standing === "left" ? "blocked" : standing
  }
  const { peer } = channel
  const contact = step.contacts.get(peer) ?? book.contacts.get(peer)
  if (contact === undefined || contact.standing === "blocked") return "blocked"
  return contact.standing === "request" ? "request" : contact.claims === null ? "open" : "claimed"
}

/** What they call themselves from now on. */
export function renamed(book: ChatBook, step: Step, from: Address, theirName: string): void {
  const contact = step.contacts.get(from) ?? book.contacts.get(from)
  if (contact === undefined) return
  const after = named(contact, theirName, book.namesBut(from))
  const others = book.contacts.values()
  step.contacts.set(from, withClaim(contact, after, theirName, others))
}
