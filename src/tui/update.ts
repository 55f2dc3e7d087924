/**
 * The one transition function of the screen: `update(model, action)` gives the next model and what the world is asked to do.
 * No clock, no I/O: the time comes in with `tick`, answers come in as actions. After every step the two things that follow
 * from what is visible are derived: which page to fetch next, and what has been read.
 */
import { onContact, onFailed, onLoaded, withSetup } from "./answers.ts"
import { withTransfer, withEvents } from "./arrivals.ts"
import { onBackedUp, onRestored } from "./backup.ts"
import { onDrawn, onPicture } from "./pictures.ts"
import { onChatKey, onChatPaste, onChatText } from "./chat.ts"
import { onGroup, withoutThread } from "./group-answers.ts"
import { onSetup, onUnlock } from "./forms.ts"
import { HIDDEN } from "./groups.ts"
import type { InputEvent } from "./input.ts"
import { actionOf } from "./keys.ts"
import { isRequest, layout, transcriptOf } from "./layout.ts"
import type { Action, Model, Step } from "./model.ts"
import { and, noticed, only } from "./model.ts"
import { onOverlayInput } from "./overlays.ts"
import { withoutWriters } from "./typing.ts"
import { reachesNewest, withMessage, withPage } from "./widgets/history.ts"
import { onFound, onJumped } from "./search.ts"
import { ASK_CELL, SIXEL } from "./terminal.ts"
import { created } from "./widgets/setup.ts"
import { visible } from "./widgets/viewport.ts"

/** Messages at either end that may come into sight with the next key: the page beyond them is fetched ahead. */
const AHEAD = 40
/** The node is told of a growing draft no more often. */
const TELL_TYPING_MS = 5_000

export function update(model: Model, action: Action): Step {
  const step = transition(model, action)
  return followUp(step)
}

function transition(model: Model, action: Action): Step {
  switch (action.type) {
    case "input":
      return onInput(model, action.event)
    case "resize": {
      const { columns, rows } = action
      // What the terminal has drawn goes with the screen that is painted anew.
      const overlay = model.overlay?.name === "picture" ? null : model.overlay
      return only({ ...model, columns, rows, overlay })
    }
    case "tick": {
      const awake = withoutWriters(model, (_, { untilMs }) => untilMs <= model.nowMs)
      return only(
        awake.notice !== null && awake.notice.untilMs <= awake.nowMs
          ? { ...awake, notice: null, quitArmed: false }
          : awake,
      )
    }
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
        ? only(withSetup(model, created(model.screen.setup, action)))
        : only(model)
    case "page":
      return model.history?.key === action.key
        ? only({ ...model, history: withPage(model.history, action.page, action.reason) })
        : only(model)
    case "found":
      return onFound(model, action.query, action.answer)
    case "jumped":
      return onJumped(model, action.key, action.id, action.page, action.more)
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
    case "said":
      return only(noticed(model, "info", action.text))
    case "transfer":
      return withTransfer(model, action.transfer)
    case "picture":
      return onPicture(model, action.id, action.preview)
    case "drawn":
      return onDrawn(model, action.id, action.sequence)
    case "ticket":
      return model.overlay?.name === "code"
        ? only({ ...model, overlay: { ...model.overlay, ticket: action.ticket } })
        : only(model)
    case "group":
      return onGroup(model, action.ask, action.group)
    case "hidden":
      return only(noticed(withoutThread(model, action.thread), "info", HIDDEN))
    case "backed-up":
      return onBackedUp(model, action.path, action.made)
    case "restored":
      return onRestored(model, action.restored)
    case "rotated":
      return only(
        noticed(model, "good", "You have new keys. Your code stays, and contacts notice nothing."),
      )
    case "safety":
      return model.overlay?.name === "verify" && model.overlay.contact === action.contact.address
        ? only({ ...model, overlay: { ...model.overlay, number: action.number } })
        : only(model)
    case "contact":
      return onContact(model, action.contact, action.what)
    case "failed":
      return onFailed(model, action.effect, action.code, action.text)
  }
}

function onInput(model: Model, event: InputEvent): Step {
  if (event.type === "focus") return only({ ...model, focused: event.focused })
  if (event.type === "abilities" || event.type === "cell") return onAnswer(model, event)
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

/** The terminal has said what it can do. */
function onAnswer(model: Model, event: Extract<InputEvent, { type: "abilities" | "cell" }>): Step {
  const { settings } = model
  if (event.type === "cell") {
    const { width, height } = event
    return only({ ...model, settings: { ...settings, cell: { width, height } } })
  }
  if (settings.images !== "blocks" || !event.numbers.includes(SIXEL)) return only(model)
  return and(
    { ...model, settings: { ...settings, images: "sixel" } },
    { type: "write", sequence: ASK_CELL },
  )
}

/** While a draft grows, the node is told; it knows when to say so. */
function onChat(model: Model, event: InputEvent): Step {
  const step = onChatInput(model, event)
  const key = step.model.history?.key ?? null
  const tells = key !== null && step.model.threads.get(key)?.tells.typing === true
  const { text } = step.model.draft
  const grows = text.length > model.draft.text.length && !text.startsWith("/")
  if (!tells || !grows || step.model.nowMs - model.toldTypingMs < TELL_TYPING_MS) return step
  return {
    model: { ...step.model, toldTypingMs: step.model.nowMs },
    effects: [...step.effects, { type: "typing", thread: key, active: true }],
  }
}

function onChatInput(model: Model, event: InputEvent): Step {
  if (event.type === "text") return onChatText(model, event.text)
  if (event.type === "paste") return onChatPaste(model, event.text)
  const action = event.type === "key" ? actionOf(event.chord) : undefined
  return action === undefined ? only(model) : onChatKey(model, action)
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
      const next = history.newer.at(-1)
      const after = reason === "newer" ? next?.after : undefined
      const before = reason === "older" ? history.before : (next?.cursor ?? null)
      const cursor = { before, ...(after === undefined ? {} : { after }) }
      return {
        model: { ...model, history: { ...history, loading: reason } },
        effects: [...step.effects, { type: "page", key: history.key, reason, ...cursor }],
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
  // Not "further on": what has no place in the order yet stands behind everything, and moves back when it gets one.
  if (through === "" || through === history.readThrough) return step
  const thread = model.threads.get(history.key)
  const quiet = history.readThrough === "" && thread?.unread === 0
  const out: Model = { ...model, history: { ...history, readThrough: through } }
  if (quiet) return { ...step, model: out }
  return { model: out, effects: [...step.effects, { type: "read", thread: history.key, through }] }
}
