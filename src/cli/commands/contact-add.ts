/** `sotto contact add`. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { printContact } from "./contact-list.ts"

export async function run(context: Context): Promise<void> {
  const name = context.text("name")
  const params = { code: context.arg(0), ...(name === undefined ? {} : { name }) }
  const { contact } = await withIdentity(context, ({ api }) =>
    api.call("contacts.add", params, context),
  )
  printContact(context.out, contact)
}
