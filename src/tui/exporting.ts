/** Exporting a message from the chat: what `/export` takes, and what is said when the file is there. */
import type { Result } from "../node/api/types.ts"
import { sanitizeLine } from "./sanitize.ts"

export interface ExportIntent {
  readonly type: "export"
  readonly path: string
  /** Other texts under the same signature may be in the file. */
  readonly others: boolean
  /** Without its place in the order. */
  readonly unordered: boolean
}

/** `[others] [unordered] file`, the file in quotes if it is called one of these. */
export function exportIntent(rest: string): ExportIntent | string {
  const [, words = "", path = ""] = /^((?:(?:others|unordered)\s+)*)(.*)$/su.exec(rest) ?? []
  const file = path.trim().replace(/^"(.*)"$/su, "$1")
  if (file === "") return "Into which file? /export file"
  return {
    type: "export",
    path: file,
    others: words.includes("others"),
    unordered: words.includes("unordered"),
  }
}

export function exportedText({ path, place, beside }: Result<"messages.export">): string {
  const { texts, group } = beside
  return [
    `${sanitizeLine(path)} shows who wrote it`,
    place === null ? ", not when." : ` and its place in block ${place.height}.`,
    texts === 0 ? "" : ` It shows ${texts} other ${texts === 1 ? "text" : "texts"} of theirs too.`,
    group === null ? "" : ` It shows what the group is called and who runs it.`,
  ].join("")
}
