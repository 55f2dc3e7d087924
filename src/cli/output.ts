/**
 * Data on standard output, talk on standard error. Everything printed passes through here and is neutralised here; colour is
 * added afterwards and only for a terminal that wants it (`NO_COLOR`, `--no-color`, `TERM=dumb`, `FORCE_COLOR`).
 */
import { neutral, neutralLine, safeJson } from "./neutral.ts"

export type Style = "bold" | "dim" | "red" | "green" | "yellow"

const CODES: Readonly<Record<Style, string>> = {
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
}

/** A piece of a line; a plain string has no style. */
export type Piece = string | { readonly text: string; readonly style: Style }

export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly noColor: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

export class Output {
  readonly json: boolean
  readonly quiet: boolean
  readonly #colour: { readonly stdout: boolean; readonly stderr: boolean }

  constructor({ json, quiet, noColor, env }: OutputOptions) {
    this.json = json
    this.quiet = quiet
    const wanted = (tty: boolean) =>
      !noColor &&
      (env["NO_COLOR"] ?? "") === "" &&
      env["TERM"] !== "dumb" &&
      (tty || !["", "0", "false"].includes(env["FORCE_COLOR"] ?? ""))
    this.#colour = { stdout: wanted(process.stdout.isTTY), stderr: wanted(process.stderr.isTTY) }
  }

  /** One JSON object, marked with the version of its shape. */
  object(value: object): void {
    process.stdout.write(`${safeJson({ v: 1, ...value })}\n`)
  }

  /** A line of data. */
  line(...pieces: readonly Piece[]): void {
    process.stdout.write(`${this.#styled(pieces, this.#colour.stdout, neutralLine)}\n`)
  }

  /** Data of several lines. */
  text(...pieces: readonly Piece[]): void {
    process.stdout.write(`${this.#styled(pieces, this.#colour.stdout, neutral)}\n`)
  }

  /** Data that is made here and not of others' words: scripts, a QR code. */
  own(text: string): void {
    process.stdout.write(text)
  }

  /** Talk: what goes on, for a person who watches. */
  say(...pieces: readonly Piece[]): void {
    if (!this.quiet) this.complain(...pieces)
  }

  /** Talk that even `--quiet` does not silence. */
  complain(...pieces: readonly Piece[]): void {
    process.stderr.write(`${this.#styled(pieces, this.#colour.stderr, neutral)}\n`)
  }

  /** A failure as one JSON object on standard error. */
  failureObject(error: object): void {
    process.stderr.write(`${safeJson({ v: 1, error })}\n`)
  }

  #styled(pieces: readonly Piece[], colour: boolean, clean: (text: string) => string): string {
    return pieces
      .map((piece) => {
        if (typeof piece === "string") return clean(piece)
        const text = clean(piece.text)
        return colour ? `\u001b[${CODES[piece.style]}m${text}\u001b[0m` : text
      })
      .join("")
  }
}
