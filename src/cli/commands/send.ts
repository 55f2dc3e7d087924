/**
 * `sotto send`. With a node running, the message is durable when this returns and the node takes it from there. An own node
 * stays until a peer has taken it, or for `OWN_TIMEOUT_MS`; then it is queued, which is said and is no failure unless
 * `--wait` asked for more.
 */
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import type { Api, DeliveryState, Message } from "../../node/api/types.ts"
import { withIdentity, type Attached } from "../attach.ts"
import type { Context } from "../context.ts"
import { DeliveryWatch, gotAsFar } from "../delivery.ts"
import { CliError, usage } from "../failure.ts"
import { messageId } from "../message-argument.ts"
import { STATES } from "../registry.ts"
import { ask } from "../secret.ts"
import { TransferWatch } from "../transfer.ts"

const OWN_TIMEOUT_MS = 10_000
const WAIT_TIMEOUT_MS = 60_000
const FILE_TIMEOUT_MS = 3_600_000

export async function run(context: Context): Promise<void> {
  const { out } = context
  const to = context.arg(0)
  // Chosen here, so that trying again after a node has gone cannot send twice.
  const id = context.text("id") ?? randomBytes(16).toString("hex")
  const asked = STATES.find((state) => state === context.text("wait"))
  const timeoutMs =
    context.timeMs("timeout") ?? (asked === undefined ? OWN_TIMEOUT_MS : WAIT_TIMEOUT_MS)
  const path = context.text("file")
  if (path !== undefined) {
    await sendFile(context, { to, path: resolve(path), id })
    return
  }
  const text = await textOf(context, to)
  const { message, own } = await withIdentity(context, async (attached) => ({
    message: await send(
      context,
      attached,
      { to, text, id, ...(await answering(context, attached, to)) },
      asked,
      timeoutMs,
    ),
    own: attached.own,
  }))
  if (out.json) out.object(message)
  else out.line(`${message.id}  ${message.state}`)
  if (message.state === "queued" && asked === undefined && own)
    out.say("No peer has it yet: it leaves when a node of this profile runs and meets one.")
  if (message.state === "failed")
    throw new CliError(
      "REFUSED",
      `the message did not go out (${message.failure ?? "no reason given"})`,
      "`sotto read` shows it; send it again later",
    )
  if (asked !== undefined && !gotAsFar(message.state, asked)) {
    context.signal.throwIfAborted()
    throw new CliError(
      "TIMEOUT",
      `the message is ${message.state}, not ${asked} yet`,
      "it is kept and goes on its way; do not send it again",
    )
  }
}

/** The message that is answered, if one is. */
async function answering(
  context: Context,
  { api }: Attached,
  to: string,
): Promise<{ replyTo?: string }> {
  const given = context.text("reply-to")
  return given === undefined ? {} : { replyTo: await messageId(context, api, given, to) }
}

async function send(
  context: Context,
  { api, own }: Attached,
  params: { to: string; text: string; id: string; replyTo?: string },
  asked: DeliveryState | undefined,
  timeoutMs: number,
): Promise<Message> {
  const wanted = asked ?? (own ? "gossiped" : "queued")
  if (wanted === "queued") return (await api.call("messages.send", params, context)).message
  const watch = new DeliveryWatch(api)
  try {
    const { message } = await api.call("messages.send", params, context)
    return await watch.reaches(message, wanted, giveUp(api, context.signal, timeoutMs))
  } finally {
    watch.end()
  }
}

/** Aborts after the time given, at a signal, or when the node goes away: the message is as far as it is then. */
function giveUp(api: Api, signal: AbortSignal, timeoutMs: number): AbortSignal {
  const left = new AbortController()
  api.closed(() => left.abort())
  return AbortSignal.any([signal, left.signal, AbortSignal.timeout(timeoutMs)])
}

/** A file: returns when its keepers have it, which needs nobody here any more. */
async function sendFile(
  context: Context,
  { to, path, id }: { to: string; path: string; id: string },
): Promise<void> {
  const { out } = context
  const late = AbortSignal.timeout(context.timeMs("timeout") ?? FILE_TIMEOUT_MS)
  const signal = AbortSignal.any([context.signal, late])
  const text = context.text("message") ?? context.args.slice(1).join(" ")
  const asked = STATES.find((state) => state === context.text("wait"))
  const message = await withIdentity(context, async ({ api }) => {
    const watch = new TransferWatch(api, out)
    const delivery = new DeliveryWatch(api)
    try {
      const { transfer } = await api.call("files.send", { to, path, text, id }, context)
      await watch.ends(transfer, signal)
      const sent = await api.call("messages.retry", { id }, context)
      return await delivery.reaches(sent.message, asked ?? "gossiped", signal)
    } catch (error) {
      if (!late.aborted) throw error
      throw new CliError(
        "TIMEOUT",
        "not every keeper has the file yet",
        "it goes on when a node of this profile runs; do not send it again",
      )
    } finally {
      delivery.end()
      watch.end()
    }
  })
  if (out.json) out.object(message)
  else out.line(`${message.id}  ${message.state}`)
}

async function textOf(context: Context, to: string): Promise<string> {
  const words = context.args.slice(1)
  const message = context.text("message")
  if (words.length > 0 && message !== undefined) throw usage("say it once: as arguments or with -m")
  if (words.length > 0) return words.join(" ")
  if (message !== undefined) return message
  if (!process.stdin.isTTY) return withoutNewline(standardInput())
  if (!context.interactive) throw new CliError("NO_INPUT", "there is nothing to send", "give -m")
  return ask(`To ${to}: `, context.signal)
}

function standardInput(): string {
  try {
    return readFileSync(0, "utf8")
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliError("NO_FILE", `standard input cannot be read (${code ?? "error"})`)
  }
}

const withoutNewline = (text: string) => text.replace(/\r?\n$/, "")
