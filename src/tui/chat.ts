/**
 * What keys and commands do on the chat screen. Pure: a model and an action give a model and effects.
 */
import { onAbout } from "./about-chat.ts"
import { moveSelection, onLetter, select } from "./selection.ts"
import { backupForm } from "./backup.ts"
import { completions, interpret } from "./commands.ts"
import type { GroupIntent, Intent } from "./commands.ts"
import { planGroup } from "./groups.ts"
import { meant } from "./people.ts"
import { hasControls, typedText } from "./sanitize.ts"
import type { Contact } from "../node/api/types.ts"
import type { Action } from "./keys.ts"
import { isMotion } from "./keys.ts"
import { isAsked, isRequest, layout, transcriptOf } from "./layout.ts"
import { and, entries, knownNames, noticed, only, openEntry, PARKED_MAX } from "./model.ts"
import type { Entry, Model, Overlay, Step } from "./model.ts"
import { edit, emptyDraft, hasLine, put } from "./widgets/draft.ts"
import type { DraftEdit } from "./widgets/draft.ts"
import { openSearch } from "./search.ts"
import { saveFile, viewFile } from "./pictures.ts"
import { openHistory, reachesNewest, withAnchor } from "./widgets/history.ts"
import { atOldest, scrolled } from "./widgets/viewport.ts"

/** A paste of more lines asks first. */
const PASTE_LINES_MAX = 5

/** Opens a chat; the draft of the one before waits there. */
export function openChat(model: Model, key: string): Step {
  if (model.history?.key === key) return only(model)
  const parked = new Map(model.parked)
  if (model.history !== null) {
    parked.delete(model.history.key)
    if (model.draft.text !== "") parked.set(model.history.key, model.draft.text)
    const first = parked.size > PARKED_MAX ? parked.keys().next().value : undefined
    if (first !== undefined) parked.delete(first)
  }
  const waiting = parked.get(key) ?? ""
  const draft = edit(
    { ...put(model.draft, false), past: model.draft.past },
    { type: "set", text: waiting },
  )
  const unread = model.threads.get(key)?.unread ?? 0
  return and(
    {
      ...model,
      history: openHistory(key, unread),
      parked,
      draft,
      blockArmed: false,
      acceptArmed: false,
      selected: null,
      overlay: null,
    },
    { type: "page", key, reason: "newest", before: null },
  )
}

function openBy(model: Model, by: 1 | -1): Step {
  const list = entries(model)
  const at = list.findIndex((entry) => entry.key === model.history?.key)
  const next = at < 0 ? list[0] : list[(at + by + list.length) % list.length]
  return next === undefined ? only(model) : openChat(model, next.key)
}

function openNextUnread(model: Model): Step {
  const list = entries(model)
  const next = list.find(
    (entry) => (entry.unread > 0 || entry.request) && entry.key !== model.history?.key,
  )
  return next === undefined
    ? only(noticed(model, "info", "Nothing unread."))
    : openChat(model, next.key)
}

export function withDraft(model: Model, change: DraftEdit): Model {
  const draft = edit(model.draft, change)
  return draft === model.draft ? model : { ...model, draft, completion: null }
}

const codeOverlay: Overlay & { readonly name: "code" } = {
  name: "code",
  ticket: null,
  show: "code",
}
const addOverlay: Overlay = {
  name: "add",
  field: "code",
  code: emptyDraft,
  called: emptyDraft,
  busy: false,
}

function scroll(model: Model, rows: number): Model {
  if (model.history === null) return model
  const { messageRows } = layout(model)
  const anchor = scrolled(transcriptOf(model), model.history.anchor, messageRows, rows)
  return { ...model, history: withAnchor(model.history, anchor) }
}

/** Held to the newest; what was let go there is fetched again. */
function toNewest(model: Model): Step {
  const { history } = model
  if (history === null) return only(model)
  if (reachesNewest(history)) return only({ ...model, history: withAnchor(history, null) })
  return and(
    { ...model, history: { ...history, loading: "newest" } },
    { type: "page", key: history.key, reason: "newest", before: null },
  )
}

