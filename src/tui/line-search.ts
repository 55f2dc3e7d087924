/** `/search` in line mode: what was found is read out, oldest first. */
import type { Api } from "../node/api/types.ts"
import { authorName, type Model } from "./model.ts"
import { sanitizeLine, sanitizeName } from "./sanitize.ts"
import { clockOf } from "./transcript.ts"
import { fileText } from "./widgets/transfers.ts"

/** Results that are read out. */
const LIMIT = 20

export async function searchInLines(
  api: Api,
  known: Pick<Model, "contacts">,
  query: string,
): Promise<string> {
  if (query === "") return "What for? /search words from:name in:chat has:file before:2026-11-20"
  const { hits, more } = await api.call("messages.search", { query, limit: LIMIT })
  if (hits.length === 0) return "Nothing found."
  const clock = clockOf(null)
  const lines = hits.toReversed().map(({ message, title }) => {
    const { file, text, sentAtMs } = message
    const words = [file === null ? "" : `[${fileText(message)}]`, sanitizeLine(text)]
    const when = `${clock.day(sentAtMs)} ${clock.time(sentAtMs)}`
    const said = words.filter((part) => part !== "").join(" ")
    return `[${sanitizeName(title)}] ${when} ${authorName(known, message)}: ${said}`
  })
  return [...lines, ...(more ? ["There is more: ask for less."] : [])].join("\n")
}
