/** `sotto contact remove`. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"

export async function run(context: Context): Promise<void> {
  const contact = context.arg(0)
  await withIdentity(context, ({ api }) => api.call("contacts.remove", { contact }, context))
  if (context.json) context.out.object({ removed: contact })
  else context.out.say(`${contact} is forgotten.`)
}
