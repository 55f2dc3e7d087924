/**
 * The ledger's snapshot in the store (consensus/snapshot.ts), written in one batch with the last block of a term: what the term used up,
 * and the head. A start replays only what came after; a snapshot that is damaged, foreign or of another program is thrown away, and
 * the whole chain replayed. Table `ledger`: `u` ‖ term 8 → uses, `head` → head.
 */
import { termOf } from "../../consensus/block.ts"
import type { Ledger, LedgerRules } from "../../consensus/ledger.ts"
import {
  type BlockUses,
  decodeHead,
  decodeTermUses,
  encodeHead,
  encodeTermUses,
  encodeUses,
  firstRemembered,
  type Head,
  periodOf,
  Restoring,
  type TermUses,
  usesAfter,
  usesStart,
} from "../../consensus/snapshot.ts"
import type { BlockRecord, Item } from "../../consensus/types.ts"
import { type Bytes, concat, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { Store, Write } from "../store/store.ts"

const HEAD = utf8("head")
const NOTHING = new Uint8Array(0)
const usesKey = (term: number) => concat(utf8("u"), new Writer().u64(term).finish())
const SLICE_MS = 8

/** What the blocks up to a height used up. A value: `after` makes the next one. */
export class UsesSoFar {
  readonly #rules: LedgerRules
  /** Full terms of which something is remembered. */
  readonly terms: readonly TermUses[]
  readonly #period: number
  /** Of the term that the next block belongs to. */
  readonly #digest: Bytes
  readonly #blocks: readonly BlockUses[]

  private constructor(rules: LedgerRules, terms: readonly TermUses[], at: Open) {
    this.#rules = rules
    this.terms = terms
    this.#period = at.period
    this.#digest = at.digest
    this.#blocks = at.blocks
  }

  static atGenesis = (rules: LedgerRules) =>
    new UsesSoFar(rules, [], { period: 0, digest: usesStart(0), blocks: [] })

  static at(rules: LedgerRules, { state, terms }: Head): UsesSoFar {
    const digest = usesStart(termOf(state.height + 1, rules.termHeights))
    return new UsesSoFar(rules, terms, { period: periodOf(state), digest, blocks: [] })
  }

  /** One block on; at the end of a term, what has to be written with it. */
  after(height: number, applied: readonly Item[]): { next: UsesSoFar; writes: readonly Write[] } {
    const { termHeights } = this.#rules
    let period = this.#period
    for (const item of applied) if (item.type === "tick") period = item.period
    let digest = this.#digest
    let blocks = this.#blocks
    if (applied.length > 0) {
      const bytes = encodeUses(applied, period)
      digest = usesAfter(digest, height, bytes)
      blocks = [...blocks, { height, bytes }]
    }
    if (height % termHeights !== 0)
      return {
        next: new UsesSoFar(this.#rules, this.terms, { period, digest, blocks }),
        writes: [],
      }
    const ended = termOf(height, termHeights)
    const all = [...this.terms, { term: ended, period, digest }]
    const first = firstRemembered(all, this.#rules, { term: ended + 1, period })
    const open = { period, digest: usesStart(ended + 1), blocks: [] }
    const writes = [usesWrite(ended, encodeTermUses(blocks))]
    for (const { term } of all.slice(0, first)) writes.push(usesWrite(term, undefined))
    return { next: new UsesSoFar(this.#rules, all.slice(first), open), writes }
  }
}

/** The term that is open. */
interface Open {
  readonly period: number
  readonly digest: Bytes
  readonly blocks: readonly BlockUses[]
}

const usesWrite = (term: number, value: Bytes | undefined): Write => ({
  table: "ledger",
  key: usesKey(term),
  value,
})

/** For a ledger whose last full term ended where `uses` stands. */
export const headOf = (ledger: Ledger, uses: UsesSoFar): Bytes =>
  encodeHead(ledger.rules, { state: ledger.boundary(), terms: uses.terms })

/** `undefined` drops the head. */
export const headWrite = (value: Bytes | undefined): Write => ({
  table: "ledger",
  key: HEAD,
  value,
})

export const storedHead = (store: Store): Promise<Bytes | undefined> => store.get("ledger", HEAD)

/** Undefined for bytes that are no head under these rules. */
export function headHeight(rules: LedgerRules, bytes: Bytes): number | undefined {
  try {
    return decodeHead(rules, bytes).state.height
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

/** The ledger at the newest snapshot, or why there is none. Throws StoreError. */
export async function resume(
  store: Store,
  rules: LedgerRules,
  block: (height: number) => Promise<BlockRecord | undefined>,
): Promise<{ ledger: Ledger; uses: UsesSoFar } | { without: string }> {
  const bytes = await storedHead(store)
  if (bytes === undefined) return { without: "none was made yet" }
  try {
    const head = decodeHead(rules, bytes)
    const restoring = new Restoring(rules, head)
    let began = performance.now()
    for (const { term } of head.terms)
      for (const uses of decodeTermUses((await store.get("ledger", usesKey(term))) ?? NOTHING)) {
        restoring.take(uses)
        if (performance.now() - began < SLICE_MS) continue
        await new Promise((resolve) => setImmediate(resolve))
        began = performance.now()
      }
    const last = await block(head.state.height)
    if (last === undefined) return { without: "its block is not in the chain" }
    return { ledger: restoring.ledger(last), uses: UsesSoFar.at(rules, head) }
  } catch (error) {
    if (error instanceof CryptoError) return { without: `${error.code}: ${error.message}` }
    throw error
  }
}
