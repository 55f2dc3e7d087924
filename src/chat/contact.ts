/**
 * Contacts: petnames over addresses. Who is added here is `pending` until their card is found, then `accepted`; who writes first is a
 * `request` until accepted or blocked. Transitions are pure; which envelopes and lookups follow from them is the node's business.
 *
 * An address holds the roots, so a contact's roots never change: other roots are another contact. What does happen is that somebody
 * new comes under a name one knows: the same person with a new identity, a namesake, or somebody who wants to be taken for them. That is
 * a *claim* (names.ts), and until the user has decided about it nothing goes out to the newcomer (DESIGN §4).
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"
import { type Signing, SIGNINGS } from "../crypto/session.ts"

const VERSION = 4
/** Before there was a choice of signatures. */
const VERSION_WITHOUT_CHOICE = 3
export const CONTACTS_MAX = 10_000
const NONE = new Uint8Array(0)
export const STANDINGS = ["request", "pending", "accepted", "blocked"] as const
export type Standing = (typeof STANDINGS)[number]

export interface ChatContact {
  readonly address: Address
  readonly name: string
  readonly theirName: string | null
  readonly standing: Standing
  /** The safety number was compared; for these roots, and so for this address only. */
  readonly verified: boolean
  /** The contact whose name this one came with, while nobody has decided about it. */
  readonly claims: Address | null
  /** Whose name they may bear as well: the user has decided so. */
  readonly namesake: Address | null
  /** The newest card seen of theirs: no older one is taken, nor another of the same number. */
  readonly card: SeenCard | null
  /**
   * How the two sign what they say to each other: chosen by whoever makes contact. Once `composite`, nobody gets in under this address with
   * less.
   */
  readonly signing: Signing
}

export interface SeenCard {
  readonly sequence: number
  /** SHA3-256 of the encoded card, 32 bytes. */
  readonly hash: Bytes
  /** The MLS leaf key that it names, 32 bytes. */
  readonly leaf: Bytes
  /** The hash of the composite leaf key that it names, 32 bytes (card.ts). */
  readonly compositeLeaf: Bytes | null
}

const fresh = {
  theirName: null,
  verified: false,
  claims: null,
  namesake: null,
  card: null,
  signing: "ed25519" as const,
}

/** Added by the user: a request from the same person is thereby accepted; a blocked one is let in again. */
export function added(
  before: ChatContact | undefined,
  address: Address,
  name: string,
): ChatContact {
  if (before === undefined) return { ...fresh, address, name, standing: "pending" }
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
    return { ...fresh, address, name: theirName, theirName, standing: "request" }
  return {
    ...before,
    theirName,
    standing: before.standing === "pending" ? "accepted" : before.standing,
  }
}

/** The user lets them in, knowing what is claimed: whoever it is, they are a contact of their own. */
export function accepted(before: ChatContact): ChatContact {
  const standing = before.standing === "pending" ? "pending" : "accepted"
  return { ...before, standing, claims: null, namesake: before.claims ?? before.namesake }
}

/** Their safety number was compared. Who is blocked stays so. */
export function verified(before: ChatContact): ChatContact {
  const after = before.standing === "blocked" ? before : accepted(before)
  return { ...after, verified: true }
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
  const { address, standing, theirName, claims, namesake, card } = contact
  const optional = [theirName === null, claims !== null, namesake !== null, card !== null]
  const flags = [contact.verified, ...optional]
  const out = new Writer()
    .u8(VERSION)
    .raw(addressBytes(address))
    .u8(STANDINGS.indexOf(standing))
    .u8(flags.reduce((sum, flag, bit) => sum | (flag ? 1 << bit : 0), 0))
    .text(contact.name, 2)
    .text(theirName ?? "", 1)
  if (claims !== null) out.raw(addressBytes(claims))
  if (namesake !== null) out.raw(addressBytes(namesake))
  if (card !== null)
    out
      .u64(card.sequence)
      .raw(card.hash)
      .raw(card.leaf)
      .bytes(card.compositeLeaf ?? NONE, 1)
  return out.u8(SIGNINGS.indexOf(contact.signing)).finish()
}

/** From our own sealed store; of this program or an earlier one; version 1 ended with the names. Throws CryptoError when that is damaged. */
export function decodeContact(bytes: Bytes): ChatContact {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== 1 && version !== VERSION_WITHOUT_CHOICE && version !== VERSION)
    throw new CryptoError("BAD_VERSION", "contact record")
  const address = addressFromBytes(read.raw(64))
  const standing = STANDINGS[read.u8()]
  const flags = read.u8()
  const name = read.text(2, 4 * NAME_BYTES_MAX)
  const theirName = read.text(1, NAME_BYTES_MAX)
  const claims = (flags & 4) === 0 ? null : addressFromBytes(read.raw(64))
  const namesake = (flags & 8) === 0 ? null : addressFromBytes(read.raw(64))
  const card = (flags & 16) === 0 ? null : readCard(read, version === VERSION)
  const signing = version === VERSION ? SIGNINGS[read.u8()] : "ed25519"
  read.done()
  if (standing === undefined || signing === undefined || flags > (version === 1 ? 3 : 31))
    throw new CryptoError("BAD_ENCODING", "contact record")
  return {
    address,
    standing,
    verified: (flags & 1) !== 0,
    name,
    theirName: (flags & 2) !== 0 ? null : theirName,
    claims,
    namesake,
    card,
    signing,
  }
}

function readCard(read: Reader, hasComposite: boolean): SeenCard {
  const known = { sequence: read.u64(), hash: read.raw(32), leaf: read.raw(32) }
  const hash = hasComposite ? read.bytes(1, 32) : NONE
  if (hash.length !== 0 && hash.length !== 32)
    throw new CryptoError("BAD_ENCODING", "contact record")
  return { ...known, compositeLeaf: hash.length === 0 ? null : hash }
}
