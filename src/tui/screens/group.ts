/** The pages about a group: who is in it, and the question before what cannot be taken back. */
import type { Member } from "../../node/api/types.ts"
import { memberName, memberWords, pendingWords, questionOf, withDot } from "../groups.ts"
import { groupSignatureWords } from "../people.ts"
import { entries } from "../model.ts"
import type { Model, Overlay } from "../model.ts"
import { blank, fit, line, span } from "../rows.ts"
import type { Row } from "../rows.ts"
import { sanitizeName, shortAddress } from "../sanitize.ts"
import { padEnd, wrap } from "../wrap.ts"
import type { Page } from "./page.tsx"

const NAME_WIDTH = 24

export function membersPage(model: Model, overlay: Extract<Overlay, { name: "members" }>): Page {
  const { group, scroll } = overlay
  const all: Row[] =
    group === null
      ? [line(" Asking …", "dim")]
      : [
          ...group.members.map((member) => memberRow(model, member)),
          ...(group.pending.length === 0 ? [] : [blank]),
          ...group.pending.map((change) => line(` Not so yet: ${pendingWords(change)}.`, "warn")),
        ]
  const room = Math.max(1, model.rows - 3)
  const first = Math.min(scroll, Math.max(0, all.length - room))
  const title =
    group === null
      ? " Members"
      : ` ${sanitizeName(group.name)} (${group.members.length})${withDot(groupSignatureWords(group))}`
  const rows = [
    line(title, "strong"),
    blank,
    ...all.slice(first, first + room).map((row) => fit(row, model.columns)),
  ]
  while (rows.length < model.rows - 1) rows.push(blank)
  const keys = group?.admin === true ? " · /invite, /remove, /admin, /title change it" : ""
  return { rows: [...rows, line(` Up, Down scroll · Esc back${keys}`, "dim")], cursor: null }
}

function memberRow(model: Model, member: Member): Row {
  const contact = model.contacts.get(member.address)
  const mark =
    contact?.verified === true
      ? span(` ${model.settings.glyphs.verified} `, "good")
      : span(contact === undefined && !member.me ? " ~ " : "   ", "warn")
  return [
    mark,
    span(padEnd(memberName(member), NAME_WIDTH), "strong"),
    span(` ${padEnd(shortAddress(member.address), 16)} `, "dim"),
    span(memberWords(member), "dim"),
  ]
}

export function confirmPage(
  model: Model,
  { what, thread }: Extract<Overlay, { name: "confirm" }>,
): Page {
  const title = entries(model).find(({ key }) => key === thread)?.title ?? "it"
  const rows = [
    ...wrap(questionOf(what, title), model.columns - 3).map((text) => line(` ${text}`, "warn")),
    blank,
    line(
      what === "leave"
        ? " [y] leave it · Enter or Esc stays"
        : " [y] erase it · Enter or Esc keeps it",
      "dim",
    ),
  ]
  return { rows, cursor: null }
}
