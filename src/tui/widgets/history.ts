/**
 * The part of one conversation that is in memory: a run of messages without gaps, at most HISTORY_MAX of them, and where
 * the pages before and after it begin. Pages come from the API backwards only, so what is let go at the newer end leaves the
 * cursor behind that brings it back.
 */
import type { DeliveryState, Message, Page } from "../../node/api/types.ts"
import type { Anchor } from "./viewport.ts"

export const HISTORY_MAX = 2000
/** Messages asked for at a time; also what is let go at a time, so that one page brings it back. */
export const PAGE_SIZE = 200

export type PageReason = "newest" | "older" | "newer"

/** Messages that were let go at the newer end; one page brings them back. */
export interface Chunk {
  /** Position of its first message. */
  readonly first: string
  /** Cursor whose page ends with its last message; null: the newest page does. */
  readonly cursor: string | null
  readonly count: number
  /** Instead of a cursor: nobody knows what lies behind this position; pages after it tell. */
  readonly after?: string
}

export interface History {
  /** Thread id, or the address of a contact with whom there is no thread yet. */
  readonly key: string
  readonly messages: readonly Message[]
  /** Cursor of the page before; null at the beginning of the thread. */
  readonly before: string | null
  /** What was let go at the newer end, newest first. */
  readonly newer: readonly Chunk[]
  readonly loading: PageReason | null
  /** False until the first page is there. */
  readonly loaded: boolean
  readonly anchor: Anchor
  /** The first message that was new when the chat was opened or looked away from: the rule stands above it. */
  readonly newFrom: string | null
  /** Unread messages when the chat was opened; becomes `newFrom` with the first page. */
  readonly unreadAtOpen: number
  /** Messages of others that arrived while scrolled up. */
  readonly below: number
  /** The position up to which `threads.read` was called. */
  readonly readThrough: string
}

export const openHistory = (key: string, unread: number): History => ({
  key,
  messages: [],
  before: null,
  newer: [],
  loading: "newest",
  loaded: false,
  anchor: null,
  newFrom: null,
  unreadAtOpen: unread,
  below: 0,
  readThrough: "",
})

/** Whether the newest message of the thread is the last in memory. */
export const reachesNewest = (history: History): boolean => history.newer.length === 0

/** Where a position belongs: the first index whose position is not smaller. */
function placeOf(messages: readonly Message[], position: string): number {
  let low = 0
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((messages[middle]?.position ?? "") < position) low = middle + 1
    else high = middle
  }
  return low
}

/** Searched from the newest on, where changes happen. */
export const indexOfMessage = (messages: readonly Message[], id: string): number =>
  messages.findLastIndex((message) => message.id === id)

function joined(a: readonly Message[], b: readonly Message[]): Message[] {
  const known = new Set(b.map((message) => message.id))
  const out = [...a.filter((message) => !known.has(message.id)), ...b]
  return out.sort((x, y) => (x.position < y.position ? -1 : x.position > y.position ? 1 : 0))
}

function trimOlder(history: History): History {
  if (history.messages.length <= HISTORY_MAX) return history
  const messages = history.messages.slice(history.messages.length - HISTORY_MAX + PAGE_SIZE)
  return { ...history, messages, before: messages[0]?.position ?? null }
}

function trimNewer(history: History): History {
  let { messages, newer } = history
  while (messages.length > HISTORY_MAX) {
    const kept = messages.length - PAGE_SIZE
    const first = messages[kept]?.position ?? ""
    newer = [...newer, { first, cursor: newer.at(-1)?.first ?? null, count: PAGE_SIZE }]
    messages = messages.slice(0, kept)
  }
  return messages === history.messages ? history : { ...history, messages, newer }
}

/** A message was written behind what was let go. */
function countedBeyond(newer: readonly Chunk[], position: string): readonly Chunk[] {
  const [end, ...rest] = newer
  if (end === undefined || end.after !== undefined) return newer
  if (end.count < PAGE_SIZE) return [{ ...end, count: end.count + 1 }, ...rest]
  return [{ first: position, cursor: null, count: 1 }, { ...end, cursor: position }, ...rest]
}

