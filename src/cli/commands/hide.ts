/** `sotto hide`: erases a conversation here. Others keep theirs. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"

export async function run(context: Context): Promise<void> {
  const params = { thread: context.arg(0) }
  await withIdentity(context, ({ api }) => api.call("threads.hide", params, context))
  if (context.out.json) context.out.object({})
  else context.out.say("Erased here; the others keep theirs. It comes back when something is said.")
}
