/**
 * Searching on the screen: what keys do on its page, and what comes of answers. Enter asks; when what is asked has been answered, it jumps
 * to the message that is chosen. Pure.
 */
import type { Page, SearchAnswer, SearchHit } from "../node/api/types.ts"
import { openChat } from "./chat.ts"
import type { InputEvent } from "./input.ts"
import { type Action, actionOf, isMotion } from "./keys.ts"
import { and, noticed, only } from "./model.ts"
import type { Model, Overlay, Step } from "./model.ts"
import { sanitizeLine, typedText } from "./sanitize.ts"
import { type DraftEdit, edit, emptyDraft } from "./widgets/draft.ts"
import { indexOfMessage, withSurroundings } from "./widgets/history.ts"

/** Results on the page. */
export const SEARCH_LIMIT = 100
/** Messages below the one that was found, so that it does not stand at the edge. */
const BELOW_FOUND = 4

/** How far an action moves among the results. */
const CHOOSING: Readonly<Partial<Record<Action, number>>> = {
  "line-up": -1,
  "line-down": 1,
  "page-up": -10,
  "page-down": 10,
}

type SearchOverlay = Extract<Overlay, { readonly name: "search" }>

const asking = (model: Model, query: string): Step =>
  and(
    { ...model, notice: null, overlay: { ...searchOverlay(query), asked: query } },
    { type: "search", query },
  )

function searchOverlay(text: string): SearchOverlay {
  const query = text === "" ? emptyDraft : edit(emptyDraft, { type: "set", text })
  return { name: "search", query, asked: null, answer: null, at: 0 }
}

/** `/search words`, or the key. */
export const openSearch = (model: Model, query: string): Step =>
  query === "" ? only({ ...model, overlay: searchOverlay("") }) : asking(model, query)

export function onSearchInput(model: Model, overlay: SearchOverlay, event: InputEvent): Step {
  const change = (by: DraftEdit): Step =>
    only({ ...model, notice: null, overlay: { ...overlay, query: edit(overlay.query, by) } })
  if (event.type === "text") return change({ type: "insert", text: typedText(event.text) })
  if (event.type === "paste") return change({ type: "insert", text: sanitizeLine(event.text) })
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  if (action === "send") return onEnter(model, overlay)
  const by = action === undefined ? undefined : CHOOSING[action]
  if (by !== undefined) {
    const count = overlay.answer?.hits.length ?? 0
    const at = Math.max(0, Math.min(count - 1, overlay.at + by))
    return only({ ...model, overlay: { ...overlay, at } })
  }
  return action !== undefined && isMotion(action) ? change({ type: action }) : only(model)
}

function onEnter(model: Model, overlay: SearchOverlay): Step {
  const text = overlay.query.text.trim()
  if (text !== overlay.asked) return text === "" ? only(model) : asking(model, text)
  const hit = overlay.answer?.hits[overlay.at]
  return hit === undefined ? only(model) : jump(model, hit)
}

const jump = (model: Model, { message }: SearchHit): Step =>
  and(
    { ...model, overlay: null },
    { type: "jump", key: message.thread, id: message.id, position: message.position },
  )

export function onFound(model: Model, query: string, answer: SearchAnswer): Step {
  const { overlay } = model
  return overlay?.name === "search" && overlay.asked === query
    ? only({ ...model, overlay: { ...overlay, answer, at: 0 } })
    : only(model)
}

/** The messages around one that was found: opens its chat there. */
export function onJumped(model: Model, key: string, id: string, page: Page, more: boolean): Step {
  if (!model.threads.has(key)) return only(noticed(model, "bad", "That chat is gone."))
  // Opened as always, and then put elsewhere: the page that opening asks for comes too late to matter.
  const opened = openChat({ ...model, history: null }, key).model
  if (opened.history === null) return only(model)
  const history = withSurroundings(opened.history, page, more)
  const at = indexOfMessage(history.messages, id)
  const low = history.messages[Math.min(at + BELOW_FOUND, history.messages.length - 1)]
  if (at < 0 || low === undefined)
    return only(noticed(model, "bad", "That message is not there any more."))
  return only({ ...opened, history: { ...history, anchor: { id: low.id, hidden: 0 } } })
}
