/**
 * The chat. Attaches to the profile's running node; when none runs, starts one as a process of its own, so that the screen
 * never waits for the network's work, and stops it in the end. The screen comes up at once, before the node is there.
 */
import { spawn, type ChildProcessByStdio } from "node:child_process"
import { Socket } from "node:net"
import type { Readable, Writable } from "node:stream"
import { userInfo } from "node:os"
import { apiOver, connectApi } from "../../node/api/client.ts"
import { ApiError } from "../../node/api/errors.ts"
import type { Api } from "../../node/api/types.ts"
import { chooseMode } from "../../tui/mode.ts"
import type { Context } from "../context.ts"
import { CliError, usage } from "../failure.ts"

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 15_000
/** What a node that does not come up said last is shown; this much of it. */
const LAST_WORDS_MAX = 2_000

type Child = ChildProcessByStdio<Writable, Readable, Readable>

export async function run(context: Context): Promise<void> {
  if (context.flag("no-input"))
    throw new CliError(
      "NO_INPUT",
      "the chat is all input",
      "`sotto help` lists the commands for scripts; `sotto node` runs a peer",
    )
  const own: { child: Child | null } = { child: null }
  const api = attach(context, own)
  try {
    const mode = chooseMode(process.env, process.stdin, process.stdout)
    // A signal is the screen's to handle: it gives the terminal back, the process ends by it, and the node by our end.
    context.releaseSignals()
    context.exitCode = await context.parts.runChat(mode, api, { userName: userInfo().username })
  } finally {
    await api.then(
      (attached) => attached.close(),
      () => undefined,
    )
    if (own.child !== null) await stop(own.child)
  }
}

async function attach(context: Context, own: { child: Child | null }): Promise<Api> {
  const { socketPath } = context.places
  if (context.flag("ephemeral")) return ephemeral(context, own)
  if (context.text("backup") !== undefined || context.text("max-messages") !== undefined)
    throw usage("--max-messages and --backup go with --ephemeral")
  try {
    return await connectApi(socketPath, { signal: context.signal })
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "GONE")) throw error
  }
  own.child = spawn(process.execPath, [...process.execArgv, ...nodeArguments(context)], {
    stdio: ["pipe", "pipe", "pipe"],
  })
  await ready(own.child)
  return connectApi(socketPath, { signal: context.signal })
}

/** A node of this chat's own that nobody else finds: the two talk over a pair of sockets without a name. */
async function ephemeral(context: Context, own: { child: Child | null }): Promise<Api> {
  const given = (name: string) => {
    const value = context.text(name)
    return value === undefined ? [] : [`--${name}=${value}`]
  }
  if (context.text("backup") === "-")
    throw usage("the chat needs standard input for itself", "name a file, or /dev/fd/N")
  const more = ["--ephemeral", "--api-fd=3", ...given("max-messages"), ...given("backup")]
  own.child = spawn(process.execPath, [...process.execArgv, ...nodeArguments(context), ...more], {
    stdio: ["pipe", "pipe", "pipe", "pipe"],
  })
  const socket = own.child.stdio[3]
  if (!(socket instanceof Socket)) throw new Error("a fourth pipe is a socket")
  await ready(own.child)
  return apiOver(socket)
}

function nodeArguments(context: Context): string[] {
  const script = process.argv[1]
  if (script === undefined) throw new Error("this program has no name")
  const data = context.text("data")
  const profile = context.text("profile")
  return [
    script,
    "node",
    "--log=json",
    "--with-parent",
    ...(data === undefined ? [] : [`--data=${data}`]),
    ...(profile === undefined ? [] : [`--profile=${profile}`]),
  ]
}

/** Waits for the ready line. Throws CliError NO_START with what the node said last. */
async function ready(child: Child): Promise<void> {
  let said = ""
  child.stderr.setEncoding("utf8")
  child.stderr.on("data", (text: string) => (said = (said + text).slice(-LAST_WORDS_MAX)))
  child.stdin.on("error", () => undefined)
  await new Promise<void>((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(timer)
      reject(new CliError("NO_START", `the node did not start: ${reason}\n${said.trim()}`))
    }
    const timer = setTimeout(() => fail("it took too long"), START_TIMEOUT_MS)
    child.once("error", (error) => fail(error.message))
    child.once("close", (code) => fail(`it ended with ${code ?? "a signal"}`))
    child.stdout.once("data", () => {
      clearTimeout(timer)
      resolve()
    })
    child.stdout.resume()
  })
}

async function stop(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once("exit", resolve))
  child.kill("SIGTERM")
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS)
  await gone
  clearTimeout(timer)
}
