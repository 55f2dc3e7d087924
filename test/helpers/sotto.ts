/** Runs `sotto` as a real process: the double in front of a small node, or the real one. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process"
import { once } from "node:events"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const dist = join(dirname(fileURLToPath(import.meta.url)), "../..")
export const DOUBLE = join(dist, "test/cli/sotto-double.js")
/** What `bin/sotto` runs. */
export const REAL = join(dist, "bundle/cli/main.js")

export interface RunOptions {
  readonly script?: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

/** The environment of a test is its own: nothing of the machine's profiles, no colours, no CI quirks. */
const environment = (env: Readonly<Record<string, string>> = {}) => ({
  PATH: process.env["PATH"] ?? "",
  HOME: "/nonexistent",
  LANG: "C.UTF-8",
  ...env,
})

export function start(
  args: readonly string[],
  { script = DOUBLE, env }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [script, ...args], { stdio: "pipe", env: environment(env) })
}

export interface Ended {
  readonly exit: number
  readonly out: string
  readonly err: string
}

export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let out = ""
  let err = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text))
  const [code, signal] = (await once(child, "close")) as [number | null, string | null]
  if (code === null) throw new Error(`ended by ${signal ?? "nobody"}: ${err}`)
  return { exit: code, out, err }
}

export async function sotto(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = start(args, options)
  child.stdin.on("error", () => undefined)
  child.stdin.end(options.input ?? "")
  return ended(child)
}

/** The next line of a child's output, of those that come in order. */
export function lines(child: ChildProcessWithoutNullStreams): () => Promise<string> {
  const ready: string[] = []
  const waiting: ((line: string) => void)[] = []
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n")
    rest = parts.pop() ?? ""
    for (const line of parts) {
      const next = waiting.shift()
      if (next === undefined) ready.push(line)
      else next(line)
    }
  })
  return () =>
    new Promise((resolve) => {
      const line = ready.shift()
      if (line === undefined) waiting.push(resolve)
      else resolve(line)
    })
}
