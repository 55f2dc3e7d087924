/** `sotto delete`: takes a message away here, or asks everybody to. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { messageId } from "../message-argument.ts"

export async function run(context: Context): Promise<void> {
  const { out } = context
  const forAll = context.flag("for-all")
  const { recalled } = await withIdentity(context, async ({ api }) =>
    api.call(
      "messages.delete",
      { id: await messageId(context, api, context.arg(0)), forAll },
      context,
    ),
  )
  if (out.json) out.object({ recalled })
  else
    out.say(
      recalled
        ? "It had not left yet, and never will."
        : forAll
          ? "Deleted here. The others' programs are asked to do the same; somebody may have read it."
          : "Deleted here. The others keep theirs.",
    )
}
