/** `sotto edit`: says a message of ours otherwise. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { messageId } from "../message-argument.ts"

export async function run(context: Context): Promise<void> {
  const text = context.args.slice(1).join(" ")
  const { message } = await withIdentity(context, async ({ api }) =>
    api.call("messages.edit", { id: await messageId(context, api, context.arg(0)), text }, context),
  )
  if (context.out.json) context.out.object(message)
  else context.out.line(`${message.id}  edited`)
}
