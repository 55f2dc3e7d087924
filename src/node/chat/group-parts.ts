/** What the rooms of groups share: how large one may be and behave, and what is made only after them. */
import type { Channel } from "../../chat/channel.ts"
import { GROUP_MEMBERS_MAX, groupIn } from "../../chat/group.ts"
import type { Wish } from "../../chat/wishes.ts"
import type { Address } from "../../crypto/address.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { type Identity, leafSeed } from "../../crypto/identity.ts"
import type { Signing } from "../../crypto/session.ts"
import { ApiError } from "../api/errors.ts"
import type { Inbox } from "./inbox.ts"
import type { Ordering } from "./order.ts"

/** Larger groups do not answer a newcomer all at once. */
const GREETED_AT_ONCE_MAX = 16

/** Newcomers leave their key packages behind one after the other: each waits at random, so long for every member. */
export const RENEWAL_SPREAD_MS = 250

/** What is made after the groups, and asked for only then. */
export interface Around {
  readonly inbox: () => Inbox
  readonly order: () => Ordering | undefined
}

export const isSmall = (channel: Channel): boolean =>
  (channel.epochs[0]?.windows.size ?? 0) <= GREETED_AT_ONCE_MAX

export const full = (signing: Signing): ApiError =>
  new ApiError("GROUP_FULL", `such a group has at most ${GROUP_MEMBERS_MAX[signing]} members`)

export const adding = (who: Address, again: boolean): Wish => ({ kind: "add", who, again })

/** Our private leaf key for groups that sign so. Throws ApiError NO_POST_QUANTUM_KEY. */
export function ownSeed(identity: Identity, signing: Signing): Bytes {
  const seed = leafSeed(identity, signing)
  if (seed === undefined)
    throw new ApiError("NO_POST_QUANTUM_KEY", "this identity has no key for such signatures yet")
  return seed
}

/** Somebody in the group has said what they call themselves. */
export function withName(channel: Channel, who: Address, name: string): Channel {
  const { group } = channel
  if (group === null || groupIn(channel.state) === undefined) return channel
  const people = new Map(group.people)
  people.set(who, { name, key: people.get(who)?.key ?? new Uint8Array(0) })
  return { ...channel, group: { ...group, people } }
}

/** Somebody has asked to be taken out. */
export function withLeaving(channel: Channel, who: Address): Channel {
  const { group } = channel
  if (group === null) return channel
  const leaving = [...group.leaving.filter((each) => each !== who), who]
  return { ...channel, group: { ...group, leaving } }
}
