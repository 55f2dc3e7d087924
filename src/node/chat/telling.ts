/**
 * Tells the screens what a step changed, once it is written: contacts, messages, and of threads those that look otherwise than before. What a
 * step brings besides (keys, receipts that are owed) shows nowhere, and nothing is said of it.
 */
import type { Channel } from "../../chat/channel.ts"
import type { ChatMessage } from "../../chat/message.ts"
import { toHex } from "../../crypto/bytes.ts"
import { epochMark, isMember } from "../../crypto/session.ts"
import type { ApiEvent } from "../api/types.ts"
import type { ChatBook, Step } from "./book.ts"
import { contactView, messageView } from "./view.ts"

/** What shows of a thread or a group, as the very values. */
type Looks = readonly unknown[]

/** How what a step touches looked before it, by hexadecimal thread or group id. */
export interface Before {
  readonly threads: ReadonlyMap<string, Looks>
  readonly groups: ReadonlyMap<string, Looks>
}

type Shown = Pick<
  ChatBook,
  | "me"
  | "contacts"
  | "lacking"
  | "threads"
  | "channels"
  | "last"
  | "groupChannel"
  | "threadOf"
  | "view"
>

export class Telling {
  readonly #book: Shown
  readonly #emit: (event: ApiEvent) => void

  constructor(book: Shown, emit: (event: ApiEvent) => void) {
    this.#book = book
    this.#emit = emit
  }

  /** To be asked before anything of the step is visible. */
  before(step: Step): Before {
    const { threads, messages, gone, channels } = step
    const ids = [...messages, ...gone].map(({ thread }) => toHex(thread.id))
    const touched = new Set([...threads.keys(), ...ids])
    return {
      threads: new Map(Array.from(touched, (id) => [id, this.#looksOf(id)])),
      groups: new Map(
        Array.from(channels.keys(), (id) => [id, groupLooksOf(this.#book.channels.get(id))]),
      ),
    }
  }

  /** `answered`: the messages that those of the step answer, by hexadecimal id. */
  tell(step: Step, before: Before, answered: ReadonlyMap<string, ChatMessage>): void {
    const book = this.#book
    for (const [address, contact] of step.contacts)
      this.#emit(
        contact === null
          ? { type: "contact-removed", address }
          : { type: "contact", contact: contactView(book, contact) },
      )
    this.#tellMessages(step, answered)
    for (const id of this.#changed(step, before)) this.#tellThread(id)
  }

  #tellMessages(step: Step, answered: ReadonlyMap<string, ChatMessage>): void {
    for (const { thread, message, fresh, before } of step.messages) {
      const quoted = message.replyTo === null ? undefined : answered.get(toHex(message.replyTo))
      const shown = messageView(this.#book, thread, message, quoted)
      if (fresh) this.#emit({ type: "message", message: shown })
      else if (before !== undefined) this.#emit({ type: "message-changed", message: shown })
      else {
        const { thread: id, state, receipts } = shown
        this.#emit({ type: "delivery", thread: id, id: shown.id, state, failure: null, receipts })
      }
    }
    for (const { thread, message } of step.gone)
      this.#emit({ type: "message-gone", thread: toHex(thread.id), id: toHex(message.id) })
  }

  /** Threads that look otherwise now: themselves, by their newest message, or by the group behind them. */
  #changed(step: Step, before: Before): ReadonlySet<string> {
    const { channels } = this.#book
    const changed = new Set(step.gone.map(({ thread }) => toHex(thread.id)))
    for (const [id, looks] of before.threads) if (!isSame(looks, this.#looksOf(id))) changed.add(id)
    for (const [group, looks] of before.groups) {
      const channel = channels.get(group)
      if (channel === undefined || channel.group === null || !channel.trusted) continue
      if (!isSame(looks, groupLooksOf(channel))) changed.add(toHex(this.#book.threadOf(channel).id))
    }
    return changed
  }

  #tellThread(id: string): void {
    const thread = this.#book.threads.get(id)
    if (thread === undefined || thread.hidden) this.#emit({ type: "thread-removed", thread: id })
    else this.#emit({ type: "thread", thread: this.#book.view(thread) })
  }

  #looksOf(id: string): Looks {
    const { threads, last } = this.#book
    const thread = threads.get(id)
    if (thread === undefined) return []
    const { hidden, name, standing, unread, mentioned } = thread
    const { lifetime, tellsRead, tellsTyping, lacks } = thread
    const kept = [hidden, name, standing, unread, mentioned]
    return [...kept, lifetime, tellsRead, tellsTyping, lacks, last.get(id)]
  }
}

/** A group's members, wishes and keys show in its thread. */
function groupLooksOf(channel: Channel | undefined): Looks {
  if (channel === undefined) return []
  const { trusted, peer, group, held, state } = channel
  const shown = [trusted, peer, group?.people, group?.wishes, held.length > 0]
  return [...shown, epochMark(state), isMember(state)]
}

const isSame = (a: Looks, b: Looks): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i])
