/** `sotto react`: says all that we say to a message with emoji. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"
import { messageId } from "../message-argument.ts"

export async function run(context: Context): Promise<void> {
  const signs = context.args.slice(1)
  if (context.flag("undo") === signs.length > 0) throw usage("give one to three emoji, or --undo")
  const { message } = await withIdentity(context, async ({ api }) =>
    api.call(
      "messages.react",
      { id: await messageId(context, api, context.arg(0)), signs },
      context,
    ),
  )
  if (context.out.json) context.out.object(message)
  else context.out.line(`${message.id}  ${signs.join(" ")}`)
}
