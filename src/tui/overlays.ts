/**
 * What keys do while a page lies over the chat: help, contacts, the own code, adding a contact, a paste that waits. Esc leads
 * out of every one of them, and Enter is never the dangerous answer.
 */
import { actionOf, isMotion } from "./keys.ts"
import { onBackupInput } from "./backup.ts"
import type { InputEvent } from "./input.ts"
import { and, only } from "./model.ts"
import type { Model, Overlay, Step } from "./model.ts"
import { sanitizeLine, typedText } from "./sanitize.ts"
import { withDraft } from "./chat.ts"
import { onPictureInput } from "./pictures.ts"
import { onSearchInput } from "./search.ts"
import type { DraftEdit } from "./widgets/draft.ts"
import { edit } from "./widgets/draft.ts"

type Of<Name extends Overlay["name"]> = Extract<Overlay, { readonly name: Name }>

const close = (model: Model): Step => only({ ...model, overlay: null })

/** Codes and tickets survive being copied over line breaks; a scanned code comes in capitals. */
export const tidyCode = (text: string): string => {
  const bare = text.replace(/\s+/g, "")
  return bare === bare.toUpperCase() ? bare.toLowerCase() : bare
}

export function onOverlayInput(model: Model, overlay: Overlay, event: InputEvent): Step {
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  if (overlay.name === "picture") return onPictureInput(model, event)
  if (action === "repaint") return and(model, { type: "repaint" })
  // What is being written goes on to its end.
  if (overlay.name === "backup" && overlay.busy) return only(model)
  if (action === "back" || action === "interrupt") return close(model)
  if (action === "help") return overlay.name === "help" ? close(model) : help(model)
  switch (overlay.name) {
    case "help":
    case "contacts":
    case "members":
      return onPage(model, overlay, event)
    case "search":
      return onSearchInput(model, overlay, event)
    case "code":
      return onCode(model, overlay, event)
    case "add":
      return onAdd(model, overlay, event)
    case "verify":
      return onVerify(model, overlay, event)
    case "backup":
      return onBackupInput(model, overlay, event)
    case "confirm":
      return onConfirm(model, overlay, event)
    case "paste":
      // What is sent is what was pasted; what is shown is drawn harmless.
      return event.type === "text" && event.text === "y"
        ? only(withDraft({ ...model, overlay: null }, { type: "insert", text: overlay.text }))
        : action === "send"
          ? close(model)
          : only(model)
  }
}

const help = (model: Model): Step => only({ ...model, overlay: { name: "help", scroll: 0 } })

function onPage(
  model: Model,
  overlay: Of<"help" | "contacts" | "members">,
  event: InputEvent,
): Step {
  if (event.type === "text") return event.text === "q" ? close(model) : only(model)
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  const page = Math.max(1, model.rows - 4)
  const by = {
    "line-up": -1,
    "line-down": 1,
    "page-up": -page,
    "page-down": page,
    top: -1e6,
    bottom: 1e6,
  }
  if (action === "send") return close(model)
  if (action === undefined || !(action in by)) return only(model)
  // The page itself knows how long it is and holds the number to that; here it only must not run away.
  const scroll = Math.min(1000, Math.max(0, overlay.scroll + by[action as keyof typeof by]))
  return only({ ...model, overlay: { ...overlay, scroll } })
}

/** Only a letter says yes. */
function onConfirm(model: Model, { what, thread }: Of<"confirm">, event: InputEvent): Step {
  if (event.type === "key") return actionOf(event.chord) === "send" ? close(model) : only(model)
  if (event.type !== "text") return only(model)
  if (event.text === "q") return close(model)
  if (event.text !== "y") return only(model)
  return and(
    { ...model, overlay: null },
    what === "hide" ? { type: "hide", thread } : { type: "group", ask: { what: "leave", thread } },
  )
}

function onCode(model: Model, overlay: Of<"code">, event: InputEvent): Step {
  if (event.type === "key") return actionOf(event.chord) === "send" ? close(model) : only(model)
  if (event.type !== "text") return only(model)
  const address = model.status?.address ?? ""
  const shown = overlay.show === "ticket" && overlay.ticket !== null ? overlay.ticket : address
  switch (event.text) {
    case "c":
      return and(model, { type: "copy", text: shown })
    case "t":
      return only({
        ...model,
        overlay: { ...overlay, show: overlay.show === "code" ? "ticket" : "code" },
      })
    case "q":
      return close(model)
    default:
      return only(model)
  }
}

/** Marking takes the same letter twice; looking is not marking. */
function onVerify(model: Model, overlay: Of<"verify">, event: InputEvent): Step {
  if (event.type === "key") return actionOf(event.chord) === "send" ? close(model) : only(model)
  const { contact, number, armed, busy } = overlay
  if (event.type !== "text" || busy || number === null) return only(model)
  const verified = model.contacts.get(contact)?.verified === true
  switch (event.text) {
    case "v":
      if (verified) return only(model)
      return armed
        ? and(
            { ...model, overlay: { ...overlay, busy: true } },
            { type: "verify", contact, number },
          )
        : only({ ...model, overlay: { ...overlay, armed: true } })
    case "u":
      return verified
        ? and({ ...model, overlay: { ...overlay, busy: true } }, { type: "unverify", contact })
        : only(model)
    case "c":
      return and(model, { type: "copy", text: number })
    case "q":
      return close(model)
    default:
      return only({ ...model, overlay: { ...overlay, armed: false } })
  }
}

function onAdd(model: Model, overlay: Of<"add">, event: InputEvent): Step {
  if (overlay.busy) return only(model)
  const change = (by: DraftEdit): Step => {
    const draft = overlay.field === "code" ? overlay.code : overlay.called
    const key = overlay.field === "code" ? "code" : "called"
    return only({ ...model, notice: null, overlay: { ...overlay, [key]: edit(draft, by) } })
  }
  if (event.type === "text") return change({ type: "insert", text: typedText(event.text) })
  if (event.type === "paste") return change({ type: "insert", text: sanitizeLine(event.text) })
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  if (
    action === "complete" ||
    action === "complete-back" ||
    action === "line-up" ||
    action === "line-down"
  )
    return only({
      ...model,
      overlay: { ...overlay, field: overlay.field === "code" ? "name" : "code" },
    })
  if (action === "send") {
    const code = tidyCode(overlay.code.text)
    if (code === "") return close(model)
    if (overlay.field === "code") return only({ ...model, overlay: { ...overlay, field: "name" } })
    const name = overlay.called.text.trim()
    return and(
      { ...model, overlay: { ...overlay, busy: true } },
      { type: "add", code, name: name === "" ? null : name },
    )
  }
  return action !== undefined && isMotion(action) ? change({ type: action }) : only(model)
}
