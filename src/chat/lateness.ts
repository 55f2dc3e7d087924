/**
 * Until when what a member says under the keys of an epoch counts (DESIGN §10): until some blocks after the commit that ended the epoch,
 * and for somebody whom a commit took out not even in that commit's block. It is a question of the ledger's order alone, so everybody
 * who can read an envelope finds the same answer, and who stole a member's state is heard no longer once that member's update counts.
 * No clock, no I/O; a mesh without a ledger has no such end.
 */
import type { Channel, ChannelEpoch } from "./channel.ts"

/**
 * Blocks after the commit that ended an epoch in which what was sealed under it may still be ordered: what honest members had on its way
 * at that moment. What takes longer is said again by its author, under the keys of then.
 */
export const LATE_HEIGHTS_MAX = 32

/** Who said it, under which keys. */
export interface SaidUnder {
  readonly epoch: number
  readonly leaf: number
}

/**
 * The last height at which an envelope of this member and epoch counts; `undefined` while the epoch goes on. 0 for an epoch that was
 * forgotten; of epochs from before we came in, or came back, nothing is known.
 */
export function lastHeight({ epochs }: Channel, { epoch, leaf }: SaidUnder): number | undefined {
  const at = epochs.findIndex((each) => each.epoch === epoch)
  if (at === -1) return epochs.at(-1)?.began.height === 0 ? undefined : 0
  const [ending, ...after] = epochs.slice(0, at).reverse()
  if (ending === undefined || ending.began.height === 0) return undefined
  const end = ending.began.height + LATE_HEIGHTS_MAX
  const without = [ending, ...after].find((each) => !hasLeaf(each, leaf))
  return without === undefined ? end : Math.min(end, without.began.height - 1)
}

const hasLeaf = ({ ownLeaf, windows }: ChannelEpoch, leaf: number): boolean =>
  ownLeaf === leaf || windows.has(leaf)
