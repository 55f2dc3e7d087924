/** What admission is told by the ledger: which period, under which root, by which way, at which price. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { batchOf } from "../../../src/consensus/item.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import { MemberTree } from "../../../src/consensus/member-tree.ts"
import type { Item } from "../../../src/consensus/types.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { bytesOfNumber } from "../../../src/crypto/membership/field.ts"
import { LedgerPeriods } from "../../../src/node/ledger/periods.ts"
import { bench, hash } from "../../consensus/parts.ts"

const commitment = (n: number) => bytesOfNumber(BigInt(n))
const joins = (n: number): Item => ({
  type: "member-add",
  commitment: commitment(n),
  voucher: hash(`voucher ${n}`),
  evidence: new Uint8Array(0),
})
const tick = (period: number): Item => ({ type: "tick", period })

function mesh() {
  const rules = {
    ...bench(4).rules,
    membership: {
      empty: () => MemberTree.empty(),
      restore: (list: readonly Bytes[]) => MemberTree.restore(list),
    },
  }
  const ledger = new Ledger(rules)
  const add = (...items: readonly Item[]) => {
    const plan = ledger.plan(batchOf(items))
    ledger.apply(plan)
    assert.equal(plan.applied.length, items.length)
  }
  return { rules, ledger, add, periods: new LedgerPeriods(() => ledger) }
}

describe("the periods of a ledger", () => {
  it("have one root for everybody: the tree before the period before began", () => {
    const { ledger, add, periods } = mesh()
    add(joins(1), joins(2))
    const joined = ledger.fields.members.root
    assert.equal(periods.rootFor(0), undefined)
    add(joins(3), tick(1))
    assert.equal(periods.period(), 1)
    assert.equal(periods.rootFor(1), undefined, "nobody was a member before period 0")
    assert.deepEqual(
      periods.rootFor(2),
      joined,
      "known while period 1 goes on, for proofs made ahead",
    )
    add(tick(2))
    assert.deepEqual(periods.rootFor(2), joined)
    assert.equal(periods.pathFor(commitment(3), 2), undefined, "who joined in period 1 waits")
    assert.deepEqual(periods.pathFor(commitment(2), 2)?.root, joined)
    add(tick(3))
    assert.deepEqual(periods.rootFor(2), joined, "this period's and the last one's are good")
    assert.deepEqual(periods.pathFor(commitment(3), 3)?.root, periods.rootFor(3))
    add(tick(4))
    assert.equal(periods.rootFor(2), undefined)
  })

  it("have one hash that work is bound to, and one price", () => {
    const { rules, ledger, add, periods } = mesh()
    assert.deepEqual(periods.prices(), [{ anchor: rules.meshId, bits: rules.powBits }])
    add(joins(1))
    const { tip } = ledger
    add(tick(1))
    assert.deepEqual(periods.prices(), [
      { anchor: tip, bits: rules.powBits },
      { anchor: rules.meshId, bits: rules.powBits },
    ])
    add(tick(2))
    add(tick(3))
    assert.equal(periods.prices().length, 2)
  })

  it("come back from a snapshot", () => {
    const { rules, ledger, add, periods } = mesh()
    add(joins(1), joins(2), joins(3))
    add(tick(1))
    add(joins(4), tick(2))
    add(tick(3))
    const back = new Ledger(rules, ledger.snapshot())
    assert.deepEqual(back.snapshot(), ledger.snapshot())
    const again = new LedgerPeriods(() => back)
    for (const period of [2, 3, 4]) {
      assert.deepEqual(again.rootFor(period), periods.rootFor(period))
      for (const n of [1, 4])
        assert.deepEqual(
          again.pathFor(commitment(n), period),
          periods.pathFor(commitment(n), period),
        )
    }
  })
})
