/** `sotto contact accept`. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { printContact } from "./contact-list.ts"

export async function run(context: Context): Promise<void> {
  const params = { contact: context.arg(0), ...(context.flag("anyway") ? { anyway: true } : {}) }
  const { contact } = await withIdentity(context, ({ api }) =>
    api.call("contacts.accept", params, context),
  )
  printContact(context.out, contact)
}
