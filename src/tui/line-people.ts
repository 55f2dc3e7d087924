/** Deciding about people in line mode: who they say they are, and whether that was compared. */
import type { Api, Contact, ThreadSummary } from "../node/api/types.ts"
import { contactName } from "./commands.ts"
import { lackNews } from "./lacking.ts"
import { signatureWords, strengthenedWords } from "./people.ts"
import type { Talk } from "./talk.ts"

type Known = { readonly contacts: ReadonlyMap<string, Contact> }

/** Somebody under another's name is let in only when that is said in so many words. */
export async function accept(api: Api, talk: Talk, known: Known, contact: string): Promise<string> {
  const who = known.contacts.get(contact)
  const claims = who !== undefined && who.claims !== null
  const answer = claims
    ? await talk.ask(`${claimOf(known, who)} Write "anyway" to write to them, or nothing:`)
    : ""
  if (claims && answer.trim() !== "anyway") return "Nothing was changed."
  const params = claims ? { contact, anyway: true } : { contact }
  const accepted = (await api.call("contacts.accept", params)).contact
  return `${contactName(accepted)} is ${accepted.state}.`
}

export function claimOf(known: Known, contact: Contact): string {
  const other = contact.claims === null ? undefined : known.contacts.get(contact.claims)
  const name = other === undefined ? "a contact of yours" : contactName(other)
  const proven = other?.verified === true ? ", whom you verified" : ""
  return `${contactName(contact)} is another identity than ${name}${proven}. Nothing goes out to them.`
}

/** Somebody cannot read any more what we had said; heard once, whatever is open. */
export function tellLack(talk: Talk, before: ThreadSummary | undefined, now: ThreadSummary): void {
  const news = lackNews(before, now)
  if (news !== null) talk.say(`! ${news}`)
}

/** A contact among all of them. */
export const contactLine = (contact: Contact): string => {
  const words = signatureWords(contact)
  const verified = contact.verified ? ", verified" : ""
  return `${contactName(contact)}: ${contact.state}${verified}${words === "" ? "" : `, ${words}`}`
}

/** From now on with post-quantum signatures. */
export async function strengthen(api: Api, address: string): Promise<string> {
  const params = { code: address, postQuantumSignatures: true }
  return strengthenedWords((await api.call("contacts.add", params)).contact)
}

export async function verify(api: Api, talk: Talk, wanted: string): Promise<string> {
  const { contact, number } = await api.call("contacts.safety", { contact: wanted })
  const name = contactName(contact)
  talk.say(`Safety number with ${name}: ${number.match(/[0-9]{5}/g)?.join(" ") ?? ""}`)
  const typed = await talk.ask(
    contact.verified
      ? `${name} is verified. Write "undo" to take it back, or nothing:`
      : `Write "same" if ${name} sees the same digits, or nothing:`,
  )
  const { address } = contact
  if (contact.verified && typed.trim() === "undo") {
    await api.call("contacts.unverify", { contact: address })
    return `${name} is not verified any more.`
  }
  if (contact.verified || typed.trim() !== "same") return "Nothing was changed."
  await api.call("contacts.verify", { contact: address, number })
  return `${name} is verified.`
}
