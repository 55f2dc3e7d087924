/** One command from its line to its exit code. Failures become a sentence and a next step, or one JSON object, on stderr. */
import { CliError, failureOf } from "./failure.ts"
import { Context, type Signals } from "./context.ts"
import { Output } from "./output.ts"
import { parse, type Parsed } from "./parse.ts"
import type { Parts } from "./parts.ts"

/** Resolves with the exit code once everything printed has left the process, so that the caller may exit at once. */
export async function run(argv: readonly string[], parts: Parts): Promise<number> {
  const exit = await perform(argv, parts)
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  return exit
}

const flushed = (stream: NodeJS.WriteStream) =>
  new Promise<void>((resolve) => stream.write("", () => resolve()))

async function perform(argv: readonly string[], parts: Parts): Promise<number> {
  const before = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv
  const out = new Output({
    json: before.includes("--json"),
    quiet: before.includes("--quiet") || before.includes("-q"),
    noColor: before.includes("--no-color"),
    env: process.env,
  })
  quietBrokenPipe()
  const signals = onSignals()
  try {
    const parsed = parse(argv)
    const context = new Context(parsed, out, parts, signals)
    await dispatch(parsed, context)
    return context.exitCode
  } catch (error) {
    const failure = failureOf(signals.signal.aborted ? signals.signal.reason : error)
    const { exit, code, message, hint } = failure
    if (out.json) out.failureObject({ code, message, hint })
    else if (exit < 128) {
      out.complain({ text: "sotto: ", style: "red" }, message)
      if (hint !== undefined) out.complain({ text: "       ", style: "dim" }, hint)
    }
    return exit
  } finally {
    signals.release()
  }
}

async function dispatch({ command, options }: Parsed, context: Context): Promise<void> {
  if (options["help"] === true && command.id !== "help") {
    const { printHelp } = await import("./commands/help.ts")
    printHelp(context.out, command.id)
  } else if (options["version"] === true && command.id !== "version") {
    const { run: print } = await import("./commands/version.ts")
    await print(context)
  } else {
    await (await command.load()).run(context)
  }
}

/** The first signal asks the command to end, the second ends it at once. */
function onSignals(): Signals {
  const abort = new AbortController()
  const on = (name: "SIGINT" | "SIGTERM") => {
    if (abort.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143)
    abort.abort(new CliError(name, "interrupted"))
  }
  process.on("SIGINT", on)
  process.on("SIGTERM", on)
  return {
    signal: abort.signal,
    release: () => {
      process.off("SIGINT", on)
      process.off("SIGTERM", on)
    },
  }
}

/** `sotto read | head` ends when head has had enough; that is no error. */
function quietBrokenPipe(): void {
  process.stderr.on("error", () => undefined)
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0)
    throw error
  })
}
