/**
 * STATUS, the one repair mechanism: each replica says where it is, and whoever has more sends what it lacks: votes, view
 * changes, the NEW-VIEW, batches, blocks. Nothing else is ever retransmitted, and nothing in a STATUS is believed: what it
 * brings in carries its own proof. Section 4.5.1 of the journal paper ("negative acknowledgements").
 */
import { equal } from "../crypto/bytes.ts"
import { inWindow } from "./block.ts"
import { certificateFault } from "./certificate.ts"
import { onBoundaryProof, openTerm } from "./checkpoint.ts"
import type { Core } from "./core.ts"
import { needsBlocks } from "./fill.ts"
import { STATUS_BATCHES_MAX, STATUS_RELAY_MAX } from "./limits.ts"
import { advance, attachBatch, execute } from "./normal.ts"
import { bitOf } from "./quorum.ts"
import type {
  BatchAnswer,
  BlockRecord,
  Blocks,
  Fetch,
  Message,
  Peer,
  Request,
  Status,
} from "./types.ts"

/** Items named in one REQUEST of ours. */
const REQUEST_ITEMS = 16

/** Something waits for something: then STATUS goes out often. */
export function isOpen(core: Core): boolean {
  return (
    core.changing ||
    core.behind ||
    core.me < 0 ||
    core.mode === "observer" ||
    core.pool.size > 0 ||
    core.executed === core.high ||
    needsBlocks(core) ||
    core.slotsAbove(core.executed).some((slot) => slot.proposal !== undefined)
  )
}

export function onStatusTimeout(core: Core): void {
  core.askedPeers.clear()
  core.asked = false
  core.broadcast(core.status())
  // Section 4.5.2 needs the view change to reach everyone in the end, also after a partition: it is sent again.
  const own = core.changing && core.votes ? core.changes[core.me] : undefined
  if (own !== undefined) core.broadcast(own)
  // Section 4.1: a backup that received the request "relays it to the primary".
  if (core.votes && core.pool.size > 0 && core.pool.oldest() === core.requestSeen)
    core.broadcast({ type: "request", items: core.pool.firstItems(REQUEST_ITEMS) })
  core.requestSeen = core.pool.oldest()
  for (const { missing } of core.slotsAbove(core.executed))
    if (missing.size > 0) core.emit({ type: "want", items: [...missing.values()] })
  armStatus(core)
}

export function armStatus(core: Core): void {
  const { statusMs, idleMs } = core.parts.timing
  core.statusSlow = !isOpen(core)
  core.arm("status", core.statusSlow ? idleMs : statusMs)
}

/** Asks everyone, at most once between two regular ones. */
export function askAll(core: Core): void {
  if (core.asked) return
  core.asked = true
  core.behind = false
  core.broadcast(core.status())
}

export function onStatus(core: Core, from: Peer, status: Status): void {
  listen(core, from, status)
  if (status.ask !== 0) core.send(from, core.status(status.ask))
  if (status.executed > core.executed || status.term > core.term) ask(core, from)
  if (status.executed < core.executed || status.term < core.term)
    core.emit({ type: "serve", to: from, after: status.executed })
  if (status.term !== core.term) return
  const missing = missingIn(core, status)
  for (const message of missing.slice(0, STATUS_RELAY_MAX)) core.send(from, message)
}

/** Asks one peer that seems to be ahead, at most once between two regular ones. */
function ask(core: Core, peer: Peer): void {
  if (core.askedPeers.has(peer)) return
  core.askedPeers.add(peer)
  core.send(peer, core.status())
}

function missingIn(core: Core, status: Status): Message[] {
  const missing: Message[] = []
  core.checkpoints.forEach((vote, seat) => {
    if (vote !== undefined && !bitOf(status.checkpoints, seat)) missing.push(vote)
  })
  if (core.changing) {
    // Whoever still is in an older view, or lacks some of this view's changes, gets all we hold that ask for it or later.
    if (status.view <= core.view && (status.changing || status.view < core.view))
      core.changes.forEach((change, seat) => {
        if (change === undefined || change.view < core.view) return
        if (status.view < core.view || !bitOf(status.changes, seat)) missing.push(change)
      })
    return missing
  }
  if (core.newView !== undefined && status.view <= core.view)
    if (status.view < core.view || status.changing) return [...missing, core.newView]
  if (status.view !== core.view || status.changing) return missing
  let batches = 0
  status.slots.forEach((theirs, i) => {
    const slot = core.slots[status.executed + i - core.low]
    if (slot === undefined) return
    const { proposal, batch } = slot
    const lacksBatch = !theirs.proposal && proposal !== undefined && batch !== undefined
    if (lacksBatch && ++batches <= STATUS_BATCHES_MAX)
      missing.push({
        type: "pre-prepare",
        term: core.term,
        view: proposal.view,
        height: slot.height,
        digest: proposal.digest,
        signer: core.primary,
        signature: proposal.signature,
        batch,
      })
    for (const vote of slot.prepares.matching(() => true))
      if (!bitOf(theirs.prepares, vote.signer)) missing.push(vote)
    for (const vote of slot.commits.matching(() => true))
      if (!bitOf(theirs.commits, vote.signer)) missing.push(vote)
  })
  return missing
}

