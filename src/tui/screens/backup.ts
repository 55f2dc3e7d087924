/** The page of a backup: where, under which passphrase, and how far it is. */
import type { BackupForm } from "../backup.ts"
import type { Model } from "../model.ts"
import type { Row } from "../rows.ts"
import { blank, line } from "../rows.ts"
import { fieldRow, settledRow } from "../widgets/field.ts"
import { progressText } from "../widgets/status-line.ts"
import { wrap } from "../wrap.ts"
import type { Page } from "./page.tsx"

const TITLES = { write: " Write a backup", restore: " Come back from a backup" } as const

const EXPLAINED: Readonly<Record<BackupForm["what"], string>> = {
  write:
    "One encrypted file with your identity, contacts and everything said. Whoever has it and its passphrase is you: choose one " +
    "that you use nowhere else, and keep the file where this machine is not.",
  restore:
    "The whole file is checked before anything is written. You are then who wrote it, with everything said until then; the profile " +
    "opens with the backup's passphrase. Do not start the old one again.",
}

const LABELS = { path: "File", passphrase: "Passphrase", again: "Once more" } as const

export function backupPage(model: Model, form: BackupForm): Page {
  const { mask } = model.settings.glyphs
  const paragraph = (text: string, role: "dim" | "bad") =>
    wrap(text, model.columns - 3).map((part) => line(` ${part}`, role))
  const rows: Row[] = [line(TITLES[form.what], "strong"), blank]
  if (form.field !== "path" || form.busy) rows.push(settledRow("File", form.path.text.trim()))
  if (form.field === "again" && !form.busy) rows.push(settledRow("Passphrase", "set"))
  const { field } = form
  const shown = form.busy
    ? null
    : fieldRow(LABELS[field], form[field], model.columns, field === "path" ? null : mask)
  const y = rows.length
  if (shown !== null) rows.push(shown.row)
  rows.push(blank, ...paragraph(EXPLAINED[form.what], "dim"))
  if (form.error !== null) rows.push(blank, ...paragraph(form.error, "bad"))
  const working = model.progress === null ? "one moment" : progressText(model.progress)
  rows.push(blank, line(form.busy ? ` … ${working}` : " Enter next · Esc back", "dim"))
  return { rows, cursor: shown === null ? null : { x: shown.x, y } }
}
