/**
 * What we want changed in a group, until it has come about. A wish is kept until the group is as it asks: a commit of ours that lost
 * its epoch to another is made again from what is left to wish, so nobody has to repeat themselves (DESIGN §10). Which of them go
 * into one commit, and when one has come true, is decided here; making the commit is not.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import type { Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { sessionLimits } from "../crypto/session.ts"
import {
  type About,
  adminsOf,
  type Group,
  GROUP_NAME_BYTES_MAX,
  isAdmin,
  isIn,
  memberIn,
} from "./group.ts"
import { RETURN_EVERY_MS } from "./return.ts"

export type Wish =
  /** `again`: they are in the group, lost what they had, and are let in anew. */
  | { readonly kind: "add"; readonly who: Address; readonly again: boolean }
  | { readonly kind: "remove"; readonly who: Address }
  | { readonly kind: "rename"; readonly name: string }
  | { readonly kind: "admin"; readonly who: Address; readonly admin: boolean }
  /** Somebody in the group asks to be let in anew, and has given us the key package for it (return.ts); the number is its mark's. */
  | {
      readonly kind: "readmit"
      readonly who: Address
      readonly number: number
      readonly keyPackage: Bytes
    }
  /** To be let in anew ourselves. Not a commit either: one asks the others. */
  | { readonly kind: "return" }
  /** New keys of our own. */
  | { readonly kind: "renew" }
  /** To be gone ourselves. Not a commit: one asks the others, once somebody else runs the group. */
  | { readonly kind: "leave" }

/** Wishes of one group at a time. */
export const WISHES_MAX = 512
/** People added by one commit: at 3.5 KB each it stays well below what fragments carry. */
export const ADDED_TOGETHER_MAX = 16
/** And of their key packages, which with a card inside have 52 KB, so many bytes. */
const RETURNED_BYTES_MAX = 256 * 1024

/** Nothing is left to do: the group is as wished, or it is no longer ours to ask. */
export function isGranted(group: Group, me: Address, wish: Wish): boolean {
  if (!isIn(group, me)) return true
  switch (wish.kind) {
    case "renew":
    case "leave":
    case "return":
      return false
    case "readmit":
      return wish.number < (memberIn(group, wish.who)?.returned ?? Infinity) + RETURN_EVERY_MS
    case "add":
      return (isIn(group, wish.who) && !wish.again) || !isAdmin(group, me)
    case "remove":
      return !isIn(group, wish.who) || !isAdmin(group, me)
    case "rename":
      return group.about.name === wish.name || !isAdmin(group, me)
    case "admin":
      return (
        isAdmin(group, wish.who) === wish.admin || !isIn(group, wish.who) || !isAdmin(group, me)
      )
  }
}

/** A newer wish about the same thing takes the place of an older one. */
export function wishing(wishes: readonly Wish[], wish: Wish): readonly Wish[] {
  return [...wishes.filter((each) => !isAboutSame(each, wish)), wish]
}

function isAboutSame(a: Wish, b: Wish): boolean {
  const whoOf = (wish: Wish) => ("who" in wish ? wish.who : "")
  const subject = (wish: Wish) => (wish.kind === "remove" ? "add" : wish.kind)
  return subject(a) === subject(b) && whoOf(a) === whoOf(b)
}

/** What the next commit should do. */
export interface Plan {
  readonly add: readonly Address[]
  /** Those who come back. */
  readonly readmit: readonly Extract<Wish, { kind: "readmit" }>[]
  /** Leaves. */
  readonly remove: readonly number[]
  readonly about: About | undefined
  /** New keys of our own and nothing else. */
  readonly renew: boolean
  /** Wishes that come true with it. */
  readonly grants: readonly Wish[]
}

/** Of key packages the first ones that have no more bytes together. */
const within = (max: number) => {
  let bytes = 0
  return ({ keyPackage }: { readonly keyPackage: Bytes }) => (bytes += keyPackage.length) <= max
}

