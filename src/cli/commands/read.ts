/** `sotto read`: the newest messages of a conversation, or of all. */
import type { Api, Message, Page } from "../../node/api/types.ts"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"
import { namesOf, printMessage } from "../messages.ts"

const LIMIT_DEFAULT = 50

export async function run(context: Context): Promise<void> {
  const { args, out, signal } = context
  const [thread] = args
  const limit = context.number("limit", 1, 500) ?? LIMIT_DEFAULT
  const before = context.text("before")
  if (before !== undefined && thread === undefined)
    throw usage("--before is a place in one thread: name it")
  await withIdentity(
    context,
    async ({ api }) => {
      const page =
        thread === undefined
          ? await newest(api, limit, signal)
          : await api.call(
              "messages.page",
              { thread, limit, ...(before === undefined ? {} : { before }) },
              { signal },
            )
      if (out.json) out.object(page)
      else {
        const names = await namesOf(api, signal)
        for (const message of page.messages) printMessage(out, message, names)
      }
      if (context.flag("mark-read")) await markRead(api, page.messages, signal)
    },
    { offline: true },
  )
}

/** The newest messages of all threads, by their authors' clocks: between threads there is no other order. */
async function newest(api: Api, limit: number, signal: AbortSignal): Promise<Page> {
  const { threads } = await api.call("threads.list", {}, { signal })
  const pages = await Promise.all(
    threads.map(({ id }) => api.call("messages.page", { thread: id, limit }, { signal })),
  )
  const messages = pages
    .flatMap((page) => page.messages)
    .sort((a, b) => a.sentAtMs - b.sentAtMs)
    .slice(-limit)
  return { messages, before: null }
}

async function markRead(
  api: Api,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<void> {
  const last = new Map<string, string>()
  for (const { thread, position } of messages)
    if (position > (last.get(thread) ?? "")) last.set(thread, position)
  for (const [thread, through] of last)
    await api.call("threads.read", { thread, through }, { signal })
}
