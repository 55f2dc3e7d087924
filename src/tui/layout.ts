/**
 * Where things are: the sizes of the chat screen's parts for a terminal size and what is being shown. The message column is
 * last and reaches the edge; the composer has the full width below it.
 */
import { usageHint } from "./commands.ts"
import { lackHint } from "./lacking.ts"
import { openEntry } from "./model.ts"
import type { Model } from "./model.ts"
import { drawn } from "./sanitize.ts"
import { transcript } from "./transcript.ts"
import type { Transcript } from "./transcript.ts"
import type { Draft } from "./widgets/draft.ts"
import { wrap, wrapRows } from "./wrap.ts"
import type { WrappedRow } from "./wrap.ts"

/** From here on the list of chats has a column of its own. */
export const WIDE_FROM = 100
export const LIST_WIDTH = 26
/** Prompt, and one cell for the cursor behind the last character. */
const PROMPT_WIDTH = 2
/** Every sentence about an error fits at 80 columns. */
const HINT_ROWS_MAX = 2

export interface Layout {
  readonly wide: boolean
  readonly paneWidth: number
  readonly messageRows: number
  readonly composerRows: number
  /** A notice, how the command being written is used, or what waits for a word; HINT_ROWS_MAX rows at most. */
  readonly hint: readonly string[]
  readonly requestRows: number
}

/** Below this nothing can be laid out; the screen says so. */
export const COLUMNS_MIN = 40
export const ROWS_MIN = 10

export const isRequest = (model: Model): boolean => openEntry(model)?.request ?? false

/** Somebody waits for an answer: a stranger, or an identity under another's name. */
export const isAsked = (model: Model): boolean =>
  isRequest(model) || (openEntry(model)?.contact?.claims ?? null) !== null

const wrapped = new WeakMap<
  Draft,
  { readonly width: number; readonly rows: readonly WrappedRow[] }
>()

export function draftRows(model: Model): readonly WrappedRow[] {
  const width = model.columns - PROMPT_WIDTH - 1
  const found = wrapped.get(model.draft)
  if (found?.width === width) return found.rows
  const rows = wrapRows(drawn(model.draft.text), width)
  wrapped.set(model.draft, { width, rows })
  return rows
}

export function layout(model: Model): Layout {
  const wide = model.columns >= WIDE_FROM
  const requestRows = isAsked(model) ? 3 : 0
  const composerRows = Math.min(draftRows(model).length, Math.max(1, Math.floor(model.rows / 3)))
  const said = model.notice?.text ?? usageHint(model.draft.text) ?? lackHint(model)
  const hint = said === null ? [] : wrap(said, model.columns - 2).slice(0, HINT_ROWS_MAX)
  const fixed = 1 + hint.length + 1
  return {
    wide,
    paneWidth: wide ? model.columns - LIST_WIDTH - 2 : model.columns,
    messageRows: Math.max(1, model.rows - fixed - composerRows - requestRows),
    composerRows,
    hint,
    requestRows,
  }
}

export const transcriptOf = (model: Model): Transcript => transcript(model, layout(model).paneWidth)

/** Which row of the drawn draft holds the cursor, and what stands before it in that row. */
export function cursorIn(model: Model): { readonly row: number; readonly before: string } {
  const rows = draftRows(model)
  const cursor = drawn(model.draft.text.slice(0, model.draft.cursor)).length
  const row = rows.findLastIndex(({ start }) => start <= cursor)
  const at = rows[row]
  return {
    row: Math.max(0, row),
    before: at === undefined ? "" : at.text.slice(0, cursor - at.start),
  }
}
