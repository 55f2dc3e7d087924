/** `sotto contact list`: everybody known, requests first. */
import type { Contact } from "../../node/api/types.ts"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import type { Output } from "../output.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { contacts } = await withIdentity(
    context,
    ({ api }) => api.call("contacts.list", {}, { signal }),
    { offline: true },
  )
  const requestsFirst = (a: Contact, b: Contact) =>
    Number(b.state === "request") - Number(a.state === "request") || a.name.localeCompare(b.name)
  const sorted = contacts.toSorted(requestsFirst)
  if (out.json) {
    out.object({ contacts: sorted })
    return
  }
  const { printTable } = await import("../table.ts")
  printTable(sorted.map((contact) => [contact.name, stateOf(contact), contact.address]))
  if (contacts.length === 0) out.say("Nobody yet: `sotto contact add CODE` adds somebody.")
}

const stateOf = ({ state, verified }: Contact) =>
  state === "accepted" ? (verified ? "verified" : "not verified") : state

export function printContact(out: Output, contact: Contact): void {
  if (out.json) out.object(contact)
  else out.line(`${contact.name}  ${stateOf(contact)}  ${contact.address}`)
}
