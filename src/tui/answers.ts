/**
 * What came of an effect, applied to the model: the first load, a changed contact, a failure. A failure goes back to where
 * the person can mend it, with what they wrote still there.
 */
import type { ApiErrorCode, Contact, Status, ThreadSummary } from "../node/api/types.ts"
import { onBackupFailed } from "./backup.ts"
import { openChat } from "./chat.ts"
import { onNoPicture } from "./pictures.ts"
import { contactName } from "./commands.ts"
import { strengthenedWords } from "./people.ts"
import type { Effect, Model, Step } from "./model.ts"
import { and, entries, noticed, only } from "./model.ts"
import { edit, emptyDraft } from "./widgets/draft.ts"
import { withPage } from "./widgets/history.ts"
import { beginSetup, failed as setupFailed } from "./widgets/setup.ts"
import type { Setup } from "./widgets/setup.ts"

export function onLoaded(
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
        screen: {
          name: "setup",
          setup: beginSetup(model.settings.userName, {
            inMesh: status.mesh !== null,
            ephemeral: status.ephemeral,
          }),
        },
      })
    case "locked":
      return only({ ...out, screen: { name: "unlock", passphrase: emptyDraft, busy: false } })
    case "open": {
      // What was said of a first run is still to be read.
      const said = model.screen.name === "setup" ? model.notice : null
      const chat: Model = { ...out, screen: { name: "chat" }, notice: said }
      const first = entries(chat)[0]
      return first === undefined || chat.history !== null ? only(chat) : openChat(chat, first.key)
    }
  }
}

export const withSetup = (model: Model, setup: Setup): Model => ({
  ...model,
  screen: { name: "setup", setup },
})

export function onContact(model: Model, contact: Contact, what: string): Step {
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
    case "verified":
    case "unverified": {
      const text =
        what === "verified"
          ? `${name} is verified: their messages come from whom you compared with.`
          : `${name} is not verified any more.`
      return only(noticed({ ...known, overlay: null }, what === "verified" ? "good" : "info", text))
    }
    case "accepted":
      return only(noticed(known, "good", `${name} can write to you now, and you to them.`))
    case "strengthened":
      return only(noticed(known, "good", strengthenedWords(contact)))
    case "blocked": {
      const open = model.history?.key ?? ""
      const theirs =
        open === contact.address ||
        entries(model).some(
          ({ key, contact: of }) => key === open && of?.address === contact.address,
        )
      const out = noticed(known, "info", `${name} is blocked. /accept ${name} takes it back.`)
      return only(theirs ? { ...out, history: null } : out)
    }
    default:
      return only(noticed(known, "good", `They are called ${name} here now.`))
  }
}

export function onFailed(model: Model, effect: Effect, code: ApiErrorCode, text: string): Step {
  const { screen } = model
  switch (effect.type) {
    case "create":
      return screen.name === "setup"
        ? only(withSetup(model, setupFailed(screen.setup, code)))
        : only(model)
    case "backup":
    case "restore":
      return onBackupFailed(model, code, text)
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
    case "about":
      return effect.ask.what === "reply"
        ? only(unsent(model, effect.ask.key, `/reply ${effect.ask.text}`, text))
        : only(noticed(model, "bad", text))
    case "typing":
      return only(model)
    case "load":
      return only({
        ...model,
        screen: { name: "gone", what: text, next: "", exitCode: 1 },
      })
    case "read":
      return only(model)
    case "safety":
    case "verify":
    case "unverify":
      return only(
        noticed(
          { ...model, overlay: model.overlay?.name === "verify" ? null : model.overlay },
          "bad",
          text,
        ),
      )
    case "group": {
      const overlay = model.overlay?.name === "members" ? null : model.overlay
      return only(noticed({ ...model, overlay }, "bad", text))
    }
    case "search": {
      const { overlay } = model
      if (overlay?.name !== "search" || overlay.asked !== effect.query) return only(model)
      return only(noticed({ ...model, overlay: { ...overlay, asked: null } }, "bad", text))
    }
    case "draw":
    case "view":
      return onNoPicture(model, effect.id, text)
    case "file":
    case "jump":
    case "save":
    case "write":
    case "retry":
    case "accept":
    case "block":
    case "strengthen":
    case "rename":
    case "hide":
    case "rotate":
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
