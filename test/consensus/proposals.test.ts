/** Proposals of operators: put together from whatever comes, in any order, and complete only with a quorum and every proof of possession. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { hasQuorum } from "../../src/consensus/approval.ts"
import { batchOf, decodeItem, encodeItem } from "../../src/consensus/item.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import { PROPOSALS_MAX, PROPOSALS_PER_OPERATOR_MAX } from "../../src/consensus/limits.ts"
import {
  type Change,
  proposalOf,
  Proposals,
  unproven,
  UNPROVEN,
  validatorsChange,
} from "../../src/consensus/proposals.ts"
import type { MemberRemoveItem } from "../../src/consensus/types.ts"
import { bench, hash } from "./parts.ts"

function mesh(n = 4) {
  const parts = bench(n)
  const ledger = new Ledger(parts.rules)
  const { scheme } = parts.ring
  const proposals = new Proposals(scheme, () => ledger)
  const newcomer = parts.ring.holder(n)
  const draft = validatorsChange(ledger.term, [newcomer.keys], [])
  const approve = (item: Change, ...seats: readonly number[]): Change => {
    const { subject } = proposalOf(item, ledger)
    const approvals = seats.map((signer) => ({
      signer,
      signature: parts.holderOf(ledger.set, signer).sign(subject),
    }))
    return { ...item, approvals }
  }
  const prove = (item: Change): Change => {
    assert.ok(item.type === "validators")
    const possession = newcomer.sign(proposalOf(item, ledger).subject)
    return { ...item, add: item.add.map(({ keys }) => ({ keys, possession })) }
  }
  const code = (item: Change) => {
    const taken = proposals.take(item)
    return "proposal" in taken ? "taken" : `${taken.verdict} ${taken.code}`
  }
  return { parts, ledger, scheme, proposals, newcomer, draft, approve, prove, code }
}

const removal = (name: string, term = 0): MemberRemoveItem => ({
  type: "member-remove",
  commitment: hash(name),
  term,
  approvals: [],
})

describe("proposals", () => {
  it("are complete with a quorum's approvals and the new validator's proof, in whatever order they come", () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
        fc.nat(4),
        (seats, proofAt) => {
          const { ledger, scheme, proposals, draft, approve, prove, parts } = mesh()
          const said = seats.map((seat, i) => {
            const one = approve(draft, seat)
            return i === Math.min(proofAt, 3) ? prove(one) : one
          })
          let complete: Change | undefined
          said.forEach((item, i) => {
            // As it travels: encoded, and perhaps more than once.
            const decoded = decodeItem(encodeItem(item)) as Change
            const taken = proposals.take(decoded)
            assert.ok("proposal" in taken)
            assert.ok("code" in proposals.take(decoded))
            complete = proposals.complete(taken.proposal)
            const isProven = i >= Math.min(proofAt, 3)
            assert.equal(unproven(taken.proposal).length, isProven ? 0 : 1)
            assert.equal(complete !== undefined, isProven && i + 1 >= ledger.set.quorum)
          })
          assert.ok(complete !== undefined)
          assert.ok(hasQuorum(complete, parts.rules.meshId, ledger.set, scheme))
          ledger.apply(ledger.plan(batchOf([complete])))
          assert.equal(ledger.fields.nextSet.size, 5)
          assert.equal(proposals.prune().length, 1)
          assert.equal(proposals.list().length, 0)
        },
      ),
      { numRuns: 20 },
    )
  })

  it("of one validator need its own approval alone", () => {
    const { proposals, draft, approve, prove } = mesh(1)
    const taken = proposals.take(prove(approve(draft, 0)))
    assert.ok("proposal" in taken)
    assert.notEqual(proposals.complete(taken.proposal), undefined)
  })

  it("are the same however their change was written down", () => {
    const { ledger, parts, newcomer } = mesh()
    const other = parts.ring.holder(6)
    const [a, b] = [ledger.set.members[0]!.ed25519, ledger.set.members[1]!.ed25519]
    const one = validatorsChange(0, [newcomer.keys, other.keys], [a, b])
    const same = validatorsChange(0, [other.keys, newcomer.keys], [b, a])
    assert.deepEqual(proposalOf(one, ledger).id, proposalOf(same, ledger).id)
  })

  it("come from operators only, and every signature in them is good", () => {
    const { draft, approve, prove, code, newcomer, ledger } = mesh()
    assert.equal(code(draft), "reject NO_APPROVAL")
    assert.equal(code(prove(draft)), "reject NO_APPROVAL")
    const strange = { signer: 1, signature: newcomer.sign(proposalOf(draft, ledger).subject) }
    assert.equal(code({ ...draft, approvals: [strange] }), "reject BAD_SIGNATURE")
    const beyond = {
      ...approve(draft, 0),
      approvals: [{ ...approve(draft, 0).approvals[0]!, signer: 9 }],
    }
    assert.equal(code(beyond), "reject BAD_SIGNATURE")
    assert.equal(code(approve(draft, 0)), "taken")
    assert.equal(code({ ...draft, approvals: [strange] }), "reject BAD_SIGNATURE")
    const badProof = { ...prove(draft) } as Extract<Change, { type: "validators" }>
    const possession = badProof.add[0]!.possession.slice().fill(7)
    const lie = { ...badProof, add: badProof.add.map(({ keys }) => ({ keys, possession })) }
    assert.equal(code(lie), "reject BAD_SIGNATURE")
    assert.equal(code(prove(draft)), "taken", "a proof that comes alone, once it is proposed")
  })

  it("are of this set and time, and possible", () => {
    const { ledger, draft, approve, prove, code, parts } = mesh()
    assert.equal(code(approve(removal("nobody"), 0)), "ignore NOT_APPLICABLE")
    assert.equal(code(approve({ ...draft, term: 1 }, 0)), "ignore STALE")
    const all = ledger.set.members.map(({ ed25519 }) => ed25519)
    assert.equal(code(approve(validatorsChange(0, [], all), 0)), "ignore NOT_APPLICABLE")
    const change = prove(approve(draft, 0, 1, 2))
    ledger.apply(ledger.plan(batchOf([change])))
    const next = validatorsChange(0, [parts.ring.holder(7).keys], [])
    assert.equal(code(approve(next, 0)), "ignore NOT_APPLICABLE", "one change a term")
  })

  it("leave room for others, and for other operators", () => {
    const { parts, ledger, approve, code, proposals } = mesh()
    const names = Array.from({ length: PROPOSALS_PER_OPERATOR_MAX + 1 }, (_, i) => `member ${i}`)
    const join = names.map((name) => ({
      type: "member-add" as const,
      commitment: hash(name),
      voucher: hash(`${name} voucher`),
      evidence: UNPROVEN,
    }))
    ledger.apply(ledger.plan(batchOf(join)))
    const codes = names.map((name) => code(approve(removal(name), 0)))
    assert.deepEqual(codes.slice(0, -1), Array(PROPOSALS_PER_OPERATOR_MAX).fill("taken"))
    assert.equal(codes.at(-1), "ignore TOO_MANY")
    assert.equal(code(approve(removal(names.at(-1)!), 1)), "taken")
    assert.ok(proposals.list().length <= PROPOSALS_MAX)
    assert.equal(parts.rules.validators.length, 4)
  })
})
