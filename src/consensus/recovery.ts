/**
 * Coming back from a crash: the chain and the log of the open term give a replica back its view, what it signed, and what
 * prepared. Nothing is signed anew; `start` sends the same bytes again. A log that may lack signed votes makes an observer
 * instead, until a term in which it cannot have voted.
 */
import { equal } from "../crypto/bytes.ts"
import { assert } from "../crypto/errors.ts"
import { blockHash, termOf } from "./block.ts"
import { endTerm } from "./checkpoint.ts"
import type { Core } from "./core.ts"
import { carriedBy } from "./new-view.ts"
import type { BlockRecord, Certificate, LogRecord, NewView, PrePrepare, Vote } from "./types.ts"
import { enterView, moveTo } from "./view-change.ts"

/** What a replica has of its past. */
export interface Memory {
  /** Blocks of the open term, which the ledger has applied already. */
  readonly blocks: readonly BlockRecord[]
  /** The newest stable checkpoint, if one is known. */
  readonly boundary?: Certificate
  /** The log of the open term, in order. */
  readonly records: readonly LogRecord[]
  /**
   * "intact": all that was ever signed is in `records`. "damaged": something after may be missing. "unknown": nothing is known
   * of the past, not even the term.
   */
  readonly past: "intact" | "damaged" | "unknown"
  /** The term that the guard names: the chain may have been rolled back to before it. */
  readonly guardTerm?: number
}

/** The term that is open on a chain: after a boundary block it is still the old one until its checkpoint is stable. */
export function openTermOf(
  height: number,
  termHeights: number,
  boundary: Certificate | undefined,
): number {
  const next = termOf(height + 1, termHeights)
  if (height === 0 || height % termHeights !== 0) return next
  return boundary?.height === height ? next : next - 1
}

export function recall(core: Core, memory: Memory): void {
  const { boundary } = memory
  const term = openTermOf(core.executed, core.termHeights, boundary)
  if (term !== core.ledger.term) core.beginTerm(term, core.ledger.lastSet)
  core.boundary = boundary?.height === core.low ? boundary : undefined
  // The log first: a view that was entered before a block was decided may have carried another batch in its place.
  for (const record of memory.records) recallRecord(core, record)
  for (const block of memory.blocks) recallBlock(core, block)
  if (memory.past === "unknown") {
    core.mode = "observer"
    if (core.voteFromTerm === 0) core.voteFromTerm = Infinity
  } else if (memory.past === "damaged") {
    core.mode = "observer"
    const votedIn = Math.max(core.term, memory.guardTerm ?? 0)
    core.voteFromTerm = Math.max(core.voteFromTerm, votedIn + 1)
  }
  // Terms end by its votes alone: what others hold may lead into one that it has voted in.
  if (memory.past !== "intact" && core.set.size === 1) core.voteFromTerm = Infinity
  if (core.halted !== undefined) core.mode = "halted"
  core.requestHead = undefined
  core.behind = true
}

/**
 * The operator's word. A halted validator only notes it: its state is not one to go on from, and the next start works it out again. One
 * that has forgotten its votes and is alone in its set goes on from the chain that it has: nobody else can tell it what it signed
 * (README, A validator alone).
 */
export function onResume(core: Core): void {
  if (core.mode === "halted") {
    core.persist({ kind: "resumed" })
    return
  }
  if (core.mode !== "observer" || core.me < 0 || core.set.size > 1) return
  core.mode = "voter"
  core.voteFromTerm = core.term
  core.persist({ kind: "observer", voteFromTerm: core.term })
  if (core.executed === core.high) endTerm(core)
}

function recallBlock(core: Core, block: BlockRecord): void {
  const { height, parent, stateRoot, batch, certificate } = block
  assert(height > core.low && height <= core.executed, "blocks of the open term, applied already")
  const header = { height, parent, digest: batch.digest, stateRoot }
  const slot = core.slot(height)
  const hash = blockHash(core.meshId, header)
  slot.decided = { digest: batch.digest, hash, view: certificate.view }
  slot.preparedBatch = batch
  core.tip = certificate
}

function recallRecord(core: Core, record: LogRecord): void {
  switch (record.kind) {
    case "proposal":
      recallProposal(core, record.message)
      return
    case "vote":
      recallVote(core, record.message)
      return
    case "prepared": {
      const slot = core.slot(record.proof.height)
      slot.prepared = record.proof
      if (slot.batch !== undefined && equal(slot.batch.digest, record.proof.digest))
        slot.preparedBatch = slot.batch
      return
    }
    case "view-change":
      moveTo(core, record.message.view)
      core.changing = true
      core.failures++
      core.changes[record.message.signer] = record.message
      return
    case "new-view":
      recallNewView(core, record.message)
      return
    case "halted":
      core.halted = { code: record.code, detail: record.detail }
      return
    case "resumed":
      core.halted = undefined
      return
    case "observer":
      core.mode = record.voteFromTerm > core.term ? "observer" : "voter"
      core.voteFromTerm = record.voteFromTerm
  }
}

function remember(core: Core, vote: Vote): void {
  core.signed.set(`${vote.type} ${vote.view} ${vote.height}`, vote)
}

function recallProposal(core: Core, message: PrePrepare): void {
  if (message.signer === core.me) {
    remember(core, message)
    core.proposedUpTo = Math.max(core.proposedUpTo, message.height)
  }
  if (message.view !== core.view) return
  const slot = core.slot(message.height)
  slot.proposal = { view: message.view, digest: message.digest, signature: message.signature }
  slot.batch = message.batch
  if (message.signer === core.me) slot.preparedIn = message.view
}

function recallVote(core: Core, vote: Vote<"prepare" | "commit" | "checkpoint">): void {
  if (vote.signer !== core.me) return
  remember(core, vote)
  if (vote.type === "checkpoint") {
    core.checkpoints[core.me] = { ...vote, type: "checkpoint" }
    return
  }
  if (vote.view !== core.view) return
  const slot = core.slot(vote.height)
  if (vote.type === "prepare") {
    slot.preparedIn = vote.view
    slot.prepares.add(core.me, { ...vote, type: "prepare" })
  } else {
    slot.committedIn = vote.view
    slot.commits.add(core.me, { ...vote, type: "commit" })
  }
}

function recallNewView(core: Core, message: NewView): void {
  const carried = carriedBy(message.changes, core.low)
  assert(!("contradiction" in carried), "a view was entered on changes that agree")
  enterView(core, message, carried)
  if (message.signer !== core.me) return
  const { term, view, signer } = message
  for (const { height, digest, signature } of message.proposals)
    remember(core, { type: "pre-prepare", term, view, height, digest, signer, signature })
}