function complete(model: Model, by: 1 | -1): Model {
  const lines = model.completion?.lines ?? completions(model.draft.text, knownNames(model))
  if (lines.length === 0) return model
  const from = model.completion?.at ?? (by > 0 ? -1 : 0)
  const at = (from + by + lines.length) % lines.length
  const draft = edit(model.draft, { type: "set", text: lines[at] ?? "" })
  return { ...model, draft, completion: { lines, at } }
}

function entryNamed(model: Model, name: string): Entry | undefined {
  const wanted = name.toLowerCase()
  const list = entries(model)
  return (
    list.find((entry) => entry.title.toLowerCase() === wanted) ??
    list.find((entry) => entry.title.toLowerCase().startsWith(wanted))
  )
}

/** Carries out what a line meant; the draft is emptied when it was taken. */
export function carryOut(model: Model, intent: Intent): Step {
  const taken: Model = { ...model, draft: put(model.draft, true), completion: null, notice: null }
  switch (intent.type) {
    case "say":
      return say(model, taken, intent.text)
    case "wrong":
      return only(noticed(model, "bad", intent.sentence))
    case "add":
      return intent.code === ""
        ? only({ ...taken, overlay: addOverlay })
        : and(taken, { type: "add", code: intent.code, name: intent.name })
    case "accept":
    case "block": {
      const entry = openEntry(model)
      if (intent.contact === null && intent.type === "accept" && entry?.group === true)
        return and(taken, { type: "group", ask: { what: "accept", thread: entry.key } })
      const contact = meant(model, intent.contact)
      if (typeof contact === "string") return only(noticed(model, "bad", contact))
      return intent.type === "block"
        ? and(taken, { type: "block", contact: contact.address })
        : and(taken, { type: "accept", contact: contact.address, anyway: false })
    }
    case "pq":
    case "verify": {
      const contact = meant(model, intent.contact)
      if (typeof contact === "string") return only(noticed(model, "bad", contact))
      return intent.type === "pq"
        ? and(taken, { type: "strengthen", contact: contact.address })
        : compare(taken, contact.address)
    }
    case "rename": {
      const contact = meant(model, intent.contact)
      return typeof contact === "string"
        ? only(noticed(model, "bad", contact))
        : and(taken, { type: "rename", contact: contact.address, name: intent.name })
    }
    case "open": {
      const entry = intent.contact === null ? undefined : entryNamed(model, intent.contact)
      return entry === undefined
        ? only(noticed(model, "bad", "There is no chat of that name."))
        : openChat({ ...taken, draft: put(model.draft, false) }, entry.key)
    }
    case "next":
      return openNextUnread(taken)
    case "contacts":
      return only({ ...taken, overlay: { name: "contacts", scroll: 0 } })
    case "help":
      return only({ ...taken, overlay: { name: "help", scroll: 0 } })
    case "id":
      return and({ ...taken, overlay: codeOverlay }, { type: "ticket" })
    case "ticket":
      return and({ ...taken, overlay: { ...codeOverlay, show: "ticket" } }, { type: "ticket" })
    case "backup":
      return only({ ...taken, overlay: backupForm("write", intent.path) })
    case "rotate":
      return and(noticed(taken, "info", "Making new keys …"), { type: "rotate" })
    case "quit":
      return and(taken, { type: "exit", code: 0 })
    case "group":
    case "pq-group":
    case "invite":
    case "remove":
    case "admin":
    case "title":
    case "members":
    case "leave":
    case "rejoin":
    case "hide":
      return onGroup(model, taken, intent)
    case "reply":
    case "edit":
    case "export":
    case "react":
    case "delete":
    case "disappear":
    case "tell":
    case "again":
    case "copy":
      return onAbout(model, taken, intent, unwritable)
    case "file":
      return sendFile(model, taken, intent.path, intent.text)
    case "save":
      return saveFile(model, taken, intent.id, intent.folder)
    case "view":
      return viewFile(model, taken, intent.id)
    case "search":
      return openSearch(taken, intent.query)
    case "retry": {
      const failed = (model.history?.messages ?? []).filter((m) => m.mine && m.state === "failed")
      return failed.length === 0
        ? only(noticed(taken, "info", "Nothing has failed in this chat."))
        : and(taken, ...failed.map((m) => ({ type: "retry" as const, id: m.id })))
    }
  }
}