/** The next commit, or `undefined` when there is nothing to commit. `ready`: whose key packages are at hand. */
export function plan(
  group: Group,
  me: Address,
  wishes: readonly Wish[],
  ready: (who: Address) => boolean,
): Plan | undefined {
  const open = wishes.filter((wish) => !isGranted(group, me, wish))
  const removing = open.filter((wish) => wish.kind === "remove")
  const removed = new Set(removing.map(({ who }) => who))
  const noted: Wish[] = []
  const about = aboutAfter(group, me, open, noted, removed)
  // Name and admins change apart from who leaves (session/commit.ts), and first: whoever is removed is no admin by then.
  const leavers = about === undefined ? removing : []
  const added = open
    .filter((wish) => wish.kind === "add")
    .filter(({ who, again }) => ready(who) && !(again && about !== undefined))
    .slice(0, ADDED_TOGETHER_MAX)
  const again = added.flatMap((wish) => (wish.again ? [wish.who] : []))
  const coming = new Set(added.map(({ who }) => who))
  const returning = open
    .filter((wish) => wish.kind === "readmit")
    .filter(({ who }) => about === undefined && !removed.has(who) && !coming.has(who))
    .slice(0, ADDED_TOGETHER_MAX - added.length)
    .filter(within(RETURNED_BYTES_MAX))
  const back = returning.map(({ who }) => who)
  const leaving = new Set([...leavers.map(({ who }) => who), ...again, ...back])
  const remove = group.members.filter(({ address }) => leaving.has(address))
  const grants: Wish[] = [...added, ...leavers, ...returning, ...noted]
  const renewals = open.filter((wish) => wish.kind === "renew")
  const add = added.map(({ who }) => who)
  const changes = add.length + remove.length > 0 || about !== undefined
  if (!changes && renewals.length === 0) return undefined
  // Whoever removes somebody gets new keys by the way.
  if (!changes || remove.length > 0) grants.push(...renewals)
  return {
    add,
    readmit: returning,
    remove: remove.map(({ leaf }) => leaf),
    about,
    renew: !changes,
    grants,
  }
}

function aboutAfter(
  group: Group,
  me: Address,
  open: readonly Wish[],
  grants: Wish[],
  gone: ReadonlySet<Address>,
): About | undefined {
  if (open.length === 0 || !isAdmin(group, me)) return undefined
  const admins = new Set(adminsOf(group))
  let { name } = group.about
  for (const wish of open) {
    if (wish.kind === "rename") name = wish.name
    else if (wish.kind === "admin" && wish.admin) admins.add(wish.who)
    else if (wish.kind === "admin") admins.delete(wish.who)
    else continue
    grants.push(wish)
  }
  for (const who of gone) admins.delete(who)
  const heir = heirOf(group, me)
  if (open.some(({ kind }) => kind === "leave") && admins.size === 1 && admins.has(me) && heir)
    admins.add(heir)
  // Somebody runs the group: whoever takes it from the last one keeps it.
  if (admins.size === 0) admins.add(me)
  const before = group.about.admins
  const same = before.length === admins.size && before.every((admin) => admins.has(admin))
  return same && name === group.about.name ? undefined : { name, admins: Array.from(admins) }
}

/** Who runs the group when its only admin leaves: whoever has been in it longest, as the leaves of the tree go. */
const heirOf = (group: Group, me: Address): Address | undefined =>
  group.members.find(({ address }) => address !== me)?.address

/** Whether we can ask the others to remove us: somebody else is there to do it. */
export const canLeave = (group: Group, me: Address): boolean =>
  adminsOf(group).some((admin) => admin !== me)

const KINDS = ["add", "remove", "rename", "admin", "renew", "leave", "return", "readmit"] as const

export function writeWish(out: Writer, wish: Wish): void {
  out.u8(KINDS.indexOf(wish.kind))
  if ("who" in wish) out.raw(addressBytes(wish.who))
  if (wish.kind === "add") out.u8(wish.again ? 1 : 0)
  if (wish.kind === "admin") out.u8(wish.admin ? 1 : 0)
  if (wish.kind === "rename") out.text(wish.name, 1)
  if (wish.kind === "readmit") out.u64(wish.number).bytes(wish.keyPackage, 4)
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function readWish(read: Reader): Wish {
  const kind = KINDS[read.u8()]
  if (kind === undefined) throw new CryptoError("BAD_ENCODING", "no such wish")
  switch (kind) {
    case "add":
      return { kind, who: readAddress(read), again: read.u8() === 1 }
    case "remove":
      return { kind, who: readAddress(read) }
    case "admin":
      return { kind, who: readAddress(read), admin: read.u8() === 1 }
    case "rename":
      return { kind, name: read.text(1, GROUP_NAME_BYTES_MAX) }
    case "readmit":
      return {
        kind,
        who: readAddress(read),
        number: read.u64(),
        keyPackage: read.bytes(4, sessionLimits.KEY_PACKAGE_MAX_BYTES),
      }
    case "renew":
    case "leave":
    case "return":
      return { kind }
  }
}

const readAddress = (read: Reader): Address => addressFromBytes(read.raw(64))
