/** What a message says, in words: as the screen, line mode and the command line all put it. Not neutralised yet. */
import type { Message } from "../node/api/types.ts"
import { lifetimeText } from "./lifetime.ts"

/** A part of a text, and whether it names somebody: us, or another. */
export interface Part {
  readonly text: string
  readonly names: "me" | "other" | null
}

/** The text with our own names where people are mentioned. */
export function partsOf({ text, mentions }: Pick<Message, "text" | "mentions">): Part[] {
  const parts: Part[] = []
  let from = 0
  for (const { start, length, name, me } of mentions) {
    if (start > from) parts.push({ text: text.slice(from, start), names: null })
    const shown = me ? text.slice(start, start + length) : `@${name}`
    parts.push({ text: shown, names: me ? "me" : "other" })
    from = start + length
  }
  if (from < text.length || parts.length === 0) parts.push({ text: text.slice(from), names: null })
  return parts
}

/** The words of a message, or what stands for them. */
export function wordsOf(message: Message): string {
  const { sets, notice, deleted } = message
  if (deleted) return "(deleted by its author)"
  if (sets !== null)
    return sets.lifetime === null
      ? "(from now on messages stay)"
      : `(from now on messages disappear: ${lifetimeText(sets.lifetime)})`
  if (notice !== null) return `(${noticeText(notice)})`
  return partsOf(message)
    .map(({ text }) => text)
    .join("")
}

/** People named in a notice; the rest of a crowd is counted. */
const NAMED_MAX = 8

/** What whoever stands beside it has done. */
function noticeText({ kind, who, name }: NonNullable<Message["notice"]>): string {
  const named = who.slice(0, NAMED_MAX).map((each) => (each.me ? "you" : each.name))
  if (who.length > NAMED_MAX) named.push(`${who.length - NAMED_MAX} more`)
  const people = named.join(", ")
  switch (kind) {
    case "added":
      return `added ${people}`
    case "returned":
      return `let ${people} in anew`
    case "left":
      return "left the group"
    case "removed":
      return `removed ${people}`
    case "renamed":
      return `called the group ${name ?? ""}`
    case "admin":
      return `made ${people} an admin`
    case "no-admin":
      return `took being an admin from ${people}`
    case "missed":
      return "let you in anew; some of what was said before may be missing here"
  }
}

/** `> bob: what they said`, on one line; empty when it answers nothing. */
export function quoteText({ replyTo }: Message): string {
  if (replyTo === null) return ""
  if (replyTo.text === null) return "> a message that is not here"
  const who = replyTo.mine ? "me" : replyTo.authorName
  return `> ${who}: ${replyTo.text.split("\n")[0] ?? ""}`
}

/** `👍 2 (me, bob)`; empty when nobody reacted. */
export const reactionsText = ({ reactions }: Message): string =>
  reactions
    .map(({ sign, by, mine }) => `${sign} ${[...(mine ? ["me"] : []), ...by].join(", ")}`)
    .join("  ")
