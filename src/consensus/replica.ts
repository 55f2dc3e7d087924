/**
 * The door of the core: one input in, the outputs of that step out. No clock, no randomness, no promise, no I/O; signing and
 * verifying are passed in. The same inputs give the same outputs, so a recorded trace replays.
 *
 * The contract with whoever drives it:
 * - Outputs are carried out in order. No output of a step leaves (is sent, delivered, shown) before everything that this step
 *   and all earlier ones asked to `persist`, `store` or keep as `stable` is synced to disk.
 * - A timer comes back as an input with its token. A stale token is ignored, so nothing is ever cancelled.
 * - A message is decoded by `codec` and vouched for by `verify` against the court of its term before it comes in; `Inbox`
 *   does both and holds what comes early.
 * - After a crash, `restore` gives the replica back its chain and its log; it sends again the identical bytes it had signed.
 */
import { endTerm, onCheckpoint, onSeal, onSealed } from "./checkpoint.ts"
import { Core } from "./core.ts"
import type { Mode, ReplicaParts } from "./core.ts"
import { watchFill } from "./fill.ts"
import { checkInvariants, markOf } from "./invariants.ts"
import type { Ledger } from "./ledger.ts"
import { advance, onItems, onPrePrepare, onTickTimeout, onVote, TICK_TOLERANCE } from "./normal.ts"
import { onPaceTimeout, watchPace } from "./pace.ts"
import { onFillTimeout } from "./propose.ts"
import { onResume, recall } from "./recovery.ts"
import { setVoteAside } from "./spare.ts"
import type { Memory } from "./recovery.ts"
import {
  armStatus,
  askAll,
  isOpen,
  onBatch,
  onBlocks,
  onFetch,
  onRequest,
  onStatus,
  onStatusTimeout,
} from "./status.ts"
import type { HaltCode, Input, Message, Output, Peer, TimerName, Verified } from "./types.ts"
import type { Court } from "./verify.ts"
import { onNewView, onRequestTimeout, onViewChange, onViewTimeout } from "./view-change.ts"

/** Identical bytes: votes of the open view that are not settled yet, and the view change or new view itself. */
function resend(core: Core): void {
  for (const vote of core.signed.values()) {
    const open = vote.view === core.view && vote.height > core.executed
    const inNewView = vote.type === "pre-prepare" && vote.height <= core.carriedHigh
    if (vote.type === "checkpoint" || (open && !core.changing && !inNewView)) core.broadcast(vote)
  }
  const own = core.changes[core.me]
  if (core.changing && own !== undefined) core.broadcast(own)
  if (core.newView?.signer === core.me) core.broadcast(core.newView)
}

export class Replica {
  readonly #core: Core

