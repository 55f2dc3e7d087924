/**
 * The chat: title (with the other chats as a strip on narrow screens), the list at the left of wide ones, messages, a hint or
 * notice, the status line and the composer. The message column is last in its rows, so that nothing of ours depends on how
 * wide a terminal draws what somebody wrote.
 */
import { Box } from "ink"
import type { ReactNode } from "react"
import type { Contact } from "../../node/api/types.ts"
import { contactName } from "../commands.ts"
import { LIST_WIDTH, cursorIn, draftRows, layout } from "../layout.ts"
import type { Layout } from "../layout.ts"
import type { Model } from "../model.ts"
import { openEntry } from "../model.ts"
import { blank, line, rowCells, span } from "../rows.ts"
import type { Row } from "../rows.ts"
import { sanitizeName } from "../sanitize.ts"
import { THEMES } from "../theme.ts"
import { emptyRows, transcript } from "../transcript.ts"
import { listColumn, stripRow, titleRow } from "../widgets/chat-list.ts"
import { statusLine } from "../widgets/status-line.ts"
import { visible } from "../widgets/viewport.ts"
import { reachesNewest } from "../widgets/history.ts"
import { cells } from "../wrap.ts"
import { Divider, Rows } from "./page.tsx"
import type { Cursor } from "./page.tsx"

/** The messages in sight, held to the lower edge; the pill stands in the last row while there is more below. */
export function messageRows(model: Model, { paneWidth, messageRows: height }: Layout): Row[] {
  const { history } = model
  if (history === null || history.messages.length === 0) return emptyRows(model, paneWidth)
  const blocks = transcript(model, paneWidth)
  const rows = visible(blocks, history.anchor, height).flatMap(({ index, first, last }) =>
    blocks.rowsOf(index).slice(first, last),
  )
  while (rows.length < height) rows.unshift(blank)
  if (history.anchor === null && reachesNewest(history)) return rows
  return [...rows.slice(0, -1), pill(model, history.below, paneWidth)]
}

function pill(model: Model, below: number, width: number): Row {
  const { down } = model.settings.glyphs
  const text =
    below > 0 ? ` ${down} ${below} new · End ` : ` ${down} older messages · End for the newest `
  const row = [span(text, "selected")]
  return [span(" ".repeat(Math.max(0, width - rowCells(row) - 1))), ...row]
}

function titleOf(model: Model, { wide }: Layout): Row {
  if (!wide) return stripRow(model, model.columns)
  const me = sanitizeName(model.status?.name ?? "")
  const mesh = sanitizeName(model.status?.mesh?.name ?? "")
  const profile = sanitizeName(model.status?.profile ?? "")
  const shown = profile === "default" ? "" : profile
  const own = [" sotto", me, mesh, shown].filter((part) => part !== "").join(" · ")
  const left: Row = [span(own, "dim")]
  const gap = Math.max(2, LIST_WIDTH + 1 - rowCells(left))
  const entry = openEntry(model)
  return entry === null ? left : [...left, span(" ".repeat(gap)), ...titleRow(model, entry)]
}

function composerRows(model: Model, { composerRows: height, requestRows }: Layout): Row[] {
  if (model.draft.text === "") {
    const entry = openEntry(model)
    const hint =
      requestRows > 0
        ? (entry?.contact?.claims ?? null) === null
          ? `/accept, ${entry?.group === true ? "/leave" : "/block"} and other commands`
          : "/verify, /block and other commands"
        : entry === null
          ? "/ commands"
          : entry.left
            ? "You are out of this group: /hide takes it away"
            : `Write to ${entry.title}`
    return [[span("> ", "accent"), span(hint, "dim")]]
  }
  const rows = draftRows(model)
  const first = firstRow(model, height)
  return rows
    .slice(first, first + height)
    .map((row, i): Row => [span(first + i === 0 ? "> " : "  ", "accent"), span(row.text)])
}

/** The composer shows the rows around its cursor. */
function firstRow(model: Model, height: number): number {
  const rows = draftRows(model)
  const { row } = cursorIn(model)
  return Math.max(0, Math.min(row - height + 1, rows.length - height))
}

