/** Pointing at a message with the keyboard, and the letters that then say what to do about it. */
import { layout, transcriptOf } from "./layout.ts"
import { and, noticed, only } from "./model.ts"
import type { Model, Step } from "./model.ts"
import { edit } from "./widgets/draft.ts"
import { withAnchor } from "./widgets/history.ts"
import { visible } from "./widgets/viewport.ts"

const HINT = "r reply · + react · e edit · d delete · y copy · i its id · x export · Up, Down"

/** Points at the newest message in sight, or takes the pointer away. */
export function select(model: Model): Step {
  const { history } = model
  if (model.selected !== null) return only({ ...model, selected: null })
  if (history === null || history.messages.length === 0)
    return only(noticed(model, "info", "There is no message to select here."))
  const slices = visible(transcriptOf(model), history.anchor, layout(model).messageRows)
  const index = slices.at(-1)?.index ?? history.messages.length - 1
  const selected = history.messages[index]?.id ?? null
  return only(noticed({ ...model, selected }, "info", HINT))
}

/** One message up or down; the view follows. */
export function moveSelection(model: Model, by: -1 | 1): Model {
  const { history, selected } = model
  if (history === null || selected === null) return model
  const at = history.messages.findIndex(({ id }) => id === selected)
  const next = history.messages[at + by]
  if (next === undefined) return model
  const moved: Model = { ...model, selected: next.id }
  const { messageRows } = layout(moved)
  const slices = visible(transcriptOf(moved), history.anchor, messageRows)
  const isSeen = slices.some(({ index, first }) => index === at + by && (first === 0 || by > 0))
  if (isSeen) return moved
  const isLast = at + by === history.messages.length - 1
  const anchor = isLast ? null : { id: next.id, hidden: 0 }
  return { ...moved, history: withAnchor(history, anchor) }
}

/** What a letter says about the selected message; nothing for any other letter. */
export function onLetter(model: Model, letter: string): Step | undefined {
  const message = model.history?.messages.find(({ id }) => id === model.selected)
  if (message === undefined) return undefined
  const draft = (text: string): Step =>
    only({ ...model, draft: edit(model.draft, { type: "set", text }), notice: null })
  switch (letter) {
    case "r":
      return draft("/reply ")
    case "+":
      return draft("/react ")
    case "e":
      return message.mine
        ? draft(`/edit ${message.text}`)
        : only(noticed(model, "bad", "Only its author can edit a message."))
    case "d":
      return draft("/delete")
    case "x":
      return draft("/export ")
    case "y":
      return and(noticed(model, "info", "Copied."), { type: "copy", text: message.text })
    case "i":
      return and(noticed(model, "info", `Copied: ${message.id}`), {
        type: "copy",
        text: message.id,
      })
    default:
      return undefined
  }
}
