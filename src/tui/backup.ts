/**
 * Writing a backup, and coming back from one at the first run: a page with a path and a passphrase, typed twice where it is new. What is
 * typed is kept nowhere; a failure goes back to the field that can mend it, and nothing was changed by it.
 */
import type { ApiErrorCode, Result } from "../node/api/types.ts"
import type { InputEvent } from "./input.ts"
import { actionOf, isMotion } from "./keys.ts"
import type { Model, Overlay, Step } from "./model.ts"
import { and, noticed, only } from "./model.ts"
import { sanitizeLine, secretText, typedText } from "./sanitize.ts"
import type { Draft, DraftEdit } from "./widgets/draft.ts"
import { edit, emptyDraft } from "./widgets/draft.ts"
import { typed } from "./widgets/setup.ts"

/** What is written at the first run, in place of a name. */
export const RESTORE_WORD = "/restore"

export interface BackupForm {
  readonly name: "backup"
  readonly what: "write" | "restore"
  readonly field: "path" | "passphrase" | "again"
  readonly path: Draft
  readonly passphrase: Draft
  readonly again: Draft
  readonly error: string | null
  readonly busy: boolean
}

export const backupForm = (what: BackupForm["what"], path: string): BackupForm => ({
  name: "backup",
  what,
  field: "path",
  path: edit(emptyDraft, { type: "insert", text: path }),
  passphrase: emptyDraft,
  again: emptyDraft,
  error: null,
  busy: false,
})

const withForm = (model: Model, form: BackupForm): Model => ({
  ...model,
  notice: null,
  overlay: form satisfies Overlay,
})

export function onBackupInput(model: Model, form: BackupForm, event: InputEvent): Step {
  if (form.busy) return only(model)
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  if (action === "send") return onEnter(model, form)
  const change = editOf(event, form.field !== "path")
  if (change === null) return only(model)
  const { field } = form
  const next = typed(form[field], change, field !== "path")
  return only(withForm(model, { ...form, error: null, [field]: next }))
}

function editOf(event: InputEvent, secret: boolean): DraftEdit | null {
  if (event.type === "text" || event.type === "paste") {
    const clean = secret ? secretText : event.type === "text" ? typedText : sanitizeLine
    return { type: "insert", text: clean(event.text) }
  }
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  return action !== undefined && isMotion(action) ? { type: action } : null
}

function onEnter(model: Model, form: BackupForm): Step {
  const path = form.path.text.trim()
  const wrong = (error: string, field = form.field): Step =>
    only(withForm(model, { ...form, error, field, passphrase: emptyDraft, again: emptyDraft }))
  switch (form.field) {
    case "path":
      if (path === "") return wrong("Which file? A path on this machine.")
      return only(withForm(model, { ...form, field: "passphrase", error: null }))
    case "passphrase":
      if (form.passphrase.text === "") return wrong("A backup is sealed under a passphrase.")
      if (form.what === "restore") return start(model, form)
      return only(withForm(model, { ...form, field: "again", error: null }))
    case "again":
      if (form.again.text !== form.passphrase.text)
        return wrong("The two were not the same. Once more from the start.", "passphrase")
      return start(model, form)
  }
}

/** The secret leaves memory with the effect. */
function start(model: Model, form: BackupForm): Step {
  const [path, passphrase] = [form.path.text.trim(), form.passphrase.text]
  const busy = { ...form, passphrase: emptyDraft, again: emptyDraft, error: null, busy: true }
  const type = form.what === "write" ? ("backup" as const) : ("restore" as const)
  return and(withForm(model, busy), { type, path, passphrase })
}

export function onBackedUp(model: Model, path: string, made: Result<"backup.write">): Step {
  const overlay = model.overlay?.name === "backup" ? null : model.overlay
  return only(noticed({ ...model, overlay, progress: null }, "good", backedUpText(path, made)))
}

export function backedUpText(path: string, made: Result<"backup.write">): string {
  const { records, height, damaged, validator } = made
  return [
    `${sanitizeLine(path)} holds ${records} records`,
    height === null ? "." : `, complete up to height ${height}.`,
    damaged > 0 ? ` ${damaged} damaged ones are not in it.` : "",
    validator ? " Validator keys are not in it: they stay with this peer." : "",
  ].join("")
}

export function restoredText({ height, standing }: Result<"profile.restore">): string {
  const far =
    height === 0
      ? "Everything of the backup is here."
      : `Complete up to height ${height}: ` +
        (standing === "certified" ? "validators have signed it." : "the chain will tell.")
  return `You live here now: do not start the old one again. ${far}`
}

export function onRestored(model: Model, restored: Result<"profile.restore">): Step {
  const here: Model = { ...model, overlay: null, progress: null }
  return and(noticed(here, "good", restoredText(restored)), { type: "load" })
}

const OF_THE_PATH: ReadonlySet<ApiErrorCode> = new Set(["BAD_FILE", "BAD_BACKUP", "STORE_NEWER"])

export function onBackupFailed(model: Model, code: ApiErrorCode, text: string): Step {
  const form = model.overlay?.name === "backup" ? model.overlay : null
  const out: Model = { ...model, progress: null }
  if (form === null) return only(noticed(out, "bad", text))
  const field = OF_THE_PATH.has(code) ? "path" : "passphrase"
  const error =
    code === "WRONG_PASSPHRASE"
      ? "That passphrase does not open the backup, or its begin is altered. Nothing was changed."
      : text
  return only(withForm(out, { ...form, field, busy: false, error }))
}
