/**
 * How a channel moves on (DESIGN §10): the first valid commit of an epoch in the ledger's order wins, finally, and everybody finds the
 * same one, because validity depends on the state of the epoch and the commit alone, and the order is everybody's. Commits wait here
 * until they are ordered. One that lost, or was never valid, is forgotten with its epoch; whoever made it makes it again.
 */
import type { Address } from "../crypto/address.ts"
import { type Bytes, equal } from "../crypto/bytes.ts"
import { assert } from "../crypto/errors.ts"
import {
  type CommitChanges,
  epochOf,
  isMember,
  type Member,
  members,
  mergeCommit,
  ownLeaf,
  process,
  type SessionState,
} from "../crypto/session.ts"
import { type Channel, EPOCHS_KEPT, type Expected, type GroupPart, newEpoch } from "./channel.ts"
import { awaitedIn, completedBy, holdConfirmation, isLacked, withPlace } from "./confirmations.ts"
import type { FarStatement } from "./far-commit.ts"
import {
  BEGINNING,
  type FarPast,
  type HeldCommit,
  isBehind,
  type OwnCommit,
  type Place,
} from "./held.ts"
import {
  addressOfMember,
  adminsOf,
  type Group,
  groupIn,
  isAdmin,
  isIn,
  objectionTo,
} from "./group.ts"
import { numberOf } from "./return.ts"

/**
 * Commits of one member that wait in one epoch. An honest one makes one; further ones of the same are not kept, so that a flood costs
 * its author only.
 */
export const HELD_PER_MEMBER_MAX = 4

/** The commit waits for its place in the order. */
export function hold(channel: Channel, commit: HeldCommit): Channel {
  const ofTheSame = channel.held.filter(({ leaf }) => leaf === commit.leaf)
  const known = ofTheSame.some(({ envelope }) => equal(envelope, commit.envelope))
  if (known || ofTheSame.length >= HELD_PER_MEMBER_MAX) return channel
  return { ...channel, held: [...channel.held, commit] }
}

/**
 * A member has stated something about a commit in a blob, with this envelope: it waits for its place in the order. `undefined` for what
 * is of an epoch that is over, and in a thread of two, whose commits are short.
 */
export function noted(
  channel: Channel,
  { epoch, leaf }: Pick<Expected, "epoch" | "leaf">,
  statement: Exclude<FarStatement, { kind: "missing" }>,
  envelope: Bytes,
): Channel | undefined {
  if (channel.group === null || BigInt(epoch) !== epochOf(channel.state)) return undefined
  if (statement.kind === "confirmation")
    return holdConfirmation(channel, { envelope, leaf, commit: statement.commit })
  const far = { ref: statement.ref, ordered: null }
  return hold(channel, { envelope, leaf, own: null, payload: new Uint8Array(0), far })
}

/** What a commit that counts has changed. */
export interface Change {
  readonly by: Address
  readonly added: readonly Address[]
  readonly removed: readonly Address[]
  /** Those of them who had asked for it. */
  readonly left: readonly Address[]
  /** The group's new name, when it has one. */
  readonly name: string | undefined
  /** Who runs the group from now on, and who not any more though they are in it. */
  readonly admins: { readonly gained: readonly Address[]; readonly lost: readonly Address[] }
  readonly ownRemoval: boolean
  /** Taken out and put in again in one: the number of our new leaf's mark, 0 for one without; `undefined` otherwise. */
  readonly ownReturn: number | undefined
}

export type Settled =
  | {
      readonly kind: "entered"
      readonly channel: Channel
      readonly change: Change
      /** It was our own. */
      readonly own: OwnCommit | undefined
    }
  /** The commit is none, or comes too early to be one; the epoch goes on. */
  | { readonly kind: "void"; readonly channel: Channel; readonly code: string }
  /** A commit in a blob, or a confirmation of one, has its place; the epoch goes on. */
  | { readonly kind: "placed"; readonly channel: Channel }
  /** A commit in a blob counts at this place, and its bytes are not here: whatever follows has to wait for them. */
  | { readonly kind: "awaited"; readonly channel: Channel; readonly at: Place }

/**
 * An envelope was ordered, at `at`; where arriving is being ordered, `at` is undefined. If it completed a held commit that is valid, or
 * is the last confirmation of one in a blob, that is the first of its epoch: the channel enters the next one, and the oldest epoch is
 * forgotten. `undefined` when it completed nothing.
 */
