/**
 * When a commit that lies in a blob counts (DESIGN §10). Whoever made it can withhold the blob, or give it to some members only; so it
 * counts neither when its envelope is ordered nor for whoever has it, but where the order puts the last of the confirmations that it
 * needs: each by another member, not by its author, each behind the commit's own envelope, all in its epoch. Everything is decided by
 * what was ordered and what is signed, so everybody finds the same place, whether they have the bytes or not. Who has not waits there.
 *
 * With CONFIRMATIONS of them one honest member at least has the bytes and found the commit sound, unless so many members and its author
 * work together; and even those can stop others there, and not lead them elsewhere.
 */
import { type Bytes, equal } from "../crypto/bytes.ts"
import type { Channel } from "./channel.ts"
import {
  BEGINNING,
  type FarPart,
  type HeldCommit,
  type HeldConfirmation,
  isBehind,
  type Place,
} from "./held.ts"

/** Other members, or all of them where they are fewer, who confirm a commit in a blob before it counts. */
export const CONFIRMATIONS = 3
/** Confirmations of one member that are kept in an epoch. An honest one confirms one commit, or the next when that comes to nothing. */
export const CONFIRMATIONS_PER_MEMBER_MAX = 16

/** A commit that lies in a blob. */
export type FarCommit = HeldCommit & { readonly far: FarPart }

export const isFar = (commit: HeldCommit): commit is FarCommit => commit.far !== null

/** The bytes are not here. */
export const isLacked = ({ own, payload }: HeldCommit): boolean =>
  own === null && payload.length === 0

/** How many confirmations a commit of this epoch needs; 0 for who is alone. */
export const neededIn = ({ epochs }: Pick<Channel, "epochs">): number =>
  Math.min(CONFIRMATIONS, epochs[0]?.windows.size ?? 0)

/** The confirmation waits for its place in the order. */
export function holdConfirmation(
  channel: Channel,
  confirmation: Omit<HeldConfirmation, "ordered">,
): Channel {
  const { confirmations } = channel
  const ofTheSame = confirmations.filter(({ leaf }) => leaf === confirmation.leaf)
  const known = confirmations.some(({ envelope }) => equal(envelope, confirmation.envelope))
  if (known || ofTheSame.length >= CONFIRMATIONS_PER_MEMBER_MAX) return channel
  return { ...channel, confirmations: [...confirmations, { ...confirmation, ordered: null }] }
}

/** The bytes of a commit in a blob are here. What the blob held instead of a commit comes to nothing in its place, at everybody. */
export const supply = (channel: Channel, envelope: Bytes, payload: Bytes): Channel => ({
  ...channel,
  held: channel.held.map((each) =>
    isLacked(each) && isFar(each) && equal(each.envelope, envelope) ? { ...each, payload } : each,
  ),
})

/** Stands for what a blob that was made wrong held: no message of a group. */
export const NO_COMMIT: Bytes = Uint8Array.of(0)

/** The channel with the place of what this envelope completed; `undefined` when that was nothing of this kind. */
export function withPlace(channel: Channel, envelope: Bytes, at: Place): Channel | undefined {
  const isIts = (each: { readonly envelope: Bytes }) => equal(each.envelope, envelope)
  const { held, confirmations } = channel
  if (held.some((each) => isFar(each) && isIts(each)))
    return {
      ...channel,
      held: held.map((each) =>
        isFar(each) && isIts(each) ? { ...each, far: { ...each.far, ordered: at } } : each,
      ),
    }
  if (!confirmations.some(isIts)) return undefined
  return {
    ...channel,
    confirmations: confirmations.map((each) => (isIts(each) ? { ...each, ordered: at } : each)),
  }
}

/**
 * The confirmation with which a commit counts, as far as the order was followed, or up to a place in it; `undefined` while it does not.
 */
export function completion(
  channel: Pick<Channel, "confirmations" | "epochs">,
  { envelope, leaf, far }: FarCommit,
  upTo?: Place,
): (HeldConfirmation & { readonly ordered: Place }) | undefined {
  const { ordered } = far
  if (ordered === null) return undefined
  const counting = channel.confirmations
    .flatMap((each) => (each.ordered === null ? [] : { ...each, ordered: each.ordered }))
    .filter((each) => each.leaf !== leaf && equal(each.commit, envelope))
    .filter((each) => isBehind(each.ordered, ordered))
    .filter((each) => upTo === undefined || !isBehind(each.ordered, upTo))
    .sort((a, b) => (isBehind(a.ordered, b.ordered) ? 1 : -1))
  const first = new Set<number>()
  const ofDifferent = counting.filter((each) => !first.has(each.leaf) && first.add(each.leaf))
  return ofDifferent[neededIn(channel) - 1]
}

/** The commit that counts, up to this place, with what this envelope completed. */
export function completedBy(channel: Channel, envelope: Bytes, at: Place): FarCommit | undefined {
  const confirmation = channel.confirmations.find((each) => equal(each.envelope, envelope))
  const commit =
    confirmation &&
    channel.held.filter(isFar).find((each) => equal(each.envelope, confirmation.commit))
  return commit && completion(channel, commit, at) !== undefined ? commit : undefined
}

/** The commit that counts, up to this place if one is given, while its bytes are not here. The channel can go on only with those. */
export const awaitedIn = (channel: Channel, upTo?: Place): FarCommit | undefined =>
  channel.held
    .filter(isFar)
    .find((each) => isLacked(each) && completion(channel, each, upTo) !== undefined)

/**
 * The commits in blobs of this epoch whose envelopes were ordered, in that order: members confirm the first that they have and find
 * sound.
 */
export const farInOrder = ({ held }: Pick<Channel, "held">): readonly FarCommit[] =>
  held
    .filter(isFar)
    .filter(({ far }) => far.ordered !== null)
    .sort((a, b) => (isBehind(a.far.ordered ?? BEGINNING, b.far.ordered ?? BEGINNING) ? 1 : -1))

/** Whether as many members as are needed have confirmed it, or are on their way to: then nobody else has to. */
export function isConfirmed(channel: Channel, { envelope, leaf, far }: FarCommit): boolean {
  const begun = far.ordered
  if (begun === null) return false
  const worth = channel.confirmations
    .filter((each) => each.leaf !== leaf && equal(each.commit, envelope))
    .filter(({ ordered }) => ordered === null || isBehind(ordered, begun))
  return new Set(worth.map((each) => each.leaf)).size >= neededIn(channel)
}

/** Whether somebody says that a commit in a blob of this epoch is one. */
export const isBeingConfirmed = ({ held, confirmations }: Channel): boolean =>
  held
    .filter(isFar)
    .some(({ envelope, leaf }) =>
      confirmations.some((each) => each.leaf !== leaf && equal(each.commit, envelope)),
    )
