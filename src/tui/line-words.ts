/** What line mode reads out: entries of the chat list, messages, in words. */
import type { Contact, Message, ThreadSummary } from "../node/api/types.ts"
import type { Entry } from "./model.ts"
import { lackNews } from "./lacking.ts"
import { lifetimeText } from "./lifetime.ts"
import { quoteText, reactionsText, wordsOf as saidIn } from "./said.ts"
import { sanitizeLine } from "./sanitize.ts"
import { fileText } from "./widgets/transfers.ts"

export const claimWords = ({ claims }: Contact): string =>
  claims === null ? "" : ", ANOTHER IDENTITY under a name you know; nothing goes out to them"

/** An entry of the list in words. */
export function describe(entry: Entry): string {
  const facts = [
    entry.request ? (entry.group ? "a stranger added you" : "wants to write to you") : "",
    entry.group ? `${entry.people} people` : "",
    entry.left ? "you are out of it" : "",
    entry.unread > 0 ? `${entry.unread} unread` : "",
    entry.contact?.verified === true ? "verified" : "",
  ].filter((fact) => fact !== "")
  return facts.length === 0 ? entry.title : `${entry.title}: ${facts.join(", ")}`
}

/** A chat that is open from now on, and what waits there for a word. */
export function opened(entry: Entry, thread: ThreadSummary | undefined): string {
  const waits = thread === undefined ? null : lackNews(undefined, thread)
  return `Chat with ${describe(entry)}${waits === null ? "" : `\n! ${waits}`}`
}

/** What is read out: what it answers, the file, if there is one, then the words. */
export const wordsOf = (message: Message): string =>
  [
    message.replyTo === null ? "" : `(answers ${quoteText(message).slice(2)})`,
    message.file === null ? "" : `[${fileText(message)}]`,
    saidIn(message),
    message.edited === null ? "" : "(edited)",
    message.lifetime === null ? "" : `(disappears after ${lifetimeText(message.lifetime)})`,
  ]
    .filter((part) => part !== "")
    .join(" ")

/** What has changed about a message that was read out; empty when that is nothing to hear. */
export function changeWords(message: Message): string {
  const what = sanitizeLine(saidIn(message)).slice(0, 60)
  if (message.deleted) return "(A message was deleted by its author.)"
  if (message.reactions.length > 0) return `(${what}: ${sanitizeLine(reactionsText(message))})`
  return message.edited === null ? "" : `(Edited: ${sanitizeLine(saidIn(message))})`
}