export async function settle(
  channel: Channel,
  ordered: Bytes,
  at: Place | undefined,
): Promise<Settled | undefined> {
  if (!isMember(channel.state)) return undefined
  // Others went on by a commit that we do not have: nothing behind it is ours to judge.
  if (at !== undefined && awaitedIn(channel, at) !== undefined) return undefined
  const commit = channel.held.find(({ envelope }) => equal(envelope, ordered))
  const began = channel.epochs[0]?.began ?? BEGINNING
  // Ordered before the commit that began its epoch: only somebody who meant to confuse makes such.
  if (commit !== undefined && at !== undefined && !isBehind(at, began))
    return { kind: "void", channel: without(channel, commit), code: "TOO_EARLY" }
  if (commit !== undefined && commit.far === null) return count(channel, commit, at)
  return at === undefined ? undefined : settleFar(channel, ordered, at)
}

/** The same of a commit in a blob, and of what confirms one. */
async function settleFar(
  channel: Channel,
  ordered: Bytes,
  at: Place,
): Promise<Settled | undefined> {
  const placed = withPlace(channel, ordered, at)
  if (placed === undefined) return undefined
  const commit = completedBy(placed, ordered, at)
  if (commit === undefined) return { kind: "placed", channel: placed }
  if (isLacked(commit)) return { kind: "awaited", channel: placed, at }
  return count(placed, commit, at)
}

const without = (channel: Channel, commit: HeldCommit): Channel => ({
  ...channel,
  held: channel.held.filter((each) => each !== commit),
})

/** Whether a commit would count if its place were now. */
export const isSound = async (channel: Channel, commit: HeldCommit): Promise<boolean> =>
  typeof (await judge(channel, commit)) !== "string"

/** The place of this commit has come. */
async function count(
  channel: Channel,
  commit: HeldCommit,
  at: Place | undefined,
): Promise<Settled> {
  const read = await judge(channel, commit)
  if (typeof read === "string")
    return { kind: "void", channel: without(channel, commit), code: read }
  const { change } = read
  const own = commit.own ?? undefined
  const none = { held: [], confirmations: [] }
  if (change.ownRemoval) {
    // We stay in the old epoch, to read what was sent before, and want nothing any more but to be let in.
    const group = removedFrom(channel, change)
    return {
      kind: "entered",
      channel: { ...channel, state: read.next, ...none, group },
      change,
      own,
    }
  }
  const state = mergeCommit(channel.state, read.next)
  const farPast = [...pastOf(commit), ...channel.farPast].slice(0, EPOCHS_KEPT - 1)
  const moved = { ...channel, state, ...none, farPast }
  const epochs = [await newEpoch(state, at ?? BEGINNING), ...channel.epochs]
  const kept = { ...moved, epochs: epochs.slice(0, EPOCHS_KEPT) }
  const entered = own?.renews === true ? { ...kept, spoken: 0, renewedAtMs: own.madeAtMs } : kept
  const next = withoutLeaving(withoutWishes(entered, own), change)
  return { kind: "entered", channel: next, change, own }
}

const pastOf = ({ envelope, far }: HeldCommit): FarPast[] =>
  far === null ? [] : [{ envelope, ref: far.ref }]

/**
 * What is left of a group that we were taken out of. Put in again in the same commit, we wait for what lets us in: when it was here that
 * this was asked for, or an earlier copy of ours came back that way while we were asking. When a later copy did, the group is theirs.
 */
function removedFrom({ retired, group }: Channel, { ownReturn }: Change): GroupPart | null {
  if (group === null || ownReturn === undefined) return group && { ...group, wishes: [] }
  const { wishes, way } = group
  const isAsking = retired || wishes.some(({ kind }) => kind === "return")
  const newest = way.packages.at(-1)?.number ?? Number.POSITIVE_INFINITY
  const isOwn = way.packages.some(({ number }) => number === ownReturn)
  const stays = isOwn || (isAsking && ownReturn < newest)
  const returned = Math.max(way.returned, ownReturn)
  return { ...group, wishes: stays ? [{ kind: "return" }] : [], way: { ...way, returned } }
}

/** Taken out and put in again, and what lets us in is still to come. */
export const isAwaited = ({ group }: Channel, { ownReturn }: Change): boolean =>
  ownReturn !== undefined && group?.wishes.some(({ kind }) => kind === "return") === true

function withoutWishes(channel: Channel, own: OwnCommit | undefined): Channel {
  const { group } = channel
  if (group === null || own === undefined) return channel
  const granted = new Set(own.grants.map((wish) => JSON.stringify(wish)))
  const wishes = group.wishes.filter((wish) => !granted.has(JSON.stringify(wish)))
  return { ...channel, group: { ...group, wishes } }
}

