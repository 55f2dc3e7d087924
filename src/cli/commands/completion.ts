/** `sotto completion`: scripts for bash, zsh and fish, written from the registry. They complete words and options. */
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"
import { COMMANDS, GLOBAL_OPTIONS, type Option } from "../registry.ts"

const SHELLS: Readonly<Record<string, () => string>> = { bash, zsh, fish }

export function run(context: Context): Promise<void> {
  const shell = context.arg(0)
  const script = SHELLS[shell]
  if (script === undefined || !Object.hasOwn(SHELLS, shell))
    throw usage("a completion script is for bash, zsh or fish")
  context.out.own(script())
  return Promise.resolve()
}

const firstWords = [...new Set(COMMANDS.map(({ id }) => id.split(" ")[0] ?? id))]

const secondWords = (first: string) =>
  COMMANDS.flatMap(({ id }) => (id.startsWith(`${first} `) ? [id.slice(first.length + 1)] : []))

const visible = (options: Readonly<Record<string, Option>>) =>
  Object.entries(options).filter(([, option]) => option.hidden !== true)

const optionWords = (options: Readonly<Record<string, Option>>) =>
  visible(options).map(([name]) => `--${name}`)

const globals = optionWords(GLOBAL_OPTIONS).join(" ")

function bash(): string {
  const cases = COMMANDS.map(
    ({ id, options }) => `    "${id}") words="${[...optionWords(options), globals].join(" ")}" ;;`,
  )
  const groups = firstWords
    .filter((word) => secondWords(word).length > 0)
    .map((word) => `    ${word}) words="${secondWords(word).join(" ")}" ;;`)
  return `# sotto completion for bash: source this file, or put it in /etc/bash_completion.d
_sotto() {
  local current=\${COMP_WORDS[COMP_CWORD]} first=\${COMP_WORDS[1]} second=\${COMP_WORDS[2]} words=""
  case "$first $second" in
${cases.filter((line) => /^ {4}"\S+ \S+"/.test(line)).join("\n")}
    *) case "$first" in
${cases
  .filter((line) => /^ {4}"\S+"/.test(line))
  .map((line) => `  ${line}`)
  .join("\n")}
    esac ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${firstWords.join(" ")} ${globals}"
  elif [ "$COMP_CWORD" -eq 2 ] && [ "\${current#-}" = "$current" ]; then case "$first" in
${groups.join("\n")}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _sotto sotto
`
}

function zsh(): string {
  return `#compdef sotto
# sotto completion for zsh, through its bash emulation
autoload -U +X bashcompinit && bashcompinit
${bash()}`
}

function fish(): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "\\'")}'`
  const lines = ["# sotto completion for fish: put this in ~/.config/fish/completions/sotto.fish"]
  for (const word of firstWords) {
    const help = COMMANDS.find(({ id }) => id === word)?.help ?? secondWords(word).join(", ")
    lines.push(`complete -c sotto -n __fish_use_subcommand -f -a ${word} -d ${quoted(help)}`)
  }
  for (const { id, help, options } of COMMANDS) {
    const [first = "", second] = id.split(" ")
    const seen = `__fish_seen_subcommand_from ${first}`
    if (second !== undefined)
      lines.push(`complete -c sotto -n ${quoted(seen)} -f -a ${second} -d ${quoted(help)}`)
    const here = second === undefined ? seen : `${seen}; and __fish_seen_subcommand_from ${second}`
    for (const [name, option] of visible(options)) {
      const takes = option.type === "string" ? " -r" : ""
      const short = option.short === undefined ? "" : ` -s ${option.short}`
      lines.push(
        `complete -c sotto -n ${quoted(here)} -l ${name}${short}${takes} -d ${quoted(option.help)}`,
      )
    }
  }
  for (const [name, option] of visible(GLOBAL_OPTIONS))
    lines.push(
      `complete -c sotto -l ${name}${option.type === "string" ? " -r" : ""} -d ${quoted(option.help)}`,
    )
  return `${lines.join("\n")}\n`
}
