/**
 * The own code and an invite ticket: as text to copy, and as a QR when the window has room for the whole of it. An invite
 * ticket is long, so its QR asks for a large window; the code alone fits 80 by 24.
 */
import type { Model } from "../model.ts"
import { blank, column, line, span } from "../rows.ts"
import type { Row } from "../rows.ts"
import { sanitizeLine } from "../sanitize.ts"
import { qrRows, qrSize } from "../widgets/qr.ts"
import { wrap } from "../wrap.ts"
import type { Page } from "./page.tsx"

export interface Codes {
  readonly address: string
  readonly ticket: string | null
  readonly show: "code" | "ticket"
}

/** Cells that the text beside a QR needs at least. */
const TEXT_MIN = 26

const paragraph = (text: string, width: number, role: "text" | "dim" | "accent"): Row[] =>
  wrap(text, width - 2).map((part) => line(` ${part}`, role))

/** Why there is no QR, and what would bring it. */
function tooSmallFor(model: Model, wanted: string, show: Codes["show"], height: number): string {
  const size = qrSize(wanted)
  if (size === null) return `The ${show} is too long for a QR.`
  const rows = size.rows + model.rows - height
  return `The QR of the ${show} needs a window of ${size.columns + TEXT_MIN} by ${rows}.`
}

/** Text and QR side by side, exactly `height` rows. */
export function codeRows(model: Model, codes: Codes, height: number): Row[] {
  const { address, ticket, show } = codes
  const wanted = show === "ticket" ? (ticket ?? "") : address
  const qr = qrRows(wanted, model.columns - TEXT_MIN, height, model.settings.theme !== "mono")
  const width = qr === null ? model.columns : model.columns - (qr[0]?.[0]?.text.length ?? 0) - 1
  const text: Row[] = [
    ...(show === "code"
      ? [line(" Your code", "strong"), ...paragraph(sanitizeLine(address), width, "accent"), blank]
      : []),
    line(" Invite ticket", "strong"),
    ...paragraph(
      ticket === null ? "…" : sanitizeLine(ticket),
      width,
      show === "ticket" ? "accent" : "text",
    ),
    ...(qr === null && wanted !== ""
      ? [blank, ...paragraph(tooSmallFor(model, wanted, show, height), width, "dim")]
      : []),
  ]
  const out: Row[] = []
  for (let i = 0; i < height; i++) {
    const left = text[i] ?? blank
    const right = qr?.[i]
    out.push(right === undefined ? left : [...column(left, width), ...right])
  }
  return out
}

export function codePage(
  model: Model,
  overlay: { readonly ticket: string | null; readonly show: "code" | "ticket" },
): Page {
  const address = model.status?.address ?? ""
  const other = overlay.show === "code" ? "ticket" : "code"
  const rows: Row[] = [
    [
      span(` ${sanitizeLine(model.status?.name ?? "")}`, "strong"),
      span(` on ${sanitizeLine(model.status?.mesh?.name ?? "no mesh")}`, "dim"),
    ],
    ...codeRows(model, { address, ticket: overlay.ticket, show: overlay.show }, model.rows - 2),
    line(
      ` ${model.notice?.text ?? `[c]opy the ${overlay.show} · [t] QR of the ${other} · Esc back`}`,
      "dim",
    ),
  ]
  return { rows, cursor: null }
}
