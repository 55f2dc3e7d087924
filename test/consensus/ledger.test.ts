/** The ledger's state: what may be ordered, once, and what it changes. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { hasQuorum } from "../../src/consensus/approval.ts"
import {
  DIFFICULTY_CLIMB_MAX,
  difficultyAfter,
  FALL_MAX,
  RISE_MAX,
  WORK_PER_PERIOD,
} from "../../src/consensus/difficulty.ts"
import { batchOf, NULL_BATCH, subjectOf } from "../../src/consensus/item.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import { faulty, primaryOf, quorumOf } from "../../src/consensus/quorum.ts"
import type { Item, MemberAddItem, ValidatorsItem } from "../../src/consensus/types.ts"
import { bench, hash, proof, work } from "./parts.ts"

const apply = (ledger: Ledger, ...items: readonly Item[]): readonly Item[] => {
  const plan = ledger.plan(batchOf(items))
  ledger.apply(plan)
  return plan.applied
}
const fillTerm = (ledger: Ledger): void => {
  do ledger.apply(ledger.plan(NULL_BATCH))
  while (ledger.height % ledger.rules.termHeights !== 0)
}
const member = (name: string, voucher = name): MemberAddItem => ({
  type: "member-add",
  commitment: hash(name),
  voucher: hash(`voucher ${voucher}`),
  evidence: new Uint8Array(0),
})

describe("quorums", () => {
  it("of n = 3f+1 are the paper's 2f+1", () => {
    for (let f = 0; f < 20; f++) {
      assert.equal(faulty(3 * f + 1), f)
      assert.equal(quorumOf(3 * f + 1), 2 * f + 1)
    }
  })
  it("of any size share f+1 members, and the correct ones alone reach them", () => {
    for (let n = 1; n <= 64; n++) {
      assert.ok(2 * quorumOf(n) - n >= faulty(n) + 1)
      assert.ok(n - faulty(n) >= quorumOf(n))
    }
  })
  it("rotate their primary with term and view", () => {
    assert.equal(primaryOf(0, 0, 4), 0)
    assert.equal(primaryOf(1, 0, 4), 1)
    assert.equal(primaryOf(1, 3, 4), 0)
  })
})

describe("ordering", () => {
  it("takes an id once, whatever admission it comes with the second time", () => {
    const ledger = new Ledger(bench(4).rules)
    assert.equal(apply(ledger, work("a")).length, 1)
    assert.equal(apply(ledger, { ...work("a"), spend: hash("another proof") }).length, 0)
    assert.equal(ledger.allows(work("a")), false)
  })
  it("takes a spend once, within a block as between blocks", () => {
    const ledger = new Ledger(bench(4).rules)
    const rival = { ...work("b"), spend: work("a").spend }
    assert.deepEqual(apply(ledger, work("a"), rival), [work("a")])
    assert.deepEqual(apply(ledger, rival), [])
  })
  it("binds a nullifier to the first root that is ordered; other key indices of that root go on", () => {
    const ledger = new Ledger(bench(4).rules)
    const first = proof("a", "n", 0, "root")
    const second = proof("b", "n", 1, "root")
    const forked = proof("c", "n", 2, "other root")
    assert.deepEqual(apply(ledger, first, forked, second), [first, second])
    assert.deepEqual(apply(ledger, forked), [])
  })
  it("plans without a trace", () => {
    const ledger = new Ledger(bench(4).rules)
    const before = JSON.stringify(ledger.snapshot())
    const plan = ledger.plan(batchOf([work("a"), member("m")]))
    assert.equal(JSON.stringify(ledger.snapshot()), before)
    assert.deepEqual(ledger.plan(batchOf([work("a"), member("m")])).hash, plan.hash)
  })
  it("chains null blocks like any other", () => {
    const ledger = new Ledger(bench(4).rules)
    const { tip } = ledger
    ledger.apply(ledger.plan(NULL_BATCH))
    assert.equal(ledger.height, 1)
    assert.notDeepEqual(ledger.tip, tip)
  })
})

describe("periods", () => {
  it("follow each other one by one", () => {
    const ledger = new Ledger(bench(4).rules)
    assert.equal(apply(ledger, { type: "tick", period: 2 }).length, 0)
    assert.equal(apply(ledger, { type: "tick", period: 1 }).length, 1)
    assert.equal(apply(ledger, { type: "tick", period: 1 }).length, 0)
    assert.equal(ledger.now.period, 1)
  })
  it("forget spends once their proofs have left the window, and ids only with their terms", () => {
    const ledger = new Ledger(bench(4).rules)
    apply(ledger, work("a"))
    const again = { ...work("b"), spend: work("a").spend }
    for (let period = 1; period <= 3; period++) {
      assert.equal(ledger.allows(again), false, `period ${period - 1}`)
      apply(ledger, { type: "tick", period })
    }
    assert.equal(ledger.allows(again), true)
    assert.equal(ledger.allows(work("a")), false)
    for (let term = 0; term < 6; term++) fillTerm(ledger)
    assert.equal(ledger.allows({ ...work("a"), spend: hash("fresh") }), true)
  })
  it("begin at the block before them: its hash is what work is bound to, and its members are whom the next period's proofs speak of", () => {
    const { rules } = bench(4)
    const ledger = new Ledger(rules)
    assert.deepEqual(ledger.now.anchor, rules.meshId)
    apply(ledger, member("a"))
    const { tip } = ledger
    const { root } = ledger.fields.members
    apply(ledger, member("b"), { type: "tick", period: 1 }, member("c"))
    assert.equal(ledger.now.period, 1)
    assert.deepEqual(ledger.now.anchor, tip)
    assert.deepEqual(ledger.now.members.root, root)
    for (let period = 2; period <= 4; period++) apply(ledger, { type: "tick", period })
    assert.deepEqual(
      ledger.fields.periods.map((start) => start.period),
      [4, 3, 2],
    )
    assert.equal(ledger.periodStart(1), undefined)
    assert.ok(ledger.periodStart(2)?.members.has(hash("c")))
  })
})

describe("the price of work", () => {
  it("follows what the last period ordered, in doublings, and never goes below the genesis", () => {
    const t = WORK_PER_PERIOD
    assert.equal(difficultyAfter(8, 0, 8), 8)
    assert.equal(difficultyAfter(20, 0, 8), 20 - FALL_MAX)
    assert.equal(difficultyAfter(10, t / 2 - 1, 8), 9)
    assert.equal(difficultyAfter(10, t / 2, 8), 10)
    assert.equal(difficultyAfter(10, 2 * t, 8), 10)
    assert.equal(difficultyAfter(10, 2 * t + 1, 8), 11)
    assert.equal(difficultyAfter(10, 4 * t + 1, 8), 12)
    assert.equal(difficultyAfter(10, 1000 * t, 8), 10 + RISE_MAX)
    assert.equal(difficultyAfter(8 + DIFFICULTY_CLIMB_MAX, 1000 * t, 8), 8 + DIFFICULTY_CLIMB_MAX)
  })

  it("through a day: people pay the least, a flood prices itself out in minutes, and soon after it all is as before", () => {
    const floor = 14
    /** Hashes a period that a flood of two hours can pay for: 64 cores' worth, a million a second each. */
    const floodHashes = 64 * 1_000_000 * 60
    let bits = floor
    const day = Array.from({ length: 24 * 60 }, (_, minute) => {
      const hour = minute / 60
      // People write most in the evening; they are members or write little, so few pay by work.
      const people = Math.round(60 + 60 * Math.sin(((hour - 14) / 24) * 2 * Math.PI))
      const flood = hour >= 9 && hour < 11 ? Math.floor(floodHashes / 2 ** bits) : 0
      const now = { minute, bits, people, flood }
      bits = difficultyAfter(bits, people + flood, floor)
      return now
    })
    const between = (from: number, to: number) =>
      day.filter(({ minute }) => minute >= from * 60 && minute < to * 60)
    assert.ok(between(0, 9).every((now) => now.bits === floor))
    assert.ok(between(9, 9.01)[0]!.flood > 200_000, "it begins as a real flood")
    const after3 = between(9.1, 11)
    assert.ok(
      after3.every(({ people, flood }) => people + flood <= 4 * WORK_PER_PERIOD),
      "in six minutes the flood orders no more than a few hundred envelopes a minute",
    )
    // And it stays so: no swinging between cheap and dear.
    const prices = new Set(after3.map((now) => now.bits))
    assert.ok(Math.max(...prices) - Math.min(...prices) <= 2, `prices ${[...prices].join()}`)
    assert.ok(between(11.2, 24).every((now) => now.bits === floor))
  })
})

