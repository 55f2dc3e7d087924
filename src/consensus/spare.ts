/**
 * Votes that come when a quorum has spoken. Checking signatures is most of a replica's work, and these can change nothing any more: they
 * are set aside unjudged. Not for good: a signer who also says something else is accused by both (see README, deviation 15).
 */
import { equal } from "../crypto/bytes.ts"
import { inWindow } from "./block.ts"
import { votePreimage } from "./preimage.ts"
import type { Core } from "./core.ts"
import type { Slot } from "./slot.ts"
import type { Commit, Message, Prepare } from "./types.ts"
import { conflict } from "./verify.ts"

/**
 * A PREPARE for what has prepared in this view, a COMMIT for what is decided, either of a view that is over. The first of them is kept,
 * unjudged, in its slot: should the same signer say something else there, both are judged.
 */
export function setVoteAside(core: Core, message: Message): boolean {
  if (message.type !== "prepare" && message.type !== "commit") return false
  const { term, view, height, signer, digest } = message
  if (term !== core.term || signer === core.me || !inWindow(height, term, core.termHeights))
    return false
  if (view !== core.view) return view < core.view
  const slot = core.slots[height - core.low - 1]
  if (slot === undefined || signer >= core.set.size) return false
  const settled =
    message.type === "prepare"
      ? slot.prepared?.view === view && equal(slot.prepared.digest, digest)
      : slot.decided !== undefined && equal(slot.decided.hash, digest)
  if (settled) slot.keepSpare(message)
  return settled
}

/** Two votes of one signer, of which one was never needed and so never judged: evidence if it was signed. */
export function accuseBySpare(core: Core, slot: Slot, vote: Prepare | Commit): void {
  const spare = slot.spareLike(vote)
  const keys = core.set.members[vote.signer]
  if (spare === undefined || keys === undefined || !conflict(spare, vote)) return
  const signed = votePreimage(core.meshId, spare)
  if (core.parts.scheme.verify(keys, signed, spare.signature)) core.accuse(spare, vote)
}
