/**
 * A ledger's state as bytes, so that a start need not replay the chain: the head, which stands for everything small, and for each term
 * what its blocks used up (ids, spends, key roots), written once. A head names the digest of every term's uses that are still
 * remembered, and ends in a digest of itself. Both halves together give back exactly the ledger that a replay would.
 *
 * A snapshot is a shortcut and no proof: whoever reads one holds its state against the stored block of its height, whose hash
 * covers the state root. What does not decode, belong together or fit that block is thrown away, and the chain replayed.
 *
 *   head   version 1 ‖ rules 32 ‖ height 8 ‖ tip 32 ‖ fields ‖ sets ‖ members ‖ periods ‖ vouchers ‖ terms ‖ digest of all before 32
 *   uses   of a term: blocks that used something up, each: height 8 ‖ length 4 ‖ uses
 *          of a block: period 4 ‖ count 2 ‖ each: kind 1 (0 id, 1 and spend, 2 and key root) ‖ id 32 [‖ spend 32 [‖ root 16]]
 */
import { concat, equal, Reader, Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { assert, CryptoError } from "../crypto/errors.ts"
import { primitives } from "#primitives"
import { blockHash, termOf } from "./block.ts"
import { bytesOfKey, itemId, keyOf, NULLIFIER_TAG_BYTES, ROOT_TAG_BYTES, spendOf } from "./item.ts"
import { Ledger } from "./ledger.ts"
import type { LedgerHead, LedgerRules, LedgerSnapshot } from "./ledger.ts"
import {
  BLOCK_ITEMS_MAX,
  DIGEST_BYTES,
  ED25519_PUBLIC_BYTES,
  ML_DSA_65_PUBLIC_BYTES,
  SLH_DSA_PUBLIC_BYTES,
  SPEND_PERIODS,
  VALIDATORS_MAX,
} from "./limits.ts"
import { keysAreDistinct, writeKeys } from "./quorum.ts"
import { PERIODS_KEPT, stateRootOf } from "./state.ts"
import type { BlockRecord, Item, ValidatorKeys } from "./types.ts"

const VERSION = 1
const RULES_DOMAIN = new Writer().text("sotto/snapshot-rules/1", 1).finish()
const HEAD_DOMAIN = new Writer().text("sotto/snapshot/1", 1).finish()
const USES_DOMAIN = new Writer().text("sotto/snapshot-uses/1", 1).finish()

/** What the blocks of a term used up, in short. */
export interface TermUses {
  readonly term: number
  /** The ledger's period after the term. */
  readonly period: number
  /** Runs over the term's uses, block by block; see `usesAfter`. */
  readonly digest: Bytes
}

/** The ledger's period at a state. */
export const periodOf = ({ periods }: Pick<LedgerHead, "periods">): number =>
  periods[0]?.period ?? 0

export interface Head {
  readonly state: LedgerHead
  /** Every term of which something is still remembered, ascending without a gap; the last ends at the state's height. */
  readonly terms: readonly TermUses[]
}

/** A snapshot made under other rules, or by a program that knew others, is of no use. */
const rulesDigest = (rules: LedgerRules): Bytes => {
  const writer = new Writer().raw(RULES_DOMAIN).raw(rules.meshId).u32(rules.termHeights)
  writer.u32(rules.blockItemsMax).u16(rules.powBits).u32(rules.retentionTerms).u32(SPEND_PERIODS)
  return primitives.sha3_256(writer.finish())
}

function writeSet(writer: Writer, keys: readonly ValidatorKeys[]): void {
  writer.u16(keys.length)
  for (const each of keys) writeKeys(writer, each)
}

function writeAll(writer: Writer, values: readonly Bytes[]): void {
  writer.u32(values.length)
  for (const value of values) writer.raw(value)
}

/** What the state gains one day has to be written here as well: until it is, this does not compile. */
const allIsWritten = (rest: Readonly<Record<string, never>>): void =>
  assert(Object.keys(rest).length === 0, "a snapshot holds the whole state")

type Period = LedgerHead["periods"][number]

function writePeriod(
  writer: Writer,
  { period, anchor, powBits, past, ...unwritten }: Period,
): void {
  const { size, gone, ...unknown } = past
  allIsWritten(unwritten)
  allIsWritten(unknown)
  writer.u32(period).raw(anchor).u16(powBits).u32(size).u32(gone.length)
  for (const [place, commitment] of gone) writer.u32(place).raw(commitment)
}

function readPeriod(reader: Reader): Period {
  const period = reader.u32()
  const anchor = reader.raw(DIGEST_BYTES)
  const powBits = reader.u16()
  const size = reader.u32()
  const gone: (readonly [number, Bytes])[] = []
  for (let left = readCount(reader, 4 + DIGEST_BYTES); left > 0; left--)
    gone.push([reader.u32(), reader.raw(DIGEST_BYTES)])
  return { period, anchor, powBits, past: { size, gone } }
}

/** One at least: the period that is. */
function readPeriods(reader: Reader): Period[] {
  const count = reader.u8()
  if (count === 0 || count > PERIODS_KEPT) throw new CryptoError("TOO_LARGE", `${count} periods`)
  return Array.from({ length: count }, () => readPeriod(reader))
}

function readVouchers(reader: Reader): LedgerHead["vouchers"] {
  const vouchers: (readonly [string, Bytes])[] = []
  for (let left = readCount(reader, 2 * DIGEST_BYTES); left > 0; left--)
    vouchers.push([keyOf(reader.raw(DIGEST_BYTES)), reader.raw(DIGEST_BYTES)])
  return vouchers
}

export function encodeHead(rules: LedgerRules, { state, terms }: Head): Bytes {
  const { height, tip, fields, set, nextSet, lastSet, ...others } = state
  const { members, periods, vouchers, ...unknown } = others
  const { setSince, powOrdered, history, ...unwritten } = fields
  allIsWritten(unknown)
  allIsWritten(unwritten)
  const writer = new Writer().u8(VERSION).raw(rulesDigest(rules)).u64(height).raw(tip)
  writer.u32(setSince).u32(powOrdered).raw(history)
  writeSet(writer, set)
  writer.u8(nextSet === undefined ? 0 : 1)
  if (nextSet !== undefined) writeSet(writer, nextSet)
  writeSet(writer, lastSet)
  writeAll(writer, members)
  writer.u8(periods.length)
  for (const each of periods) writePeriod(writer, each)
  writer.u32(vouchers.length)
  for (const [voucher, commitment] of vouchers) writer.raw(bytesOfKey(voucher)).raw(commitment)
  writer.u32(terms.length)
  for (const each of terms) writer.u32(each.term).u32(each.period).raw(each.digest)
  const body = writer.finish()
  return concat(body, primitives.sha3_256(HEAD_DOMAIN, body))
}

/** At least one, and no key twice. */
function readSet(reader: Reader): ValidatorKeys[] {
  const count = reader.u16()
  if (count > VALIDATORS_MAX) throw new CryptoError("TOO_LARGE", `${count} validators`)
  const keys = Array.from({ length: count }, () => ({
    ed25519: reader.raw(ED25519_PUBLIC_BYTES),
    mlDsa65: reader.raw(ML_DSA_65_PUBLIC_BYTES),
    slhDsa: reader.raw(SLH_DSA_PUBLIC_BYTES),
  }))
  if (count === 0 || !keysAreDistinct(keys))
    throw new CryptoError("BAD_ENCODING", "that is no set of validators")
  return keys
}

/** A count of four bytes, and as many values of a size as are really there. */
function readCount(reader: Reader, bytesEach: number): number {
  const count = reader.u32()
  if (count * bytesEach > reader.left) throw new CryptoError("BAD_LENGTH", `${count} values`)
  return count
}

const readAll = (reader: Reader): Bytes[] =>
  Array.from({ length: readCount(reader, DIGEST_BYTES) }, () => reader.raw(DIGEST_BYTES))

function readFlag(reader: Reader): boolean {
  const flag = reader.u8()
  if (flag > 1) throw new CryptoError("BAD_ENCODING", "neither 0 nor 1")
  return flag === 1
}

function readTerms(reader: Reader, lastTerm: number): TermUses[] {
  const terms: TermUses[] = []
  for (let left = readCount(reader, 8 + DIGEST_BYTES); left > 0; left--) {
    const [term, period] = [reader.u32(), reader.u32()]
    if (term !== lastTerm + 1 - left) throw new CryptoError("BAD_ENCODING", "a term is missing")
    terms.push({ term, period, digest: reader.raw(DIGEST_BYTES) })
  }
  return terms
}

/** Throws CryptoError; BAD_VERSION also when it was made under other rules. */
export function decodeHead(rules: LedgerRules, bytes: Bytes): Head {
  const body = bytes.subarray(0, Math.max(0, bytes.length - DIGEST_BYTES))
  const reader = new Reader(bytes)
  if (reader.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "a snapshot of another version")
  if (!equal(reader.raw(DIGEST_BYTES), rulesDigest(rules)))
    throw new CryptoError("BAD_VERSION", "a snapshot of another ledger")
  const height = reader.u64()
  const tip = reader.raw(DIGEST_BYTES)
  const fields = {
    setSince: reader.u32(),
    powOrdered: reader.u32(),
    history: reader.raw(DIGEST_BYTES),
  }
  const set = readSet(reader)
  const nextSet = readFlag(reader) ? { nextSet: readSet(reader) } : {}
  const lastSet = readSet(reader)
  const members = readAll(reader)
  const periods = readPeriods(reader)
  const vouchers = readVouchers(reader)
  const terms = readTerms(reader, termOf(height, rules.termHeights))
  const digest = reader.raw(DIGEST_BYTES)
  reader.done()
  if (!equal(digest, primitives.sha3_256(HEAD_DOMAIN, body)))
    throw new CryptoError("BAD_ENCODING", "a damaged snapshot")
  const state = { height, tip, fields, set, ...nextSet, lastSet, members, periods, vouchers }
  return { state, terms }
}

// ---- what blocks use up

const KIND = { id: 0, spend: 1, root: 2 } as const

/** What a block's items used up, in the period after it. Vouchers are not among it: the head has them all. */
export function encodeUses(applied: readonly Item[], period: number): Bytes {
  const writer = new Writer().u32(period).u16(applied.length)
  for (const item of applied) {
    const spend = item.type === "envelope" ? spendOf(item) : undefined
    const root = item.type === "envelope" ? item.root : undefined
    if (spend === undefined) writer.u8(KIND.id).raw(itemId(item))
    else if (root === undefined) writer.u8(KIND.spend).raw(itemId(item)).raw(spend)
    else writer.u8(KIND.root).raw(itemId(item)).raw(spend).raw(root)
  }
  return writer.finish()
}

export interface Uses {
  readonly period: number
  readonly items: readonly {
    readonly id: Bytes
    readonly spend?: Bytes
    readonly root?: Bytes
  }[]
}

/** Throws CryptoError. */
export function decodeUses(bytes: Bytes): Uses {
  const reader = new Reader(bytes)
  const period = reader.u32()
  const count = reader.u16()
  if (count > BLOCK_ITEMS_MAX) throw new CryptoError("TOO_LARGE", `${count} items`)
  const items: Uses["items"][number][] = []
  for (let i = 0; i < count; i++) {
    const kind = reader.u8()
    if (kind > KIND.root) throw new CryptoError("BAD_ENCODING", `no use is of kind ${kind}`)
    const id = reader.raw(DIGEST_BYTES)
    if (kind === KIND.id) items.push({ id })
    else {
      const spend = reader.raw(DIGEST_BYTES)
      items.push(
        kind === KIND.spend ? { id, spend } : { id, spend, root: reader.raw(ROOT_TAG_BYTES) },
      )
    }
  }
  reader.done()
  return { period, items }
}

/** The digest of a term's uses begins with its number. */
export const usesStart = (term: number): Bytes =>
  primitives.sha3_256(USES_DOMAIN, new Writer().u32(term).finish())

/** Over the block of this height as well. */
export const usesAfter = (digest: Bytes, height: number, uses: Bytes): Bytes =>
  primitives.sha3_256(USES_DOMAIN, digest, new Writer().u64(height).finish(), uses)

/** The first of `terms` of which something is still remembered at a state's height, or the number of them. */
export function firstRemembered(
  terms: readonly TermUses[],
  { retentionTerms }: LedgerRules,
  now: { readonly term: number; readonly period: number },
): number {
  const oldestTerm = now.term - retentionTerms
  const oldestPeriod = now.period - SPEND_PERIODS
  const first = terms.findIndex(({ term, period }) => term >= oldestTerm || period >= oldestPeriod)
  return first === -1 ? terms.length : first
}

/** What one block used up, encoded. */
export interface BlockUses {
  readonly height: number
  readonly bytes: Bytes
}

/** A term's blocks by height, without those that used nothing up. */
export function encodeTermUses(blocks: readonly BlockUses[]): Bytes {
  const writer = new Writer()
  for (const { height, bytes } of blocks) writer.u64(height).bytes(bytes, 4)
  return writer.finish()
}

/** Throws CryptoError. */
export function decodeTermUses(bytes: Bytes): BlockUses[] {
  const reader = new Reader(bytes)
  const blocks: BlockUses[] = []
  while (reader.left > 0)
    blocks.push({ height: reader.u64(), bytes: reader.bytes(4, bytes.length) })
  return blocks
}

// ---- back to a ledger

/** Gathers what blocks used up, held against what a head says of it, until the ledger can be made. */
export class Restoring {
  readonly #rules: LedgerRules
  readonly #head: Head
  readonly #digests = new Map<number, Bytes>()
  readonly #ids = new Map<string, number>()
  readonly #spends = new Map<string, number>()
  readonly #roots = new Map<string, { readonly root: string; readonly period: number }>()
  #height = 0

  constructor(rules: LedgerRules, head: Head) {
    this.#rules = rules
    this.#head = head
    for (const { term } of head.terms) this.#digests.set(term, usesStart(term))
  }

  /** In order of height. Throws CryptoError. */
  take({ height, bytes }: BlockUses): void {
    const { state } = this.#head
    const term = termOf(height, this.#rules.termHeights)
    const before = this.#digests.get(term)
    if (before === undefined || height <= this.#height || height > state.height)
      throw new CryptoError("BAD_ENCODING", "uses of a block that is not asked for")
    this.#height = height
    this.#digests.set(term, usesAfter(before, height, bytes))
    const { period, items } = decodeUses(bytes)
    const isIdKept = term >= this.#termAfter - this.#rules.retentionTerms
    const isSpendKept = period >= periodOf(state) - SPEND_PERIODS
    for (const { id, spend, root } of items) {
      if (isIdKept) this.#ids.set(keyOf(id), term)
      if (spend === undefined || !isSpendKept) continue
      this.#spends.set(keyOf(spend), period)
      if (root === undefined) continue
      const nullifier = keyOf(spend.subarray(0, NULLIFIER_TAG_BYTES))
      this.#roots.delete(nullifier)
      this.#roots.set(nullifier, { root: keyOf(root), period })
    }
  }

  get #termAfter(): number {
    return termOf(this.#head.state.height + 1, this.#rules.termHeights)
  }

  /** The ledger, if all that was taken is all that the head speaks of and leads to this block. Throws CryptoError. */
  ledger(block: BlockRecord): Ledger {
    const { state, terms } = this.#head
    for (const { term, digest } of terms)
      if (!equal(this.#digests.get(term) ?? new Uint8Array(0), digest))
        throw new CryptoError("BAD_ENCODING", `the uses of term ${term} are not all there`)
    const snapshot: LedgerSnapshot = {
      ...state,
      ids: [...this.#ids],
      spends: [...this.#spends],
      roots: [...this.#roots],
    }
    const ledger = new Ledger(this.#rules, snapshot)
    if (!this.#leadsTo(ledger, block))
      throw new CryptoError("BAD_ENCODING", "not the state of the stored block")
    return ledger
  }

  #leadsTo({ height, tip, fields }: Ledger, block: BlockRecord): boolean {
    const { parent, stateRoot, batch, certificate } = block
    const header = { height, parent, digest: batch.digest, stateRoot }
    return (
      block.height === height &&
      equal(certificate.digest, tip) &&
      equal(blockHash(this.#rules.meshId, header), tip) &&
      equal(stateRootOf(fields), stateRoot)
    )
  }
}
