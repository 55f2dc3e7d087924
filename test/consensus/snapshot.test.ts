/** Snapshots: whatever was ordered, a ledger that comes back from bytes is the one that went on, and nothing else comes back. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { MemberTree } from "../../src/consensus/member-tree.ts"
import { batchOf } from "../../src/consensus/item.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import {
  decodeHead,
  decodeTermUses,
  decodeUses,
  encodeHead,
  encodeTermUses,
  encodeUses,
  firstRemembered,
  type Head,
  Restoring,
  type BlockUses,
  type TermUses,
  usesAfter,
  usesStart,
} from "../../src/consensus/snapshot.ts"
import type { BlockRecord, Item } from "../../src/consensus/types.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { termOf } from "../../src/consensus/block.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"
import { type Bench, bench, certify, hash, proof, work } from "./parts.ts"

const TREE = {
  empty: () => MemberTree.empty(),
  restore: (list: readonly Bytes[]) => MemberTree.restore(list),
}

/** What may be asked for: few names, so that ids, spends, nullifiers and vouchers meet again and again. */
type Wish = readonly [kind: number, name: number, other: number]
const wishes = fc.array(fc.array(fc.tuple(fc.nat(6), fc.nat(40), fc.nat(5)), { maxLength: 4 }), {
  minLength: 1,
  maxLength: 60,
})

/** A number below the field's order, as the tree asks for. */
function member(name: number): Bytes {
  const commitment = hash(`member ${name}`).slice()
  commitment[0] = 0
  return commitment
}

function itemOf(parts: Bench, ledger: Ledger, [kind, name, other]: Wish): Item {
  if (kind === 0) return work(`work ${name}`)
  if (kind <= 2) return proof(`proof ${name}`, `nullifier ${other}`, name % 4, `root ${name % 2}`)
  if (kind === 3)
    return {
      type: "member-add",
      commitment: member(name),
      voucher: hash(`voucher ${other}`),
      evidence: new Uint8Array(0),
    }
  if (kind === 4)
    return {
      type: "member-remove",
      commitment: member(name * 2),
      term: ledger.term,
      approvals: [],
    }
  if (kind === 5) return { type: "tick", period: ledger.now.period + 1 }
  const { keys } = parts.ring.holder(4 + (name % 8))
  const seated = ledger.set.members.some(({ ed25519 }) => ed25519.join() === keys.ed25519.join())
  const add = seated ? [] : [{ keys, possession: new Uint8Array(0) }]
  const remove = seated && ledger.set.size > 2 ? [keys.ed25519] : []
  return { type: "validators", term: ledger.term, add, remove, approvals: [] }
}

/** A chain, and what a node keeps beside it. */
class Kept {
  readonly ledger: Ledger
  readonly blocks: BlockRecord[] = []
  readonly heads: { head: Bytes; block: BlockRecord; uses: readonly BlockUses[] }[] = []
  #terms: TermUses[] = []
  #uses: BlockUses[] = []
  #digest: Bytes
  readonly #parts: Bench

  constructor(parts: Bench) {
    this.#parts = parts
    this.ledger = new Ledger(parts.rules)
    this.#digest = usesStart(0)
  }

