/**
 * What a replica remembers, and the few things every phase of the protocol does with it: sign, tell, arm a timer, stop. The
 * rules themselves are in `normal`, `view-change`, `checkpoint` and `status`; `replica` is the door. Nothing outside
 * `consensus` sees this.
 */
import { equal } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { assert } from "../crypto/errors.ts"
import { blockHash, highMark, inWindow, lowMark } from "./block.ts"
import type { BlockHeader } from "./block.ts"
import { votePreimage } from "./preimage.ts"
import type { Scheme, Sign } from "./hybrid.ts"
import type { Ledger } from "./ledger.ts"
import { DOUBLINGS_MAX, EVIDENCE_PER_SIGNER } from "./limits.ts"
import { newPace, type Pace } from "./pace.ts"
import { Pool } from "./pool.ts"
import { bitmap, primaryOf, seatOf } from "./quorum.ts"
import type { ValidatorSet } from "./quorum.ts"
import { Slot } from "./slot.ts"
import type {
  Certificate,
  Checkpoint,
  HaltCode,
  LogRecord,
  Message,
  NewView,
  Output,
  Peer,
  Seal,
  Status,
  TimerName,
  ViewChange,
  Vote,
  VoteType,
} from "./types.ts"

/** How long to wait for what, milliseconds. */
export interface Timing {
  /** The oldest admitted item must be ordered within this, or the primary is voted out. Doubles with each failed view. */
  readonly requestMs: number
  /** NEW-VIEW must come within this once a quorum asks for the view. Doubles likewise. */
  readonly viewMs: number
  /** STATUS interval while something is open. */
  readonly statusMs: number
  /** STATUS interval while nothing is. */
  readonly idleMs: number
  /** The least time between two ticks. */
  readonly tickMs: number
  /** How often the pace of the primary is looked at. */
  readonly paceMs: number
  /** Between null batches that are proposed so that a term ends. */
  readonly fillMs: number
}

export const DEFAULT_TIMING: Timing = {
  requestMs: 1000,
  viewMs: 1000,
  statusMs: 1000,
  idleMs: 10_000,
  tickMs: 60_000,
  paceMs: 400,
  fillMs: 10,
}

export interface ReplicaParts {
  readonly scheme: Scheme
  /** Ed25519 key and signer of this validator; absent in one that only follows. */
  readonly ed25519?: Bytes
  readonly sign?: Sign
  readonly timing: Timing
  /** Slots the primary keeps in flight. */
  readonly pipelineSlots: number
  /**
   * Drawn anew at each start, from 1 to 2^53 - 1: tells answers of this life from those of an earlier one. Without it, a validator
   * whose past is unknown stays an observer.
   */
  readonly nonce?: number
}

export type Mode = "voter" | "observer" | "halted"

export class Core {
  readonly parts: ReplicaParts
  readonly ledger: Ledger
  readonly pool = new Pool()
  out: Output[] = []

  mode: Mode = "voter"
  /** Why, once it has halted; the log holds it until the operator says otherwise. */
  halted: { readonly code: HaltCode; readonly detail: string } | undefined
  /** An observer votes from this term on; Infinity while it does not know how far its forgotten votes may reach. */
  voteFromTerm = 0
  /** What others said of themselves since an observer with unknown past started: peer → executed height. */
  readonly heard = new Map<Peer, number>()

  term = 0
  view = 0
  /** Between our VIEW-CHANGE for `view` and its NEW-VIEW. */
  changing = false
  set: ValidatorSet
  /** Our seat in `set`, or -1. */
  me = -1
  slots: (Slot | undefined)[] = []
  /** Certificate of the last block executed in this term. */
  tip: Certificate | undefined
  /** The newest VIEW-CHANGE of each member. */
  changes: (ViewChange | undefined)[] = []
  /** The NEW-VIEW that opened `view`; none in view 0. */
  newView: NewView | undefined
  /** min-s and max-s of the view we are in. */
  carriedLow = 0
  carriedHigh = 0
  checkpoints: (Checkpoint | undefined)[] = []
  /** The stable checkpoint that opened this term. */
  boundary: Certificate | undefined
  /** The boundary block and set of the term before: what seals speak of. */
  sealing:
    { height: number; digest: Bytes; term: number; set: ValidatorSet; me: number } | undefined
  seals: (Seal | undefined)[] = []

