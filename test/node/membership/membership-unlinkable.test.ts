/**
 * What a carrier sees of a thousand accepted envelopes of four members, and what it can make of it. The proofs are recorded
 * (membership-fixture.ts), so the outcome is the same each time: 128 payloads of eight envelopes.
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Bytes, concat, toHex } from "../../../src/crypto/bytes.ts"
import { keyRootOf, readMembership } from "../../../src/crypto/membership/admission.ts"
import { proofParts } from "../../../src/crypto/membership/proof.ts"
import { unpaidEnvelope } from "../../helpers/envelopes.ts"
import { admitted, MEMBERS, slots } from "../../helpers/membership-fixture.ts"
import { membershipMailbox } from "../../helpers/membership-mailbox.ts"

const payloads = slots().map(({ member, slot }) => ({
  member,
  slot,
  envelopes: Array.from({ length: 8 }, (_, i) => admitted(unpaidEnvelope(), member, slot, i)),
}))

const fieldsIn = (envelope: Bytes) => {
  const read = readMembership(envelope)
  assert.ok("fields" in read)
  return read.fields
}

/** Everything of an admission that is not the same for all. */
function publicParts(envelope: Bytes): Bytes[] {
  const fields = fieldsIn(envelope)
  const { a, b, c } = proofParts(fields.proof)
  const path = [0, 32, 64].map((at) => fields.path.subarray(at, at + 32))
  const { nullifier, key, signature } = fields
  return [nullifier, a, b, c, key, ...path, signature, keyRootOf(fields)]
}

/** Share of payloads whose member a nearest neighbour among all other payloads gives away, by the bits in which they differ. */
function nearestNeighbour(of: readonly { member: number; bytes: Bytes }[]): number {
  const distance = (x: Bytes, y: Bytes) =>
    x.reduce((sum, byte, i) => sum + (ONES[byte ^ (y[i] ?? 0)] ?? 0), 0)
  const right = of.filter(({ member, bytes }, self) => {
    let best = { member: -1, distance: Infinity }
    of.forEach((other, i) => {
      const d = i === self ? Infinity : distance(bytes, other.bytes)
      if (d < best.distance) best = { member: other.member, distance: d }
    })
    return best.member === member
  })
  return right.length / of.length
}

const ONES = Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length)

/** The same by which bits a member's other payloads have set more often than everybody's: naive Bayes over bits, a quarter held out in turn. */
function naiveBayes(of: readonly { member: number; bytes: Bytes }[]): number {
  const length = 8 * (of[0]?.bytes.length ?? 0)
  const bitAt = (bytes: Bytes, i: number) => ((bytes[i >> 3] ?? 0) >> (i & 7)) & 1
  const FOLDS = 4
  let right = 0
  for (let fold = 0; fold < FOLDS; fold++) {
    const isHeldOut = (i: number) => Math.floor(i / 2) % FOLDS === fold
    const known = of.filter((_, i) => !isHeldOut(i))
    const models = Array.from({ length: MEMBERS }, (_, member) => {
      const own = known.filter((each) => each.member === member)
      return Array.from({ length }, (_, i) => {
        const set = own.reduce((sum, { bytes }) => sum + bitAt(bytes, i), 0)
        return (set + 1) / (own.length + 2)
      })
    })
    of.forEach(({ member, bytes }, i) => {
      if (!isHeldOut(i)) return
      const scores = models.map((model) =>
        model.reduce((sum, p, at) => sum + Math.log(bitAt(bytes, at) === 1 ? p : 1 - p), 0),
      )
      if (scores.indexOf(Math.max(...scores)) === member) right += 1
    })
  }
  return right / of.length
}

/** A guess among four is right one time in four; over 128 payloads more than this happens by chance once in a thousand times. */
const CHANCE_MAX = 1 / MEMBERS + 3.1 * Math.sqrt((0.25 * 0.75) / payloads.length)

describe("a thousand accepted envelopes of four members", () => {
  it("are accepted, each", async (t) => {
    const { came, counted } = await membershipMailbox(t)
    let accepted = 0
    for (const { envelopes } of payloads)
      for (const verdict of await Promise.all(envelopes.map((each) => came(each))))
        if (verdict === "accept") accepted += 1
    assert.equal(accepted, 1024)
    assert.equal(counted.checks, payloads.length)
  })

  it("no public field repeats between two payloads", () => {
    const seen = new Map<string, number>()
    for (const [i, { envelopes }] of payloads.entries())
      for (const part of envelopes.flatMap(publicParts)) {
        const before = seen.get(toHex(part))
        assert.ok(before === undefined || before === i, `payloads ${before} and ${i} share a field`)
        seen.set(toHex(part), i)
      }
    assert.ok(seen.size > 128 * (5 + 8 + 8))
  })

  it("every slot is everybody's: it says nothing about who has it", () => {
    for (let slot = 0; slot < 32; slot++)
      assert.equal(payloads.filter((each) => each.slot === slot).length, MEMBERS)
  })

  it("a classifier that is given all public fields does no better than chance", () => {
    const seen = payloads.map(({ member, envelopes }) => ({
      member,
      bytes: concat(...publicParts(envelopes[0]!)),
    }))
    const found = { neighbour: nearestNeighbour(seen), bayes: naiveBayes(seen) }
    assert.ok(found.neighbour <= CHANCE_MAX, `nearest neighbour ${found.neighbour}`)
    assert.ok(found.bayes <= CHANCE_MAX, `naive Bayes ${found.bayes}`)
  })

  it("and the same classifiers find sixteen bytes that a member would repeat", () => {
    const marked = payloads.map(({ member, envelopes }) => ({
      member,
      bytes: concat(new Uint8Array(16).fill(37 * member), publicParts(envelopes[0]!)[0]!),
    }))
    assert.ok(nearestNeighbour(marked) > 0.9)
    assert.ok(naiveBayes(marked) > 0.9)
  })
})
