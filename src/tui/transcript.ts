/**
 * A conversation as rows: gutter (time, state, name), a bar, and the text in the last column, where nothing stands to its
 * right. Rows are made per message and remembered with the message value itself, so that they live exactly as long as it
 * does and a changed state makes new ones.
 */
import type { Message } from "../node/api/types.ts"
import { authorName } from "./model.ts"
import type { Model } from "./model.ts"
import { blank, line, ruled, span } from "./rows.ts"
import type { Row, Span } from "./rows.ts"
import { lifetimeText } from "./lifetime.ts"
import { partsOf, quoteText, reactionsText, wordsOf } from "./said.ts"
import { sanitize, sanitizeLine } from "./sanitize.ts"
import { failureOf } from "./sentences.ts"
import { type Role, STATE_ROLES, nameRole } from "./theme.ts"
import type { Blocks } from "./widgets/viewport.ts"
import { indexOfMessage } from "./widgets/history.ts"
import { fileText, transferText } from "./widgets/transfers.ts"
import { padEnd, padStart, truncate, wrap, wrapRows } from "./wrap.ts"

/** Cells of a name in the gutter, narrow and wide. */
const NAME_NARROW = 8
const NAME_WIDE = 12
/** Hours and minutes; a space, two cells of state, a space. */
const TIME_AND_STATE = 5 + 4
/** Below this width the text gets too little beside names this long. */
const WIDE_FROM = 90

export interface Clock {
  time(ms: number): string
  day(ms: number): string
}

const clocks = new Map<string, Clock>()

/** Hours, minutes and days of one zone; formatters are slow to make and few. */
export function clockOf(timeZone: string | null): Clock {
  const known = clocks.get(timeZone ?? "")
  if (known !== undefined) return known
  const zone = timeZone === null ? {} : { timeZone }
  const time = new Intl.DateTimeFormat("en-GB", { ...zone, hour: "2-digit", minute: "2-digit" })
  const day = new Intl.DateTimeFormat("en-GB", {
    ...zone,
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
  })
  // The author's clock may say anything at all.
  const safe = (format: Intl.DateTimeFormat, unknown: string) => (ms: number) =>
    Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? format.format(ms) : unknown
  const dayOf = safe(day, "no date")
  const clock = {
    time: safe(time, "--:--"),
    day: (ms: number) => dayOf(ms).replace(",", ""),
  }
  clocks.set(timeZone ?? "", clock)
  return clock
}

interface Made {
  readonly key: string
  readonly rows: readonly Row[]
}

const remembered = new WeakMap<Message, Made>()

export interface Transcript extends Blocks {
  readonly rowsOf: (index: number) => readonly Row[]
}

/** The open conversation at a width. Cheap to make: nothing is wrapped before it is asked for. */
export function transcript(model: Model, width: number): Transcript {
  const messages = model.history?.messages ?? []
  const newFrom = model.history?.newFrom ?? null
  const clock = clockOf(model.settings.timeZone)
  const rowsOf = (index: number): readonly Row[] => {
    const message = messages[index]
    if (message === undefined) return [blank]
    const previous = messages[index - 1]
    const day = clock.day(message.sentAtMs)
    const dateLine = previous === undefined || clock.day(previous.sentAtMs) !== day ? day : ""
    const name = authorName(model, message)
    const isNew = message.id === newFrom
    const about = message.file === null ? "" : fileKey(model, message)
    const isSelected = model.selected === message.id
    const key = `${isSelected ? "s" : ""}${width}|${dateLine}|${isNew}|${name}|${model.settings.glyphs.bar}|${about}`
    const known = remembered.get(message)
    if (known?.key === key) return known.rows
    const rows = [
      ...(dateLine === "" ? [] : [ruled(dateLine, width, model.settings.glyphs.rule, "rule")]),
      ...(isNew ? [ruled("new", width, model.settings.glyphs.rule, "accent")] : []),
      ...messageRows(model, message, name, width),
    ]
    remembered.set(message, { key, rows })
    return rows
  }
  return {
    count: messages.length,
    idAt: (index) => messages[index]?.id ?? "",
    rowsAt: (index) => rowsOf(index).length,
    indexOf: (id) => indexOfMessage(messages, id),
    rowsOf,
  }
}

