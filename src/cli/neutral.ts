/**
 * Text from others must not steer the terminal it is printed on: control and escape bytes, bidirectional overrides and
 * characters without width are shown as what they are. JSON keeps every character but escapes the same ones, so that a
 * `sotto tail --json` in a terminal is harmless too and means the same.
 */

/** C0 but for newline and tab, DEL, C1, separators and every format character (bidi, zero-width, tags), lone surrogates. */

const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

const codePoint = (char: string) => (char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")

/** Safe to print; newlines and tabs stay. A zero-width joiner inside an emoji is lost: better than one inside a name. */
export const neutral = (text: string): string =>
  text.replace(HARMFUL, (char) => `<${codePoint(char).toUpperCase()}>`)

/** Safe to print on one line. */
export const neutralLine = (text: string): string => neutral(text).replace(/[\n\t]+/g, " ")

/** JSON on one line in which everything harmful is an escape sequence of JSON's. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(HARMFUL, (char) =>
    Array.from(
      { length: char.length },
      (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join(""),
  )
}
