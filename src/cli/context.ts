/** What a command is given: its arguments and options, where the profile lives, where to print, and when to stop. */
import { homedir, tmpdir } from "node:os"
import { placesOf, type Places } from "../node/paths.ts"
import { usage } from "./failure.ts"
import type { Output } from "./output.ts"
import type { OptionValue, Parsed } from "./parse.ts"
import type { Parts } from "./parts.ts"

export interface Signals {
  readonly signal: AbortSignal
  readonly release: () => void
}

export class Context {
  readonly args: readonly string[]
  readonly out: Output
  readonly parts: Parts
  /** Aborts on SIGINT and SIGTERM, with CliError of that name. */
  readonly signal: AbortSignal
  /** Leaves SIGINT and SIGTERM to whoever else listens, the screen. */
  readonly releaseSignals: () => void
  /** What the process ends with when the command does not fail. */
  exitCode = 0
  readonly #options: Readonly<Record<string, OptionValue | undefined>>
  #places: Places | null = null

  constructor(parsed: Parsed, out: Output, parts: Parts, signals: Signals) {
    this.args = parsed.args
    this.out = out
    this.parts = parts
    this.signal = signals.signal
    this.releaseSignals = signals.release
    this.#options = parsed.options
  }

  get json(): boolean {
    return this.out.json
  }

  /** Whether somebody is there to be asked. */
  get interactive(): boolean {
    return process.stdin.isTTY && process.stderr.isTTY && !this.flag("no-input")
  }

  /** Throws PathError. */
  get places(): Places {
    return (this.#places ??= placesOf({
      data: this.text("data"),
      profile: this.text("profile"),
      env: process.env,
      cwd: process.cwd(),
      home: homedir(),
      uid: process.getuid?.() ?? 0,
      temporary: tmpdir(),
    }))
  }

  /** Where a node of this profile lives, as `startNode` takes it. */
  get home(): { dataDir: string; socketPath: string; profile?: string } {
    const { dataDir, socketPath, profile } = this.places
    return { dataDir, socketPath, ...(this.text("data") === undefined ? { profile } : {}) }
  }

  flag(name: string): boolean {
    return this.#options[name] === true
  }

  text(name: string): string | undefined {
    const value = this.#options[name]
    return typeof value === "string" ? value : undefined
  }

  texts(name: string): string[] {
    const value = this.#options[name]
    return Array.isArray(value) ? value.filter((each) => typeof each === "string") : []
  }

  /** A whole number within bounds. Throws CliError USAGE. */
  number(name: string, min: number, max: number): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (!/^[0-9]+$/.test(text) || value < min || value > max)
      throw usage(`--${name} takes a whole number from ${min} to ${max}`)
    return value
  }

  /** `500ms`, `30s`, `5m`, `1h`; a bare number counts seconds. Throws CliError USAGE. */
  timeMs(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const [, digits, unit = "s"] = /^([0-9]{1,7}(?:\.[0-9]{1,3})?)(ms|s|m|h)?$/.exec(text) ?? []
    const scale = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit]
    if (digits === undefined || scale === undefined)
      throw usage(`--${name} takes a time: 500ms, 30s, 5m, 1h`)
    // Beyond this a timer of Node's would fire at once.
    return Math.min(Number(digits) * scale, 2 ** 31 - 1)
  }

  /** An argument that the parser has made sure of. */
  arg(at: number): string {
    const value = this.args[at]
    if (value === undefined) throw new Error(`argument ${at} was not declared`)
    return value
  }
}
