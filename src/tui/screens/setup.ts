/**
 * First run: one question at a time with what was answered above it, an explanation below, and on the last page the own code
 * with its QR and room for a friend's.
 */
import type { Model } from "../model.ts"
import { blank, line, span } from "../rows.ts"
import type { Row } from "../rows.ts"
import { sanitizeName } from "../sanitize.ts"
import { progressText } from "../widgets/status-line.ts"
import { fieldRow, settledRow } from "../widgets/field.ts"
import type { FieldView } from "../widgets/field.ts"
import { offersInviter, strengthOf } from "../widgets/setup.ts"
import type { Setup, SetupStep } from "../widgets/setup.ts"
import { codeRows } from "./code.ts"
import type { Page } from "./page.tsx"
import { wrap } from "../wrap.ts"

const STEP_NUMBER: Readonly<Record<SetupStep, number>> = {
  name: 1,
  passphrase: 2,
  unprotected: 2,
  again: 2,
  ticket: 3,
  creating: 3,
  code: 3,
}

const EXPLAINED: Readonly<Record<SetupStep, readonly string[]>> = {
  name: [
    "What your contacts see first. They may call you something else; nobody else sees it.",
    "You have a backup? Write /restore in place of a name, and Enter.",
  ],
  passphrase: [
    "Seals your keys and messages on this disk. It cannot be recovered or reset.",
    "Four unrelated words are good. Empty: no passphrase.",
  ],
  unprotected: [
    "Without a passphrase, whoever can read this disk can read your messages and be you.",
    "Press s to go on without one. Enter goes back and sets one.",
  ],
  again: ["The same passphrase once more, so that a slip does not lock you out."],
  ticket: [
    "Paste an invite ticket (sotto-invite1…) to join the mesh of whoever gave it to you.",
    "Enter without one founds a mesh of your own; you get a ticket to hand on.",
  ],
  creating: ["Making your keys. This takes some seconds, once."],
  code: [],
}

const titled = ({ step, ephemeral }: Setup): Row[] => {
  if (!ephemeral)
    return [
      [
        span(" Welcome to sotto. Three steps, under a minute.", "strong"),
        span(`   step ${STEP_NUMBER[step]} of 3`, "dim"),
      ],
    ]
  const number = step === "name" ? 1 : 2
  return [
    [span(" Welcome to sotto. Two steps.", "strong"), span(`   step ${number} of 2`, "dim")],
    line(" Nothing is written to disk: you and what you say are gone when this ends.", "accent"),
  ]
}

function answered(setup: Setup): Row[] {
  const rows: Row[] = []
  if (setup.step !== "name") rows.push(settledRow("Name", setup.name.text.trim()))
  if (["ticket", "creating"].includes(setup.step) && !setup.ephemeral)
    rows.push(settledRow("Passphrase", setup.passphrase.text === "" ? "none" : "set"))
  if (setup.step === "creating" && !setup.inMesh)
    rows.push(settledRow("Mesh", setup.ticket.text === "" ? "a new one" : "joining by ticket"))
  return rows
}

function question(model: Model, setup: Setup): FieldView | null {
  const mask = model.settings.glyphs.mask
  switch (setup.step) {
    case "name":
      return fieldRow("Name", setup.name, model.columns, null)
    case "passphrase":
      return fieldRow("Passphrase", setup.passphrase, model.columns, mask)
    case "again":
      return fieldRow("Once more", setup.again, model.columns, mask)
    case "ticket":
      return fieldRow("Ticket", setup.ticket, model.columns, null)
    case "unprotected":
    case "creating":
    case "code":
      return null
  }
}

function progressRows(model: Model): Row[] {
  const { progress, columns, settings } = model
  if (progress === null) return [line(" …", "dim")]
  const width = Math.min(40, columns - 4)
  const full = progress.total > 0 ? Math.floor((width * progress.done) / progress.total) : 0
  const [on, off] = settings.glyphs.progress
  const bar = on.repeat(Math.min(width, full)) + off.repeat(Math.max(0, width - full))
  return [line(` ${progressText(progress)}`), line(` ${bar}`, "accent")]
}

export function setupPage(model: Model, setup: Setup): Page {
  if (setup.step === "code") return finishedPage(model, setup)
  const rows: Row[] = [...titled(setup), blank, ...answered(setup)]
  const field = question(model, setup)
  const y = rows.length
  if (field !== null) rows.push(field.row)
  if (setup.step === "unprotected") rows.push([span(" ! no passphrase", "warn")])
  if (setup.step === "passphrase") {
    const strength = strengthOf(setup.passphrase.text)
    if (strength !== "") {
      const role = strength === "weak" ? "bad" : strength === "fair" ? "warn" : "good"
      rows.push([...settledRow("", ""), span(`${strength}, as far as length tells`, role)])
    }
  }
  rows.push(blank)
  for (const sentence of EXPLAINED[setup.step])
    rows.push(...wrap(sentence, model.columns - 3).map((text) => line(` ${text}`, "dim")))
  if (setup.step === "creating") rows.push(blank, ...progressRows(model))
  const trouble = setup.error ?? model.notice?.text ?? null
  if (trouble !== null)
    rows.push(blank, ...wrap(trouble, model.columns - 3).map((text) => line(` ${text}`, "bad")))
  rows.push(blank, line(` Enter next · Esc back · Ctrl-C leaves`, "dim"))
  return { rows, cursor: field === null ? null : { x: field.x, y } }
}

function finishedPage(model: Model, setup: Setup): Page {
  const field = fieldRow("Friend's code", setup.friend, model.columns, null)
  const trouble = setup.error ?? model.notice?.text ?? null
  const said =
    trouble ??
    (setup.adding
      ? "Adding …"
      : offersInviter(setup)
        ? `Enter adds ${sanitizeName(setup.inviter ?? "") || "whoever"}, who invited you. ` +
          "Ctrl-U, and then Enter, goes on without."
        : "Paste a friend's code and press Enter, or just Enter to go on.")
  const below = wrap(said, model.columns - 2).map((text) =>
    line(` ${text}`, trouble === null ? "dim" : "bad"),
  )
  const codes = { address: setup.address, ticket: setup.made, show: "code" } as const
  const rows = [
    [
      span(" Your identity is ready.", "strong"),
      span(" Friends add the code; the ticket lets new ones in.", "dim"),
    ],
    ...codeRows(model, codes, model.rows - 2 - below.length),
    ...below,
    field.row,
  ]
  return { rows, cursor: { x: field.x, y: model.rows - 1 } }
}
