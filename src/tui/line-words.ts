/** What line mode reads out: entries of the chat list, messages, in words. */
import type { Contact, Message } from "../node/api/types.ts"
import type { Entry } from "./model.ts"
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

/** What is read out: the file, if there is one, then the words. */
export const wordsOf = (message: Message): string =>
  [message.file === null ? "" : `[${fileText(message)}]`, message.text]
    .filter((part) => part !== "")
    .join(" ")
