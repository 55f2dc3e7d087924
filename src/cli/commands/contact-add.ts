/** `sotto contact add`. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { printContact } from "./contact-list.ts"

export async function run(context: Context): Promise<void> {
  const name = context.text("name")
  const postQuantumSignatures = context.flag("post-quantum-signatures")
  const code = context.arg(0)
  const params = { code, postQuantumSignatures, ...(name === undefined ? {} : { name }) }
  const [contact, all] = await withIdentity(context, async ({ api }) => {
    const added = await api.call("contacts.add", params, context)
    const { contacts } = await api.call("contacts.list", {}, context)
    return [added.contact, contacts] as const
  })
  printContact(context.out, contact, all)
}
