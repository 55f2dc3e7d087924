/**
 * Where a passphrase may come from: a file, an open descriptor, or somebody typing it unseen. Never the command line or the
 * environment, which other processes can read (the environment may name the file: `SOTTO_PASSPHRASE_FILE`).
 */
import { readFileSync } from "node:fs"
import type { Context } from "./context.ts"
import { CliError, usage } from "./failure.ts"

/** The passphrase as given by file or descriptor, without its final newline; undefined when none is named. */
export function givenPassphrase(context: Context): string | undefined {
  return passphraseFrom(context, "passphrase", process.env["SOTTO_PASSPHRASE_FILE"])
}

/** What `--NAME-file` or `--NAME-fd` holds; `otherwise` is a file to take when neither is given. */
export function passphraseFrom(
  context: Context,
  name: "passphrase" | "backup-passphrase",
  otherwise?: string,
): string | undefined {
  const fd = context.number(`${name}-fd`, 0, 1023)
  const file = context.text(`${name}-file`)
  if (fd !== undefined && file !== undefined)
    throw usage(`--${name}-file and --${name}-fd exclude each other`)
  const source = fd ?? file ?? (otherwise || undefined)
  if (source === undefined) return undefined
  try {
    return readFileSync(source, "utf8").replace(/\r?\n$/, "")
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliError("NO_FILE", `the passphrase cannot be read from there (${code ?? "error"})`)
  }
}

/** The given passphrase, or one that is asked for. Throws CliError NO_INPUT when nobody can be asked. */
export async function passphrase(context: Context, prompt = "Passphrase: "): Promise<string> {
  const given = givenPassphrase(context)
  if (given !== undefined) return given
  if (!context.interactive)
    throw new CliError("NO_INPUT", "a passphrase is needed", "give --passphrase-file FILE")
  return askUnseen(prompt, context.signal)
}

/** A line typed on the terminal and not shown. */
export async function askUnseen(prompt: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process
  // First: whoever types as soon as the question stands there is not shown either.
  stdin.setRawMode(true)
  stderr.write(prompt)
  stdin.setEncoding("utf8")
  // An earlier question has paused it, and a listener alone would not wake it up.
  stdin.resume()
  let typed = ""
  try {
    return await new Promise<string>((resolve, reject) => {
      const interrupt = () => reject(new CliError("SIGINT", "interrupted"))
      signal.addEventListener("abort", interrupt, { once: true })
      stdin.on("data", (chunk: string) => {
        for (const char of chunk) {
          if (char === "\r" || char === "\n") resolve(typed)
          else if (char === "\u0003" || (char === "\u0004" && typed === "")) interrupt()
          else if (char === "\u007f" || char === "\b")
            typed = Array.from(typed).slice(0, -1).join("")
          else if (char === "\u0015") typed = ""
          else if (char >= " ") typed += char
        }
      })
    })
  } finally {
    stdin.removeAllListeners("data")
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write("\n")
  }
}

/** A line typed on the terminal and shown. */
export async function ask(prompt: string, signal: AbortSignal): Promise<string> {
  const { createInterface } = await import("node:readline/promises")
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(prompt, { signal })
  } finally {
    lines.close()
  }
}
