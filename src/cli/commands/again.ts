/** `sotto again`: says again what somebody who went on from a backup cannot read any more. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { counted } from "../counted.ts"

export async function run(context: Context): Promise<void> {
  const { out } = context
  const { said } = await withIdentity(context, ({ api }) =>
    api.call("threads.again", { thread: context.arg(0) }, context),
  )
  if (out.json) out.object({ said })
  else if (said === 0) out.say("Nobody asks there for anything to be said again.")
  else out.say(`${counted(said, "message")} of yours ${said === 1 ? "is" : "are"} said again.`)
}
