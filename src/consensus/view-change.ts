/**
 * View changes, section 4.4 of the paper: VIEW-CHANGE when the primary fails a waiting request, NEW-VIEW from the next primary,
 * and entering it. The term's low watermark is everyone's, so the paper's C shrinks to the certificate of the last executed
 * block, and P to the slots above it.
 */
import { equal } from "../crypto/bytes.ts"
import { lowMark } from "./block.ts"
import { sameBytes } from "./codec.ts"
import { newViewPreimage, viewChangePreimage } from "./preimage.ts"
import type { Core } from "./core.ts"
import { isNull, NULL_BATCH } from "./item.ts"
import { carriedBy, provenHeight } from "./new-view.ts"
import type { Carried } from "./new-view.ts"
import { acceptProposal, advance, checkPrepared, tryPrepare } from "./normal.ts"
import { turnPace } from "./pace.ts"
import type { NewView, Peer, Reproposal, ViewChange } from "./types.ts"

/**
 * "If the timer of backup i expires in view v, the backup starts a view change to move the system to view v+1. It stops
 * accepting messages (other than checkpoint, view-change, and new-view messages) and multicasts a view-change message".
 */
export function startViewChange(core: Core, view: number): void {
  const { sign } = core.parts
  if (!core.votes || sign === undefined || view <= core.view) return
  moveTo(core, view)
  core.changing = true
  core.failures++
  const fields = {
    type: "view-change" as const,
    term: core.term,
    view,
    ...(core.tip === undefined ? {} : { tip: core.tip }),
    prepared: core.slotsAbove(core.executed).flatMap(({ prepared }) => prepared ?? []),
    signer: core.me,
  }
  const message = { ...fields, signature: sign(viewChangePreimage(core.meshId, fields)) }
  // [PERSIST] Whoever asked for a view must not vote in an older one after a restart.
  core.persist({ kind: "view-change", message })
  core.broadcast(message)
  core.changes[core.me] = message
  core.requestHead = undefined
  core.tokens.request++
  countChanges(core)
}

/** Leaves the view: its votes are void, what prepared in it is kept for P. */
export function moveTo(core: Core, view: number): void {
  core.view = view
  core.newView = undefined
  core.viewTimerFor = -1
  core.progress = 0
  turnPace(core)
  for (const slot of core.slotsAbove(core.low)) slot.moveTo(view)
}

export function onViewChange(core: Core, from: Peer, message: ViewChange): void {
  const before = core.changes[message.signer]
  if (before !== undefined && before.view >= message.view) {
    if (before.view === message.view && !sameBytes(before, message) && message.signer !== core.me)
      core.blame(message.signer, "TWO_VIEW_CHANGES")
    return
  }
  if (message.signer === core.me && core.votes) {
    core.observe(core.term + 1, "a view change of ours that our log does not hold")
    return
  }
  if (provenHeight(message, core.low) > core.executed) core.behind = true
  if (message.view < core.view || (message.view === core.view && !core.changing)) {
    // The view has begun without it.
    if (core.newView !== undefined) core.send(from, core.newView)
    return
  }
  core.changes[message.signer] = message
  join(core)
  countChanges(core)
}

/**
 * Section 4.5.2: "if a replica receives a set of f+1 valid view-change messages from other replicas for views greater than its
 * current view, it sends a view-change message for the smallest view in the set, even if its timer has not expired".
 */
function join(core: Core): void {
  const ahead = core.changes.filter(
    (change): change is ViewChange => change !== undefined && change.view > core.view,
  )
  if (ahead.length > core.set.faulty)
    startViewChange(core, Math.min(...ahead.map((change) => change.view)))
}

function countChanges(core: Core): void {
  if (!core.changing) return
  const { quorum } = core.set
  // Section 4.5.2: the timer starts only "after receiving 2f+1 view-change messages": those for later views have left this one too.
  const left = core.changes.filter((change) => change !== undefined && change.view >= core.view)
  if (left.length >= quorum && core.viewTimerFor !== core.view) {
    core.viewTimerFor = core.view
    core.arm("view", core.patient(core.parts.timing.viewMs))
  }
  if (core.primary === core.me && core.votes) makeNewView(core)
}

