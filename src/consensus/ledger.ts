/**
 * The ledger's state and its one transition: a batch at the next height. Everything is a function of the blocks before, so
 * whoever has the same chain has the same state root. `plan` tries a batch without changing anything, because COMMIT names
 * the block hash before the block is decided; `apply` makes a plan real.
 *
 * An item that the state forbids (already ordered, spend used, a second root under one nullifier, a change that does not
 * apply) is skipped by everyone alike, never an error: pipelined proposals and view changes can bring an item twice.
 */
import type { Bytes } from "../crypto/bytes.ts"
import { assert } from "../crypto/errors.ts"
import { blockHash, startHash, termOf } from "./block.ts"
import { difficultyAfter } from "./difficulty.ts"
import { keysOf } from "./item.ts"
import type { ItemKeys } from "./item.ts"
import { SPEND_PERIODS } from "./limits.ts"
import { LISTED } from "./membership.ts"
import type { MembershipKind, MembershipPast } from "./membership.ts"
import { approvalCounts, atBoundary, setAfter } from "./set-change.ts"
import { historyAfter, historyAtStart, PERIODS_KEPT, stateRootOf } from "./state.ts"
import type { LedgerFields, PeriodStart } from "./state.ts"
import { validatorSet } from "./quorum.ts"
import type { ValidatorSet } from "./quorum.ts"
import { type Trial, trialOn, use } from "./trial.ts"
import type { Batch, Item, MemberRemoveItem, ValidatorKeys, ValidatorsItem } from "./types.ts"

/** What a mesh's genesis says about its ledger. */
export interface LedgerRules {
  readonly meshId: Bytes
  readonly validators: readonly ValidatorKeys[]
  /** K: heights in a term. TERM_HEIGHTS but in simulations. */
  readonly termHeights: number
  /** The most items a proposal may hold, at most BLOCK_ITEMS_MAX. */
  readonly blockItemsMax: number
  /** Proof-of-work difficulty that is never undercut, bits. */
  readonly powBits: number
  /** Terms for which ordered ids are remembered. */
  readonly retentionTerms: number
  /** How members are kept; a plain list when nothing is said. */
  readonly membership?: MembershipKind
}

/** Everything a ledger knows, for keeping and coming back. Lists are oldest first; keys are as in `keysOf`. */
export interface LedgerSnapshot {
  readonly height: number
  readonly tip: Bytes
  readonly fields: Omit<LedgerFields, "members" | "set" | "nextSet" | "periods">
  /** In canonical order, as `Membership.list` gives them. */
  readonly members: readonly Bytes[]
  /** Newest first; `past` leads from `members` to the members then. */
  readonly periods: readonly (Omit<PeriodStart, "members"> & { readonly past: MembershipPast })[]
  readonly set: readonly ValidatorKeys[]
  /** Absent when the set does not change. */
  readonly nextSet?: readonly ValidatorKeys[]
  readonly lastSet: readonly ValidatorKeys[]
  readonly ids: readonly (readonly [string, number])[]
  readonly spends: readonly (readonly [string, number])[]
  readonly roots: readonly (readonly [string, { readonly root: string; readonly period: number }])[]
  /** What was used up by joining → the commitment that joined. */
  readonly vouchers: readonly (readonly [string, Bytes])[]
}

/** A snapshot without what the blocks used up, which is kept block by block; see `snapshot`. */
export type LedgerHead = Omit<LedgerSnapshot, "ids" | "spends" | "roots">

/** A block that could come next, and what it would change. */
export interface Plan {
  readonly height: number
  readonly parent: Bytes
  readonly batch: Batch
  readonly stateRoot: Bytes
  /** B. */
  readonly hash: Bytes
  readonly applied: readonly Item[]
  readonly fields: LedgerFields
}

/** A moment of a ledger: values that never change in place, and how many vouchers there were. */
interface Mark {
  readonly height: number
  readonly tip: Bytes
  readonly fields: LedgerFields
  readonly lastSet: ValidatorSet
  readonly vouchers: number
}

export class Ledger {
  readonly rules: LedgerRules
  #height = 0
  #tip: Bytes
  #fields: LedgerFields
  #lastSet: ValidatorSet
  #boundary: Mark
  readonly #empty: Trial
  /** Ordered ids → term in which. Oldest first, as Maps keep insertion order. */
  readonly #ids = new Map<string, number>()
  /** Spends of envelopes → period in which ordered. */
  readonly #spends = new Map<string, number>()
  readonly #roots = new Map<string, { root: string; period: number }>()
  /** Vouchers are one-time for ever. */
  readonly #vouchers = new Map<string, Bytes>()

