/** Whom a command means: a contact by name, by its beginning or by address, else the one whose chat is open. */
import type { Contact } from "../node/api/types.ts"
import { contactName } from "./commands.ts"
import { openEntry } from "./model.ts"
import type { Model } from "./model.ts"

/** What is said once a contact is written to with post-quantum signatures. */
export const strengthenedWords = (contact: Contact): string =>
  `From now on you and ${contactName(contact)} sign with post-quantum signatures. What you write waits until their key is found.`

/** How a contact and we sign, and what that waits for; empty for ordinary signatures. */
export const signatureWords = ({ postQuantumSignatures, lacksKey }: Contact): string =>
  lacksKey
    ? "no key of theirs for post-quantum signatures yet: what you write waits"
    : postQuantumSignatures
      ? "post-quantum signatures"
      : ""

/** The same of a group, whose members all sign alike. */
export const groupSignatureWords = (group: { readonly postQuantumSignatures: boolean }): string =>
  group.postQuantumSignatures ? "post-quantum signatures" : ""

/** The address a command means: the one named, else the one whose chat is open. A string says why there is none. */
export function meant(model: Model, name: string | null): { readonly address: string } | string {
  if (name !== null) return contactNamed(model, name)
  const contact = openEntry(model)?.contact
  return contact ?? "Whom? Name a contact, or open their chat first."
}

/** The one contact of that name, or why there is none. */
export function contactNamed(model: Pick<Model, "contacts">, name: string): Contact | string {
  const wanted = name.toLowerCase()
  const all = [...model.contacts.values()]
  const exact = all.filter((c) => contactName(c).toLowerCase() === wanted || c.address === name)
  const found =
    exact.length > 0
      ? exact
      : all.filter(
          (c) =>
            contactName(c).toLowerCase().startsWith(wanted) ||
            (name.length >= 8 && c.address.startsWith(name)),
        )
  const [first, second] = found
  if (first === undefined) return `There is no contact called ${name}. /contacts shows all.`
  return second === undefined ? first : `More than one contact could be ${name}. Write more of it.`
}
