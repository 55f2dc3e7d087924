/**
 * What keys do on the two forms that come before the chat: first run and unlocking.
 */
import { withSetup } from "./answers.ts"
import { backupForm, RESTORE_WORD } from "./backup.ts"
import { interrupt } from "./chat.ts"
import type { InputEvent } from "./input.ts"
import { actionOf, isMotion } from "./keys.ts"
import type { Action } from "./keys.ts"
import type { Model, Screen, Step } from "./model.ts"
import { and, only } from "./model.ts"
import { tidyCode } from "./overlays.ts"
import { sanitizeLine, secretText, typedText } from "./sanitize.ts"
import { emptyDraft } from "./widgets/draft.ts"
import type { DraftEdit } from "./widgets/draft.ts"
import {
  advance,
  fieldOf,
  goBack,
  isSecret,
  skipPassphrase,
  typeInto,
  typed,
} from "./widgets/setup.ts"
import type { Setup, SetupOutcome } from "./widgets/setup.ts"

/** Keys that mean the same on every form. */
const FORM_KEYS: Readonly<Partial<Record<Action, (model: Model, empty: boolean) => Step | null>>> =
  {
    interrupt: (model, empty) => (empty ? interrupt({ ...model, draft: emptyDraft }) : null),
    "end-of-input": (model, empty) => (empty ? and(model, { type: "exit", code: 0 }) : null),
    repaint: (model) => and(model, { type: "repaint" }),
    suspend: (model) => and(model, { type: "suspend" }),
    help: (model) => only({ ...model, overlay: { name: "help", scroll: 0 } }),
  }

function onFormKey(model: Model, empty: boolean, chord: string): Step | null {
  const action = actionOf(chord)
  return action === undefined ? null : (FORM_KEYS[action]?.(model, empty) ?? null)
}

/** What a key or a paste does to the one line of a form; null: nothing. Secrets are taken exactly as they come. */
function formEdit(event: InputEvent, secret: boolean): DraftEdit | null {
  if (event.type === "text" || event.type === "paste") {
    const clean = secret ? secretText : event.type === "text" ? typedText : sanitizeLine
    return { type: "insert", text: clean(event.text) }
  }
  if (event.type !== "key") return null
  const action = actionOf(event.chord)
  if (action === "interrupt") return { type: "clear" }
  if (action === "end-of-input") return { type: "delete" }
  if (action === "top") return { type: "line-start" }
  if (action === "bottom") return { type: "line-end" }
  return action !== undefined && isMotion(action) ? { type: action } : null
}

export function onSetup(model: Model, setup: Setup, event: InputEvent): Step {
  const outcome = ([next, what]: [Setup, SetupOutcome]): Step =>
    onOutcome(withSetup(model, next), what)
  if (event.type === "key") {
    const step = onFormKey(model, isBlank(setup), event.chord)
    if (step !== null) return step
    const action = actionOf(event.chord)
    if (action === "send" && wantsRestore(setup))
      return only({ ...withSetup(model, setup), overlay: backupForm("restore", pathIn(setup)) })
    if (action === "send") return outcome(advance(setup))
    if (action === "back") return only(withSetup(model, goBack(setup)))
  }
  if (event.type === "text" && event.text === "s" && setup.step === "unprotected")
    return outcome(skipPassphrase(setup))
  const change = formEdit(event, isSecret(fieldOf(setup)))
  return change === null ? only(model) : only(withSetup(model, typeInto(setup, change)))
}

/** The first answer may be that there is a backup, and where. */
const wantsRestore = ({ step, name, ephemeral }: Setup): boolean =>
  step === "name" && !ephemeral && /^\/restore(?:\s|$)/.test(name.text.trim())

const pathIn = ({ name }: Setup): string => name.text.trim().slice(RESTORE_WORD.length).trim()

const isBlank = (setup: Setup): boolean => {
  switch (setup.step) {
    case "name":
    case "passphrase":
    case "again":
    case "ticket":
      return setup[setup.step].text === ""
    case "code":
      return setup.friend.text === ""
    case "unprotected":
    case "creating":
      return true
  }
}

function onOutcome(model: Model, outcome: SetupOutcome): Step {
  switch (outcome.type) {
    case "stay":
      return only(model)
    case "create":
      return and(model, outcome)
    case "befriend":
      return and(model, { type: "add", code: tidyCode(outcome.code), name: null })
    case "finish":
      return and(model, { type: "load" })
  }
}

type Unlock = Extract<Screen, { readonly name: "unlock" }>

export function onUnlock(model: Model, screen: Unlock, event: InputEvent): Step {
  if (event.type === "key") {
    const step = onFormKey(model, screen.passphrase.text === "", event.chord)
    if (step !== null) return step
    if (actionOf(event.chord) === "send") {
      if (screen.busy || screen.passphrase.text === "") return only(model)
      const passphrase = screen.passphrase.text
      const busy: Screen = { name: "unlock", passphrase: emptyDraft, busy: true }
      return and({ ...model, screen: busy, notice: null }, { type: "unlock", passphrase })
    }
  }
  const change = screen.busy ? null : formEdit(event, true)
  if (change === null) return only(model)
  const passphrase = typed(screen.passphrase, change, true)
  return only({ ...model, notice: null, screen: { ...screen, passphrase } })
}
