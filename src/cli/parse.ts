/**
 * From the command line to one command of the registry with its arguments and options, or CliError USAGE that says what is
 * wrong and what was perhaps meant. Options may stand anywhere; everything after `--` is an argument.
 */
import { parseArgs } from "node:util"
import { CliError, usage } from "./failure.ts"
import { COMMANDS, GLOBAL_OPTIONS, type Command, type Option } from "./registry.ts"

export type OptionValue = string | boolean | readonly (string | boolean)[]

export interface Parsed {
  readonly command: Command
  readonly args: readonly string[]
  readonly options: Readonly<Record<string, OptionValue | undefined>>
}

type ParserOptions = Record<
  string,
  { type: "string" | "boolean"; short?: string; multiple?: boolean }
>

const parserOptions = (options: Readonly<Record<string, Option>>): ParserOptions =>
  Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple }]) => [
      name,
      {
        type,
        ...(short === undefined ? {} : { short }),
        ...(multiple === undefined ? {} : { multiple }),
      },
    ]),
  )

const EVERY_OPTION: Readonly<Record<string, Option>> = Object.assign(
  {},
  GLOBAL_OPTIONS,
  ...COMMANDS.map((command) => command.options),
) as Readonly<Record<string, Option>>

/** Throws CliError USAGE. */
export function parse(argv: readonly string[]): Parsed {
  const { positionals, values } = parseArgs({
    args: [...argv],
    options: parserOptions(EVERY_OPTION),
    allowPositionals: true,
    strict: false,
  })
  const { command, words } = find(positionals, values)
  const options = { ...GLOBAL_OPTIONS, ...command.options }
  let strict
  try {
    strict = parseArgs({
      args: [...argv],
      options: parserOptions(options),
      allowPositionals: true,
      strict: true,
    })
  } catch (error) {
    throw badOption(command, options, error)
  }
  checkChoices(options, strict.values)
  const args = strict.positionals.slice(words)
  if (strict.values["help"] !== true && strict.values["version"] !== true) checkCount(command, args)
  return { command, args, options: strict.values }
}

function find(
  words: readonly string[],
  values: Readonly<Record<string, unknown>>,
): { command: Command; words: number } {
  for (const count of [2, 1]) {
    const id = words.slice(0, count).join(" ")
    const command = COMMANDS.find((each) => each.id === id)
    if (command !== undefined && words.length >= count) return { command, words: count }
  }
  const [first = "", second] = words
  const group = COMMANDS.filter((each) => each.id.startsWith(`${first} `))
  if (words.length === 0 || (group.length > 0 && values["help"] === true)) {
    const id = values["version"] === true ? "version" : values["help"] === true ? "help" : "chat"
    const command = COMMANDS.find((each) => each.id === id)
    if (command !== undefined) return { command, words: 0 }
  }
  if (group.length > 0)
    throw usage(
      second === undefined ? `${first} what?` : `there is no command \`${first} ${second}\``,
      `it is one of: ${group.map((each) => each.id).join(", ")}`,
    )
  const meant = nearest(
    first,
    COMMANDS.map((each) => each.id),
  )
  throw usage(
    `there is no command \`${first}\``,
    meant === undefined ? "`sotto help` lists them" : `did you mean \`sotto ${meant}\`?`,
  )
}

function badOption(
  command: Command,
  options: Readonly<Record<string, Option>>,
  error: unknown,
): CliError {
  const reason = error instanceof Error ? error.message : String(error)
  const unknown = /Unknown option '--?([^']+)'/.exec(reason)?.[1]
  if (unknown === undefined) return usage(reason.split(".")[0] ?? reason, helpHint(command))
  const meant = nearest(unknown, Object.keys(options))
  return usage(
    `\`sotto ${command.id}\` has no option \`${unknown.length === 1 ? "-" : "--"}${unknown}\``,
    meant === undefined ? helpHint(command) : `did you mean \`--${meant}\`?`,
  )
}

function checkChoices(
  options: Readonly<Record<string, Option>>,
  values: Readonly<Record<string, unknown>>,
): void {
  for (const [name, { choices }] of Object.entries(options)) {
    const value = values[name]
    if (choices !== undefined && typeof value === "string" && !choices.includes(value))
      throw usage(`--${name} takes one of: ${choices.join(", ")}`)
  }
}

function checkCount(command: Command, args: readonly string[]): void {
  const missing = command.args.filter((arg) => arg.optional !== true)[args.length]
  if (missing !== undefined) throw usage(`${missing.name} is missing`, helpHint(command))
  const open = command.args.some((arg) => arg.rest === true)
  if (!open && args.length > command.args.length)
    throw usage(
      `too many arguments: ${args.slice(command.args.length).join(" ")}`,
      helpHint(command),
    )
}

const helpHint = (command: Command) => `see \`sotto help ${command.id}\``

/** The candidate that takes the fewest changes, if those are few for its length. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const changes = distance(word, candidate)
    if (changes < least) [best, least] = [candidate, changes]
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (di: number, dj: number) =>
        (di === 0 ? row : (rows[i - di] ?? []))[j - dj] ?? Number.POSITIVE_INFINITY
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] && i > 1 && j > 1
      row[j] = Math.min(
        at(1, 0) + 1,
        at(0, 1) + 1,
        at(1, 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
        swapped ? at(2, 2) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? Number.POSITIVE_INFINITY
}
