/**
 * What is said in threads, as steps change it: texts and settings of the lifetime that came, acts on messages that are here or not yet,
 * messages that go. Over the pure rules (chat/thread.ts, chat/fold.ts); every function adds to a step, within a turn.
 */
import type { Act } from "../../chat/act.ts"
import type { Setting } from "../../chat/content.ts"
import { actedOn, gathered, withEarly } from "../../chat/fold.ts"
import { type ChatMessage, PLAIN, positionOf } from "../../chat/message.ts"
import type { Text } from "../../chat/said.ts"
import { type Arrived, type ChatThread, names, received, withLifetime } from "../../chat/thread.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import type { ChatBook, Step } from "./book.ts"
import type { Unread } from "./marks.ts"

/** Unread texts of a thread that are known one by one; what comes beyond counts as read. */
export const UNREAD_MAX = 10_000
/** Messages that are not here yet and that one member has done something to; what they do to more of them is dropped. */
export const EARLY_PER_MEMBER_MAX = 64

/** Ids of others' newest messages: what their other readers confirm of them is nothing to look up. */
const THEIRS_MAX = 4_096
/** Messages read at a time. */
const PAGE = 256

export interface Found {
  readonly thread: ChatThread
  readonly message: ChatMessage
}

export class Transcript {
  readonly #book: ChatBook
  readonly #erased: (thread: Bytes) => void
  /** Hexadecimal ids of messages that acts wait for, by who did them. */
  readonly #early = new Map<Address, Set<string>>()
  /** Hexadecimal, oldest first. */
  readonly #theirs = new Set<string>()

  /** `erased`: words of a message in this thread are to leave the disk. */
  constructor(book: ChatBook, erased: (thread: Bytes) => void) {
    this.#book = book
    this.#erased = erased
  }

  async load(): Promise<void> {
    for (const { target, acts } of await this.#book.records.marks.allEarly())
      for (const { by } of acts) this.#earlyOf(by).add(toHex(target))
  }

  /** Whether this is known to be somebody else's message, without a look at the disk. */
  isTheirs = (id: Bytes): boolean => this.#theirs.has(toHex(id))

  #rememberTheirs(id: string): void {
    this.#theirs.add(id)
    if (this.#theirs.size <= THEIRS_MAX) return
    for (const oldest of this.#theirs) {
      this.#theirs.delete(oldest)
      return
    }
  }

  /** A message as it is after this step. */
  async find(step: Step, id: Bytes): Promise<Found | undefined> {
    if (step.gone.some(({ message }) => equal(message.id, id))) return undefined
    const inStep = step.messages.findLast(({ message }) => equal(message.id, id))
    if (inStep !== undefined)
      return { thread: this.threadIn(step, inStep.thread), message: inStep.message }
    const found = await this.#book.records.findMessage(id)
    const thread = found && this.#book.threads.get(toHex(found.thread))
    return found && thread && { thread: this.threadIn(step, thread), message: found.message }
  }

  /** A thread as it is after this step. */
  threadIn(step: Step, thread: ChatThread): ChatThread {
    const id = toHex(thread.id)
    return step.threads.get(id) ?? this.#book.threads.get(id) ?? thread
  }

  /** A message is another one now. */
  change(step: Step, { thread, message: before }: Found, message: ChatMessage): void {
    step.messages.push({ thread, message, fresh: false, before })
  }

  /** Somebody else's text, or setting of the lifetime, that was never here. */
  async said(step: Step, before: ChatThread, by: Address, content: Text | Setting): Promise<void> {
    const { me, records } = this.#book
    const { thread, message: plain } = received(before, me, { ...keptOf(content), author: by })
    const name = toHex(content.id)
    const early = step.early.get(name) ?? (await records.marks.early(content.id))
    const isFor = early !== undefined && equal(early.thread, thread.id)
    const message = isFor ? withEarly(plain, early.acts) : plain
    if (early !== undefined) {
      step.early.delete(name)
      step.ops.push(records.marks.delEarly(content.id))
      for (const { by: who } of early.acts) this.#earlyOf(who).delete(name)
    }
    const isCounted = content.kind === "text" && !message.deleted && before.unread < UNREAD_MAX
    const mention = names(message, me)
    const counts = isCounted
      ? { unread: before.unread + 1, mentioned: before.mentioned + (mention ? 1 : 0) }
      : { unread: before.unread, mentioned: before.mentioned }
    if (isCounted) step.ops.push(records.marks.putUnread(thread.id, unreadOf(message, me)))
    const after = { ...thread, ...counts }
    const set = content.kind === "lifetime" ? withLifetime(after, content) : after
    step.threads.set(toHex(thread.id), set)
    step.messages.push({ thread: set, message, fresh: true })
    this.#rememberTheirs(name)
  }

  /** Somebody does something to a message of this thread, which may not be here yet. What is not theirs to do changes nothing. */
  async act(step: Step, thread: ChatThread, act: Act, by: Address): Promise<void> {
    const found = await this.find(step, act.target)
    if (found === undefined) return this.#wait(step, thread, act, by)
    if (!equal(found.thread.id, thread.id)) return
    const message = actedOn(found.message, act, by)
    if (message === found.message) return
    if (message.deleted) this.#erased(thread.id)
    const after = await this.#recounted(step, found, message)
    this.change(step, { ...found, thread: after }, message)
  }

  async #wait(step: Step, { id: thread }: ChatThread, act: Act, by: Address): Promise<void> {
    const { records } = this.#book
    const isGone = step.gone.some(({ message }) => equal(message.id, act.target))
    if (isGone || (await records.wasHere(act.target))) return
    const own = this.#earlyOf(by)
    const target = toHex(act.target)
    if (!own.has(target) && own.size >= EARLY_PER_MEMBER_MAX) return
    const known = step.early.get(target) ?? (await records.marks.early(act.target))
    if (known !== undefined && !equal(known.thread, thread)) return
    const acts = gathered(known?.acts ?? [], act, by)
    if (acts === known?.acts) return
    own.add(target)
    step.early.set(target, { target: act.target, thread, acts })
  }

