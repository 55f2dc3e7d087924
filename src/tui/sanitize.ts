/**
 * Text that other people wrote, made safe to draw. A terminal obeys what it is shown: escape sequences move its cursor, C1
 * bytes do the same in fewer bytes, bidi overrides reorder a line, zero-width and tag characters hide one word in another,
 * and stacked marks climb over the rows above. All of that is taken out here, at the one door between the API and the
 * screen. What is left are printable characters, spaces and, in messages, line feeds.
 */

/** Marks kept on one base character: enough for Hebrew with vowels and accents, not enough to leave the row. */
const MARKS_MAX = 4
/** A tab has no width of its own once the text is not at the left edge. */
const TAB = "    "

const PLAIN = /^[\n\x20-\x7e]*$/
const BREAKS = /\r\n|[\r\v\f\u0085\u2028\u2029]/g
// \p{DI}: default-ignorable, which is zero-width, variation selectors, fillers, tags. \p{Cf} adds bidi and the rest of the
// format characters; \p{Cc} is C0, DEL and C1; \p{Me} encloses its base and has no agreed width.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{DI}\p{Me}]/gu
const UNKNOWN = /[\p{Co}\p{Cn}]/gu
const SPACES = /\p{Zs}/gu
const PILED = new RegExp(`(\\p{M}{${MARKS_MAX}})\\p{M}+`, "gu")
const ORPHANED = /(^|[\n ])\p{M}+/gu

/** Message text: printable, tabs as four spaces, line feeds kept. Idempotent. */
export function sanitize(text: string): string {
  if (PLAIN.test(text)) return text
  return text
    .toWellFormed()
    .normalize("NFC")
    .replace(BREAKS, "\n")
    .replaceAll("\t", TAB)
    .split("\n")
    .map((line) =>
      line
        .replace(INVISIBLE, "")
        .replace(UNKNOWN, "\ufffd")
        .replace(SPACES, " ")
        .replace(PILED, "$1")
        .replace(ORPHANED, "$1")
        .normalize("NFC"),
    )
    .join("\n")
}

// What joins emoji and letters of some scripts has a place in what one writes oneself, though no width of its own.
const NOT_TYPED = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}]/gu

/**
 * Own text on its way into a draft, typed or pasted: it is sent as it is, so only what no keyboard makes is taken out. Joiners
 * and variation selectors stay; `drawn` leaves them out where the draft is shown.
 */
export const typedText = (text: string): string =>
  text.toWellFormed().replace(BREAKS, "\n").replaceAll("\t", TAB).replace(NOT_TYPED, "")

/** A draft as it is shown: without what has no width. Cutting first or drawing first comes to the same. */
export const drawn = (text: string): string =>
  PLAIN.test(text) ? text : text.replace(/(?!\n)[\p{Cc}\p{Cf}\p{DI}\p{Me}]/gu, "")

/** A secret as it was meant: every character of one line, spaces included. */
export const secretText = (text: string): string => text.toWellFormed().replace(/\p{Cc}/gu, "")

/** Message text on one line: for reasons, hints and anything else that stands in our own rows. */
export const sanitizeLine = (text: string): string =>
  sanitize(text).replaceAll("\n", " ").replace(/ +/g, " ").trim()

// Ticks, warning signs, boxes and emoji are how we speak about trust; nobody may wear them as part of a name. They also
// differ in width between terminals, and names stand to the left of other columns. Dots separate our facts from their names.
const NOT_IN_NAMES = /[^\p{L}\p{M}\p{N}\p{P}\x20-\x7e]|[·•‧∙●]/gu

/** A name as it may stand in a list or a gutter: one line, letters, digits, punctuation. May come out empty. */
export const sanitizeName = (text: string): string =>
  sanitizeLine(text).replace(NOT_IN_NAMES, "").replace(ORPHANED, "$1").replace(/ +/g, " ").trim()

const CONTROL = /\p{Cc}|\p{Cf}/u

/** Whether a paste holds something that a person would not have typed: the composer asks before taking it. */
export const hasControls = (text: string): boolean =>
  CONTROL.test(text.replace(BREAKS, "").replace(/[\n\t]/g, ""))

/** Start and end of an address: enough to tell two apart at a glance, never enough to verify. */
export const shortAddress = (address: string): string => {
  const clean = sanitizeName(address)
  return clean.length <= 16 ? clean : `${clean.slice(0, 10)}…${clean.slice(-4)}`
}