  /** Highest height we proposed in this view. */
  proposedUpTo = 0
  /** Consecutive views without progress: what timeouts double by. */
  failures = 0
  /** Non-null blocks since the last view change. */
  progress = 0
  requestHead: string | undefined
  tick: "early" | "acceptable" | "due" = "early"
  /** The timer for null batches runs. */
  filling = false
  readonly tokens: Record<TimerName, number> = {
    request: 0,
    view: 0,
    status: 0,
    tick: 0,
    pace: 0,
    fill: 0,
  }
  /** The view for which the new-view timer runs, or -1. */
  viewTimerFor = -1
  statusSlow = false
  /** A peer has shown that we lag; set until we have caught up or asked. */
  behind = false
  /** Peers asked, and whether all were, since the last regular STATUS. */
  readonly askedPeers = new Set<Peer>()
  asked = false
  /** The oldest waiting item at the last regular STATUS. */
  requestSeen: string | undefined
  readonly pace: Pace = newPace()
  /** Everything signed in this term: (type, view, height) → digest. A second, different one must never be signed. */
  signed = new Map<string, Vote>()
  evidence = new Map<number, Set<string>>()

  constructor(parts: ReplicaParts, ledger: Ledger) {
    this.parts = parts
    this.ledger = ledger
    this.set = ledger.set
    this.beginTerm(ledger.term, ledger.set)
  }

  // ---- where we are

  get meshId(): Bytes {
    return this.ledger.rules.meshId
  }
  get termHeights(): number {
    return this.ledger.rules.termHeights
  }
  get executed(): number {
    return this.ledger.height
  }
  get low(): number {
    return lowMark(this.term, this.termHeights)
  }
  get high(): number {
    return highMark(this.term, this.termHeights)
  }
  get primary(): number {
    return primaryOf(this.term, this.view, this.set.size)
  }
  /** May sign. */
  get votes(): boolean {
    return this.mode === "voter" && this.me >= 0 && this.parts.sign !== undefined
  }
  get leads(): boolean {
    return this.votes && !this.changing && this.primary === this.me
  }

  /** The slot of a height inside the window. */
  slot(height: number): Slot {
    assert(inWindow(height, this.term, this.termHeights), "only heights of this term have slots")
    const index = height - this.low - 1
    return (this.slots[index] ??= new Slot(height, this.set.size))
  }

  /** Slots that exist, above a height. */
  slotsAbove(height: number): Slot[] {
    const above: Slot[] = []
    for (let i = Math.max(0, height - this.low); i < this.slots.length; i++) {
      const slot = this.slots[i]
      if (slot !== undefined) above.push(slot)
    }
    return above
  }

  hashOf(header: BlockHeader): Bytes {
    return blockHash(this.meshId, header)
  }

  beginTerm(term: number, set: ValidatorSet): void {
    this.term = term
    this.view = 0
    this.changing = false
    this.set = set
    this.me = this.parts.ed25519 === undefined ? -1 : seatOf(this.set, this.parts.ed25519)
    this.slots = []
    this.tip = undefined
    this.changes = Array.from({ length: this.set.size })
    this.checkpoints = Array.from({ length: this.set.size })
    this.newView = undefined
    this.carriedLow = this.low
    this.carriedHigh = this.low
    this.proposedUpTo = this.low
    this.requestHead = undefined
    this.viewTimerFor = -1
    this.signed = new Map()
    this.evidence = new Map()
    if (this.mode === "observer" && this.voteFromTerm <= term) this.mode = "voter"
  }

  // ---- what we do

  emit(output: Output): void {
    this.out.push(output)
  }
  persist(record: LogRecord): void {
    this.emit({ type: "persist", term: this.term, record })
  }
  broadcast(message: Message): void {
    this.emit({ type: "broadcast", message })
  }
  send(to: Peer, message: Message): void {
    this.emit({ type: "send", to, message })
  }
  blame(signer: number, code: string): void {
    this.emit({ type: "blame", signer, code })
  }

