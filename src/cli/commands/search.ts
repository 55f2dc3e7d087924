/** `sotto search`: messages of all threads that hold what was asked, the newest last, as `sotto read` prints them. */
import { sanitizeName } from "../../tui/sanitize.ts"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { namesOf, printMessage } from "../messages.ts"

const LIMIT_DEFAULT = 50

export async function run(context: Context): Promise<void> {
  const { args, out, signal } = context
  const query = args.join(" ")
  const limit = context.number("limit", 1, 500) ?? LIMIT_DEFAULT
  await withIdentity(
    context,
    async ({ api }) => {
      const answer = await api.call("messages.search", { query, limit }, { signal })
      if (out.json) {
        out.object(answer)
        return
      }
      const names = await namesOf(api, signal)
      let shown: string | undefined
      for (const { message, title } of answer.hits.toReversed()) {
        // Told once for neighbours of one thread.
        if (message.thread !== shown) out.line({ text: sanitizeName(title), style: "dim" })
        shown = message.thread
        printMessage(out, message, names)
      }
      if (answer.hits.length === 0) out.say("Nothing found.")
      if (answer.more) out.say("There is more: ask for less, or give --limit.")
    },
    { offline: true },
  )
}