describe("members", () => {
  it("join with a voucher that works once for ever", () => {
    const ledger = new Ledger(bench(4).rules)
    const root = ledger.fields.members.root
    assert.equal(apply(ledger, member("a")).length, 1)
    assert.notDeepEqual(ledger.fields.members.root, root)
    assert.equal(apply(ledger, member("b", "a")).length, 0)
    assert.equal(apply(ledger, member("a", "c")).length, 0)
  })
  it("leave when operators say so, in the terms in which they said it", () => {
    const ledger = new Ledger(bench(4).rules)
    apply(ledger, member("a"))
    const remove: Item = { type: "member-remove", commitment: hash("a"), term: 0, approvals: [] }
    assert.equal(ledger.allows({ ...remove, term: 1 }), false)
    assert.equal(apply(ledger, remove).length, 1)
    assert.equal(ledger.fields.members.has(hash("a")), false)
  })
})

describe("validators", () => {
  const change = (more: Partial<ValidatorsItem>): ValidatorsItem => ({
    type: "validators",
    add: [],
    remove: [],
    term: 0,
    approvals: [],
    ...more,
  })

  it("change with the next term, one change a term, and the boundary's state covers it", () => {
    const parts = bench(4)
    const ledger = new Ledger(parts.rules)
    const { keys } = parts.ring.holder(5)
    const add = change({ add: [{ keys, possession: new Uint8Array(0) }] })
    assert.equal(apply(ledger, add).length, 1)
    const other = change({ remove: [ledger.set.members[0]!.ed25519] })
    assert.equal(ledger.allows(other), false)
    assert.equal(ledger.set.size, 4)
    fillTerm(ledger)
    assert.equal(ledger.set.size, 5)
    assert.equal(ledger.lastSet.size, 4)
    // Seats have moved: approvals given under the old set count no more.
    assert.equal(ledger.allows(other), false)
    assert.equal(ledger.allows({ ...other, term: 1 }), true)
  })
  it("are distinct, exist when removed, and never none", () => {
    const parts = bench(1)
    const ledger = new Ledger(parts.rules)
    const [own] = ledger.set.members
    const possession = new Uint8Array(0)
    const { keys } = parts.ring.holder(5)
    assert.equal(ledger.allows(change({})), false)
    assert.equal(ledger.allows(change({ remove: [own!.ed25519] })), false)
    assert.equal(ledger.allows(change({ remove: [hash("nobody")] })), false)
    assert.equal(ledger.allows(change({ add: [{ keys: own!, possession }] })), false)
    const halfStolen = { ...keys, mlDsa65: own!.mlDsa65 }
    assert.equal(ledger.allows(change({ add: [{ keys: halfStolen, possession }] })), false)
    assert.equal(ledger.allows(change({ add: [{ keys, possession }] })), true)
  })
  it("are approved by a quorum of operators and by the new key itself", () => {
    const parts = bench(4)
    const { set, rules } = new Ledger(parts.rules)
    const newcomer = parts.ring.holder(5)
    const draft = change({ add: [{ keys: newcomer.keys, possession: new Uint8Array(0) }] })
    const subject = subjectOf(draft, rules.meshId, set.digest)
    const approvals = [0, 1, 2].map((signer) => ({
      signer,
      signature: parts.holderOf(set, signer).sign(subject),
    }))
    const add = [{ keys: newcomer.keys, possession: newcomer.sign(subject) }]
    const judge = (item: ValidatorsItem): boolean =>
      hasQuorum(item, rules.meshId, set, parts.ring.scheme)
    assert.equal(judge({ ...draft, add, approvals }), true)
    assert.equal(judge({ ...draft, add, approvals: approvals.slice(1) }), false)
    assert.equal(
      judge({ ...draft, add, approvals: [approvals[0]!, ...approvals.slice(0, 2)] }),
      false,
    )
    assert.equal(judge({ ...draft, approvals }), false)
    assert.equal(judge({ ...draft, add, approvals, term: 1 }), false)
    const stranger = { signer: 3, signature: newcomer.sign(subject) }
    assert.equal(judge({ ...draft, add, approvals: [...approvals, stranger] }), false)
  })
})

describe("snapshots", () => {
  it("resume as the same ledger: same state root, same memory", () => {
    const { rules } = bench(4)
    const ledger = new Ledger(rules)
    apply(ledger, member("z"), member("a"), work("w"), proof("p", "n", 0, "r"))
    apply(ledger, member("m"), { type: "tick", period: 1 })
    const back = new Ledger(rules, ledger.snapshot())
    assert.deepEqual(back.snapshot(), ledger.snapshot())
    for (const item of [work("w"), work("new"), proof("q", "n", 1, "other"), member("z", "y")])
      assert.equal(back.allows(item), ledger.allows(item))
    // Members hashed in the order of arrival would differ here: a snapshot lists them sorted.
    const next = batchOf([member("b")])
    assert.deepEqual(back.plan(next).hash, ledger.plan(next).hash)
  })
})
