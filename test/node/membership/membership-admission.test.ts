import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { grantEnvelope } from "../../../src/crypto/blob-grant.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { ADMISSION_BYTES, envelopeId } from "../../../src/crypto/envelope.ts"
import type { Claim } from "../../../src/crypto/membership/groth16.ts"
import { readMembership, writeMembership } from "../../../src/crypto/membership/admission.ts"
import type { Origin } from "../../../src/node/mailbox/mailbox.ts"
import { judgeGrant } from "../../../src/node/network/admissions.ts"
import { UNVERIFIED_PER_PEER_MAX } from "../../../src/node/membership/membership-admission.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import { unpaidEnvelope } from "../../helpers/envelopes.ts"
import { admitted, fieldsOf, PERIOD, slots, tree } from "../../helpers/membership-fixture.ts"
import { membershipMailbox, said, TestRoots } from "../../helpers/membership-mailbox.ts"
import { until } from "../../helpers/wait.ts"

/** The admission of one envelope over the content of another. */
const withAdmissionOf = (bytes: Uint8Array, other: Uint8Array) =>
  new Uint8Array([...other.slice(0, ADMISSION_BYTES), ...bytes.slice(ADMISSION_BYTES)])

describe("the judge of membership proofs", () => {
  it("takes a member's envelope whichever way it comes, and knows it afterwards by a lookup", async (t) => {
    for (const from of ["gossip", "sync", "fetch"] as const) {
      const { came, counted } = await membershipMailbox(t)
      const envelope = admitted(unpaidEnvelope(), 0, 0)
      assert.equal(await came(envelope, from), "accept")
      assert.equal(await came(envelope, from), "ignore DUPLICATE")
      // whatever admission it travels under, its id is known
      assert.equal(await came(withAdmissionOf(envelope, admitted(envelope, 1, 1)), from), "ignore DUPLICATE") // prettier-ignore
      assert.equal(counted.checks, 1)
    }
  })

  it("checks one proof for a payload of eight, one after the other or all at once", async (t) => {
    const { came, counted, mailbox } = await membershipMailbox(t)
    const fragments = (member: number) =>
      Array.from({ length: 8 }, (_, key) => admitted(unpaidEnvelope(), member, 3, key))
    for (const each of fragments(0)) assert.equal(await came(each), "accept")
    assert.equal(counted.checks, 1)
    const together = await Promise.all(fragments(1).map((each) => came(each)))
    assert.deepEqual(new Set(together), new Set(["accept"]))
    assert.equal(counted.checks, 2)
    await mailbox.stop()
    assert.equal(mailbox.count, 16)
  })

  it("[IGNORE] a second envelope under one key, and whatever else the nullifier is shown for", async (t) => {
    const { came, counted } = await membershipMailbox(t)
    assert.equal(await came(admitted(unpaidEnvelope(), 0, 0)), "accept")
    assert.equal(await came(admitted(unpaidEnvelope(), 0, 0)), "ignore MEMBER_SPENT")
    // another key root under the nullifier: not even looked at
    const envelope = unpaidEnvelope()
    const foreign = { ...fieldsOf(envelope, 1, 0), nullifier: fieldsOf(envelope, 0, 0).nullifier }
    assert.equal(await came(writeMembership(envelope, foreign)), "ignore MEMBER_SPENT")
    assert.equal(counted.checks, 1)
    // the ledger may have chosen the other: what is fetched for its sake is checked whole and kept beside
    assert.equal(await came(admitted(unpaidEnvelope(), 0, 0), "fetch"), "accept")
    assert.equal(counted.checks, 2)
    assert.equal(await came(admitted(unpaidEnvelope(), 0, 0)), "ignore MEMBER_SPENT")
  })

  it("of two envelopes under one key that come at once, takes one", async (t) => {
    const { came } = await membershipMailbox(t)
    const both = [admitted(unpaidEnvelope(), 2, 2), admitted(unpaidEnvelope(), 2, 2)]
    const verdicts = await Promise.all(both.map((each) => came(each)))
    assert.deepEqual(verdicts.toSorted(), ["accept", "ignore MEMBER_SPENT"])
  })

  it("[IGNORE] a period outside the window, and one whose tree is not known here yet", async (t) => {
    const { came, roots, counted } = await membershipMailbox(t)
    const envelope = admitted(unpaidEnvelope(), 0, 0)
    for (const [now, verdict] of [
      [PERIOD - 1, "ignore MEMBER_PERIOD"],
      [PERIOD + 2, "ignore MEMBER_PERIOD"],
      [PERIOD + 1, "accept"],
    ] as const) {
      roots.now = now
      assert.equal(await came(envelope), verdict, `${now}`)
    }
    roots.roots.clear()
    assert.equal(await came(admitted(unpaidEnvelope(), 0, 1)), "ignore MEMBER_ROOT")
    assert.equal(counted.checks, 1)
  })

  it("a restart reopens no slot", async (t) => {
    const store = await openMemoryStore()
    const roots = new TestRoots()
    const before = await membershipMailbox(t, { store, roots })
    for (const slot of [0, 5, 31]) assert.equal(await before.came(admitted(unpaidEnvelope(), 0, slot)), "accept") // prettier-ignore
    await before.stop()
    const { came, counted } = await membershipMailbox(t, { store, roots })
    for (const slot of [0, 5, 31]) assert.equal(await came(admitted(unpaidEnvelope(), 0, slot)), "ignore MEMBER_SPENT") // prettier-ignore
    // what was proven stays proven
    assert.equal(await came(admitted(unpaidEnvelope(), 0, 0, 1)), "accept")
    assert.equal(counted.checks, 0)
  })

  it("forgets a period that has left the window, and takes the admission out of what is kept", async (t) => {
    const { came, roots, admission, mailbox, store } = await membershipMailbox(t)
    const envelopes = slots().slice(0, 20).map(({ member, slot }) => admitted(unpaidEnvelope(), member, slot)) // prettier-ignore
    for (const each of envelopes) assert.equal(await came(each), "accept")
    const kept = () => mailbox.getMany(envelopes.map(envelopeId))
    const rows = async () => {
      let count = 0
      for await (const row of store.range("nullifiers")) count += row.length / 2
      return count
    }
    roots.now = PERIOD + 1
    admission.tidy(mailbox)
    assert.deepEqual(await kept(), envelopes)
    roots.now = PERIOD + 2
    admission.tidy(mailbox)
    await until("the rows are gone", async () => (await rows()) === 0)
    for (const [i, each] of (await kept()).entries()) {
      assert.ok(each)
      assert.ok(each.subarray(0, ADMISSION_BYTES).every((byte) => byte === 0))
      assert.deepEqual(each.slice(ADMISSION_BYTES), envelopes[i]!.slice(ADMISSION_BYTES))
    }
    assert.equal(await came(envelopes[0]!), "ignore DUPLICATE")
  })

  it("what has no admission any more comes in by sync on the ledger's word alone", async (t) => {
    const { came, roots, counted, mailbox } = await membershipMailbox(t)
    const bare = unpaidEnvelope()
    assert.equal(await came(bare, "sync"), "ignore NOT_ORDERED")
    assert.equal(await came(bare), "reject UNKNOWN_ADMISSION")
    roots.ordered.add(Buffer.from(envelopeId(bare)).toString("hex"))
    // gossip is for what is new
    assert.equal(await came(bare), "reject UNKNOWN_ADMISSION")
    assert.equal(await came(bare, "sync"), "accept")
    // an admission that nobody here has checked is not handed on
    const other = admitted(unpaidEnvelope(), 0, 0)
    roots.ordered.add(Buffer.from(envelopeId(other)).toString("hex"))
    assert.equal(await came(other, "sync"), "accept")
    assert.equal(counted.checks, 0)
    const [kept] = await mailbox.getMany([envelopeId(other)])
    assert.deepEqual(kept?.slice(0, ADMISSION_BYTES), new Uint8Array(ADMISSION_BYTES))
    assert.equal(await came(new Uint8Array([0, 1, ...bare.slice(2)]), "sync"), "reject UNKNOWN_ADMISSION") // prettier-ignore
  })

  it("an own envelope whose admission has lost its worth is kept under the new one from then on", async (t) => {
    const { mailbox, roots } = await membershipMailbox(t)
    const bare = unpaidEnvelope()
    const [old, renewed] = [admitted(bare, 0, 0), admitted(bare, 0, 1)]
    const kept = async () => (await mailbox.getMany([envelopeId(bare)]))[0]
    await mailbox.post(old)
    assert.deepEqual(await kept(), old)
    await mailbox.post(renewed)
    assert.deepEqual(await kept(), renewed)
    // one that nobody would take replaces nothing
    roots.now = PERIOD + 2
    await assert.rejects(mailbox.post(admitted(bare, 0, 2)), { code: "NOT_ADMITTED" })
    assert.deepEqual(await kept(), renewed)
    assert.equal(mailbox.count, 1)
  })

  it("has so many proofs of one peer checked at a time; others get their turn meanwhile", async (t) => {
    const held: ((holds: boolean) => void)[] = []
    const verify = (claim: Claim) =>
      claim.proof.length === 0
        ? Promise.resolve(false)
        : new Promise<boolean>((resolve) => held.push(resolve))
    const { came, mailbox } = await membershipMailbox(t, { verifier: { verify } })
    const shed: string[] = []
    mailbox.onShed((peer) => shed.push(peer))
    // proofs that nobody made: as many as a flooder likes
    const garbage = (i: number) => {
      const envelope = unpaidEnvelope()
      const fields = fieldsOf(envelope, 0, i % 32)
      const nullifier = fields.nullifier.slice()
      nullifier[31] = i % 256
      return writeMembership(envelope, { ...fields, nullifier })
    }
    const all = Array.from({ length: UNVERIFIED_PER_PEER_MAX + 10 }, (_, i) => came(garbage(i), "gossip", "flooder")) // prettier-ignore
    await until("the budget is used up", () => held.length >= UNVERIFIED_PER_PEER_MAX && shed.length === 10) // prettier-ignore
    assert.deepEqual(new Set(shed), new Set(["flooder"]))
    const honest = came(admitted(unpaidEnvelope(), 1, 1), "gossip", "somebody else")
    await until("another peer gets in", () => held.length === UNVERIFIED_PER_PEER_MAX + 1)
    held.pop()?.(true)
    assert.equal(await honest, "accept")
    for (const resolve of held.splice(0)) resolve(false)
    const verdicts = await Promise.all(all)
    assert.equal(verdicts.filter((each) => each === "reject MEMBER_PROOF").length, UNVERIFIED_PER_PEER_MAX) // prettier-ignore
    assert.equal(verdicts.filter((each) => each === "ignore OVERLOADED").length, 10)
    const again = came(admitted(unpaidEnvelope(), 2, 1), "gossip", "flooder")
    await until("there is room again", () => held.length === 1)
    held.pop()?.(true)
    assert.equal(await again, "accept")
  })

  it("lets chunks in as well, by what stands where an envelope's admission would, once for each key", async (t) => {
    const { admission, store, came, mailbox } = await membershipMailbox(t)
    const judges = {
      admissions: new Map([[1, (bytes: Bytes, origin: Origin) => admission.judge(bytes, origin)]]),
    }
    const grant = (byte: number) => grantEnvelope(new Uint8Array(32).fill(byte))
    const first = admitted(grant(1), 0, 5, 0)
    assert.equal(said(await judgeGrant(judges, store, first)), "accept")
    const other = await judgeGrant(judges, store, admitted(grant(2), 0, 5, 0))
    assert.equal(said(other), "ignore MEMBER_SPENT")
    assert.equal(await came(admitted(unpaidEnvelope(), 0, 5, 0)), "ignore MEMBER_SPENT")
    assert.equal(await came(admitted(unpaidEnvelope(), 0, 5, 1), "sync"), "accept")
    assert.equal(mailbox.count, 1, "a grant is no envelope to keep")
  })

  it("a recorded envelope reads as what was written", () => {
    const envelope = admitted(unpaidEnvelope(), 3, 31, 7)
    const read = readMembership(envelope)
    assert.ok("fields" in read)
    assert.deepEqual([read.fields.period, read.fields.slot, read.fields.keyIndex], [PERIOD, 31, 7])
    assert.equal(tree.root.length, 32)
  })
})