  /** The thread, when an unread message says something else now: it may name us, or not any more, or have gone. */
  async #recounted(
    step: Step,
    { thread, message }: Found,
    after: ChatMessage,
  ): Promise<ChatThread> {
    const { me, records } = this.#book
    if (message.mine || message.mentions === after.mentions) return thread
    const unread = await records.marks.isUnread(thread.id, message.id)
    if (unread === undefined) return thread
    const mention = names(after, me)
    const counted: ChatThread = {
      ...thread,
      unread: Math.max(0, thread.unread - (after.deleted ? 1 : 0)),
      mentioned: Math.max(0, thread.mentioned + Number(mention) - Number(unread.mention)),
    }
    step.ops.push(
      after.deleted
        ? records.marks.delUnread(thread.id, message.id)
        : records.marks.putUnread(thread.id, unreadOf(after, me)),
    )
    step.threads.set(toHex(thread.id), counted)
    return counted
  }

  /** A message goes from here, and does not come back when it is said again: unless it is `unsaid`. */
  async remove(step: Step, { thread: before, message }: Found, unsaid = false): Promise<void> {
    const thread = this.threadIn(step, before)
    const unread = await this.#book.records.marks.isUnread(thread.id, message.id)
    if (unread !== undefined)
      step.threads.set(toHex(thread.id), {
        ...thread,
        unread: Math.max(0, thread.unread - 1),
        mentioned: Math.max(0, thread.mentioned - Number(unread.mention)),
      })
    step.gone.push({ thread, message, ...(unsaid && { unsaid }) })
  }

  /** It was not its author's to say then: it goes, with what it has set here, and comes when it is said again. */
  async unsay(step: Step, found: Found): Promise<void> {
    await this.remove(step, found, true)
    const thread = this.threadIn(step, found.thread)
    if (thread.lifetime === null || !equal(thread.lifetime.id, found.message.id)) return
    const lifetime = await this.#lifetimeBut(thread, found.message.id)
    step.threads.set(toHex(thread.id), { ...thread, lifetime })
  }

  /** What was set last for this thread, but for that. */
  async #lifetimeBut(thread: ChatThread, but: Bytes): Promise<ChatThread["lifetime"]> {
    let without: ChatThread = { ...thread, lifetime: null }
    let before: Bytes | undefined
    for (;;) {
      const page = await this.#book.records.messages(thread.id, {
        limit: PAGE,
        reverse: true,
        ...(before && { before }),
      })
      for (const { id, lamport, sets } of page)
        if (sets !== null && !equal(id, but))
          without = withLifetime(without, { id, lamport, lifetime: sets.lifetime })
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return without.lifetime
      before = positionOf(last)
    }
  }

  #earlyOf(by: Address): Set<string> {
    const known = this.#early.get(by) ?? new Set()
    this.#early.set(by, known)
    return known
  }
}

const unreadOf = (message: ChatMessage, me: Address): Unread => ({
  id: message.id,
  mention: names(message, me),
  disappears: message.lifetime?.unit === "seconds",
})

/** What of a text, or of a setting as the message that everybody sees, is kept as it came. */
function keptOf(content: Text | Setting): Omit<Arrived, "author"> {
  const { id, sentAtMs, lamport, lifetime } = content
  const head = { id, sentAtMs, lamport }
  if (content.kind === "lifetime")
    return { ...head, text: "", sets: { lifetime: lifetime ?? null } }
  const { text, file, replyTo, mentions, again } = content
  return {
    ...head,
    text,
    ...(file && { file }),
    ...(replyTo && { replyTo }),
    ...(mentions && { mentions }),
    ...(lifetime && { lifetime }),
    ...(again && { place: again, again: true }),
  }
}

/** Our own text or setting as it is kept. */
export function ownMessage(content: Text | Setting, author: Address): ChatMessage {
  const state = { mine: true, delivery: "queued", late: false, audience: 0, awaited: [] } as const
  return { ...PLAIN, ...keptOf(content), author, ...state }
}
