/** `sotto tell`: whether others in a conversation learn that we have read, or that we write. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"

export async function run(context: Context): Promise<void> {
  const { out } = context
  const [read, typing] = [context.text("read"), context.text("typing")]
  if (read === undefined && typing === undefined) throw usage("give --read or --typing, on or off")
  const how = {
    ...(read === undefined ? {} : { read: read === "on" }),
    ...(typing === undefined ? {} : { typing: typing === "on" }),
  }
  const { thread } = await withIdentity(context, ({ api }) =>
    api.call("threads.tell", { thread: context.arg(0), ...how }, context),
  )
  const { tells } = thread
  if (out.json) out.object(thread)
  else {
    out.line(`read receipts ${tells.read ? "on" : "off"}`)
    out.line(`typing ${tells.typing ? "on" : "off"}`)
  }
}
