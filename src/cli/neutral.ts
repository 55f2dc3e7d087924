/**
 * Text from others must not steer the terminal it is printed on. For people it is cleaned as the screen cleans it; JSON keeps
 * every character but escapes the harmful ones, so that a `sotto tail --json` in a terminal is harmless too and means the same.
 */
import { sanitize } from "../tui/sanitize.ts"

/** Safe to print; newlines stay. */
export const neutral = sanitize

/** Safe to print on one line, spaces as they are. */
export const neutralLine = (text: string): string => sanitize(text).replaceAll("\n", " ")

/** Somebody as they call themselves, for a sentence of one line; `somebody` when they said nothing. */
export const calledIn = (name: string): string => neutralLine(name).trim() || "somebody"

/** C0, DEL, C1, separators, every format character (bidi, zero-width, tags), lone surrogates. */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** JSON on one line in which everything harmful is an escape sequence of JSON's. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(HARMFUL, (char) =>
    Array.from(
      { length: char.length },
      (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join(""),
  )
}
