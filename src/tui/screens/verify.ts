/**
 * The safety number of two people: twelve groups to read to each other, and a QR of the same digits for whoever has a camera. What
 * the mark means stands beside it, because people take it for more than it is.
 */
import { contactName } from "../commands.ts"
import type { Model, Overlay } from "../model.ts"
import { blank, column, line, span } from "../rows.ts"
import type { Row } from "../rows.ts"
import { qrRows } from "../widgets/qr.ts"
import { wrap } from "../wrap.ts"
import type { Page } from "./page.tsx"

const GROUPS_A_ROW = 4
/** Cells of the text beside the QR. */
const TEXT_WIDTH = 44

function numberRows(number: string): Row[] {
  const groups = number.match(/[0-9]{5}/g) ?? []
  const rows: Row[] = []
  for (let at = 0; at < groups.length; at += GROUPS_A_ROW)
    rows.push(line(`   ${groups.slice(at, at + GROUPS_A_ROW).join("  ")}`, "accent"))
  return rows
}

const paragraph = (text: string, width: number): Row[] =>
  wrap(text, width - 2).map((part) => line(` ${part}`, "dim"))

export function verifyPage(model: Model, overlay: Extract<Overlay, { name: "verify" }>): Page {
  const contact = model.contacts.get(overlay.contact)
  const name = contact === undefined ? "them" : contactName(contact)
  const verified = contact?.verified === true
  const { glyphs, theme } = model.settings
  const height = model.rows - 3
  const { number } = overlay
  const room = model.columns - TEXT_WIDTH
  const qr = number === null ? null : qrRows(number, room, height, theme !== "mono")
  const width = qr === null ? model.columns : TEXT_WIDTH
  const text: Row[] = [
    ...(number === null ? [line("   computing …", "dim")] : numberRows(number)),
    blank,
    ...paragraph(
      `Ask ${name} to open the same page, over a call or in person, and compare every digit, or scan the code.`,
      width,
    ),
    blank,
    ...paragraph(
      "The same digits: nobody stands between you, and their keys are theirs. Other digits: this is not the one you mean.",
      width,
    ),
  ]
  const rows: Row[] = [
    [
      span(` Safety number with ${name}`, "strong"),
      span(verified ? ` · ${glyphs.verified} verified` : "", "good"),
    ],
    blank,
  ]
  for (let i = 0; i < height; i++) {
    const left = text[i] ?? blank
    const right = qr?.[i]
    rows.push(right === undefined ? left : [...column(left, width), ...right])
  }
  rows.push(footer(overlay, verified))
  return { rows, cursor: null }
}

function footer({ armed, busy }: Extract<Overlay, { name: "verify" }>, verified: boolean): Row {
  if (busy) return line(" One moment …", "dim")
  if (verified) return line(" [u] take the mark back · [c]opy · Esc back", "dim")
  return armed
    ? [
        span(" ! Press v once more if you have compared all digits. ", "warn"),
        span("Any other key leaves it.", "dim"),
      ]
    : line(" [v] they are the same · [c]opy · Esc back", "dim")
}