  /** Arms a timer. The token makes any earlier one of this name stale. */
  arm(timer: TimerName, afterMs: number): void {
    const token = ++this.tokens[timer]
    this.emit({ type: "timer", timer, token, afterMs })
  }

  /** Section 4.5.2: timeouts double with each view that did not help, up to a cap. */
  patient(baseMs: number): number {
    return baseMs * 2 ** Math.min(this.failures, DOUBLINGS_MAX)
  }

  /** Our signed vote; the one already signed when there is one. Never two that differ. */
  vote<Type extends VoteType>(type: Type, view: number, height: number, digest: Bytes): Vote<Type> {
    const { sign } = this.parts
    assert(this.votes && sign !== undefined, "only a voter signs")
    assert(inWindow(height, this.term, this.termHeights), "a vote speaks of a height of its term")
    const place = `${type} ${view} ${height}`
    const before = this.signed.get(place)
    if (before !== undefined) {
      assert(
        equal(before.digest, digest),
        "a correct validator never signs two votes for one place",
      )
      return before as Vote<Type>
    }
    const fields = { type, term: this.term, view, height, digest, signer: this.me }
    const vote = { ...fields, signature: sign(votePreimage(this.meshId, fields)) }
    this.signed.set(place, vote)
    return vote
  }

  /** Two messages that no correct validator signs both: keep, show, and tell the others once. */
  accuse(first: Vote, second: Vote): void {
    const known = this.evidence.get(first.signer) ?? new Set<string>()
    const place = `${first.type} ${first.view} ${first.height}`
    if (known.has(place) || known.size >= EVIDENCE_PER_SIGNER) return
    known.add(place)
    this.evidence.set(first.signer, known)
    const bare = (vote: Vote): Vote => ({
      type: vote.type,
      term: vote.term,
      view: vote.view,
      height: vote.height,
      digest: vote.digest,
      signer: vote.signer,
      signature: vote.signature,
    })
    const evidence = { type: "evidence", first: bare(first), second: bare(second) } as const
    this.emit({ type: "blame", signer: first.signer, code: "EQUIVOCATION", evidence })
    this.broadcast(evidence)
  }

  /** A state that cannot be unless more than f are faulty, or we are: vote no more, not after a restart either, and say so. */
  halt(code: HaltCode, detail: string): void {
    if (this.mode === "halted") return
    this.mode = "halted"
    this.halted = { code, detail }
    this.persist({ kind: "halted", code, detail })
    this.emit({ type: "halt", code, detail })
  }

  /** Someone showed us a vote of ours that we do not remember: our disk was rolled back, or our key is used twice. */
  observe(voteFromTerm: number, reason: string): void {
    if (this.mode === "halted") return
    this.mode = "observer"
    this.voteFromTerm = Math.max(this.voteFromTerm, voteFromTerm)
    this.persist({ kind: "observer", voteFromTerm: this.voteFromTerm })
    this.emit({ type: "observe", voteFromTerm: this.voteFromTerm, reason })
  }

  /** Where we are. `answer` is a number that someone asked to have back. */
  status(answer = 0): Status {
    const bits = (has: (seat: number) => boolean): Bytes => bitmap(this.set.size, has)
    const slots: Status["slots"][number][] = []
    const last = Math.min(this.high, this.executed + this.parts.pipelineSlots)
    for (let height = Math.max(this.executed, this.low) + 1; height <= last; height++) {
      const slot = this.slots[height - this.low - 1]
      slots.push({
        proposal: slot?.proposal !== undefined && slot.batch !== undefined,
        // What has prepared needs no more of them.
        prepares: bits(
          (seat) => slot?.prepares.get(seat) !== undefined || slot?.prepared?.view === this.view,
        ),
        commits: bits((seat) => slot?.commits.get(seat) !== undefined),
      })
    }
    return {
      type: "status",
      term: this.term,
      view: this.view,
      changing: this.changing,
      executed: this.executed,
      ask: this.voteFromTerm === Infinity ? (this.parts.nonce ?? 0) : 0,
      answer,
      changes: bits((seat) => this.changes[seat]?.view === this.view),
      checkpoints: bits((seat) => this.checkpoints[seat] !== undefined),
      slots,
    }
  }
}