function onGroup(model: Model, taken: Model, intent: GroupIntent): Step {
  const plan = planGroup(model, model.history?.key ?? null, intent)
  if ("wrong" in plan) return only(noticed(model, "bad", plan.wrong))
  if ("confirm" in plan) {
    const { confirm: what, thread } = plan
    return only({ ...taken, overlay: { name: "confirm", what, thread } })
  }
  const { ask } = plan
  if (ask.what !== "show") return and(taken, { type: "group", ask })
  const overlay = { name: "members", thread: ask.thread, group: null, scroll: 0 } as const
  return and({ ...taken, overlay }, { type: "group", ask })
}

/** Shows the number of the two. */
const compare = (model: Model, contact: string): Step =>
  and(
    { ...model, overlay: { name: "verify", contact, number: null, armed: false, busy: false } },
    { type: "safety", contact },
  )

/** Why nothing can be sent to the open chat. */
function unwritable(model: Model): string | null {
  if (model.history === null) return "Choose a chat first: Alt-1 to Alt-9, or /open name."
  if ((openEntry(model)?.contact?.claims ?? null) !== null)
    return "Nothing goes out before you decide who they are: [v], [a] or [b]."
  const entry = openEntry(model)
  if (entry?.left === true) return "You are out of this group. /hide takes it away."
  if (entry?.group === true && entry.request) return "Stay in it first: /accept, or /leave."
  return isRequest(model) ? "Accept them first: /accept, or /block." : null
}

function sendFile(model: Model, taken: Model, path: string, text: string): Step {
  const why = unwritable(model)
  if (why !== null || model.history === null) return only(noticed(model, "bad", why ?? ""))
  return and(taken, { type: "file", key: model.history.key, path, text })
}

function say(model: Model, taken: Model, text: string): Step {
  if (text.trim() === "") return only(model)
  const why = unwritable(model)
  if (why !== null || model.history === null) return only(noticed(model, "bad", why ?? ""))
  const sent: Model = { ...taken, sending: taken.sending + 1 }
  const shown = toNewest(sent)
  return { ...shown, effects: [...shown.effects, { type: "send", key: model.history.key, text }] }
}

/** Ctrl-C clears what is written; on nothing it asks for a second one, which quits. */
export function interrupt(model: Model): Step {
  if (model.draft.text !== "")
    return only({ ...model, draft: put(model.draft, true), completion: null })
  if (model.quitArmed) return and(model, { type: "exit", code: 0 })
  return only({ ...noticed(model, "info", "Ctrl-C once more leaves."), quitArmed: true })
}

function vertical(model: Model, by: -1 | 1): Model {
  if (model.draft.text === "" && model.selected !== null) return moveSelection(model, by)
  if (model.draft.text === "") return scroll(model, by)
  if (hasLine(model.draft, by)) return withDraft(model, { type: by < 0 ? "line-up" : "line-down" })
  return model
}

const leave = (model: Model): Step => and(model, { type: "exit", code: 0 })
const pageOf = (model: Model): number => Math.max(1, layout(model).messageRows - 2)

function toOldest(model: Model): Step {
  if (model.draft.text !== "") return only(withDraft(model, { type: "line-start" }))
  if (model.history === null) return only(model)
  const anchor = atOldest(transcriptOf(model), layout(model).messageRows)
  return only({ ...model, history: withAnchor(model.history, anchor) })
}

function toBottom(model: Model): Step {
  const scrolledUp = model.history !== null && model.history.anchor !== null
  return scrolledUp || model.draft.text === ""
    ? toNewest(model)
    : only(withDraft(model, { type: "line-end" }))
}

