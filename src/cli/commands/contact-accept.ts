/** `sotto contact accept`. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { printContact } from "./contact-list.ts"

export async function run(context: Context): Promise<void> {
  const { contact } = await withIdentity(context, ({ api }) =>
    api.call("contacts.accept", { contact: context.arg(0) }, context),
  )
  printContact(context.out, contact)
}
