/** Who writes in the open chat, as they say of themselves, for as long as that is worth showing. */
import type { ApiEvent } from "../node/api/types.ts"
import type { Model } from "./model.ts"
import { sanitizeName } from "./sanitize.ts"

/** Somebody who said no more for so long has stopped. */
export const TYPING_SHOWN_MS = 25_000
const WRITERS_MAX = 64

/** By thread and author. */
export interface Writer {
  readonly thread: string
  readonly name: string
  readonly untilMs: number
}

export function withTyping(
  model: Model,
  { thread, author, authorName, active }: Extract<ApiEvent, { type: "typing" }>,
): Model {
  const writers = new Map(model.writers)
  const key = `${thread} ${author}`
  writers.delete(key)
  const name = sanitizeName(authorName)
  if (active && writers.size < WRITERS_MAX)
    writers.set(key, { thread, name, untilMs: model.nowMs + TYPING_SHOWN_MS })
  return { ...model, writers }
}

/** Without those who have said nothing for long, or whose message has come. */
export function withoutWriters(
  model: Model,
  isOver: (key: string, writer: Writer) => boolean,
): Model {
  const writers = new Map([...model.writers].filter(([key, writer]) => !isOver(key, writer)))
  return writers.size === model.writers.size ? model : { ...model, writers }
}

/** Whom the status line names for the open chat. */
export const writing = (model: Model): string | null => {
  const names = [...model.writers.values()]
    .filter(({ thread }) => thread === model.history?.key)
    .map(({ name }) => name)
  const [first, second] = names
  if (first === undefined) return null
  if (names.length > 2) return `${names.length} are writing`
  return second === undefined ? `${first} is writing` : `${first} and ${second} are writing`
}
