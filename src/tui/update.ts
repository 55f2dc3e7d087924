/**
 * The one transition function of the screen: `update(model, action)` gives the next model and what the world is asked to do.
 * No clock, no I/O: the time comes in with `tick`, answers come in as actions. After every step the two things that follow
 * from what is visible are derived: which page to fetch next, and what has been read.
 */
import type { ApiErrorCode, Contact, Status, ThreadSummary } from "../node/api/types.ts"
import { withEvents } from "./arrivals.ts"
import { interrupt, onChatKey, onChatPaste, onChatText, openChat } from "./chat.ts"
import { contactName } from "./commands.ts"
import type { InputEvent } from "./input.ts"
import { actionOf, isMotion } from "./keys.ts"
import type { Action as KeyAction } from "./keys.ts"
import { isRequest, layout, transcriptOf } from "./layout.ts"
import type { Action, Effect, Model, Screen, Step } from "./model.ts"
import { and, entries, noticed, only } from "./model.ts"
import { onOverlayInput, tidyCode } from "./overlays.ts"
import { sanitizeLine } from "./sanitize.ts"
import { edit, emptyDraft } from "./widgets/draft.ts"
import type { DraftEdit } from "./widgets/draft.ts"
import { reachesNewest, withMessage, withPage } from "./widgets/history.ts"
import {
  advance,
  beginSetup,
  created,
  failed as setupFailed,
  goBack,
  skipPassphrase,
  typeInto,
  typed,
} from "./widgets/setup.ts"
import type { Setup, SetupOutcome } from "./widgets/setup.ts"
import { visible } from "./widgets/viewport.ts"

/** Messages at either end that may come into sight with the next key: the page beyond them is fetched ahead. */
const AHEAD = 40

export function update(model: Model, action: Action): Step {
  const step = transition(model, action)
  return followUp(step)
}

function transition(model: Model, action: Action): Step {
  switch (action.type) {
    case "input":
      return onInput(model, action.event)
    case "resize":
      return only({ ...model, columns: action.columns, rows: action.rows })
    case "tick":
      return only(
        model.notice !== null && model.notice.untilMs <= model.nowMs
          ? { ...model, notice: null, quitArmed: false }
          : model,
      )
    case "loaded":
      return onLoaded(model, action.status, action.contacts, action.threads)
    case "events":
      return withEvents(model, action.events)
    case "closed": {
      const { what, next, exitCode } = action
      return only({ ...model, overlay: null, screen: { name: "gone", what, next, exitCode } })
    }
    case "created":
      return model.screen.name === "setup"
        ? only(withSetup(model, created(model.screen.setup, action.address, action.ticket)))
        : only(model)
    case "page":
      return model.history?.key === action.key
        ? only({ ...model, history: withPage(model.history, action.page, action.reason) })
        : only(model)
    case "sent": {
      const sending = Math.max(0, model.sending - 1)
      const history =
        model.history?.key === action.key || model.history?.key === action.message.thread
          ? withMessage(model.history, action.message, false)
          : model.history
      return only({ ...model, sending, history })
    }
    case "retried":
      return only({
        ...noticed(model, "info", "Trying again."),
        history:
          model.history?.key === action.message.thread
            ? withMessage(model.history, action.message, false)
            : model.history,
      })
    case "ticket":
      return model.overlay?.name === "code"
        ? only({ ...model, overlay: { ...model.overlay, ticket: action.ticket } })
        : only(model)
    case "contact":
      return onContact(model, action.contact, action.what)
    case "failed":
      return onFailed(model, action.effect, action.code, action.text)
  }
}

function onLoaded(
  model: Model,
  status: Status,
  contacts: readonly Contact[],
  threads: readonly ThreadSummary[],
): Step {
  const out: Model = {
    ...model,
    status,
    statusAtMs: model.nowMs,
    contacts: new Map(contacts.map((contact) => [contact.address, contact])),
    threads: new Map(threads.map((thread) => [thread.id, thread])),
    progress: null,
  }
  switch (status.identity) {
    case "none":
      return only({
        ...out,
        screen: { name: "setup", setup: beginSetup(model.settings.userName, status.mesh !== null) },
      })
    case "locked":
      return only({ ...out, screen: { name: "unlock", passphrase: emptyDraft, busy: false } })
    case "open": {
      const chat: Model = { ...out, screen: { name: "chat" }, notice: null }
      const first = entries(chat)[0]
      return first === undefined || chat.history !== null ? only(chat) : openChat(chat, first.key)
    }
  }
}

