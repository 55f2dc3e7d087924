/**
 * The normal case, section 4.2 of the paper: PREPARE, COMMIT, execution, and what a backup does with a PRE-PREPARE (`propose` makes them). Proposals, PREPAREs and P speak of the
 * batch digest D, so slots are independent and run side by side; COMMIT speaks of the block hash B and goes out in the order
 * of heights.
 */
import { equal } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { assert } from "../crypto/errors.ts"
import { certificateOf } from "./certificate.ts"
import { endTerm } from "./checkpoint.ts"
import type { Core } from "./core.ts"
import { needsBlocks } from "./fill.ts"
import { isNull, keysOf, NULL_BATCH, sameItem } from "./item.ts"
import type { Plan } from "./ledger.ts"
import { notePaceOf, noteWork } from "./pace.ts"
import { propose } from "./propose.ts"
import type { Proposal, Slot } from "./slot.ts"
import { accuseBySpare } from "./spare.ts"
import type { Batch, Certificate, Commit, Item, Prepare, PrePrepare } from "./types.ts"
import { conflict } from "./verify.ts"

/**
 * Non-null blocks without a view change for which timeouts are halved again, until they are at their base. Back to the base at
 * once would, in a network slower than that, throw away each view that works.
 */
const PROGRESS_BLOCKS = 3

// ---- PRE-PREPARE

export function onPrePrepare(core: Core, message: PrePrepare): void {
  if (message.view < core.view) return
  if (isForgotten(core, message)) {
    core.observe(core.term + 1, "a proposal of ours that our log does not hold")
    return
  }
  const slot = core.slot(message.height)
  // Section 4.4: until the NEW-VIEW, a replica "does not accept messages (other than checkpoint, view-change, and new-view)".
  if (message.view > core.view || core.changing) slot.keepEarlyProposal(message)
  else {
    acceptProposal(core, slot, message)
    advance(core)
  }
}

/**
 * Section 4.2: accept "if it has not accepted a pre-prepare message for view v and sequence number n containing a different digest".
 * The caller advances once it is done with its slots: what is decided then may end the term, and its slots with it.
 */
export function acceptProposal(core: Core, slot: Slot, message: PrePrepare): void {
  const { proposal } = slot
  if (proposal?.view === core.view) {
    if (equal(proposal.digest, message.digest)) takeBatch(core, slot, message.batch)
    else
      core.accuse({ ...message, digest: proposal.digest, signature: proposal.signature }, message)
    return
  }
  // Slots up to max-s belong to the NEW-VIEW.
  if (message.height <= core.carriedHigh) return
  const isForNothing = isNull(message.digest) && !needsBlocks(core)
  if (isForNothing && message.height === core.executed + 1) {
    core.blame(message.signer, "NULL_PROPOSAL")
    return
  }
  slot.proposal = { view: message.view, digest: message.digest, signature: message.signature }
  slot.batch = isNull(message.digest) ? NULL_BATCH : slot.batchFor(message.digest)
  if (slot.batch === undefined) takeBatch(core, slot, message.batch)
  else goOn(core, slot)
  if (slot.batch === undefined) fetchBatch(core, slot)
}

/** A batch that was fetched. */
export function attachBatch(core: Core, slot: Slot, batch: Batch): void {
  takeBatch(core, slot, batch)
  advance(core)
}

/** The batch travels unsigned: what does not hash to D is not it. */
function takeBatch(core: Core, slot: Slot, batch: Batch | undefined): void {
  const { proposal } = slot
  if (batch === undefined || slot.batch !== undefined || proposal === undefined) return
  if (!equal(batch.digest, proposal.digest)) return
  if (batch.items.length > core.ledger.rules.blockItemsMax) return
  // Our own objects for what we know: the others are forgotten again, with the keys that would be worked out for them.
  slot.batch = { ...batch, items: batch.items.map((item) => core.pool.proposed(item)) }
  notePaceOf(core, batch)
  goOn(core, slot)
}

function goOn(core: Core, slot: Slot): void {
  tryPrepare(core, slot)
  checkPrepared(core, slot)
}

