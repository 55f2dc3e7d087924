/** `sotto help`: written from the registry. */
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"
import type { Output } from "../output.ts"
import { nearest } from "../parse.ts"
import {
  COMMANDS,
  commandOf,
  GLOBAL_OPTIONS,
  type Argument,
  type Command,
  type Option,
} from "../registry.ts"

export function run({ args, out }: Context): Promise<void> {
  if (args.length === 0) printOverview(out)
  else printHelp(out, args.join(" "))
  return Promise.resolve()
}

/** Help of one command or of a group of them (`contact`). Throws CliError USAGE when there is none of that name. */
export function printHelp(out: Output, id: string): void {
  const command = commandOf(id)
  const group = COMMANDS.filter((each) => each.id.startsWith(`${id} `))
  if (command === undefined && group.length === 0) {
    const meant = nearest(
      id,
      COMMANDS.map((each) => each.id),
    )
    throw usage(
      `there is no command \`${id}\``,
      meant === undefined ? "`sotto help` lists them" : `did you mean \`sotto help ${meant}\`?`,
    )
  }
  if (command !== undefined) printCommand(out, command)
  if (group.length > 0) {
    if (command !== undefined) out.line()
    rows(
      out,
      group.map((each) => [synopsis(each), each.help]),
    )
  }
}

function printOverview(out: Output): void {
  out.line("sotto - a messenger with no servers")
  out.line()
  out.text("  sotto                open the chat")
  out.text("  sotto COMMAND        do one thing")
  out.line()
  rows(
    out,
    COMMANDS.map((command) => [synopsis(command), command.help]),
  )
  out.line()
  out.line("Everywhere:")
  printOptions(out, GLOBAL_OPTIONS)
  out.line()
  out.line("Exit codes: 0 done · 1 bug · 2 usage · 3 no usable identity · 4 not found · 5 busy")
  out.text("            6 offline or timed out · 7 refused for trust · 8 damaged store · 9 refused")
}

function printCommand(out: Output, command: Command): void {
  out.line("sotto ", synopsis(command), Object.keys(command.options).length > 0 ? " [options]" : "")
  out.text(`  ${command.help}`)
  if (command.detail !== undefined) {
    out.line()
    for (const line of wrapped(command.detail, 88)) out.text(`  ${line}`)
  }
  if (command.args.length > 0) {
    out.line()
    rows(
      out,
      command.args.map((arg) => [arg.name, arg.help]),
    )
  }
  if (Object.values(command.options).some((option) => option.hidden !== true)) {
    out.line()
    printOptions(out, command.options)
  }
  if (command.json !== null) {
    out.line()
    out.text(`  --json prints ${command.json === "lines" ? "one object a line" : "one object"}.`)
  }
}

function printOptions(out: Output, options: Readonly<Record<string, Option>>): void {
  rows(
    out,
    Object.entries(options)
      .filter(([, option]) => option.hidden !== true)
      .map(([name, { short, value, choices, help }]) => [
        `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`,
        choices === undefined ? help : `${help}: ${choices.join(", ")}`,
      ]),
  )
}

const shown = ({ name, optional, rest }: Argument) => {
  const open = rest === true ? `${name}...` : name
  return optional === true ? `[${open}]` : open
}

export const synopsis = (command: Command): string =>
  [command.id, ...command.args.map(shown)].join(" ")

function rows(out: Output, lines: readonly (readonly [string, string])[]): void {
  const width = Math.max(...lines.map(([left]) => left.length))
  // `text`, not `line`: the latter would fold the columns.
  for (const [left, right] of lines) out.text(`  ${left.padEnd(width)}  ${right}`)
}

function wrapped(text: string, width: number): string[] {
  const lines = [""]
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? ""
    if (last.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`
  }
  return lines
}