const withSetup = (model: Model, setup: Setup): Model => ({
  ...model,
  screen: { name: "setup", setup },
})

function onContact(model: Model, contact: Contact, what: string): Step {
  const contacts = new Map(model.contacts).set(contact.address, contact)
  const known: Model = { ...model, contacts }
  const name = contactName(contact)
  switch (what) {
    case "added": {
      const text =
        contact.state === "pending"
          ? `${name} is added. Their card is being looked for; you can write already.`
          : `${name} is added. Say hello.`
      if (model.screen.name === "setup") return and(noticed(known, "good", text), { type: "load" })
      const open = entries(known).find((entry) => entry.contact?.address === contact.address)
      const shown: Model = { ...noticed(known, "good", text), overlay: null }
      return open === undefined ? only(shown) : openChat(shown, open.key)
    }
    case "accepted":
      return only(noticed(known, "good", `${name} can write to you now, and you to them.`))
    case "blocked": {
      const open = model.history?.key ?? ""
      const theirs =
        open === contact.address || model.threads.get(open)?.members.join() === contact.address
      const out = noticed(known, "info", `${name} is blocked. /accept ${name} takes it back.`)
      return only(theirs ? { ...out, history: null } : out)
    }
    default:
      return only(noticed(known, "good", `They are called ${name} here now.`))
  }
}

function onFailed(model: Model, effect: Effect, code: ApiErrorCode, text: string): Step {
  const { screen } = model
  switch (effect.type) {
    case "create":
      return screen.name === "setup"
        ? only(withSetup(model, setupFailed(screen.setup, code)))
        : only(model)
    case "unlock":
      return screen.name === "unlock"
        ? only(
            noticed(
              { ...model, screen: { ...screen, busy: false, passphrase: emptyDraft } },
              "bad",
              text,
            ),
          )
        : only(model)
    case "add": {
      if (screen.name === "setup") return only(withSetup(model, setupFailed(screen.setup, code)))
      const overlay =
        model.overlay?.name === "add"
          ? { ...model.overlay, busy: false, field: "code" as const }
          : model.overlay
      return only(noticed({ ...model, overlay }, "bad", text))
    }
    case "page": {
      if (model.history?.key !== effect.key) return only(model)
      // A contact without a thread yet has an empty history, not a missing one.
      if (code === "UNKNOWN_THREAD" || code === "UNKNOWN_CONTACT") {
        const page = { messages: [], before: null }
        return only({ ...model, history: withPage(model.history, page, effect.reason) })
      }
      return only(noticed({ ...model, history: { ...model.history, loading: null } }, "bad", text))
    }
    case "send":
      return only(unsent(model, effect.key, effect.text, text))
    case "load":
      return only({
        ...model,
        screen: { name: "gone", what: text, next: "", exitCode: 1 },
      })
    case "read":
      return only(model)
    case "retry":
    case "accept":
    case "block":
    case "rename":
    case "ticket":
    case "copy":
    case "bell":
    case "repaint":
    case "suspend":
    case "exit":
      return only(noticed(model, "bad", text))
  }
}

/** What could not even be queued goes back to where it was written. */
function unsent(model: Model, key: string, text: string, why: string): Model {
  const out = noticed({ ...model, sending: Math.max(0, model.sending - 1) }, "bad", why)
  if (model.history?.key === key && model.draft.text === "")
    return { ...out, draft: edit(model.draft, { type: "set", text }) }
  if (model.history?.key !== key) return { ...out, parked: new Map(model.parked).set(key, text) }
  return noticed(
    { ...out, draft: { ...model.draft, past: [...model.draft.past, text] } },
    "bad",
    `${why} Alt-P brings it back.`,
  )
}

function onInput(model: Model, event: InputEvent): Step {
  if (event.type === "focus") return only({ ...model, focused: event.focused })
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  // Any other key takes back the first Ctrl-C, and the word about it.
  const awake: Model =
    model.quitArmed && action !== "interrupt" ? { ...model, quitArmed: false, notice: null } : model
  if (awake.overlay !== null) return onOverlayInput(awake, awake.overlay, event)
  switch (awake.screen.name) {
    case "chat":
      return onChat(awake, event)
    case "setup":
      return onSetup(awake, awake.screen.setup, event)
    case "unlock":
      return onUnlock(awake, awake.screen, event)
    case "starting":
      if (action === "interrupt" || action === "end-of-input")
        return and(awake, { type: "exit", code: 130 })
      return action === "repaint" ? and(awake, { type: "repaint" }) : only(awake)
    case "gone":
      return action === "send" ||
        action === "interrupt" ||
        action === "end-of-input" ||
        action === "back"
        ? and(awake, { type: "exit", code: awake.screen.exitCode })
        : only(awake)
  }
}

