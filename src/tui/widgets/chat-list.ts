/**
 * The list of chats in its two shapes: a strip in the title row of a narrow screen, a column at the left of a wide one.
 * Unread counts are numbers, requests and trust are shapes, the open chat is a bar: nothing is told by colour alone.
 */
import { groupSignatureWords, signatureWords } from "../people.ts"
import type { Entry, Model } from "../model.ts"
import { entries } from "../model.ts"
import type { Row } from "../rows.ts"
import { fit, line, rowCells, span } from "../rows.ts"
import type { Span } from "../rows.ts"
import { truncate } from "../wrap.ts"

/** Only so many have a key. */
const NUMBERED = 9

export function trustMark(model: Model, entry: Entry): string {
  const { glyphs } = model.settings
  if (entry.contact?.state === "blocked") return glyphs.blocked
  if ((entry.contact?.claims ?? null) !== null) return "!"
  if (entry.request) return "?"
  return entry.contact?.verified === true ? glyphs.verified : ""
}

const isClaimed = (model: Model, address: string): boolean =>
  Array.from(model.contacts.values()).some(({ claims }) => claims === address)

/** Whose chat is open, and how much is known of them, in words. */
export function titleRow(model: Model, entry: Entry | null): Row {
  if (entry === null) return [span(" sotto", "strong")]
  const { contact } = entry
  const facts = [
    entry.left ? "you are out of it" : contact === null ? `${entry.people} people` : "",
    contact !== null && contact.claims !== null
      ? "! another identity"
      : entry.request
        ? entry.group
          ? "a stranger added you"
          : "wants to write to you"
        : "",
    contact !== null && isClaimed(model, contact.address) ? "! somebody else bears this name" : "",
    contact?.state === "pending" && !contact.lacksKey ? "looking for their card" : "",
    contact?.verified === true ? `${model.settings.glyphs.verified} verified` : "",
    contact === null ? groupSignatureWords(entry) : signatureWords(contact),
  ].filter((fact) => fact !== "")
  // What a stranger calls themselves is a quotation.
  const title = entry.request ? `"${entry.title}"` : entry.title
  return [span(` ${title}`, "strong"), ...facts.map((fact) => span(` · ${fact}`, "dim"))]
}

const countText = (entry: Entry): string =>
  entry.request
    ? "request"
    : entry.unread > 999
      ? "999+"
      : entry.unread > 0
        ? `${entry.unread}${entry.mentions > 0 ? " @" : ""}`
        : ""

/** The other chats at the right of the title, what is unread first; `+n` for those without room. */
export function stripRow(model: Model, width: number): Row {
  const all = entries(model)
  const open = all.find((entry) => entry.key === model.history?.key) ?? null
  const title = fit(titleRow(model, open), Math.max(10, width >> 1))
  const room = width - rowCells(title) - 8
  const shown: Span[] = []
  let used = 0
  let left = 0
  all.forEach((entry, i) => {
    if (entry === open) return
    const count = countText(entry)
    const label = `${i < NUMBERED ? `${i + 1} ` : ""}${truncate(entry.title, 12)}${count === "" ? "" : ` ${count}`}`
    const part = span(`   ${label}`, count === "" ? "dim" : "accent")
    if (left > 0 || used + rowCells([part]) > room) {
      left++
      return
    }
    shown.push(part)
    used += rowCells([part])
  })
  const more = left > 0 ? [span(`   +${left}`, "dim")] : []
  const gap = width - rowCells(title) - rowCells([...shown, ...more]) - 1
  return [...title, span(" ".repeat(Math.max(0, gap))), ...shown, ...more]
}

export function listRow(model: Model, entry: Entry, index: number, width: number): Row {
  const { glyphs } = model.settings
  const open = entry.key === model.history?.key
  const count = countText(entry)
  const mark = trustMark(model, entry)
  const number = index < NUMBERED ? `${index + 1}` : " "
  const marked = mark === "" ? [] : [span(` ${mark}`, entry.request ? "warn" : "good")]
  const room = width - 5 - rowCells(marked) - (count === "" ? 0 : count.length + 1)
  const title = truncate(entry.title, room)
  const head: Row = [
    span(` ${number} `, "dim"),
    span(open ? glyphs.selected : " ", "accent"),
    span(title, open || count !== "" ? "strong" : "text"),
    ...marked,
  ]
  if (count === "") return head
  const gap = width - 1 - rowCells(head) - count.length
  return [...head, span(" ".repeat(Math.max(1, gap))), span(count, "accent")]
}

/** The left column of a wide screen, at most `height` rows; scrolled so that the open chat is in sight. */
export function listColumn(model: Model, width: number, height: number): Row[] {
  const all = entries(model)
  const room = height - 1
  const at = all.findIndex((entry) => entry.key === model.history?.key)
  const first = Math.max(0, Math.min(at - (room >> 1), all.length - room))
  const rows = all
    .slice(first, first + room)
    .map((entry, i) => listRow(model, entry, first + i, width))
  const unseen = all.length - first - rows.length
  const head = line(unseen > 0 ? ` CHATS  +${unseen}` : " CHATS", "dim")
  return all.length === 0 ? [head, line(" nobody yet: /add", "dim")] : [head, ...rows]
}
