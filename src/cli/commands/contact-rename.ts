/** `sotto contact rename`. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { printContact } from "./contact-list.ts"

export async function run(context: Context): Promise<void> {
  const params = { contact: context.arg(0), name: context.arg(1) }
  const { contact } = await withIdentity(context, ({ api }) =>
    api.call("contacts.rename", params, context),
  )
  printContact(context.out, contact)
}