function onChat(model: Model, event: InputEvent): Step {
  if (event.type === "text") return onChatText(model, event.text)
  if (event.type === "paste") return onChatPaste(model, event.text)
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  return action === undefined ? only(model) : onChatKey(model, action)
}

/** Keys that mean the same on every form. */
const FORM_KEYS: Readonly<
  Partial<Record<KeyAction, (model: Model, empty: boolean) => Step | null>>
> = {
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

/** What a key or a paste does to the one line of a form; null: nothing. */
function formEdit(event: InputEvent): DraftEdit | null {
  if (event.type === "text") return { type: "insert", text: event.text }
  if (event.type === "paste") return { type: "insert", text: sanitizeLine(event.text) }
  if (event.type !== "key") return null
  const action = actionOf(event.chord)
  if (action === "interrupt") return { type: "clear" }
  if (action === "end-of-input") return { type: "delete" }
  if (action === "top") return { type: "line-start" }
  if (action === "bottom") return { type: "line-end" }
  return action !== undefined && isMotion(action) ? { type: action } : null
}

function onSetup(model: Model, setup: Setup, event: InputEvent): Step {
  const outcome = ([next, what]: [Setup, SetupOutcome]): Step =>
    onOutcome(withSetup(model, next), what)
  if (event.type === "key") {
    const step = onFormKey(model, isBlank(setup), event.chord)
    if (step !== null) return step
    const action = actionOf(event.chord)
    if (action === "send") return outcome(advance(setup))
    if (action === "back") return only(withSetup(model, goBack(setup)))
  }
  if (event.type === "text" && event.text === "s" && setup.step === "unprotected")
    return outcome(skipPassphrase(setup))
  const change = formEdit(event)
  return change === null ? only(model) : only(withSetup(model, typeInto(setup, change)))
}

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

function onUnlock(model: Model, screen: Unlock, event: InputEvent): Step {
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
  const change = screen.busy ? null : formEdit(event)
  if (change === null) return only(model)
  const passphrase = typed(screen.passphrase, change, true)
  return only({ ...model, notice: null, screen: { ...screen, passphrase } })
}

/** Fetches the page that scrolling comes near to, and tells the node what has been seen. */
function followUp(step: Step): Step {
  const { model } = step
  const { history } = model
  if (model.screen.name !== "chat" || history === null || !history.loaded) return step
  if (history.loading === null) {
    const slices = visible(transcriptOf(model), history.anchor, layout(model).messageRows)
    const top = slices[0]?.index ?? 0
    const bottom = slices.at(-1)?.index ?? 0
    const reason =
      top < AHEAD && history.before !== null
        ? "older"
        : !reachesNewest(history) && bottom >= history.messages.length - AHEAD
          ? "newer"
          : null
    if (reason !== null) {
      const before = reason === "older" ? history.before : (history.newer.at(-1)?.cursor ?? null)
      return {
        model: { ...model, history: { ...history, loading: reason } },
        effects: [...step.effects, { type: "page", key: history.key, reason, before }],
      }
    }
  }
  return markRead(step)
}

/** Read is what was on screen, at the newest end, in a window that is looked at; never more. */
function markRead(step: Step): Step {
  const { model } = step
  const { history } = model
  if (history === null || !model.focused || model.overlay !== null || isRequest(model)) return step
  if (history.anchor !== null || !reachesNewest(history) || !model.threads.has(history.key))
    return step
  const through = history.messages.findLast((message) => !message.mine)?.position ?? ""
  if (through <= history.readThrough) return step
  const thread = model.threads.get(history.key)
  const quiet = history.readThrough === "" && thread?.unread === 0
  const out: Model = { ...model, history: { ...history, readThrough: through } }
  if (quiet) return { ...step, model: out }
  return { model: out, effects: [...step.effects, { type: "read", thread: history.key, through }] }
}
