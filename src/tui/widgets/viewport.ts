/**
 * Which rows of a long history are on screen. Blocks (a message with the rules above it) have a number of rows that is asked
 * for only where it matters, so the cost is that of one screen, not of the history. The position is held to a message, not
 * to a row: new messages, older pages and a new width leave the eye where it was.
 */

export interface Blocks {
  readonly count: number
  idAt(index: number): string
  /** At least 1. */
  rowsAt(index: number): number
  /** -1 when it is not there. */
  indexOf(id: string): number
}

/** The message at the lower edge and how many of its rows are below it; null: held to the newest. */
export type Anchor = { readonly id: string; readonly hidden: number } | null

export interface Slice {
  readonly index: number
  /** Rows of this block that are shown: from `first`, `last` not included. */
  readonly first: number
  readonly last: number
}

interface Edge {
  readonly index: number
  readonly hidden: number
}

const newest = (blocks: Blocks): Edge => ({ index: blocks.count - 1, hidden: 0 })

function edgeOf(blocks: Blocks, anchor: Anchor): Edge {
  if (anchor === null) return newest(blocks)
  const index = blocks.indexOf(anchor.id)
  if (index < 0) return newest(blocks)
  return { index, hidden: Math.min(anchor.hidden, blocks.rowsAt(index) - 1) }
}

const anchorOf = (blocks: Blocks, edge: Edge): Anchor =>
  edge.index >= blocks.count - 1 && edge.hidden === 0
    ? null
    : { id: blocks.idAt(edge.index), hidden: edge.hidden }

/** Rows above the edge, counted no further than `enough`. */
function rowsAbove(blocks: Blocks, edge: Edge, enough: number): number {
  let rows = blocks.rowsAt(edge.index) - edge.hidden
  for (let i = edge.index - 1; i >= 0 && rows < enough; i--) rows += blocks.rowsAt(i)
  return rows
}

function down(blocks: Blocks, edge: Edge, rows: number): Edge {
  let { index, hidden } = edge
  let left = rows
  while (left > 0) {
    if (hidden >= left) return { index, hidden: hidden - left }
    left -= hidden
    if (index >= blocks.count - 1) return newest(blocks)
    index++
    hidden = blocks.rowsAt(index)
  }
  return { index, hidden }
}

function up(blocks: Blocks, edge: Edge, rows: number): Edge {
  let { index, hidden } = edge
  let left = rows
  while (left > 0) {
    const shown = blocks.rowsAt(index) - hidden
    if (shown > left) return { index, hidden: hidden + left }
    if (index === 0) return { index, hidden: blocks.rowsAt(0) - 1 }
    left -= shown
    index--
    hidden = 0
  }
  return { index, hidden }
}

/** Never shows emptiness above the first row while there are rows below the edge. */
function settle(blocks: Blocks, edge: Edge, height: number): Edge {
  const missing = height - rowsAbove(blocks, edge, height)
  return missing > 0 ? down(blocks, edge, missing) : edge
}

/** Moves the view by `rows` (negative: towards the older). */
export function scrolled(blocks: Blocks, anchor: Anchor, height: number, rows: number): Anchor {
  if (blocks.count === 0) return null
  const from = settle(blocks, edgeOf(blocks, anchor), height)
  const to = rows < 0 ? up(blocks, from, -rows) : down(blocks, from, rows)
  return anchorOf(blocks, settle(blocks, to, height))
}

/** The view with the first row of everything at its upper edge. */
export const atOldest = (blocks: Blocks, height: number): Anchor =>
  blocks.count === 0
    ? null
    : anchorOf(blocks, settle(blocks, { index: 0, hidden: blocks.rowsAt(0) - 1 }, height))

/** What to draw, top down; at most `height` rows, fewer only when there are no more. */
export function visible(blocks: Blocks, anchor: Anchor, height: number): Slice[] {
  if (blocks.count === 0 || height <= 0) return []
  const edge = settle(blocks, edgeOf(blocks, anchor), height)
  const out: Slice[] = []
  let left = height
  let last = blocks.rowsAt(edge.index) - edge.hidden
  for (let index = edge.index; index >= 0 && left > 0; index--) {
    if (index !== edge.index) last = blocks.rowsAt(index)
    const first = Math.max(0, last - left)
    out.push({ index, first, last })
    left -= last - first
  }
  return out.reverse()
}

/** Whether the first row of the first block is on screen. */
export const reachesOldest = (blocks: Blocks, anchor: Anchor, height: number): boolean => {
  const first = visible(blocks, anchor, height)[0]
  return first === undefined || (first.index === 0 && first.first === 0)
}
