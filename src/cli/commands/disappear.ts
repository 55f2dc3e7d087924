/** `sotto disappear`: from now on what is said in a conversation disappears after so long. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"
import { parseLifetime } from "../../tui/lifetime.ts"

export async function run(context: Context): Promise<void> {
  const [thread = "", ...words] = context.args
  const lifetime = parseLifetime(words.join(" "))
  if (lifetime === undefined)
    throw usage("TIME is 30s, 5m, 8h, 7d, 2w, off, or a number and `blocks`; a year at most")
  const { message } = await withIdentity(context, ({ api }) =>
    api.call("threads.lifetime", { thread, ...lifetime }, context),
  )
  if (context.out.json) context.out.object(message)
  else context.out.say("Set, for what is said from now on. Everybody there sees it.")
}
