/**
 * When a member makes new keys of its own (post-compromise security, RFC 9420 section 16.6; DESIGN §10): after about so many of its
 * messages, or with the first one after a day. Whoever says nothing makes none: there is nothing of theirs to heal for, what others say
 * is healed by the others' updates, and a silent peer makes no traffic that would tell it is there. Receipts are messages too, so
 * whoever reads along heals. Commits nothing itself.
 */
import { epochOf, ownLeaf } from "../crypto/session.ts"
import type { Channel } from "./channel.ts"

/** Own messages, receipts included, after which new keys are due; on average. */
export const UPDATE_EVERY_MESSAGES = 50
/** New keys are due with the next message after so long. */
export const UPDATE_EVERY_MS = 24 * 60 * 60 * 1_000
/** So many messages sooner or later, at random: people who talk in turns do not all commit at once. */
export const UPDATE_SPREAD_MESSAGES = 10

/**
 * Whether to make new keys after the message that was just said. `draw`: a fresh random number from 0 up to 1; asked after each
 * message, every count in the spread is equally likely, and nothing has to be remembered for it.
 */
export function isUpdateDue(
  { spoken, renewedAtMs }: Pick<Channel, "spoken" | "renewedAtMs">,
  nowMs: number,
  draw: number,
): boolean {
  const sinceMs = nowMs - renewedAtMs
  // A clock that was set back would put it off for as long.
  if (sinceMs >= UPDATE_EVERY_MS || sinceMs < 0) return true
  if (spoken < UPDATE_EVERY_MESSAGES - UPDATE_SPREAD_MESSAGES) return false
  const left = UPDATE_EVERY_MESSAGES + UPDATE_SPREAD_MESSAGES - spoken
  return left <= 0 || draw * (left + 1) < 1
}

/**
 * In a mesh without a ledger two commits made at once would split a thread of two for good. So its members take turns, by the number
 * of the epoch: in the first one after the invitation it is the invited side's, who commits on accepting.
 */
export const isOurTurn = ({ state }: Pick<Channel, "state">): boolean =>
  epochOf(state) % 2n === BigInt(ownLeaf(state) % 2)
