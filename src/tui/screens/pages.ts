/**
 * The small pages: starting, unlock, gone, adding a contact, the contacts, a paste that waits for a yes, and a window too
 * small to draw in.
 */
import type { Contact } from "../../node/api/types.ts"
import { contactName } from "../commands.ts"
import { signatureWords } from "../people.ts"
import { COLUMNS_MIN, ROWS_MIN } from "../layout.ts"
import type { Model, Overlay, Screen } from "../model.ts"
import { blank, line, span } from "../rows.ts"
import type { Row } from "../rows.ts"
import { sanitize, sanitizeName, shortAddress } from "../sanitize.ts"
import { fieldRow } from "../widgets/field.ts"
import { progressText } from "../widgets/status-line.ts"
import { padEnd, wrap } from "../wrap.ts"
import type { Page } from "./page.tsx"

const paragraph = (text: string, width: number, role: "dim" | "bad" | "text" = "dim"): Row[] =>
  wrap(text, width - 3).map((part) => line(` ${part}`, role))

export function startingPage(model: Model): Page {
  const what = model.progress === null ? "Opening the profile …" : progressText(model.progress)
  return { rows: [line(" sotto", "strong"), blank, line(` ${what}`, "dim")], cursor: null }
}

export function unlockPage(model: Model, screen: Extract<Screen, { name: "unlock" }>): Page {
  const field = fieldRow("Passphrase", screen.passphrase, model.columns, model.settings.glyphs.mask)
  const below =
    model.notice !== null
      ? paragraph(model.notice.text, model.columns, "bad")
      : paragraph(
          screen.busy
            ? "Opening the vault …"
            : "Mail for you is being kept meanwhile; only you can open it.",
          model.columns,
        )
  const name = model.status?.name ?? null
  const rows: Row[] = [
    [span(" sotto", "strong"), span(name === null ? "" : ` · ${sanitizeName(name)}`, "dim")],
    blank,
    field.row,
    blank,
    ...below,
    blank,
    line(" Enter opens · Ctrl-C leaves", "dim"),
  ]
  return { rows, cursor: screen.busy ? null : { x: field.x, y: 2 } }
}

export function gonePage(model: Model, screen: Extract<Screen, { name: "gone" }>): Page {
  const rows = [
    line(" sotto", "strong"),
    blank,
    ...paragraph(screen.what, model.columns, "bad"),
    ...(screen.next === "" ? [] : paragraph(screen.next, model.columns, "text")),
    blank,
    line(" Enter leaves", "dim"),
  ]
  return { rows, cursor: null }
}

export function addPage(model: Model, overlay: Extract<Overlay, { name: "add" }>): Page {
  const code = fieldRow("Code", overlay.code, model.columns, null)
  const called = fieldRow("Call them", overlay.called, model.columns, null)
  const rows: Row[] = [
    line(" Add a contact", "strong"),
    blank,
    code.row,
    called.row,
    blank,
    ...paragraph(
      "Paste the code of a friend (sotto1…) or an invite ticket of this mesh that names who invites. " +
        "The name is yours to choose; empty takes the one they give themselves.",
      model.columns,
    ),
    ...(model.notice === null
      ? []
      : [blank, ...paragraph(model.notice.text, model.columns, "bad")]),
    blank,
    line(overlay.busy ? " Adding …" : " Enter next · Tab other field · Esc back", "dim"),
  ]
  const onCode = overlay.field === "code"
  return {
    rows,
    cursor: overlay.busy ? null : { x: onCode ? code.x : called.x, y: onCode ? 2 : 3 },
  }
}

export function pastePage(model: Model, overlay: Extract<Overlay, { name: "paste" }>): Page {
  const controls = overlay.controls ? ", with control characters (they are taken out)" : ""
  const room = Math.max(1, model.rows - 5)
  const preview = sanitize(overlay.text).split("\n").slice(0, room)
  const rows = [
    line(` Paste ${overlay.lines} ${overlay.lines === 1 ? "line" : "lines"}${controls}?`, "warn"),
    blank,
    ...preview.map((text) => line(` ${text}`)),
    blank,
    line(" [y] take it · Enter or Esc leaves it", "dim"),
  ]
  return { rows, cursor: null }
}

/** Empty but for its first row: the terminal draws over the rest. */
export function picturePage(
  model: Model,
  { title, drawn }: Extract<Overlay, { name: "picture" }>,
): Page {
  const words = drawn ? " · any key leads back" : " · fetching …"
  const rows: Row[] = [[span(` ${title}`, "strong"), span(words, "dim")]]
  while (rows.length < model.rows - 1) rows.push(blank)
  return { rows, cursor: null }
}

const STATE_OF: Readonly<Record<Contact["state"], string>> = {
  request: "wants to write to you: /accept or /block",
  pending: "added; their card is being looked for",
  accepted: "",
  blocked: "blocked",
}

export function contactsPage(model: Model, scroll: number): Page {
  const { glyphs } = model.settings
  const sorted = [...model.contacts.values()].sort((a, b) =>
    contactName(a) < contactName(b) ? -1 : 1,
  )
  const all = sorted.map((contact): Row => {
    const mark =
      contact.state === "blocked"
        ? glyphs.blocked
        : contact.claims !== null
          ? "!"
          : contact.state === "request"
            ? "?"
            : contact.verified
              ? glyphs.verified
              : " "
    const words = [
      contact.verified ? "verified" : "",
      contact.claims !== null
        ? "another identity under a known name"
        : contact.lacksKey
          ? ""
          : STATE_OF[contact.state],
      signatureWords(contact),
    ].filter((w) => w !== "")
    return [
      span(` ${mark} `, contact.verified ? "good" : "warn"),
      span(padEnd(contactName(contact), 24), "strong"),
      span(` ${padEnd(shortAddress(contact.address), 16)} `, "dim"),
      span(words.join(", "), "dim"),
    ]
  })
  const room = Math.max(1, model.rows - 3)
  const first = Math.min(scroll, Math.max(0, all.length - room))
  const shown = all.slice(first, first + room)
  const rows = [
    line(` Contacts (${all.length})`, "strong"),
    blank,
    ...(all.length === 0 ? [line(" Nobody yet. /add takes the code of a friend.")] : shown),
  ]
  while (rows.length < model.rows - 1) rows.push(blank)
  return { rows: [...rows, line(" Up, Down scroll · Esc back", "dim")], cursor: null }
}

export const tooSmall = (model: Model): boolean =>
  model.columns < COLUMNS_MIN || model.rows < ROWS_MIN

export const tooSmallPage = (): Page => ({
  rows: [line(`Make this window ${COLUMNS_MIN} by ${ROWS_MIN} or larger.`, "warn")],
  cursor: null,
})
