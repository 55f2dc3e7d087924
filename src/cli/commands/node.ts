/**
 * `sotto node`: an always-on peer in the foreground. One ready line on standard output; what goes on, on standard error.
 * SIGTERM, SIGINT and `sotto node stop` let calls under way finish and close the store; a second signal ends it at once.
 */
import { Socket } from "node:net"
import { resolve } from "node:path"
import { utf8 } from "../../crypto/bytes.ts"
import type { Api } from "../../node/api/types.ts"
import { serveMetrics, type MetricsServer } from "../../node/metrics.ts"
import type { Context } from "../context.ts"
import { CliError, usage } from "../failure.ts"
import { safeJson } from "../neutral.ts"
import type { NodeOptions, RunningNode } from "../parts.ts"
import { givenPassphrase } from "../secret.ts"

/** A node that has not stopped after this long is left to the operating system; the store survives that. */
const STOP_TIMEOUT_MS = 15_000
/** Others' files that a node can be told to keep: 256 GiB, a million chunks, for a year. */
const KEEP_GIB_MAX = 256
const KEEP_DAYS_MAX = 366
const CHUNKS_PER_GIB = 4096

export async function run(context: Context): Promise<void> {
  const asJson = context.json || context.text("log") === "json"
  const log = (line: string) => {
    if (asJson) process.stderr.write(`${safeJson({ v: 1, type: "log", line })}\n`)
    else context.out.say(line)
  }
  const ended = endOf(context)
  const node = await context.parts.startNode(optionsOf(context, log))
  let metrics: MetricsServer | null = null
  try {
    const port = context.number("metrics", 0, 65_535)
    if (port !== undefined) metrics = await listenForMetrics(node.api, port)
    await sayReady(context, node.api, metrics, asJson)
    node.api.closed(ended.resolve)
    await ended.promise
  } finally {
    ended.release()
    await metrics?.stop()
    await stopInTime(node)
  }
}

function optionsOf(context: Context, log: (line: string) => void): NodeOptions {
  const passphrase = givenPassphrase(context)
  const ticket = context.text("ticket")
  const listen = context.texts("listen")
  const bootstrap = context.texts("bootstrap")
  const announce = context.texts("announce")
  const postQuantum = context.text("post-quantum")
  const reachedBy = context.text("reached-by")
  const keepGib = context.number("keep", 0, KEEP_GIB_MAX)
  const chunkDays = context.number("keep-days", 2, KEEP_DAYS_MAX)
  const ephemeral = context.flag("ephemeral")
  const fd = context.number("api-fd", 3, 1023)
  const messagesMax = context.number("max-messages", 100, 10_000_000)
  const backup = context.text("backup")
  if (!ephemeral && (messagesMax !== undefined || backup !== undefined))
    throw usage("--max-messages and --backup go with --ephemeral")
  return {
    ...context.home,
    // A socket has a name on the disk, and one without (Linux' abstract ones) lets in every user of this machine.
    ...(ephemeral ? { socketPath: undefined } : {}),
    ...(fd === undefined ? {} : { apiSocket: new Socket({ fd, allowHalfOpen: true }) }),
    ...(messagesMax === undefined ? {} : { messagesMax }),
    ...(backup === undefined ? {} : { backup: backup === "-" ? backup : resolve(backup) }),
    ephemeral,
    log,
    testnet: context.flag("testnet"),
    ...(context.flag("mdns") || context.flag("no-mdns") ? { mdns: context.flag("mdns") } : {}),
    keeper: keepGib === 0 ? "none" : keeperOf(context),
    ...(keepGib === undefined ? {} : { chunksMax: keepGib * CHUNKS_PER_GIB }),
    ...(chunkDays === undefined ? {} : { chunkDays }),
    ...(listen.length === 0 ? {} : { listen: listen.filter((address) => address !== "none") }),
    relay: context.flag("relay"),
    ...(reachedBy === "auto" || reachedBy === "relay" || reachedBy === "direct"
      ? { reachedBy }
      : {}),
    ...(bootstrap.length === 0 ? {} : { bootstrap }),
    ...(announce.length === 0 ? {} : { announce }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(passphrase === undefined ? {} : { passphrase: utf8(passphrase) }),
    ...(postQuantum === "required" || postQuantum === "preferred" ? { postQuantum } : {}),
  }
}

/** The chat's node runs while somebody sits there, and memory ends with its process; any other one is meant to stay. */
const keeperOf = (context: Context) =>
  context.flag("with-parent") || context.flag("ephemeral") ? "casual" : "headless"

/** Resolves when the node is to end: a signal, its own `stop` call, or, for the chat's node, the chat's end. */
function endOf(context: Context) {
  const { signal } = context
  const { promise, resolve: settle } = Promise.withResolvers<undefined>()
  const resolve = () => settle(undefined)
  signal.addEventListener("abort", resolve, { once: true })
  if (signal.aborted) resolve()
  if (context.flag("with-parent")) {
    process.stdin.once("end", resolve)
    process.stdin.once("error", resolve)
    process.stdin.resume()
  }
  return { promise, resolve, release: () => process.stdin.destroy() }
}

async function listenForMetrics(api: Api, port: number): Promise<MetricsServer> {
  try {
    return await serveMetrics(api, port)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliError("NO_START", `port ${port} cannot be used for metrics (${code ?? "error"})`)
  }
}

async function sayReady(
  context: Context,
  api: Api,
  metrics: MetricsServer | null,
  asJson: boolean,
): Promise<void> {
  const { out, places } = context
  const { listen, pid, identity, profile } = await api.call("status", {})
  const socket = context.flag("ephemeral") ? null : places.socketPath
  const extra = metrics === null ? {} : { metrics: metrics.port }
  if (asJson) out.object({ ready: true, pid, listen, identity, socket, ...extra })
  else
    out.line(
      `Ready: process ${pid}, profile ${profile}, listening on ${listen.join(", ") || "nothing"}`,
      metrics === null ? "" : `, metrics on http://127.0.0.1:${metrics.port}/metrics`,
    )
}

async function stopInTime(node: RunningNode): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new CliError("TIMEOUT", "the node did not stop in time and was left behind")),
      STOP_TIMEOUT_MS,
    )
  })
  try {
    await Promise.race([node.stop(), late])
  } finally {
    clearTimeout(timer)
  }
}