/**
 * A validator whose disk was wiped cannot know in which terms it voted. It listens until a quorum (itself included) has said
 * where it is, catches up with the highest of them, and votes from the term after that. Only answers to its own number count: a
 * STATUS from before the crash may still be on its way, and says too little. A liar can only keep it waiting.
 */
function listen(core: Core, from: Peer, status: Status): void {
  if (core.mode !== "observer" || Number.isFinite(core.voteFromTerm)) return
  if (status.answer === 0 || status.answer !== core.parts.nonce) return
  core.heard.set(from, Math.max(core.heard.get(from) ?? 0, status.executed))
  learnHorizon(core)
}

export function learnHorizon(core: Core): void {
  if (core.mode !== "observer" || Number.isFinite(core.voteFromTerm)) return
  // Alone in the set there is nobody to hear, and whoever follows may hold less than was signed: only the operator can tell.
  if (core.set.size === 1) return
  if (core.heard.size < core.set.quorum - 1) return
  if (Math.max(...core.heard.values()) > core.executed) return
  core.voteFromTerm = 0
  core.observe(core.ledger.term + 1, "caught up with what others remember")
}

// ---- fetching

export function onFetch(core: Core, from: Peer, message: Fetch): void {
  const { term, height, digest } = message
  if (term !== core.term || !inWindow(height, core.term, core.termHeights)) return
  const batch = core.slots[height - core.low - 1]?.batchFor(digest)
  if (batch !== undefined) core.send(from, { type: "batch", term, height, batch })
}

export function onBatch(core: Core, message: BatchAnswer): void {
  const { term, height, batch } = message
  if (term !== core.term || !inWindow(height, core.term, core.termHeights)) return
  const slot = core.slots[height - core.low - 1]
  if (slot !== undefined) attachBatch(core, slot, batch)
}

/** Items others wait for and we have never seen: fetch and check them, so that the primary may propose them. */
export function onRequest(core: Core, message: Request): void {
  const unknown = message.items.filter(
    (item) => item.type !== "tick" && core.ledger.allows(item) && !core.pool.admits(item),
  )
  if (unknown.length > 0) core.emit({ type: "want", items: unknown })
}

// ---- state transfer

/** Section 4.6 of the journal paper, with blocks for pages: each carries its certificate, and is checked before it counts. */
export function onBlocks(core: Core, from: Peer, message: Blocks): void {
  const before = core.executed
  const termBefore = core.term
  for (const record of message.records) {
    if (core.mode === "halted") return
    if (record.height <= core.executed) checkKnown(core, record)
    else if (!takeBlock(core, from, record)) break
  }
  if (message.checkpoint !== undefined) onBoundaryProof(core, message.checkpoint)
  advance(core)
  if (core.executed === before && core.term === termBefore) return
  learnHorizon(core)
  // One STATUS asks for more than the whole answer.
  if (message.isPart !== true) core.send(from, core.status())
}

/** Two certificates for one height: more than f are faulty. */
function checkKnown(core: Core, record: BlockRecord): void {
  const { certificate } = record
  const decided = core.slots[record.height - core.low - 1]?.decided
  if (decided === undefined || equal(decided.hash, certificate.digest)) return
  if (certificate.type !== "commit" || certificate.term !== core.term) return
  if (certificate.height !== record.height) return
  if (certificateFault(certificate, core.meshId, core.set, core.parts.scheme) === undefined)
    core.halt("TWO_CERTIFICATES", `at height ${record.height}`)
}

/** False when the block is not the next one, or not proven. */
function takeBlock(core: Core, from: Peer, record: BlockRecord): boolean {
  const { certificate } = record
  if (record.height !== core.executed + 1 || certificate.height !== record.height) return false
  const drained = core.executed === core.high
  const term = drained ? core.term + 1 : core.term
  const set = drained ? core.ledger.set : core.set
  if (certificate.type !== "commit" || certificate.term !== term) return false
  const fault = certificateFault(certificate, core.meshId, set, core.parts.scheme)
  if (fault !== undefined) {
    core.emit({ type: "lie", from, code: fault })
    return false
  }
  const plan = core.ledger.plan(record.batch)
  if (!equal(plan.hash, certificate.digest)) {
    if (core.executed === 0 || !claimsHash(core, record)) return false
    // The certificate speaks of this very batch on our tip, and yet of another state: ours is wrong.
    if (equal(record.parent, plan.parent)) core.halt("STATE_DIVERGED", `at height ${record.height}`)
    // Whoever signed it decided another block below it than the one we hold a certificate for.
    else core.halt("TWO_CERTIFICATES", `at height ${record.height - 1}`)
    return false
  }
  if (drained) openTerm(core, undefined)
  execute(core, plan, certificate)
  return true
}

function claimsHash(core: Core, record: BlockRecord): boolean {
  const { height, parent, stateRoot, batch } = record
  const hash = core.hashOf({ height, parent, digest: batch.digest, stateRoot })
  return equal(hash, record.certificate.digest)
}
