/**
 * What somebody typed to search for: words, "words in this order", and filters. `from:` `in:` (a name, quoted if it has spaces),
 * `has:file`, `before:` and `after:` (a day). All of it must hold; of several `from:` or `in:` one must. The last word may be the
 * beginning of one. Pure: who a name means and when a day is, is for the caller to say.
 */
import { isUnspaced, TERM_CHARACTERS_MAX, termsOf, wordsOf } from "./search-words.ts"

/** Words in a query; further ones are not looked at. */
export const QUERY_WORDS_MAX = 32

export interface Phrase {
  /** In this order, one after the other; at least one. */
  readonly words: readonly string[]
  /** The last of them may go on. */
  readonly open: boolean
}

export interface SearchQuery {
  readonly phrases: readonly Phrase[]
  readonly from: readonly string[]
  readonly in: readonly string[]
  readonly hasFile: boolean
  readonly before: string | null
  readonly after: string | null
}

/** What an index can be asked for a phrase. */
export interface Lookup {
  readonly term: string
  readonly prefix: boolean
}

const PIECES = /(from|in|has|before|after):(?:"([^"]*)"?|(\S*))|"([^"]*)("?)|\S+/giu

/** Undefined when a filter does not make sense. */
export function parseQuery(text: string): SearchQuery | undefined {
  const phrases: Phrase[] = []
  const named = { from: [] as string[], in: [] as string[] }
  const dates: { before: string | null; after: string | null } = { before: null, after: null }
  let hasFile = false
  let room = QUERY_WORDS_MAX
  for (const { 0: piece, 1: filter, 2: quoted, 3: bare, 4: phrase, 5: end, index } of text.matchAll(
    PIECES,
  )) {
    const value = quoted ?? bare ?? ""
    const about = filter?.toLowerCase()
    switch (about) {
      case undefined: {
        const words = wordsOf(phrase ?? piece).slice(0, room)
        room -= words.length
        const isLast = index + piece.length === text.length
        if (words.length > 0) phrases.push({ words, open: isLast && end !== '"' })
        break
      }
      case "from":
      case "in":
        if (value.trim() === "") return undefined
        named[about].push(value.trim())
        break
      case "has":
        if (!["file", "files"].includes(value.toLowerCase())) return undefined
        hasFile = true
        break
      case "before":
      case "after":
        if (value === "") return undefined
        dates[about] = value.toLowerCase()
        break
    }
  }
  return { phrases, ...named, hasFile, ...dates }
}

/** Whether anything is asked for at all. */
export const isEmptyQuery = ({ phrases, from, in: within, hasFile, before, after }: SearchQuery) =>
  phrases.length + from.length + within.length === 0 &&
  !hasFile &&
  before === null &&
  after === null

/** What any text that has the phrase is found under. */
export function lookupsOf({ words, open }: Phrase): Lookup[] {
  const last = words.at(-1) ?? ""
  const lookups = Array.from(new Set(termsOf(words)), (term) => ({ term, prefix: false }))
  const alone = words.length < 2 || !isUnspaced(words.at(-2) ?? "")
  return lookups.flatMap((lookup) => {
    if (lookup.term !== last.slice(0, TERM_CHARACTERS_MAX)) return [lookup]
    // The last character of a pair is covered by the pair; one that stands alone begins a pair in the text.
    if (isUnspaced(last)) return alone ? [{ ...lookup, prefix: true }] : []
    return [{ ...lookup, prefix: open }]
  })
}

/** Whether a text has every phrase. */
export function matches(phrases: readonly Phrase[], text: string): boolean {
  const line = ` ${wordsOf(text).join(" ")} `
  return phrases.every(({ words, open }) => line.includes(` ${words.join(" ")}${open ? "" : " "}`))
}
