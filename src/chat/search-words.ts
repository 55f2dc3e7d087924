/**
 * What counts as a word when texts are searched, and as the same word: upper and lower case, accents and compatibility forms (Unicode
 * NFKD) make no difference. Scripts that are written without spaces have no words that one could see: there every character is one, and
 * what is looked for may begin anywhere. A dictionary (Intl.Segmenter) would cut the same characters differently by their surroundings and
 * by its version, and what it cut differently would not be found.
 */

/** A word that is kept as an index term is cut here; the text itself decides about the rest. */
export const TERM_CHARACTERS_MAX = 32

/** Voicing marks of Japanese make other letters, not the same with an accent. */
const ACCENTS = /[[\p{Diacritic}&&\p{M}]--[\u3099\u309a]]/gv
const UNSPACED =
  "[[\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Bopo}\\p{scx=Thai}\\p{scx=Lao}\\p{scx=Khmr}\\p{scx=Mymr}]&&[\\p{L}\\p{N}\\p{M}]]"
const RUNS = new RegExp(`(${UNSPACED}+)|[[\\p{L}\\p{N}\\p{M}_]--${UNSPACED}]+`, "gv")
/** Thai comes first of them. */
const FIRST_UNSPACED = 0x0e00
const IS_UNSPACED = new RegExp(`^${UNSPACED}`, "v")
/** Most text, and much faster. */
const ASCII = /^[\0-\x7f]*$/
const ASCII_RUNS = /[a-z0-9_]+/g

/** The same for all ways to write the same. */
export function folded(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  const bare = text.normalize("NFKD").replace(ACCENTS, "")
  // through upper case, which has one form where lower case has several
  return bare.toUpperCase().toLowerCase().replaceAll("ς", "σ").normalize("NFC")
}

/** Whether this word is a character of a script without spaces. */
export const isUnspaced = (word: string): boolean =>
  word.charCodeAt(0) >= FIRST_UNSPACED && IS_UNSPACED.test(word)

/** The words of a text, in order. */
export function wordsOf(text: string): string[] {
  if (ASCII.test(text)) return text.toLowerCase().match(ASCII_RUNS) ?? []
  const words: string[] = []
  for (const [run, unspaced] of folded(text).matchAll(RUNS)) {
    if (unspaced === undefined) words.push(run)
    // by code points: marks of these scripts are characters of their own
    else words.push(...Array.from(unspaced))
  }
  return words
}

/**
 * Under which terms an index keeps these words, some more than once: words cut to TERM_CHARACTERS_MAX, and of scripts without spaces pairs
 * of neighbours, since single characters would be in nearly every text.
 */
export function termsOf(words: readonly string[]): string[] {
  return words.map((word, i) => {
    if (!isUnspaced(word)) return word.slice(0, TERM_CHARACTERS_MAX)
    const next = words[i + 1]
    return next !== undefined && isUnspaced(next) ? word + next : word
  })
}
