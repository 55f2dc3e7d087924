/**
 * When two names would be taken for one another: the test behind a *claim*, somebody new under a name one knows. Case, accents, marks,
 * spaces and what does not show are left out, and the Greek and Cyrillic letters that look like Latin ones count as those. Not a full
 * table of look-alikes (Unicode TR 39): it is to notice what people do by chance or with little effort, and a name proves nothing anyway.
 */
import type { Address } from "../crypto/address.ts"
import type { ChatContact } from "./contact.ts"

const LOOK_ALIKES: Readonly<Record<string, string>> = {
  а: "a", в: "b", с: "c", ԁ: "d", е: "e", һ: "h", і: "i", ј: "j", к: "k", м: "m", н: "h", о: "o", р: "p", ѕ: "s", т: "t", у: "y", х: "x",
  α: "a", β: "b", ε: "e", η: "n", ι: "i", κ: "k", ν: "v", ο: "o", ρ: "p", τ: "t", υ: "u", χ: "x",
  ı: "i", ł: "l", ø: "o", đ: "d", "0": "o", "1": "l", "|": "l",
} // prettier-ignore

/** What is left of a name for comparing. A name of signs alone is left as it is. */
export function folded(name: string): string {
  const letters = name.normalize("NFKD").toLowerCase()
  const alike = Array.from(letters, (letter) => LOOK_ALIKES[letter] ?? letter).join("")
  const bare = alike.replace(/[^\p{L}\p{N}]/gu, "")
  return bare === "" ? name.normalize("NFKC").trim() : bare
}

/** Higher is whom the user would think of first; undefined: nobody one could be taken for. */
function weight({ standing, verified, claims }: ChatContact): number | undefined {
  if (standing === "request" || claims !== null) return undefined
  return verified ? 3 : standing === "accepted" ? 2 : standing === "pending" ? 1 : 0
}

/**
 * Whom somebody under this name would be taken for: a contact, blocked ones too, that is called so here or calls itself so. Strangers
 * who were never let in, and newcomers nobody has decided about, are nobody to be taken for.
 */
export function claimedBy(
  contacts: Iterable<ChatContact>,
  address: Address,
  name: string,
): Address | null {
  const wanted = folded(name)
  let found: { readonly address: Address; readonly weight: number } | undefined
  for (const contact of contacts) {
    const weighs = weight(contact)
    if (weighs === undefined || contact.address === address) continue
    const named = [contact.name, contact.theirName ?? contact.name].map(folded)
    if (named.includes(wanted) && (found === undefined || weighs > found.weight))
      found = { address: contact.address, weight: weighs }
  }
  return found?.address ?? null
}

/**
 * `after`, with what its new name claims. A claim is raised when a name is said for the first time. Not by whom the user has verified,
 * and not once more when it was decided about.
 */
export function withClaim(
  before: ChatContact | undefined,
  after: ChatContact,
  said: string,
  contacts: Iterable<ChatContact>,
): ChatContact {
  const known = before === undefined ? [] : [before.name, before.theirName ?? before.name]
  if (known.map(folded).includes(folded(said))) return after
  if (after.verified || after.standing === "blocked") return after
  const claimed = claimedBy(contacts, after.address, said)
  return claimed === null || claimed === after.namesake ? after : { ...after, claims: claimed }
}