function messageRows(model: Model, message: Message, name: string, width: number): Row[] {
  const { glyphs, timeZone } = model.settings
  const nameWidth = width >= WIDE_FROM ? NAME_WIDE : NAME_NARROW
  const isSelected = model.selected === message.id
  const bar = isSelected ? span(` ${glyphs.selected} `, "accent") : span(` ${glyphs.bar} `, "rule")
  const state = message.mine ? glyphs.states[message.state] : message.late ? glyphs.late : ""
  const head: Row = [
    span(clockOf(timeZone).time(message.sentAtMs), "dim"),
    span(` ${padEnd(state, 2)} `, message.mine ? STATE_ROLES[message.state] : "warn"),
    span(padStart(name, nameWidth), message.mine ? "mine" : nameRole(message.author)),
    bar,
  ]
  const indent = span(" ".repeat(TIME_AND_STATE + nameWidth))
  const textWidth = Math.max(8, width - TIME_AND_STATE - nameWidth - 3)
  const rows = contentRows(model, message, textWidth).map((row, i): Row =>
    i === 0 ? [...head, ...row] : [indent, bar, ...row],
  )
  if (message.state !== "failed") return rows
  const reason = `! ${failureOf(message.failure)} /retry sends it again.`
  return [...rows, ...wrap(reason, textWidth).map((text): Row => [indent, bar, span(text, "bad")])]
}

/** The file, its picture if that is shown, and the words. */
function contentRows(model: Model, message: Message, width: number): readonly Row[] {
  const { file, id } = message
  const words = [
    ...quoteRows(message, width),
    ...wordRows(message, width),
    ...markRows(message, width),
  ]
  if (file === null) return words
  const moving = model.transfers.get(id)
  const picture = model.pictures.get(id)
  return [
    ...wrap(fileText(message), width).map((text) => line(text, "accent")),
    ...(moving === undefined ? [] : [line(truncate(transferText(moving), width), "dim")]),
    ...(picture === undefined ? [] : (picture.rows ?? [line("fetching the picture …", "dim")])),
    ...(message.text === "" && !message.deleted ? markRows(message, width) : words),
  ]
}

/** What it answers, in one row. */
const quoteRows = (message: Message, width: number): Row[] =>
  message.replyTo === null ? [] : [line(truncate(sanitizeLine(quoteText(message)), width), "dim")]

/** The words; whom they name stands out by more than colour, because the name is ours. */
function wordRows(message: Message, width: number): Row[] {
  if (message.deleted || message.sets !== null || message.notice !== null)
    return wrap(sanitize(wordsOf(message)), width).map((text) => line(text, "dim"))
  const parts = partsOf(message).map(({ text, names }) => ({ text: sanitize(text), names }))
  const text = parts.map((part) => part.text).join("")
  if (parts.every(({ names }) => names === null)) return wrap(text, width).map((row) => line(row))
  return wrapRows(text, width).map(({ text: row, start }): Row => {
    const spans: Span[] = []
    let at = 0
    for (const part of parts) {
      const from = Math.max(at, start)
      const to = Math.min(at + part.text.length, start + row.length)
      const role = part.names === null ? "text" : part.names === "me" ? "strong" : "accent"
      if (to > from) spans.push(span(text.slice(from, to), role))
      at += part.text.length
    }
    return spans
  })
}

/** Edited, disappearing, and what was said to it with signs. */
function markRows(message: Message, width: number): Row[] {
  const marks = [
    message.edited === null ? "" : "edited",
    message.lifetime === null ? "" : `disappears after ${lifetimeText(message.lifetime)}`,
    message.again ? "said again, for you had lost the keys" : message.late ? "settled late" : "",
  ].filter((mark) => mark !== "")
  const reactions = sanitizeLine(reactionsText(message))
  return [
    ...(marks.length === 0 ? [] : [line(truncate(`(${marks.join(", ")})`, width), "dim")]),
    ...(reactions === "" ? [] : [line(truncate(reactions, width), "accent")]),
  ]
}

/** What of the model its rows depend on besides. */
function fileKey(model: Model, { id }: Message): string {
  const moving = model.transfers.get(id)
  const picture = model.pictures.get(id)
  const shown = picture === undefined ? "" : `${picture.number}/${picture.rows?.length ?? "-"}`
  return `${moving === undefined ? "" : transferText(moving)}|${shown}`
}

/** What stands where messages would be: an empty pane always says why, and what to do. */
export function emptyRows(model: Model, width: number): Row[] {
  const said = (indent: number, text: string, role?: Role): Row[] =>
    wrap(text, Math.max(1, width - indent)).map((part) => line(" ".repeat(indent) + part, role))
  if (model.history === null) {
    const some = model.threads.size > 0 || model.contacts.size > 0
    return [
      blank,
      ...(some
        ? said(1, "Choose a chat: Alt-1 to Alt-9, or /open name.")
        : [
            ...said(1, "No messages yet. Your code is ready:"),
            ...said(3, "/id    shows it with its QR, and an invite ticket for somebody new"),
            ...said(3, "/add   takes the code of a friend"),
          ]),
      ...said(3, "F1     all keys and commands", "dim"),
    ]
  }
  if (!model.history.loaded) return [blank, line(" Loading …", "dim")]
  return [
    blank,
    ...said(1, "Nothing written here yet."),
    ...said(3, "What you write is sealed, and handed to peers as soon as there are some.", "dim"),
  ]
}