/** "When the primary p of view v+1 receives 2f valid view-change messages for view v+1 from other replicas, it multicasts a new-view message". */
function makeNewView(core: Core): void {
  const { sign } = core.parts
  const { term, view, me } = core
  const forView = core.changes.filter((change): change is ViewChange => change?.view === view)
  if (sign === undefined || forView.length < core.set.quorum) return
  const others = forView.filter((change) => change.signer !== me)
  const own = forView.filter((change) => change.signer === me)
  const changes = [...own, ...others.slice(0, core.set.quorum - own.length)].sort(
    (a, b) => a.signer - b.signer,
  )
  const carried = carriedOrHalt(core, changes)
  if (carried === undefined) return
  const proposals = carried.proposals.map(({ height, digest }) => {
    const { signature } = core.vote("pre-prepare", view, height, digest)
    return { height, digest, signature }
  })
  const fields = { type: "new-view" as const, term, view, changes, proposals, signer: me }
  const message = { ...fields, signature: sign(newViewPreimage(core.meshId, fields)) }
  enterView(core, message, carried)
  core.broadcast(message)
  prepareCarried(core)
}

function carriedOrHalt(core: Core, changes: readonly ViewChange[]): Carried | undefined {
  const carried = carriedBy(changes, lowMark(core.term, core.termHeights))
  if (!("contradiction" in carried)) return carried
  core.halt(carried.contradiction, `at height ${carried.height} in term ${core.term}`)
  return undefined
}

/** "A backup accepts a new-view message for view v+1 if it is signed properly, if the view-change messages it contains are valid, and if the set O is correct": `verify` did. */
export function onNewView(core: Core, message: NewView): void {
  if (message.view < core.view || (message.view === core.view && !core.changing)) return
  if (message.signer === core.me && core.votes) {
    core.observe(core.term + 1, "a new view of ours that our log does not hold")
    return
  }
  const carried = carriedOrHalt(core, message.changes)
  if (carried === undefined) return
  enterView(core, message, carried)
  prepareCarried(core)
}

/** "... it adds the new information to its log, and enters view v+1: at this point it is able to accept messages for view v+1". */
export function enterView(core: Core, message: NewView, carried: Carried): void {
  if (message.view > core.view) moveTo(core, message.view)
  core.newView = message
  core.changing = false
  turnPace(core)
  core.tokens.view++
  core.carriedLow = carried.low
  core.carriedHigh = carried.high
  core.proposedUpTo = carried.high
  core.requestHead = undefined
  // [PERSIST] The view we are in, and what it carries, before any vote in it.
  core.persist({ kind: "new-view", message })
  core.pool.renew()
  for (const change of message.changes) {
    const before = core.changes[change.signer]
    if (before === undefined || before.view < change.view) core.changes[change.signer] = change
  }
  for (const proposal of message.proposals) carry(core, message, proposal)
  // A laggard takes part from here on; what lies below min-s it must fetch.
  if (core.executed < carried.low) core.behind = true
}

/** One PRE-PREPARE of O takes its place; its batch is one we prepared, or must be fetched. */
function carry(core: Core, message: NewView, proposal: Reproposal): void {
  const slot = core.slot(proposal.height)
  const { digest, signature } = proposal
  const { decided } = slot
  if (decided !== undefined && !equal(decided.digest, digest)) {
    // What committed in an earlier view, every quorum of VIEW-CHANGEs carries on (section 4.5.1): this cannot be. What committed in
    // this view or a later one it need not know of: a faulty primary may form two NEW-VIEWs, and a laggard enters views late.
    if (decided.view < message.view)
      core.halt("DECIDED_OTHERWISE", `at height ${slot.height}: a new view names another batch`)
    return
  }
  slot.proposal = { view: message.view, digest, signature }
  slot.batch = isNull(digest) ? NULL_BATCH : slot.batchFor(digest)
  if (message.signer === core.me) slot.preparedIn = message.view
  for (const item of slot.batch?.items ?? []) core.pool.proposed(item)
  if (slot.batch === undefined)
    core.broadcast({ type: "fetch", term: core.term, height: slot.height, digest })
}

/** "It then multicasts prepares for each message in O", and takes up what arrived early. */
function prepareCarried(core: Core): void {
  for (const slot of core.slotsAbove(core.carriedLow)) {
    const { earlyProposal } = slot
    if (earlyProposal?.view === core.view && slot.height > core.carriedHigh)
      acceptProposal(core, slot, earlyProposal)
    tryPrepare(core, slot)
    checkPrepared(core, slot)
  }
  advance(core)
}

/** Section 4.5.2: no NEW-VIEW in time: the next view, and twice the patience. */
export function onViewTimeout(core: Core): void {
  if (core.changing && core.viewTimerFor === core.view) startViewChange(core, core.view + 1)
}

export function onRequestTimeout(core: Core): void {
  core.requestHead = undefined
  if (core.changing || !core.votes) return
  if (core.executed === core.high) {
    // The term is drained and waits for its checkpoint: another primary would not help, STATUS does.
    core.behind = true
    advance(core)
    return
  }
  startViewChange(core, core.view + 1)
}
