/**
 * The text being written: state and what keys do to it, apart from any drawing. Positions are UTF-16 offsets that always lie
 * between user-perceived characters, so Backspace never leaves half an emoji. Emacs keys, one kill, undo, and the drafts of
 * before, all bounded.
 */
import { graphemes } from "../wrap.ts"

export interface Draft {
  readonly text: string
  readonly cursor: number
  readonly killed: string
  readonly undo: readonly Snapshot[]
  /** Drafts that were sent or cleared, oldest first. */
  readonly past: readonly string[]
  /** Which of `past` is shown, or null while writing something new; then `aside` keeps the new text. */
  readonly pastAt: number | null
  readonly aside: string
}

interface Snapshot {
  readonly text: string
  readonly cursor: number
}

export type DraftEdit =
  | { readonly type: "insert"; readonly text: string }
  | { readonly type: "set"; readonly text: string }
  | { readonly type: DraftMotion }

export type DraftMotion =
  | "left" | "right" | "word-left" | "word-right" | "line-start" | "line-end" | "line-up" | "line-down"
  | "backspace" | "delete" | "kill-word-back" | "kill-word" | "kill-to-start" | "kill-to-end"
  | "yank" | "undo" | "older" | "newer" | "clear" // prettier-ignore

/** UTF-16 units; longer input is cut. The node has the last word on how long a message may be. */
export const DRAFT_MAX = 1 << 16
const UNDO_MAX = 100
const PAST_MAX = 50

export const emptyDraft: Draft = {
  text: "",
  cursor: 0,
  killed: "",
  undo: [],
  past: [],
  pastAt: null,
  aside: "",
}

const before = (text: string, cursor: number): number =>
  cursor - (graphemes(text.slice(0, cursor)).at(-1)?.length ?? 0)
const after = (text: string, cursor: number): number =>
  cursor + (graphemes(text.slice(cursor))[0]?.length ?? 0)
const wordBefore = (text: string, cursor: number): number =>
  cursor - (/[^\s]*\s*$/.exec(text.slice(0, cursor))?.[0].length ?? 0)
const wordAfter = (text: string, cursor: number): number =>
  cursor + (/^\s*[^\s]*/.exec(text.slice(cursor))?.[0].length ?? 0)
const lineStart = (text: string, cursor: number): number =>
  cursor === 0 ? 0 : text.lastIndexOf("\n", cursor - 1) + 1
const lineEnd = (text: string, cursor: number): number => {
  const at = text.indexOf("\n", cursor)
  return at < 0 ? text.length : at
}

/** The nearest place at or before `cursor` that does not cut a character in two. */
function snapped(text: string, cursor: number): number {
  let at = 0
  for (const cluster of graphemes(text)) {
    if (at + cluster.length > cursor) return at
    at += cluster.length
  }
  return at
}

/** The same column in the line `by` lines away, or null when there is none. */
function vertical(text: string, cursor: number, by: -1 | 1): number | null {
  const start = lineStart(text, cursor)
  const edge = by < 0 ? start - 1 : lineEnd(text, cursor) + 1
  if (edge < 0 || edge > text.length) return null
  const targetStart = by < 0 ? lineStart(text, edge) : edge
  const targetEnd = by < 0 ? edge : lineEnd(text, edge)
  return snapped(text, Math.min(targetStart + cursor - start, targetEnd))
}

const remembered = (draft: Draft): readonly Snapshot[] =>
  [...draft.undo, { text: draft.text, cursor: draft.cursor }].slice(-UNDO_MAX)

function changed(draft: Draft, text: string, cursor: number): Draft {
  if (text === draft.text) return moved(draft, cursor)
  return { ...draft, text, cursor, undo: remembered(draft), pastAt: null }
}

const moved = (draft: Draft, cursor: number): Draft =>
  cursor === draft.cursor ? draft : { ...draft, cursor }

function cut(draft: Draft, from: number, to: number, keep: boolean): Draft {
  const { text } = draft
  if (from === to) return draft
  const out = changed(draft, text.slice(0, from) + text.slice(to), from)
  return keep ? { ...out, killed: text.slice(from, to) } : out
}

function recall(draft: Draft, by: -1 | 1): Draft {
  const at = (draft.pastAt ?? draft.past.length) + by
  if (at < 0 || at > draft.past.length) return draft
  const aside = draft.pastAt === null ? draft.text : draft.aside
  const text = draft.past[at] ?? aside
  return { ...draft, text, cursor: text.length, aside, pastAt: at < draft.past.length ? at : null }
}

/** The draft after one edit. The same object when nothing changed. */
export function edit(draft: Draft, change: DraftEdit): Draft {
  const { text, cursor } = draft
  switch (change.type) {
    case "insert": {
      const room = DRAFT_MAX - text.length
      const added =
        change.text.length > room ? change.text.slice(0, room).toWellFormed() : change.text
      return changed(
        draft,
        text.slice(0, cursor) + added + text.slice(cursor),
        cursor + added.length,
      )
    }
    case "set":
      return changed(
        draft,
        change.text.slice(0, DRAFT_MAX),
        Math.min(change.text.length, DRAFT_MAX),
      )
    case "left":
      return moved(draft, before(text, cursor))
    case "right":
      return moved(draft, after(text, cursor))
    case "word-left":
      return moved(draft, wordBefore(text, cursor))
    case "word-right":
      return moved(draft, wordAfter(text, cursor))
    case "line-start":
      return moved(draft, lineStart(text, cursor))
    case "line-end":
      return moved(draft, lineEnd(text, cursor))
    case "line-up":
      return moved(draft, vertical(text, cursor, -1) ?? 0)
    case "line-down":
      return moved(draft, vertical(text, cursor, 1) ?? text.length)
    case "backspace":
      return cut(draft, before(text, cursor), cursor, false)
    case "delete":
      return cut(draft, cursor, after(text, cursor), false)
    case "kill-word-back":
      return cut(draft, wordBefore(text, cursor), cursor, true)
    case "kill-word":
      return cut(draft, cursor, wordAfter(text, cursor), true)
    case "kill-to-start":
      return cut(draft, lineStart(text, cursor), cursor, true)
    case "kill-to-end": {
      const end = lineEnd(text, cursor)
      return cut(draft, cursor, end === cursor ? Math.min(end + 1, text.length) : end, true)
    }
    case "yank":
      return edit(draft, { type: "insert", text: draft.killed })
    case "undo": {
      const last = draft.undo.at(-1)
      return last === undefined ? draft : { ...draft, ...last, undo: draft.undo.slice(0, -1) }
    }
    case "older":
      return recall(draft, -1)
    case "newer":
      return recall(draft, 1)
    case "clear":
      return put(draft, true)
  }
}

/** Empties the draft; `keep` puts what it held among the drafts of before. */
export function put(draft: Draft, keep: boolean): Draft {
  const worth = keep && draft.text.trim() !== "" && draft.past.at(-1) !== draft.text
  const past = worth ? [...draft.past, draft.text].slice(-PAST_MAX) : draft.past
  return { ...emptyDraft, killed: draft.killed, past }
}

/** Moves the cursor by lines; false where there is no line that way, so that the key may mean something else. */
export const hasLine = (draft: Draft, by: -1 | 1): boolean =>
  vertical(draft.text, draft.cursor, by) !== null
