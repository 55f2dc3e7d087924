/**
 * What the API tells, applied to the model: a batch at a time, since a busy mesh tells more than ten things a second and the
 * screen is drawn for each batch once.
 */
import type { ApiEvent, Contact, ThreadSummary, Transfer } from "../node/api/types.ts"
import { withoutWriters, withTyping } from "./typing.ts"
import { contactName } from "./commands.ts"
import { lackNews } from "./lacking.ts"
import type { Effect, Model, Step } from "./model.ts"
import { and, noticed, only } from "./model.ts"
import { transferEnd } from "./widgets/transfers.ts"
import {
  openHistory,
  withChanged,
  withDelivery,
  withMessage,
  withoutMessage,
} from "./widgets/history.ts"

/** Entries kept of each; beyond, the ones that came first are let go until they are told again. */
export const THREADS_MAX = 10_000
export const CONTACTS_MAX = 10_000

function put<V>(map: ReadonlyMap<string, V>, key: string, value: V, max: number): Map<string, V> {
  const out = new Map(map)
  out.set(key, value)
  const first = out.size > max ? out.keys().next().value : undefined
  if (first !== undefined) out.delete(first)
  return out
}

export function withThread(model: Model, thread: ThreadSummary): Step {
  const news = lackNews(model.threads.get(thread.id), thread)
  const told = news === null ? model : noticed(model, "info", news)
  const out: Model = { ...told, threads: put(model.threads, thread.id, thread, THREADS_MAX) }
  const { history } = model
  // A chat that was opened by its contact has become a thread: it goes on under the thread's own name.
  if (history === null || thread.kind === "group" || thread.members[0] !== history.key)
    return only(out)
  return and(
    { ...out, history: openHistory(thread.id, 0) },
    { type: "page", key: thread.id, reason: "newest", before: null },
  )
}

/** The page of a group's members follows the group. */
function shownAgain({ model, effects }: Step, thread: string): Step {
  const { overlay } = model
  if (overlay?.name !== "members" || overlay.thread !== thread) return { model, effects }
  return { model, effects: [...effects, { type: "group", ask: { what: "show", thread } }] }
}

/** Somebody new under a name one knows is said aloud, whatever is on screen. */
function withContact(model: Model, contact: Contact): Step {
  const before = model.contacts.get(contact.address)
  const contacts = put(model.contacts, contact.address, contact, CONTACTS_MAX)
  const out: Model = { ...model, contacts }
  const other = contact.claims === null ? undefined : contacts.get(contact.claims)
  if (contact.claims === null || before?.claims === contact.claims) return only(out)
  const known = other === undefined ? "a contact of yours" : contactName(other)
  const text = `Another identity goes by the name of ${known}. Nothing goes out to it until you decide: /open ${contactName(contact)}`
  return {
    model: noticed(out, "bad", text),
    effects: model.settings.bell ? [{ type: "bell" }] : [],
  }
}

/** Files on their way; one that has arrived, or failed, is said once. */
export function withTransfer(model: Model, transfer: Transfer): Step {
  const transfers = new Map(model.transfers)
  if (transfer.state !== "done" && transfer.state !== "failed") {
    transfers.set(transfer.id, transfer)
    return only({ ...model, transfers })
  }
  transfers.delete(transfer.id)
  const out = { ...model, transfers }
  if (transfer.failure === "CANCELLED" || transfer.failure === "STOPPING") return only(out)
  const [kind, text] = transferEnd(transfer)
  return only(noticed(out, kind, text))
}

function withEvent(model: Model, event: ApiEvent): Step {
  switch (event.type) {
    case "status":
      return only({ ...model, status: event.status, statusAtMs: model.nowMs })
    case "message": {
      const { message } = event
      const thread = model.threads.get(message.thread)
      const last = thread?.last ?? null
      const newest = last === null || last.position <= message.position
      const threads =
        thread === undefined || !newest
          ? model.threads
          : put(model.threads, thread.id, { ...thread, last: message }, THREADS_MAX)
      const history =
        model.history?.key === message.thread
          ? withMessage(model.history, message, !model.focused && message.notice === null)
          : model.history
      const effects: Effect[] =
        model.settings.bell && !model.focused && !message.mine && message.notice === null
          ? [{ type: "bell" }]
          : []
      const shown = withoutWriters(
        { ...model, threads, history },
        (key) => key === `${message.thread} ${message.author}`,
      )
      return { model: shown, effects }
    }
    case "message-changed": {
      const { message } = event
      const thread = model.threads.get(message.thread)
      const threads =
        thread?.last?.id === message.id
          ? put(model.threads, thread.id, { ...thread, last: message }, THREADS_MAX)
          : model.threads
      const history =
        model.history?.key === message.thread ? withChanged(model.history, message) : model.history
      return only({ ...model, threads, history })
    }
    case "message-gone":
      return model.history?.key === event.thread
        ? only({ ...model, history: withoutMessage(model.history, event.id) })
        : only(model)
    case "typing":
      return only(withTyping(model, event))
    case "delivery":
      return model.history?.key === event.thread
        ? only({
            ...model,
            history: withDelivery(model.history, event.id, event.state, event.failure),
          })
        : only(model)
    case "thread":
      return shownAgain(withThread(model, event.thread), event.thread.id)
    case "thread-removed": {
      const threads = new Map(model.threads)
      threads.delete(event.thread)
      const history = model.history?.key === event.thread ? null : model.history
      return only({ ...model, threads, history })
    }
    case "contact":
      return withContact(model, event.contact)
    case "contact-removed": {
      const contacts = new Map(model.contacts)
      contacts.delete(event.address)
      return only({ ...model, contacts })
    }
    case "transfer":
      return withTransfer(model, event.transfer)
    case "progress": {
      const { what, done, total } = event
      return only({ ...model, progress: total > 0 && done >= total ? null : { what, done, total } })
    }
  }
}

export function withEvents(model: Model, events: readonly ApiEvent[]): Step {
  const effects: Effect[] = []
  let now = model
  for (const event of events) {
    const step = withEvent(now, event)
    now = step.model
    effects.push(...step.effects)
  }
  return { model: now, effects }
}