  /** Begins at the genesis, or where a snapshot of the same mesh left off. */
  constructor(rules: LedgerRules, snapshot?: LedgerSnapshot) {
    const members = (rules.membership ?? LISTED).empty()
    const { meshId: anchor, powBits } = rules
    const set = validatorSet(rules.validators)
    this.rules = rules
    this.#lastSet = set
    this.#fields = {
      members,
      set,
      nextSet: set,
      setSince: 0,
      periods: [{ period: 0, anchor, members, powBits }],
      powOrdered: 0,
      history: historyAtStart(rules.meshId),
    }
    this.#empty = trialOn(this.#fields)
    this.#tip = startHash(rules.meshId, stateRootOf(this.#fields))
    if (snapshot !== undefined) this.#resume(snapshot)
    this.#boundary = this.#mark()
  }

  #resume(snapshot: LedgerSnapshot): void {
    const set = validatorSet(snapshot.set)
    const nextSet = snapshot.nextSet === undefined ? set : validatorSet(snapshot.nextSet)
    this.#height = snapshot.height
    this.#tip = snapshot.tip
    const members = (this.rules.membership ?? LISTED).restore(snapshot.members)
    const [first, ...others] = snapshot.periods.map(({ past, ...start }) => ({
      ...start,
      members: members.before(past),
    }))
    assert(first !== undefined, "a ledger is always in a period")
    this.#fields = { ...snapshot.fields, members, set, nextSet, periods: [first, ...others] }
    this.#lastSet = validatorSet(snapshot.lastSet)
    for (const [id, term] of snapshot.ids) this.#ids.set(id, term)
    for (const [spend, period] of snapshot.spends) this.#spends.set(spend, period)
    for (const [nullifier, bound] of snapshot.roots) this.#roots.set(nullifier, bound)
    for (const [voucher, member] of snapshot.vouchers) this.#vouchers.set(voucher, member)
  }

  /** A copy of everything; what is not copied is never changed in place. */
  snapshot(): LedgerSnapshot {
    return {
      ...this.#headAt(this.#mark()),
      ids: [...this.#ids],
      spends: [...this.#spends],
      roots: [...this.#roots],
    }
  }

  /** The state as the last block of the last full term left it; the genesis or where it resumed, before there is one. */
  boundary(): LedgerHead {
    return this.#headAt(this.#boundary)
  }
  /** Its height. */
  get boundaryHeight(): number {
    return this.#boundary.height
  }

  #mark(): Mark {
    return {
      height: this.#height,
      tip: this.#tip,
      fields: this.#fields,
      lastSet: this.#lastSet,
      vouchers: this.#vouchers.size,
    }
  }

  #headAt({ height, tip, fields: at, lastSet, vouchers }: Mark): LedgerHead {
    const { members, set, nextSet, periods, ...fields } = at
    return {
      height,
      tip,
      fields,
      members: members.list(),
      periods: periods.map(({ members: then, ...start }) => ({
        ...start,
        past: members.sinceOf(then),
      })),
      set: set.members,
      ...(nextSet === set ? {} : { nextSet: nextSet.members }),
      lastSet: lastSet.members,
      // none is ever forgotten, so the first so many are those of then
      vouchers: [...this.#vouchers].slice(0, vouchers),
    }
  }

  get height(): number {
    return this.#height
  }
  /** Hash of the last block. */
  get tip(): Bytes {
    return this.#tip
  }
  get fields(): LedgerFields {
    return this.#fields
  }
  /** The period that is, and how it began. */
  get now(): PeriodStart {
    return this.#fields.periods[0]
  }

  /** A period's beginning, while it is remembered. */
  periodStart(period: number): PeriodStart | undefined {
    return this.#fields.periods.find((start) => start.period === period)
  }

  /** What members used up to join → their commitment, in the order in which they joined; those who left are among them. */
  get vouchers(): ReadonlyMap<string, Bytes> {
    return this.#vouchers
  }
  /** The term of the next block. */
  get term(): number {
    return termOf(this.#height + 1, this.rules.termHeights)
  }
  /** Validators of the next block's term. */
  get set(): ValidatorSet {
    return this.#fields.set
  }

  /** Validators of the last block's term. */
  get lastSet(): ValidatorSet {
    return this.#lastSet
  }

  has(item: Item): boolean {
    return this.#ids.has(keysOf(item).id)
  }

  /** Whether the state alone lets this item come next. */
  allows(item: Item): boolean {
    return this.#try(item, keysOf(item), this.#asIs()) !== undefined
  }

  /** Whether the state lets this change of the mesh happen next, whoever approves it. */
  permits(item: MemberRemoveItem | ValidatorsItem): boolean {
    if (item.type === "validators") return this.setAfter(item) !== undefined
    return this.#fields.members.has(item.commitment)
  }

  /** The block this batch would make at the next height. Changes nothing. */
  plan(batch: Batch): Plan {
    const trial = trialOn(this.#fields)
    const applied: Item[] = []
    const flags = new Uint8Array(Math.ceil(batch.items.length / 8))
    batch.items.forEach((item, i) => {
      const keys = keysOf(item)
      const fields = this.#try(item, keys, trial)
      if (fields === undefined) return
      use(item, keys, trial, fields)
      applied.push(item)
      flags[i >> 3] = (flags[i >> 3] ?? 0) | (1 << (i & 7))
    })
    const height = this.#height + 1
    const history = historyAfter(trial.fields.history, batch.digest, flags)
    const powOrdered = trial.fields.powOrdered + trial.work
    const fields = atBoundary(
      { ...trial.fields, powOrdered, history },
      height,
      this.rules.termHeights,
    )
    const stateRoot = stateRootOf(fields)
    const hash = blockHash(this.rules.meshId, {
      height,
      parent: this.#tip,
      digest: batch.digest,
      stateRoot,
    })
    return { height, parent: this.#tip, batch, stateRoot, hash, applied, fields }
  }

  /** Makes a plan the next block. The plan must have been made on this very state. */
  apply(plan: Plan): void {
    assert(
      plan.height === this.#height + 1 && plan.parent === this.#tip,
      "a plan is for this state",
    )
    const term = this.term
    const before = this.now.period
    const { period } = plan.fields.periods[0]
    for (const item of plan.applied) {
      const { id, spend, nullifier, root } = keysOf(item)
      this.#ids.set(id, term)
      if (spend === undefined) continue
      if (item.type === "member-add") this.#vouchers.set(spend, item.commitment)
      else this.#spends.set(spend, period)
      if (nullifier !== undefined && root !== undefined) {
        // Bound until its last use is forgotten; taken out first, so that the oldest stay in front.
        this.#roots.delete(nullifier)
        this.#roots.set(nullifier, { root, period })
      }
    }
    this.#lastSet = this.#fields.set
    this.#fields = plan.fields
    this.#height = plan.height
    this.#tip = plan.hash
    if (period !== before) this.#forgetSpends()
    if (plan.height % this.rules.termHeights !== 0) return
    this.#forgetIds()
    this.#boundary = this.#mark()
  }

  /** A trial that is only looked at. */
  #asIs(): Trial {
    this.#empty.fields = this.#fields
    return this.#empty
  }

  /** The fields after this item, or undefined when the state forbids it. */
  #try(item: Item, keys: ItemKeys, trial: Trial): LedgerFields | undefined {
    const { id, spend } = keys
    if (this.#ids.has(id) || trial.ids.has(id)) return undefined
    if (spend !== undefined && (this.#used(item, spend) || trial.spends.has(spend)))
      return undefined
    const { fields } = trial
    switch (item.type) {
      case "envelope":
        return this.#bindsOtherwise(keys, trial) ? undefined : fields
      case "member-add":
        if (!fields.members.takes(item.commitment)) return undefined
        return { ...fields, members: fields.members.add(item.commitment) }
      case "member-remove":
        if (!this.approvalCounts(item.term) || !fields.members.has(item.commitment))
          return undefined
        return { ...fields, members: fields.members.remove(item.commitment) }
      case "validators": {
        const nextSet = setAfter(fields, this.term, item)
        return nextSet === undefined ? undefined : { ...fields, nextSet }
      }
      case "tick":
        return this.#tryTick(item.period, trial)
    }
  }

  /** A period begins where the block before this one ends, whatever stands before the tick in this block. */
  #tryTick(period: number, { fields, work }: Trial): LedgerFields | undefined {
    const [now, ...earlier] = fields.periods
    if (period !== now.period + 1) return undefined
    const powBits = difficultyAfter(now.powBits, fields.powOrdered + work, this.rules.powBits)
    const start = { period, anchor: this.#tip, members: this.#fields.members, powBits }
    const kept = [now, ...earlier].slice(0, PERIODS_KEPT - 1)
    return { ...fields, periods: [start, ...kept], powOrdered: 0 }
  }

  /** Vouchers are remembered for ever, the spends of envelopes while their proofs could be shown again. */
  #used(item: Item, spend: string): boolean {
    return item.type === "member-add" ? this.#vouchers.has(spend) : this.#spends.has(spend)
  }

  /** The nullifier of a membership proof is bound to another root. */
  #bindsOtherwise({ nullifier, root }: ItemKeys, trial: Trial): boolean {
    if (nullifier === undefined) return false
    const bound = this.#roots.get(nullifier)?.root ?? trial.roots.get(nullifier)
    return bound !== undefined && bound !== root
  }

  /** Approvals given in this term count now; see `set-change`. */
  approvalCounts(approvedIn: number): boolean {
    return approvalCounts(this.#fields, this.term, approvedIn)
  }

  /** The set after a change, or undefined when it does not apply. */
  setAfter(item: ValidatorsItem): ValidatorSet | undefined {
    return setAfter(this.#fields, this.term, item)
  }

  #forgetSpends(): void {
    const oldest = this.now.period - SPEND_PERIODS
    for (const [key, period] of this.#spends) {
      if (period >= oldest) break
      this.#spends.delete(key)
    }
    for (const [key, { period }] of this.#roots) {
      if (period >= oldest) break
      this.#roots.delete(key)
    }
  }

  #forgetIds(): void {
    const oldest = this.term - this.rules.retentionTerms
    for (const [key, term] of this.#ids) {
      if (term >= oldest) break
      this.#ids.delete(key)
    }
  }
}
