/**
 * The primary's part of the normal case: which items go into the next batch, and when. A batch is closed as soon as nothing is in
 * flight. With something in flight it must be worth a block of its own: larger than what is under way already, so that
 * whoever cannot keep up decides few large blocks and not many small ones, whose signatures would be what he cannot keep up with.
 */
import type { Core } from "./core.ts"
import { FILL_SLOTS, needsBlocks } from "./fill.ts"
import { batchOf, encodeItem, NULL_BATCH } from "./item.ts"
import { BATCH_MAX_BYTES } from "./limits.ts"
import { advance, checkPrepared, firstUse, staysAllowed } from "./normal.ts"
import type { Batch, Item } from "./types.ts"

/** Room left in a batch for its count and a tick. */
const BATCH_SLACK_BYTES = 64
/** An envelope with a membership proof; one with work is shorter. */
const ENVELOPE_ITEM_BYTES = 81
/** The share of a full batch that must wait before one is proposed beside others. */
const BESIDE_SHARE = 1 / 8

/** Section 4.2: the primary "assigns a sequence number n to the request" and multicasts the pre-prepare. */
export function propose(core: Core): void {
  for (;;) {
    const height = freeHeight(core)
    if (height === undefined) return
    const inFlight = height - 1 - core.executed
    const { blockItemsMax } = core.ledger.rules
    const waiting = core.pool.freshSize
    // With something in flight, small batches wait: they fill up until it is decided, so there is no fixed delay.
    if (waiting === 0 || (inFlight > 0 && waiting < besideItemsMin(core))) return
    const tick = nextTick(core)
    const room = blockItemsMax - tick.length
    const ids = new Set<string>()
    const spends = new Set<string>()
    const bytesMax = BATCH_MAX_BYTES - BATCH_SLACK_BYTES
    const items = core.pool
      .take(Math.max(room, 1), bytesMax, (item) =>
        item.type === "envelope" ? ENVELOPE_ITEM_BYTES : encodeItem(item).length,
      )
      .filter(
        (item) => (staysAllowed(item) || core.ledger.allows(item)) && firstUse(item, ids, spends),
      )
    if (items.length === 0) continue
    proposeBatch(core, height, batchOf(room > 0 ? [...tick, ...items] : items))
  }
}

/** Items that must wait for a batch beside those in flight. */
function besideItemsMin({ pool, ledger }: Core): number {
  const { blockItemsMax } = ledger.rules
  const inFlight = pool.size - pool.freshSize
  return Math.min(blockItemsMax, Math.max(Math.ceil(blockItemsMax * BESIDE_SHARE), inFlight))
}

/** The next height that we may propose for, or undefined while there is none. */
function freeHeight(core: Core): number | undefined {
  if (!core.leads || core.executed < core.carriedLow) return undefined
  // What the view carries on must be known, or an item of it could be proposed twice.
  if (core.carriedHigh > core.executed)
    for (const slot of core.slotsAbove(core.executed))
      if (slot.height <= core.carriedHigh && slot.batch === undefined) return undefined
  const height = Math.max(core.proposedUpTo, core.carriedHigh, core.executed) + 1
  const isFull = height - 1 - core.executed >= core.parts.pipelineSlots
  return height > core.high || isFull ? undefined : height
}

function proposeBatch(core: Core, height: number, batch: Batch): void {
  const message = { ...core.vote("pre-prepare", core.view, height, batch.digest), batch }
  core.proposedUpTo = height
  const slot = core.slot(height)
  slot.proposal = { view: core.view, digest: batch.digest, signature: message.signature }
  slot.batch = batch
  slot.preparedIn = core.view
  // [PERSIST] Section 4.2 asks the log to hold the pre-prepare; ours must outlive a crash before anyone sees it.
  core.persist({ kind: "proposal", message })
  core.broadcast(message)
  checkPrepared(core, slot)
}

/** A few null batches when nothing else waits and the state asks for the end of the term (see `fill`). */
export function onFillTimeout(core: Core): void {
  core.filling = false
  for (let i = 0; i < FILL_SLOTS && needsBlocks(core) && core.pool.freshSize === 0; i++) {
    const height = freeHeight(core)
    if (height === undefined) break
    proposeBatch(core, height, NULL_BATCH)
  }
  advance(core)
}

/** "A primary may propose a tick at least 60 s after the last one", and only beside traffic. */
function nextTick(core: Core): Item[] {
  if (core.tick !== "due") return []
  const underway = core
    .slotsAbove(core.executed)
    .some((slot) => slot.batch?.items.some((item) => item.type === "tick") === true)
  return underway ? [] : [{ type: "tick", period: core.ledger.now.period + 1 }]
}
