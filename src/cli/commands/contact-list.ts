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
  printTable(sorted.map((contact) => [contact.name, wordsOf(contact), contact.address]))
  if (contacts.length === 0) out.say("Nobody yet: `sotto contact add CODE` adds somebody.")
  for (const contact of sorted) warnOf(out, contact, contacts)
}

const stateOf = ({ state, verified, claims }: Contact) =>
  claims !== null
    ? `OTHER IDENTITY, ${state}`
    : state === "accepted"
      ? verified
        ? "verified"
        : "not verified"
      : state

const wordsOf = (contact: Contact) =>
  stateOf(contact) + (contact.postQuantumSignatures ? ", post-quantum signatures" : "")

/** Somebody came under the name of another contact: said aloud, with the ways out. */
function warnOf(out: Output, contact: Contact, all: readonly Contact[]): void {
  if (contact.lacksKey)
    out.say(
      `No key for post-quantum signatures was found of ${contact.name}: their program may be older, or they were not there ` +
        "for days. What you write waits until there is one. To write with ordinary signatures, remove them and add them without it.",
    )
  if (contact.claims === null) return
  const other = all.find(({ address }) => address === contact.claims)
  const known = other === undefined ? "a contact of yours" : `your contact ${other.name}`
  const proven = other?.verified === true ? ", whom you verified" : ""
  const name = JSON.stringify(contact.name)
  out.complain(
    { text: "warning: ", style: "yellow" },
    `${contact.name} goes by the name of ${known}${proven}, with another identity. That is another person, or somebody ` +
      `who starts over. Nothing is sent to them until you decide: \`sotto verify ${name}\` compares numbers, ` +
      `\`sotto contact accept --anyway ${name}\` takes them as a contact of their own, \`sotto contact block ${name}\` shuts them out.`,
  )
}

export function printContact(out: Output, contact: Contact, all: readonly Contact[] = []): void {
  if (out.json) out.object(contact)
  else out.line(`${contact.name}  ${wordsOf(contact)}  ${contact.address}`)
  warnOf(out, contact, all)
}
