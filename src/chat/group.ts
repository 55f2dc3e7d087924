/**
 * A group of people: what it is called, who runs it, and who may change what (DESIGN §10). Name and admins stand in the MLS group
 * context, so all members agree on them as they agree on the keys. Every rule here is a function of the group before a commit and of
 * the commit alone: no two members can disagree about whether a commit was valid.
 *
 *   about: version 1 · name (length 1) · admins: count 1 · addresses 64 each, ascending
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, compare, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import {
  aboutOf,
  type CommitChanges,
  epochMark,
  groupIdOf,
  type Member,
  members,
  sessionLimits,
  type Signing,
} from "../crypto/session.ts"
import type { SessionState } from "../crypto/session.ts"
import { isReturn, numberOf } from "./return.ts"

const VERSION = 1
export const GROUP_NAME_BYTES_MAX = 128
export const ADMINS_MAX = 16
/** The dearest commit among 256, who have not committed yet, is 430 KB and takes nearly all the envelopes that one may. */
export const GROUP_MEMBERS_MAX: Readonly<Record<Signing, number>> = {
  ed25519: 256,
  composite: sessionLimits.COMPOSITE_MEMBERS_MAX,
}

export interface About {
  readonly name: string
  /** Who may add, remove, rename and name admins. Somebody who is no member any more counts for nothing. */
  readonly admins: readonly Address[]
}

export interface GroupMember {
  readonly address: Address
  readonly leaf: number
  /** The leaf key, which their card should name: 32 bytes, or 2,624 in a group with composite signatures. */
  readonly key: Bytes
  /** Number of the mark that they came back with (return.ts); 0 for who never had to. */
  readonly returned: number
}

export interface Group {
  readonly id: Bytes
  readonly about: About
  readonly members: readonly GroupMember[]
}

/** Throws CryptoError TOO_LARGE or BAD_ENCODING for what could not be read again. */
export function encodeAbout({ name, admins }: About): Bytes {
  const sorted = admins.map(addressBytes).sort(compare)
  const out = new Writer().u8(VERSION).text(name, 1).u8(sorted.length)
  for (const admin of sorted) out.raw(admin)
  const bytes = out.finish()
  decodeAbout(bytes)
  return bytes
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeAbout(bytes: Bytes): About {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `group of version ${version}`)
  const name = read.text(1, GROUP_NAME_BYTES_MAX)
  if (name.trim() === "") throw new CryptoError("BAD_ENCODING", "a group without a name")
  const count = read.u8()
  if (count === 0 || count > ADMINS_MAX) throw new CryptoError("TOO_LARGE", `${count} admins`)
  const admins = Array.from({ length: count }, () => read.raw(64))
  read.done()
  for (const [i, admin] of admins.entries()) {
    const before = admins[i - 1]
    if (before !== undefined && compare(before, admin) >= 0)
      throw new CryptoError("BAD_ENCODING", "admins out of order")
  }
  return { name, admins: admins.map(addressFromBytes) }
}

/** Reading a hundred members costs a millisecond, and each of their messages asks who they are. */
const known = new WeakMap<object, { readonly group: Group | undefined }>()

/** The group that a session is; `undefined` for a thread of two, and for one whose members are not addresses. */
export function groupIn(state: SessionState): Group | undefined {
  const mark = epochMark(state)
  const before = known.get(mark)
  if (before !== undefined) return before.group
  const group = readGroup(state)
  known.set(mark, { group })
  return group
}

function readGroup(state: SessionState): Group | undefined {
  const bytes = aboutOf(state)
  if (bytes.length === 0) return undefined
  const about = soundAbout(bytes)
  const all = members(state).map(groupMember)
  const sound = all.filter((each) => each !== undefined)
  if (about === undefined || sound.length < all.length) return undefined
  return { id: groupIdOf(state), about, members: sound }
}

function soundAbout(bytes: Bytes): About | undefined {
  try {
    return decodeAbout(bytes)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

function groupMember({ leaf, identity, signatureKey, mark }: Member): GroupMember | undefined {
  const address = addressOfMember({ identity })
  return address && { address, leaf, key: signatureKey, returned: numberOf(mark) }
}

/** Whom a leaf claims to be; `undefined` when that is no address. */
export const addressOfMember = ({ identity }: Pick<Member, "identity">): Address | undefined =>
  identity.length === 64 ? addressFromBytes(identity) : undefined

export const isIn = ({ members: all }: Group, who: Address): boolean =>
  all.some(({ address }) => address === who)

/** The admins that are members. */
export const adminsOf = (group: Group): readonly Address[] =>
  group.about.admins.filter((admin) => isIn(group, admin))

export const isAdmin = (group: Group, who: Address): boolean => adminsOf(group).includes(who)

export const memberIn = ({ members: all }: Group, who: Address): GroupMember | undefined =>
  all.find(({ address }) => address === who)

export type Objection = "NOT_AN_ADMIN" | "NOT_A_GROUP" | "NO_ADMIN_LEFT"

/**
 * Why a commit is not a valid next step of this group, if it is not. Anybody may renew their keys, the
 * signature key too, which their card then has to name, and let members in anew who say that they want it; everything else is for
 * admins, and somebody who runs the group must be left.
 */
export function objectionTo(before: Group, changes: CommitChanges): Objection | undefined {
  const { added, removed, about: nextAbout } = changes
  if (added.length + removed.length === 0 && nextAbout === undefined) return undefined
  const committer = addressOfMember(changes.sender)
  if (committer !== undefined && isOfReturns(before, changes)) return undefined
  if (committer === undefined || !isAdmin(before, committer)) return "NOT_AN_ADMIN"
  const newcomers = added.map(groupMember)
  const sound = newcomers.filter((each) => each !== undefined)
  const about = nextAbout === undefined ? before.about : soundAbout(nextAbout)
  if (sound.length < newcomers.length || about === undefined) return "NOT_A_GROUP"
  const gone = new Set(removed.map(({ leaf }) => leaf))
  const staying = before.members.filter(({ leaf }) => !gone.has(leaf))
  const after = { id: before.id, about, members: [...staying, ...sound] }
  return adminsOf(after).length === 0 ? "NO_ADMIN_LEFT" : undefined
}

/** Nobody comes, nobody goes: whoever is taken out is put in again, as their root key has signed. */
function isOfReturns(before: Group, { added, removed, about }: CommitChanges): boolean {
  if (about !== undefined || added.length !== removed.length) return false
  const gone = new Set(removed.map(({ leaf }) => leaf))
  return added.every((each) => {
    const address = addressOfMember(each)
    const old = address && memberIn(before, address)
    if (old === undefined || !gone.has(old.leaf)) return false
    const { signatureKey, mark, proof } = each
    return isReturn(before.id, old.address, signatureKey, { mark, proof, before: old.returned })
  })
}