function fetchBatch(core: Core, slot: Slot): void {
  const { proposal } = slot
  if (proposal === undefined) return
  const { term } = core
  core.broadcast({ type: "fetch", term, height: slot.height, digest: proposal.digest })
}

// ---- PREPARE

/** Notes what an item uses; false when the batch has used it before. */
export function firstUse(item: Item, ids: Set<string>, spends: Set<string>): boolean {
  const { id, spend } = keysOf(item)
  const known = ids.size + spends.size
  ids.add(id)
  if (spend !== undefined) spends.add(spend)
  return ids.size + spends.size - known === (spend === undefined ? 1 : 2)
}

/**
 * An admitted envelope was allowed when it came, and leaves the pool with whatever excludes it: while it is there, the state
 * allows it. What else is ordered depends on the term and the set as well.
 */
export const staysAllowed = ({ type }: Item): boolean => type === "envelope"

type Judgement = "good" | "wait" | "bad"

/** May this batch be prepared? By ledger state alone, but for what must be fetched first and a tick that is early. */
function judgeBatch(core: Core, slot: Slot, batch: Batch): Judgement {
  const carried = slot.height <= core.carriedHigh
  if (slot.missing.size > 0) return "wait"
  let early = false
  const ids = new Set<string>()
  const spends = new Set<string>()
  // A change that is under way below may make it needed: `execute` looks again.
  if (batch.items.length === 0 && !carried) return needsBlocks(core) ? "good" : "wait"
  for (const item of batch.items) {
    if (carried) {
      // A quorum has judged this batch in an earlier view; only its content must be here.
      if (item.type === "envelope" && !core.pool.holds(item) && !core.ledger.has(item))
        slot.missing.set(keysOf(item).id, item)
      continue
    }
    const admitted = core.pool.admits(item)
    const allowed = (admitted && staysAllowed(item)) || core.ledger.allows(item)
    if (!allowed || !firstUse(item, ids, spends)) return "bad"
    if (item.type === "tick") early ||= core.tick === "early"
    else if (!admitted) slot.missing.set(keysOf(item).id, item)
  }
  if (slot.missing.size > 0) core.emit({ type: "want", items: [...slot.missing.values()] })
  return slot.missing.size > 0 || early ? "wait" : "good"
}

/** Section 4.2: "If backup i accepts the pre-prepare message, it enters the prepare phase by multicasting a prepare message". */
export function tryPrepare(core: Core, slot: Slot): void {
  const { proposal, batch } = slot
  if (!core.votes || core.changing || core.primary === core.me) return
  if (proposal?.view !== core.view || slot.preparedIn === core.view || batch === undefined) return
  if (slot.decided !== undefined) {
    // Executed before this view: answer again, without executing again.
    if (!equal(slot.decided.digest, proposal.digest)) return
  } else if (judgeBatch(core, slot, batch) !== "good") return
  const vote = core.vote("prepare", core.view, slot.height, proposal.digest)
  slot.preparedIn = core.view
  // [PERSIST] "... and adding both messages to its log": before the network sees the vote.
  persistProposal(core, slot.height, proposal, batch)
  core.persist({ kind: "vote", message: vote })
  core.broadcast(vote)
  noteWork(core)
  slot.prepares.add(core.me, vote)
  checkPrepared(core, slot)
}

function persistProposal(core: Core, height: number, proposal: Proposal, batch: Batch): void {
  const { view, digest, signature } = proposal
  const { term, primary: signer } = core
  const message = { type: "pre-prepare", term, view, height, digest, signer, signature } as const
  core.persist({ kind: "proposal", message: { ...message, batch } })
}

/** A vote of ours that comes back from others and that we do not know: our log has lost something. */
function isForgotten(core: Core, vote: Prepare | Commit | PrePrepare): boolean {
  if (vote.signer !== core.me || !core.votes) return false
  const own = core.signed.get(`${vote.type} ${vote.view} ${vote.height}`)
  return own === undefined || !equal(own.digest, vote.digest)
}