/** A page arrived. */
export function withPage(history: History, page: Page, reason: PageReason): History {
  const idle: History = { ...history, loading: null, loaded: true }
  switch (reason) {
    case "older":
      return trimNewer({
        ...idle,
        messages: joined(page.messages, history.messages),
        before: page.before,
      })
    case "newer": {
      const { first: wanted = "", after } = history.newer.at(-1) ?? {}
      if (after !== undefined) return onwards(idle, page)
      // Other than what was let go: going on would leave a gap that nobody sees, so this page stands alone.
      if (page.before !== null && (page.messages[0]?.position ?? "") > wanted)
        return { ...idle, messages: page.messages, before: page.before, newer: [], anchor: null }
      return trimOlder({
        ...idle,
        messages: joined(history.messages, page.messages),
        newer: history.newer.slice(0, -1),
      })
    }
    case "newest": {
      const fresh: History = {
        ...idle,
        messages: page.messages,
        before: page.before,
        newer: [],
        anchor: null,
        below: 0,
      }
      return history.loaded ? fresh : { ...fresh, newFrom: firstNew(page, history.unreadAtOpen) }
    }
  }
}

/** A page after the last message in memory: it ends the thread, or more lies behind it. */
function onwards(history: History, page: Page): History {
  const messages = joined(history.messages, page.messages)
  const newer = page.messages.length < PAGE_SIZE ? [] : [behind(messages)]
  return trimOlder({ ...history, messages, newer })
}

function behind(messages: readonly Message[]): Chunk {
  const after = messages.at(-1)?.position ?? ""
  // A cursor that is just behind it: what is let go before this chunk ends there.
  return { first: `${after}00`, cursor: null, count: PAGE_SIZE, after }
}

/** Opened somewhere in the middle: this is what lies there, and whether more lies behind it. */
export const withSurroundings = (history: History, page: Page, more: boolean): History => ({
  ...history,
  messages: page.messages,
  before: page.before,
  newer: more ? [behind(page.messages)] : [],
  loading: null,
  loaded: true,
  newFrom: null,
})

/** The n-th message of others from the end, n unread; the oldest at hand when more are unread than were fetched. */
function firstNew(page: Page, unread: number): string | null {
  if (unread === 0) return null
  const others = page.messages.filter((message) => !message.mine)
  return (others.at(-unread) ?? others[0])?.id ?? null
}

/** A message came or changed: new, delivered, or settled elsewhere in the order. */
export function withMessage(history: History, message: Message, away: boolean): History {
  if (!history.loaded) return history
  const at = indexOfMessage(history.messages, message.id)
  const last = history.messages.at(-1)?.position ?? ""
  const fresh = at < 0
  if (fresh && !reachesNewest(history) && message.position > last)
    return {
      ...history,
      newer: countedBeyond(history.newer, message.position),
      below: history.below + (message.mine ? 0 : 1),
    }
  if (fresh && history.before !== null && message.position < (history.messages[0]?.position ?? ""))
    return history
  const rest = fresh ? history.messages.slice() : history.messages.toSpliced(at, 1)
  rest.splice(placeOf(rest, message.position), 0, message)
  const out: History = { ...history, messages: rest }
  if (!fresh) return out
  const marked =
    message.mine && history.anchor === null
      ? { ...out, newFrom: null }
      : away && history.newFrom === null && !message.mine
        ? { ...out, newFrom: message.id }
        : out
  const counted =
    history.anchor !== null && !message.mine ? { ...marked, below: marked.below + 1 } : marked
  return history.anchor === null ? trimOlder(counted) : trimNewer(counted)
}

/** A message that is here is another one now, and may stand elsewhere. */
export function withChanged(history: History, message: Message): History {
  return indexOfMessage(history.messages, message.id) < 0
    ? history
    : withMessage(history, message, false)
}

/** A message is not there any more. Where the eye was held to it, it is held to the one after. */
export function withoutMessage(history: History, id: string): History {
  const at = indexOfMessage(history.messages, id)
  if (at < 0) return history
  const next = history.messages[at + 1]
  const anchor =
    history.anchor?.id !== id
      ? history.anchor
      : next === undefined
        ? null
        : { id: next.id, hidden: 0 }
  const newFrom = history.newFrom === id ? (next?.id ?? null) : history.newFrom
  return { ...history, messages: history.messages.toSpliced(at, 1), anchor, newFrom }
}

export function withDelivery(
  history: History,
  id: string,
  state: DeliveryState,
  failure: string | null,
): History {
  const at = indexOfMessage(history.messages, id)
  const message = history.messages[at]
  if (message === undefined || (message.state === state && message.failure === failure))
    return history
  return { ...history, messages: history.messages.with(at, { ...message, state, failure }) }
}

/** Held to the newest again: nothing is below any more. */
export const withAnchor = (history: History, anchor: Anchor): History =>
  anchor === null && reachesNewest(history)
    ? { ...history, anchor, below: 0 }
    : { ...history, anchor }
