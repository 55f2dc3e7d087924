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
/** Below so many columns the keys are named in fewer words. */
const NARROW = 60

function numberRows(number: string): Row[] {
  const groups = number.match(/[0-9]{5}/g) ?? []
  const rows: Row[] = []
  for (let at = 0; at < groups.length; at += GROUPS_A_ROW)
    rows.push(line(`   ${groups.slice(at, at + GROUPS_A_ROW).join("  ")}`, "accent"))
  return rows
}

/** What to do and what it means; in few words where more would not fit. Only what is shown can be scanned. */
function advice(name: string, hasCode: boolean, { width, height }: Size): Row[] {
  const scan = hasCode ? ", or scan the code" : ""
  const long = [
    `Ask ${name} to open the same page, over a call or in person, and compare every digit${scan}.`,
    "The same digits: nobody stands between you, and their keys are theirs. Other digits: this is not the one you mean.",
  ]
  const short = [
    `Compare every digit with ${name}, over a call or in person${scan}.`,
    "The same: it is them. Others: it is not the one you mean.",
  ]
  const rowsOf = (texts: readonly string[]) =>
    texts.flatMap((text) => [blank, ...paragraph(text, width)])
  const rows = rowsOf(long)
  return rows.length <= height ? rows : rowsOf(short)
}

interface Size {
  readonly width: number
  readonly height: number
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
  const digits = number === null ? [line("   computing …", "dim")] : numberRows(number)
  const size = { width, height: height - digits.length }
  const text: Row[] = [...digits, ...advice(name, qr !== null, size)]
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
  rows.push(footer(overlay, verified, model.columns < NARROW))
  return { rows, cursor: null }
}

function footer(
  { armed, busy }: Extract<Overlay, { name: "verify" }>,
  verified: boolean,
  narrow: boolean,
): Row {
  if (busy) return line(" One moment …", "dim")
  if (verified)
    return line(
      narrow ? " [u]nverify · [c]opy · Esc" : " [u] take the mark back · [c]opy · Esc back",
      "dim",
    )
  if (!armed)
    return line(
      narrow ? " [v] the same · [c]opy · Esc" : " [v] they are the same · [c]opy · Esc back",
      "dim",
    )
  return narrow
    ? [span(" ! All compared? v again. ", "warn"), span("Else Esc.", "dim")]
    : [
        span(" ! Press v once more if you have compared all digits. ", "warn"),
        span("Any other key leaves it.", "dim"),
      ]
}