export function onVote(core: Core, vote: Prepare | Commit): void {
  if (vote.view < core.view) return
  const slot = core.slot(vote.height)
  if (isForgotten(core, vote)) {
    core.observe(core.term + 1, "a vote of ours that our log does not hold")
    return
  }
  if (vote.view > core.view) {
    slot.keepEarly(vote)
    return
  }
  const tally = vote.type === "prepare" ? slot.prepares : slot.commits
  const before =
    vote.type === "prepare"
      ? slot.prepares.add(vote.signer, vote)
      : slot.commits.add(vote.signer, vote)
  if (before !== undefined) {
    // First wins: a different vote is evidence, never a replacement.
    if (conflict(before, vote)) core.accuse(before, vote)
    return
  }
  accuseBySpare(core, slot, vote)
  if (core.changing || tally.count < core.set.quorum - 1) return
  if (vote.type === "prepare") checkPrepared(core, slot)
  advance(core)
}

/** Section 4.2: prepared(m, v, n, i) needs the pre-prepare and "2f prepares from different backups that match the pre-prepare". */
export function checkPrepared(core: Core, slot: Slot): void {
  const { proposal, batch } = slot
  if (core.changing || proposal?.view !== core.view || batch === undefined) return
  if (slot.prepared?.view === core.view) return
  const { primary } = core
  const matching = slot.prepares.matching(
    (vote) => vote.signer !== primary && equal(vote.digest, proposal.digest),
  )
  if (matching.length < core.set.quorum - 1) return
  slot.prepared = {
    height: slot.height,
    view: core.view,
    digest: proposal.digest,
    proposal: proposal.signature,
    prepares: matching.map(({ signer, signature }) => ({ signer, signature })),
  }
  slot.preparedBatch = batch
  // [PERSIST] Others' votes were enough, so no vote of ours has put the batch on the disk: whoever shows a P entry must hold what it names.
  if (core.votes && slot.preparedIn !== core.view)
    persistProposal(core, slot.height, proposal, batch)
  tryCommit(core, slot)
}

// ---- COMMIT

/** The block this slot makes on the chain as it is, or undefined while its parent is open. */
function planOf(core: Core, slot: Slot): Plan | undefined {
  if (slot.batch === undefined || slot.height !== core.executed + 1) return undefined
  if (slot.plan?.parent !== core.ledger.tip || slot.plan.batch !== slot.batch)
    slot.plan = core.ledger.plan(slot.batch)
  return slot.plan
}

/** Section 4.2: "Replica i multicasts a commit message to the other replicas when prepared(m, v, n, i) becomes true." */
export function tryCommit(core: Core, slot: Slot): void {
  const { proposal, prepared } = slot
  if (!core.votes || core.changing || slot.committedIn === core.view) return
  if (proposal?.view !== core.view || prepared?.view !== core.view) return
  let hash: Bytes | undefined
  if (slot.decided === undefined) hash = planOf(core, slot)?.hash
  else if (equal(slot.decided.digest, proposal.digest)) hash = slot.decided.hash
  if (hash === undefined) return
  const vote = core.vote("commit", core.view, slot.height, hash)
  slot.committedIn = core.view
  // [PERSIST] The certificate that P will need, and the vote.
  core.persist({ kind: "prepared", proof: prepared })
  core.persist({ kind: "vote", message: vote })
  core.broadcast(vote)
  slot.commits.add(core.me, vote)
}

/** Section 4.2: committed-local: "i has accepted 2f+1 commits (possibly including its own) from different replicas". */
function tryDecide(core: Core, slot: Slot): boolean {
  if (slot.height !== core.executed + 1 || slot.commits.count < core.set.quorum) return false
  const plan = planOf(core, slot)
  const matching = plan && slot.commits.matching((vote) => equal(vote.digest, plan.hash))
  if (plan !== undefined && matching !== undefined && matching.length >= core.set.quorum) {
    execute(core, plan, certificateOf(matching))
    return true
  }
  // A quorum agrees on something we cannot build from what we hold: the block itself must be fetched.
  core.behind = true
  return false
}

/** Commits and executes in the order of heights as far as it goes, and proposes what there is room for. */
export function advance(core: Core): void {
  while (!core.changing && core.mode !== "halted") {
    while (core.executed < core.high) {
      const slot = core.slots[core.executed - core.low]
      if (slot === undefined) break
      tryCommit(core, slot)
      if (!tryDecide(core, slot)) break
    }
    const before = core.proposedUpTo
    propose(core)
    // A validator alone is its own quorum: what it proposes is decided at once.
    if (core.set.quorum > 1 || core.proposedUpTo === before) break
  }
  watchRequests(core)
}

