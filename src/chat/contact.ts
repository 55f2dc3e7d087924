/**
 * Contacts: petnames over addresses. Who is added here is `pending` until their card is found, then `accepted`; who writes first is a
 * `request` until accepted or blocked. Transitions are pure; which envelopes and lookups follow from them is the node's business.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"

const VERSION = 1
export const CONTACTS_MAX = 10_000
export const STANDINGS = ["request", "pending", "accepted", "blocked"] as const
export type Standing = (typeof STANDINGS)[number]

export interface ChatContact {
  readonly address: Address
  readonly name: string
  readonly theirName: string | null
  readonly standing: Standing
  readonly verified: boolean
}

/** Added by the user: a request from the same person is thereby accepted; a blocked one is let in again. */
export function added(
  before: ChatContact | undefined,
  address: Address,
  name: string,
): ChatContact {
  if (before === undefined)
    return { address, name, theirName: null, standing: "pending", verified: false }
  const standing = before.standing === "pending" ? "pending" : "accepted"
  return { ...before, name, standing }
}

/** Their first contact arrived and their card vouches for it. */
export function introduced(
  before: ChatContact | undefined,
  address: Address,
  theirName: string,
): ChatContact {
  if (before === undefined)
    return { address, name: theirName, theirName, standing: "request", verified: false }
  return {
    ...before,
    theirName,
    standing: before.standing === "pending" ? "accepted" : before.standing,
  }
}

/** What someone is called here before they said what they call themselves. */
export const unnamed = (address: Address) => `someone ${address.slice(-6)}`

/** They said what they call themselves. The petname follows only while nobody has chosen one. */
export function named(
  before: ChatContact,
  theirName: string,
  taken: ReadonlySet<string>,
): ChatContact {
  const name = before.name === unnamed(before.address) ? freeName(theirName, taken) : before.name
  return { ...before, theirName, name }
}

/** A name that no other contact has: petnames must tell people apart. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  const base = wanted.trim() === "" ? "unnamed" : wanted.trim()
  if (!taken.has(base)) return base
  for (let n = 2; ; n++) if (!taken.has(`${base} ${n}`)) return `${base} ${n}`
}

export function encodeContact(contact: ChatContact): Bytes {
  return new Writer()
    .u8(VERSION)
    .raw(addressBytes(contact.address))
    .u8(STANDINGS.indexOf(contact.standing))
    .u8((contact.verified ? 1 : 0) | (contact.theirName === null ? 2 : 0))
    .text(contact.name, 2)
    .text(contact.theirName ?? "", 1)
    .finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeContact(bytes: Bytes): ChatContact {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "contact record")
  const address = addressFromBytes(read.raw(64))
  const standing = STANDINGS[read.u8()]
  const flags = read.u8()
  const name = read.text(2, 4 * NAME_BYTES_MAX)
  const theirName = read.text(1, NAME_BYTES_MAX)
  read.done()
  if (standing === undefined || flags > 3) throw new CryptoError("BAD_ENCODING", "contact record")
  return {
    address,
    standing,
    verified: (flags & 1) !== 0,
    name,
    theirName: (flags & 2) !== 0 ? null : theirName,
  }
}