/** What has a meaning of its own on this screen; every other action moves through or changes the draft, or opens a chat. */
const HANDLERS: Readonly<Partial<Record<Action, (model: Model) => Step>>> = {
  send: (model) => carryOut(model, interpret(model.draft.text, knownNames(model))),
  select,
  save: (model) => saveFile(model, model, null, null),
  search: (model) => openSearch(model, ""),
  view: (model) => viewFile(model, model, null),
  newline: (model) => only(withDraft(model, { type: "insert", text: "\n" })),
  complete: (model) => only(complete(model, 1)),
  "complete-back": (model) => only(complete(model, -1)),
  "next-unread": openNextUnread,
  "next-chat": (model) => openBy(model, 1),
  "previous-chat": (model) => openBy(model, -1),
  "page-up": (model) => only(scroll(model, -pageOf(model))),
  "page-down": (model) => only(scroll(model, pageOf(model))),
  "line-up": (model) => only(vertical(model, -1)),
  "line-down": (model) => only(vertical(model, 1)),
  top: toOldest,
  bottom: toBottom,
  back: (model) =>
    model.selected !== null
      ? only({ ...model, selected: null, notice: null })
      : model.notice === null
        ? toNewest(model)
        : only({ ...model, notice: null }),
  interrupt,
  "end-of-input": (model) =>
    model.draft.text === "" ? leave(model) : only(withDraft(model, { type: "delete" })),
  help: (model) => only({ ...model, overlay: { name: "help", scroll: 0 } }),
  repaint: (model) => and(model, { type: "repaint" }),
  suspend: (model) => and(model, { type: "suspend" }),
}

/** A key that `keys.ts` knows. */
export function onChatKey(model: Model, action: Action): Step {
  const handler = HANDLERS[action]
  if (handler !== undefined) return handler(model)
  if (isMotion(action)) return only(withDraft(model, { type: action }))
  const entry = entries(model)[Number(action.slice("open-".length)) - 1]
  return entry === undefined ? only(model) : openChat(model, entry.key)
}

/** What a letter answers to somebody who asks, or undefined when it is none. What cannot be taken back easily is asked twice. */
function answerTo(model: Model, contact: Contact, text: string): Step | undefined {
  const calm: Model = { ...model, blockArmed: false, acceptArmed: false }
  const { address, claims } = contact
  switch (text) {
    case "a":
      return claims === null || model.acceptArmed
        ? and(calm, { type: "accept", contact: address, anyway: claims !== null })
        : only({ ...calm, acceptArmed: true })
    case "b":
      return model.blockArmed
        ? and(calm, { type: "block", contact: address })
        : only({ ...calm, blockArmed: true })
    case "v":
      return claims === null ? undefined : compare(calm, address)
    default:
      return undefined
  }
}

/** Typed text. Where somebody asks, the letters are answers, not a message. */
export function onChatText(model: Model, text: string): Step {
  if (model.selected !== null && model.draft.text === "") {
    const step = onLetter(model, text)
    if (step !== undefined) return step
  }
  const contact = openEntry(model)?.contact ?? null
  if (isAsked(model) && model.draft.text === "" && contact !== null) {
    const answer = answerTo(model, contact, text)
    if (answer !== undefined) return answer
  }
  const entry = openEntry(model)
  if (text === "a" && model.draft.text === "" && entry?.group === true && entry.request)
    return and(model, { type: "group", ask: { what: "accept", thread: entry.key } })
  if (text === "?" && model.draft.text === "")
    return only({ ...model, overlay: { name: "help", scroll: 0 } })
  return only(
    withDraft(
      { ...model, blockArmed: false, acceptArmed: false },
      { type: "insert", text: typedText(text) },
    ),
  )
}

/** Long pastes and pastes with control bytes ask once; what is taken is made harmless first. */
export function onChatPaste(model: Model, text: string): Step {
  const clean = typedText(text)
  const lines = clean.replace(/\n$/, "").split("\n").length
  const controls = hasControls(text)
  if (lines > PASTE_LINES_MAX || controls)
    return only({ ...model, overlay: { name: "paste", text: clean, lines, controls } })
  return only(withDraft(model, { type: "insert", text: clean }))
}