/** Below so many columns answers are named in fewer words: none of them may be cut off. */
const NARROW = 76

/** Another identity under a name one knows: the safe answer is none at all. */
function claimRows(model: Model, { name, claims }: Contact): Row[] {
  const known = claims === null ? undefined : model.contacts.get(claims)
  const other = known === undefined ? "a contact of yours" : contactName(known)
  const proven = known?.verified === true ? ", whom you verified" : ""
  const who = sanitizeName(name)
  const isNarrow = model.columns < NARROW
  const said = isNarrow
    ? [span(` ! Not the ${other} you know.`, "bad"), span(" Paused.", "dim")]
    : [
        span(` ! "${who}" is another identity than ${other}${proven}.`, "bad"),
        span(" Nothing goes out.", "dim"),
      ]
  return [said, claimAnswers(model, isNarrow), blank]
}

function claimAnswers({ blockArmed, acceptArmed }: Model, isNarrow: boolean): Row {
  const leave = span(isNarrow ? "Else Esc." : "Any other key leaves it.", "dim")
  if (blockArmed)
    return [
      span(isNarrow ? " ! b again to block. " : " ! Press b once more to block. ", "bad"),
      leave,
    ]
  if (acceptArmed)
    return [
      span(
        isNarrow ? " ! a again to accept. " : " ! Press a once more to write to them anyway. ",
        "bad",
      ),
      leave,
    ]
  return line(
    isNarrow
      ? "   [v] compare  [a]ccept  [b]lock"
      : "   [v] compare   [a] accept anyway   [b] block   leave it: it stays paused",
  )
}

/** A stranger asks: two letters answer, and looking is not answering. */
function requestRows(model: Model): Row[] {
  const contact = openEntry(model)?.contact ?? null
  if (contact !== null && contact.claims !== null) return claimRows(model, contact)
  const entry = openEntry(model)
  if (entry?.group === true)
    return [
      [span(` ? A stranger added you to "${entry.title}".`, "warn")],
      line("   [a] stay   /members shows who is in it   /leave   leave it: do nothing"),
      blank,
    ]
  const name = contact === null ? "Somebody" : contactName(contact)
  return [
    [
      span(` ? "${name}" wants to write to you.`, "warn"),
      span(" They do not learn that you saw it.", "dim"),
    ],
    model.blockArmed
      ? [span(" ! Press b once more to block. ", "bad"), span("Any other key leaves it.", "dim")]
      : line("   [a] accept   [b] block   leave it: do nothing"),
    blank,
  ]
}

export function chatCursor(model: Model): Cursor {
  const { composerRows: height } = layout(model)
  const { row, before } = cursorIn(model)
  return {
    x: Math.min(model.columns - 1, 2 + cells(before)),
    y: model.rows - height + row - firstRow(model, height),
  }
}

const hintRole = { info: "accent", good: "good", bad: "bad" } as const

export function ChatScreen({ model }: { readonly model: Model }): ReactNode {
  const theme = THEMES[model.settings.theme]
  const parts = layout(model)
  const { wide, paneWidth, messageRows: height, hint } = parts
  const { columns } = model
  const rule = model.settings.glyphs.bar
  const below: Row[] = [
    ...(parts.requestRows > 0 ? requestRows(model) : []),
    ...hint.map((text) =>
      line(` ${text}`, model.notice === null ? "dim" : hintRole[model.notice.kind]),
    ),
    statusLine(model, columns),
    ...composerRows(model, parts),
  ]
  return (
    <Box flexDirection="column" width={columns} height={model.rows}>
      <Rows rows={[titleOf(model, parts)]} width={columns} height={1} theme={theme} />
      <Box height={height} width={columns} flexShrink={0}>
        {wide && (
          <>
            <Rows
              rows={listColumn(model, LIST_WIDTH, height)}
              width={LIST_WIDTH}
              height={height}
              theme={theme}
            />
            <Divider glyph={rule} height={height} theme={theme} />
          </>
        )}
        <Rows rows={messageRows(model, parts)} width={paneWidth} height={height} theme={theme} />
      </Box>
      <Rows rows={below} width={columns} height={below.length} theme={theme} />
    </Box>
  )
}