/** Makes a decided block the next of the chain, by whichever path it was learnt. Exactly once: the ledger takes no height twice. */
export function execute(core: Core, plan: Plan, certificate: Certificate): void {
  assert(certificate.height === plan.height, "a certificate for this height")
  assert(equal(certificate.digest, plan.hash), "a certificate for this block")
  const { batch, applied } = plan
  const slot = core.slot(plan.height)
  core.ledger.apply(plan)
  noteWork(core)
  core.tip = certificate
  slot.decided = { digest: batch.digest, hash: plan.hash, view: certificate.view }
  slot.plan = undefined
  const { height, parent, stateRoot } = plan
  const record = { height, parent, stateRoot, batch, certificate }
  core.emit({ type: "store", record })
  core.emit({ type: "deliver", record, applied })
  for (const item of batch.items) core.pool.ordered(item)
  const isChange = ({ type }: Item) => type !== "envelope" && type !== "tick"
  if (core.executed === core.high || applied.some(isChange))
    core.pool.sift((item) => core.ledger.allows(item))
  if (applied.some((item) => item.type === "tick")) restartTick(core)
  if (applied.length > 0 && ++core.progress % PROGRESS_BLOCKS === 0 && core.failures > 0)
    core.failures--
  if (core.executed === core.high) endTerm(core)
  else if (needsBlocks(core))
    for (const waiting of core.slotsAbove(core.executed))
      if (waiting.batch === NULL_BATCH) tryPrepare(core, waiting)
}

// ---- time

/** The share of the interval after which a backup takes a tick: clocks differ, and a held proposal costs its primary. */
export const TICK_TOLERANCE = 7 / 8

export function restartTick(core: Core): void {
  core.tick = "early"
  core.arm("tick", core.parts.timing.tickMs * TICK_TOLERANCE)
}

/** Held proposals may go on now; an eighth later we would propose a tick ourselves. */
export function onTickTimeout(core: Core): void {
  if (core.tick === "early") {
    core.tick = "acceptable"
    core.arm("tick", core.parts.timing.tickMs * (1 - TICK_TOLERANCE))
  } else core.tick = "due"
  for (const slot of core.slotsAbove(core.executed)) tryPrepare(core, slot)
  advance(core)
}

/**
 * Section 4.4: "A backup is waiting for a request if it received a valid request and has not executed it." The timer runs for
 * the oldest of them: ordering another is no progress for it.
 */
export function watchRequests(core: Core): void {
  const head = core.changing || !core.votes ? undefined : (core.pool.oldest() ?? fillHead(core))
  if (head === core.requestHead) return
  core.requestHead = head
  if (head !== undefined) core.arm("request", core.patient(core.parts.timing.requestMs))
  else core.tokens.request++
}

/** While the term must end, each block is waited for like an item. */
const fillHead = (core: Core): string | undefined =>
  needsBlocks(core) ? `fill ${core.executed}` : undefined

/** New items: they are proposed by the primary, waited for by the others, and may be what a proposal lacked. */
export function onItems(core: Core, items: readonly Item[], admitted: boolean): void {
  const lacking = core.slotsAbove(core.executed).filter(({ missing }) => missing.size > 0)
  for (const item of items) {
    if (!core.ledger.allows(item)) continue
    const wanted = lacking.flatMap(({ missing }) => missing.get(keysOf(item).id) ?? [])
    if (!admitted) core.pool.hold(item)
    // The proposal's form of an envelope counts, not the one that came here first: else whoever pays for an id again splits the votes.
    else if (!core.pool.admit(item, wanted.length > 0) && wanted.some((one) => sameItem(one, item)))
      core.pool.replace(item)
  }
  for (const slot of lacking) {
    for (const item of items) slot.missing.delete(keysOf(item).id)
    if (slot.missing.size === 0) tryPrepare(core, slot)
  }
  advance(core)
}