  block(asked: readonly Wish[]): void {
    const { ledger } = this
    const { rules } = this.#parts
    const items = asked.map((wish) => itemOf(this.#parts, ledger, wish))
    const { applied } = ledger.plan(batchOf(items))
    const block = certify(this.#parts, ledger, items)
    const { height } = block
    const { period } = ledger.now
    this.blocks.push(block)
    if (applied.length > 0) {
      const bytes = encodeUses(applied, period)
      this.#uses.push({ height, bytes })
      this.#digest = usesAfter(this.#digest, height, bytes)
    }
    if (height % rules.termHeights !== 0) return
    const term = termOf(height, rules.termHeights)
    this.#terms.push({ term, period, digest: this.#digest })
    this.#terms.splice(0, firstRemembered(this.#terms, rules, { term: term + 1, period }))
    this.#digest = usesStart(term + 1)
    const from = (this.#terms[0]?.term ?? term + 1) * rules.termHeights
    this.#uses = this.#uses.filter((uses) => uses.height > from)
    const head = encodeHead(rules, { state: ledger.boundary(), terms: this.#terms })
    this.heads.push({ head, block, uses: [...this.#uses] })
  }
}

function comeBack(parts: Bench, { head, block, uses }: Kept["heads"][number]): Ledger {
  const restoring = new Restoring(parts.rules, decodeHead(parts.rules, head))
  for (const each of decodeTermUses(encodeTermUses(uses))) restoring.take(each)
  return restoring.ledger(block)
}

/** Three terms with something of everything. */
function example(): { parts: Bench; kept: Kept } {
  const parts = bench(4)
  const kept = new Kept(parts)
  for (let n = 0; n < 3 * parts.rules.termHeights; n++)
    kept.block(
      [0, 1, 2, 3, 4, 5, 6]
        .slice(n % 2 === 0 ? 0 : 3, n % 7 === 0 ? 7 : 5)
        .map((kind) => [kind, n, n % 5]),
    )
  return { parts, kept }
}

describe("a snapshot", () => {
  it("gives back the ledger, whatever was ordered: same state, same memory, and the same chain from there on", () => {
    const listed = bench(4, "fast", 4)
    const tree: Bench = { ...listed, rules: { ...listed.rules, membership: TREE } }
    fc.assert(
      fc.property(wishes, wishes, fc.constantFrom(listed, tree), (before, after, parts) => {
        const kept = new Kept(parts)
        for (const asked of before) kept.block(asked)
        const newest = kept.heads.at(-1)
        if (newest === undefined) return
        const other = comeBack(parts, newest)
        for (const { batch } of kept.blocks.slice(other.height)) other.apply(other.plan(batch))
        assert.deepEqual(other.snapshot(), kept.ledger.snapshot())
        for (const asked of after) {
          const plan = other.plan(batchOf(asked.map((wish) => itemOf(parts, other, wish))))
          kept.block(asked)
          other.apply(plan)
          assert.deepEqual(other.tip, kept.ledger.tip)
        }
        assert.deepEqual(other.snapshot(), kept.ledger.snapshot())
      }),
      { numRuns: 150 },
    )
  })

  it("gives back every boundary of a chain, also one that another set of validators begins at", () => {
    const { parts, kept } = example()
    const at = new Ledger(parts.rules)
    let sets = 0
    for (const { batch } of kept.blocks) {
      at.apply(at.plan(batch))
      const head = kept.heads.find(({ block }) => block.height === at.height)
      if (head === undefined) continue
      const back = comeBack(parts, head)
      assert.deepEqual(back.snapshot(), at.snapshot())
      assert.deepEqual(back.lastSet.digest, at.lastSet.digest)
      if (back.set !== back.lastSet) sets++
    }
    assert(sets > 0, "a term began with another set")
  })

  it("is decoded strictly, in one way", () => {
    const { parts, kept } = example()
    const { head, uses } = kept.heads.at(-1)!
    strictDecoder(
      head,
      (bytes) => decodeHead(parts.rules, bytes),
      (value: Head) => encodeHead(parts.rules, value),
    )
    strictDecoder(uses[0]!.bytes, decodeUses)
    const term = encodeTermUses(uses.slice(0, 1))
    for (let cut = 1; cut < term.length; cut++)
      assert.match(
        codeOf(() => decodeTermUses(term.slice(0, cut))),
        /BAD_LENGTH|TOO_LARGE/,
      )
  })

  it("is of no use to a ledger with other rules, or in another mesh", () => {
    const { parts, kept } = example()
    const { head } = kept.heads.at(-1)!
    for (const other of [
      { meshId: hash("another mesh") },
      { termHeights: 16 },
      { powBits: 9 },
      { retentionTerms: 5 },
      { blockItemsMax: 17 },
    ])
      assert.equal(
        codeOf(() => decodeHead({ ...parts.rules, ...other }, head)),
        "BAD_VERSION",
      )
  })

  it("is refused when a block's uses are missing, altered, doubled or out of order", () => {
    const { parts, kept } = example()
    const newest = kept.heads.at(-1)!
    const { uses } = newest
    assert(uses.length > 10)
    const [first, second, ...rest] = uses
    const altered = { ...first!, bytes: first!.bytes.slice() }
    altered.bytes[8]! ^= 1
    for (const wrong of [
      uses.slice(1),
      uses.slice(0, -1),
      [altered, second!, ...rest],
      [first!, first!, second!, ...rest],
      [second!, first!, ...rest],
      [{ ...first!, height: second!.height - 1 }, second!, ...rest].filter(
        ({ height }, i, all) => i === 0 || height > all[i - 1]!.height,
      ),
    ].filter((each) => JSON.stringify(each) !== JSON.stringify(uses)))
      assert.equal(
        codeOf(() => comeBack(parts, { ...newest, uses: wrong })),
        "BAD_ENCODING",
      )
  })

  it("is refused beside a block that it does not lead to", () => {
    const { parts, kept } = example()
    const [older, newer] = kept.heads.slice(-2)
    assert.equal(
      codeOf(() => comeBack(parts, { ...newer!, block: older!.block })),
      "BAD_ENCODING",
    )
    const { rules } = parts
    const { state, terms } = decodeHead(rules, newer!.head)
    const changes: Partial<typeof state>[] = [
      { tip: older!.block.certificate.digest },
      { fields: { ...state.fields, powOrdered: state.fields.powOrdered + 1 } },
      { members: state.members.slice(1) },
      { set: state.set.slice(1) },
      { height: state.height - rules.termHeights },
    ]
    for (const change of changes) {
      const head = encodeHead(rules, {
        state: { ...state, ...change },
        terms: change.height === undefined ? terms : terms.slice(0, -1),
      })
      const uses = newer!.uses.filter(({ height }) => height <= (change.height ?? Infinity))
      assert.equal(
        codeOf(() => comeBack(parts, { ...newer!, head, uses })),
        "BAD_ENCODING",
      )
    }
  })
})