/** Who is gone is not leaving any more. */
function withoutLeaving(channel: Channel, { removed }: Change): Channel {
  const { group } = channel
  if (group === null || group.leaving.length === 0) return channel
  const leaving = group.leaving.filter((who) => !removed.includes(who))
  return { ...channel, group: { ...group, leaving } }
}

interface Judged {
  readonly next: SessionState
  readonly change: Change
}

/** The step that a commit is, or why it is none. */
async function judge(
  channel: Channel,
  { own, leaf, payload }: HeldCommit,
): Promise<Judged | string> {
  if (own !== null) return { next: own.next, change: changeBetween(channel, own.next) }
  const read = await process(channel.state, payload)
  if (read.kind === "ignored") return read.code
  if (read.kind !== "commit") return "UNEXPECTED_KIND"
  // Under whose tags it came and who made it must be one person.
  if (read.sender.leaf !== leaf) return "OTHER_SENDER"
  const before = groupIn(channel.state)
  const objection = before === undefined ? objectionInPair(read) : objectionTo(before, read)
  if (objection !== undefined) return objection
  const by = addressOfMember(read.sender)
  if (by === undefined) return "OTHER_SENDER"
  return {
    next: read.next,
    change: {
      by,
      added: addressesOf(read.added),
      removed: addressesOf(read.removed),
      left: leftAmong(channel, addressesOf(read.removed), addressesOf(read.added)),
      name: newName(before, read.ownRemoval ? undefined : groupIn(read.next)),
      admins: newAdmins(before, read.ownRemoval ? undefined : groupIn(read.next)),
      ownRemoval: read.ownRemoval,
      ownReturn: read.ownRemoval ? ownReturnIn(channel, read.added) : undefined,
    },
  }
}

function ownReturnIn({ state }: Channel, added: readonly Member[]): number | undefined {
  const own = ownLeaf(state)
  const identity = members(state).find(({ leaf }) => leaf === own)?.identity
  const again = added.find((each) => identity !== undefined && equal(each.identity, identity))
  return again && numberOf(again.mark)
}

/** A thread of two stays one. The author's leaf key may be new: whether their card names it is looked up once the commit counts. */
const objectionInPair = ({ added, removed }: CommitChanges): string | undefined =>
  added.length + removed.length > 0 ? "ALIEN_COMMIT" : undefined

const addressesOf = (some: readonly Member[]): Address[] =>
  some.flatMap((each) => addressOfMember(each) ?? [])

const newName = (before: Group | undefined, after: Group | undefined) =>
  after === undefined || after.about.name === before?.about.name ? undefined : after.about.name

/** Of two groups; somebody who came or went with the commit is told of by that. */
function newAdmins(before: Group | undefined, after: Group | undefined): Change["admins"] {
  if (before === undefined || after === undefined) return { gained: [], lost: [] }
  const gained = adminsOf(after).filter((who) => isIn(before, who) && !isAdmin(before, who))
  const lost = adminsOf(before).filter((who) => isIn(after, who) && !isAdmin(after, who))
  return { gained, lost }
}

const leftAmong = (
  { group }: Pick<Channel, "group">,
  removed: readonly Address[],
  added: readonly Address[],
): Address[] =>
  removed.filter((who) => group?.leaving.includes(who) === true && !added.includes(who))

function changeBetween(channel: Channel, after: SessionState): Change {
  const { state: before } = channel
  const [earlier, later] = [members(before), members(after)]
  // Whoever was let in anew has another mark.
  const isSame = (a: Member, b: Member) =>
    a.leaf === b.leaf && equal(a.identity, b.identity) && equal(a.mark, b.mark)
  const own = ownLeaf(before)
  const me = earlier.find(({ leaf }) => leaf === own)
  const by = me && addressOfMember(me)
  assert(by !== undefined, "we are a member by our address")
  const added = addressesOf(later.filter((each) => !earlier.some((other) => isSame(each, other))))
  const removed = addressesOf(earlier.filter((each) => !later.some((other) => isSame(each, other))))
  return {
    by,
    added,
    removed,
    left: leftAmong(channel, removed, added),
    name: newName(groupIn(before), groupIn(after)),
    admins: newAdmins(groupIn(before), groupIn(after)),
    ownRemoval: false,
    ownReturn: undefined,
  }
}