  /** A new replica on a chain, or one that comes back. `start` must be called next, once. */
  constructor(parts: ReplicaParts, ledger: Ledger, memory?: Memory) {
    this.#core = new Core(parts, ledger)
    if (memory !== undefined) recall(this.#core, memory)
  }

  get term(): number {
    return this.#core.term
  }
  get view(): number {
    return this.#core.view
  }
  /** "view-change" between asking for a view and entering it. */
  get phase(): "normal" | "view-change" {
    return this.#core.changing ? "view-change" : "normal"
  }
  get mode(): Mode {
    return this.#core.mode
  }
  /** Why it has halted. */
  get halted(): { readonly code: HaltCode; readonly detail: string } | undefined {
    return this.#core.halted
  }
  /** It has forgotten what it signed, and there is nobody who could tell. */
  get isAloneWithoutMemory(): boolean {
    const { mode, me, set } = this.#core
    return mode === "observer" && me >= 0 && set.size === 1
  }
  get voteFromTerm(): number {
    return this.#core.voteFromTerm
  }
  /** Height of the last decided block. */
  get executed(): number {
    return this.#core.executed
  }
  get seat(): number {
    return this.#core.me
  }
  get ledger(): Ledger {
    return this.#core.ledger
  }
  /** Items admitted and not yet ordered. */
  get waiting(): number {
    return this.#core.pool.size
  }
  /** Slots and votes held: for watching bounds. */
  get logSlots(): number {
    return this.#core.slots.length
  }
  get newViewTimeouts(): number {
    return this.#core.failures
  }
  /** Seats whose seal under the newest boundary is here and good. */
  get sealedBy(): readonly number[] {
    return this.#core.seals.flatMap((seal) => (seal === undefined ? [] : [seal.signer]))
  }
  /** What incoming messages of the open term are judged against. */
  court(): Court {
    const { meshId, term, termHeights, set } = this.#core
    return { meshId, term, termHeights, set, scheme: this.#core.parts.scheme }
  }

  /**
   * True for a message that, were it true, could change nothing any more: a vote of a view that is over, or one that agrees with
   * what a quorum has said already. It need not be judged. A vote that disagrees is never set aside: it may be evidence.
   */
  setAside(message: Message): boolean {
    return setVoteAside(this.#core, message)
  }

  /** First step: arms the timers, tells others where we are, and sends again what was signed before a crash. */
  start(): Output[] {
    return this.#run((core) => {
      if (core.halted !== undefined) {
        core.emit({ type: "halt", ...core.halted })
        return
      }
      core.arm("tick", core.parts.timing.tickMs * TICK_TOLERANCE)
      if (core.votes) resend(core)
      else if (core.mode === "observer")
        core.persist({ kind: "observer", voteFromTerm: core.voteFromTerm })
      // The boundary block was stored, and the crash came before our CHECKPOINT.
      if (core.votes && core.executed === core.high && core.checkpoints[core.me] === undefined)
        endTerm(core)
      core.broadcast(core.status())
      armStatus(core)
      advance(core)
    })
  }

  /** One input, one step. */
  step(input: Input): Output[] {
    return this.#run((core) => {
      if (core.mode === "halted" && input.type !== "message" && input.type !== "resume") return
      switch (input.type) {
        case "message":
          this.#onMessage(core, input.from, input.message)
          break
        case "timeout":
          if (core.tokens[input.timer] === input.token) this.#onTimeout(core, input.timer)
          break
        case "admit":
          onItems(core, input.items, true)
          break
        case "hold":
          onItems(core, input.items, false)
          break
        case "withdraw":
          for (const item of input.items) core.pool.withdraw(item)
          advance(core)
          break
        case "sealed":
          onSealed(core, input.height, input.signature)
          break
        case "resume":
          onResume(core)
          if (core.votes) advance(core)
      }
    })
  }

  #run(work: (core: Core) => void): Output[] {
    const core = this.#core
    const before = markOf(core)
    core.out = []
    work(core)
    if (core.mode !== "halted") {
      if (core.behind) askAll(core)
      if (core.statusSlow && isOpen(core)) armStatus(core)
      watchPace(core)
      watchFill(core)
    }
    checkInvariants(core, before)
    return core.out
  }

  #onTimeout(core: Core, timer: TimerName): void {
    switch (timer) {
      case "request":
        onRequestTimeout(core)
        return
      case "view":
        onViewTimeout(core)
        return
      case "status":
        onStatusTimeout(core)
        return
      case "tick":
        onTickTimeout(core)
        return
      case "pace":
        onPaceTimeout(core)
        return
      case "fill":
        onFillTimeout(core)
    }
  }

  #onMessage(core: Core, from: Peer, message: Verified): void {
    // A halted replica still shows others what it has, and takes nothing in.
    if (core.mode === "halted" && message.type !== "status" && message.type !== "fetch") return
    switch (message.type) {
      case "pre-prepare":
        if (message.term === core.term) onPrePrepare(core, message)
        break
      case "prepare":
      case "commit":
        if (message.term === core.term) onVote(core, message)
        break
      case "checkpoint":
        if (message.term === core.term) onCheckpoint(core, message)
        advance(core)
        break
      case "view-change":
        if (message.term === core.term) onViewChange(core, from, message)
        break
      case "new-view":
        if (message.term === core.term) onNewView(core, message)
        break
      case "seal":
        onSeal(core, message)
        break
      case "status":
        onStatus(core, from, message)
        break
      case "fetch":
        onFetch(core, from, message)
        break
      case "batch":
        onBatch(core, message)
        break
      case "blocks":
        onBlocks(core, from, message)
        break
      case "request":
        onRequest(core, message)
        break
      case "evidence":
        if (message.first.term === core.term) core.accuse(message.first, message.second)
    }
  }
}
