/**
 * The end of a term. Section 4.3 of the paper: checkpoints, their proof, and garbage collection; with a term's 128 heights as
 * interval, window and validator-set epoch at once. The next term opens only on a quorum's equal CHECKPOINTs, so no vote of one
 * set ever meets a vote of another. Seals (SLH-DSA under the boundary) follow in their own time and hold nothing up.
 */
import { equal } from "../crypto/bytes.ts"
import { certificateFault, certificateOf } from "./certificate.ts"
import { sealPreimage } from "./preimage.ts"
import type { Core } from "./core.ts"
import { closePace } from "./pace.ts"
import type { Certificate, Checkpoint, Seal } from "./types.ts"
import { conflict } from "./verify.ts"

/** "When a replica i produces a checkpoint, it multicasts a message ⟨CHECKPOINT, n, d, i⟩ to the other replicas". */
export function endTerm(core: Core): void {
  if (core.votes) {
    const vote = core.vote("checkpoint", 0, core.high, core.ledger.tip)
    core.persist({ kind: "vote", message: vote })
    core.broadcast(vote)
    core.checkpoints[core.me] = vote
  }
  settle(core)
}

export function onCheckpoint(core: Core, message: Checkpoint): void {
  const before = core.checkpoints[message.signer]
  if (before !== undefined) {
    if (conflict(before, message)) core.accuse(before, message)
    return
  }
  if (message.signer === core.me && core.votes) {
    core.observe(core.term + 1, "a checkpoint of ours that our log does not hold")
    return
  }
  core.checkpoints[message.signer] = message
  settle(core)
}

/** "Each replica collects checkpoint messages in its log until it has 2f+1 of them for sequence number n with the same digest d signed by different replicas". */
function settle(core: Core): void {
  const present = core.checkpoints.filter((vote) => vote !== undefined)
  for (const { digest } of present) {
    const equals = present.filter((vote) => equal(vote.digest, digest))
    if (equals.length < core.set.quorum) continue
    if (core.executed < core.high) core.behind = true
    else if (equal(digest, core.ledger.tip)) openTerm(core, certificateOf(equals))
    else core.halt("STATE_DIVERGED", `the stable checkpoint of term ${core.term} is not ours`)
    return
  }
}

/** A boundary proof that came with blocks. */
export function onBoundaryProof(core: Core, proof: Certificate): void {
  if (proof.type !== "checkpoint" || proof.term !== core.term || proof.view !== 0) return
  if (proof.height !== core.high || core.executed !== core.high) return
  const fault = certificateFault(proof, core.meshId, core.set, core.parts.scheme)
  if (fault !== undefined) return
  if (equal(proof.digest, core.ledger.tip)) openTerm(core, proof)
  else core.halt("STATE_DIVERGED", `the stable checkpoint of term ${core.term} is not ours`)
}

/**
 * "... it discards all pre-prepare, prepare, and commit messages with sequence number less than or equal to n from its log; it
 * also discards all earlier checkpoints": the whole term goes at once. A certified block of the next term proves as much as
 * the checkpoint itself, so the proof may be missing.
 */
export function openTerm(core: Core, proof: Certificate | undefined): void {
  const { term, high, set, me } = core
  if (proof !== undefined) core.emit({ type: "stable", certificate: proof })
  core.boundary = proof
  const digest = core.ledger.tip
  core.sealing = { term, height: high, digest, set, me }
  core.seals = Array.from({ length: set.size })
  if (core.votes)
    core.emit({
      type: "seal",
      height: high,
      preimage: sealPreimage(core.meshId, { term, height: high, digest, signer: me }),
    })
  closePace(core)
  core.beginTerm(term + 1, core.ledger.set)
  // The log of the old term goes, and with it the reason why we do not vote.
  if (core.mode === "observer") core.persist({ kind: "observer", voteFromTerm: core.voteFromTerm })
  core.pool.renew()
  core.tokens.view++
  core.tokens.request++
  core.emit({ type: "term", term: core.term })
}

/** Our own seal is ready. A newer boundary makes it pointless: the chain of hashes covers the older one. */
export function onSealed(core: Core, height: number, signature: Seal["signature"]): void {
  const { sealing } = core
  if (sealing?.height !== height || sealing.me < 0) return
  const { term, digest, me: signer } = sealing
  const seal: Seal = { type: "seal", term, height, digest, signer, signature }
  core.seals[signer] = seal
  core.broadcast(seal)
}

export function onSeal(core: Core, seal: Seal): void {
  const { sealing } = core
  if (sealing?.height !== seal.height || sealing.term !== seal.term) return
  if (!equal(sealing.digest, seal.digest) || core.seals[seal.signer] !== undefined) return
  const keys = sealing.set.members[seal.signer]
  if (keys === undefined) return
  const preimage = sealPreimage(core.meshId, seal)
  if (core.parts.scheme.verifySeal(keys, preimage, seal.signature)) core.seals[seal.signer] = seal
}
