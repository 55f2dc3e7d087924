import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import { primitives } from "#primitives"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import type { Claim } from "../../../src/crypto/membership/groth16.ts"
import { encodeJoinProof, joinClaim } from "../../../src/crypto/membership/join.ts"
import { commitmentOf, newSecret, nullifierOf } from "../../../src/crypto/membership/secret.ts"
import { joinScope, joinSignal } from "../../../src/crypto/membership/statement.ts"
import { loneLeaf } from "../../../src/crypto/membership/tree-path.ts"
import { Prover, PROVING_MAX } from "../../../src/node/membership/prove.ts"
import { loadVerificationKey } from "../../../src/node/semaphore-files.ts"
import { BATCH_MAX, ProofVerifier, VERIFYING_MAX } from "../../../src/node/membership/verify.ts"
import * as fixture from "../../helpers/membership-fixture.ts"
import { nobleVerifies } from "../../helpers/noble-groth16.ts"

const key = await loadVerificationKey()
const prover = new Prover()
const verifier = new ProofVerifier()
after(async () => {
  await prover.stop()
  await verifier.stop()
})

/** What a recorded proof claims. */
const claimOf = (member: number, slot: number): Claim => {
  const { path, signal, scope } = fixture.taskOf(member, slot)
  const { nullifier, proof } = fixture.proofOf(member, slot)
  return { statement: { root: path.root, nullifier, signal, scope }, proof }
}

const other = (bytes: Bytes) => {
  const out = bytes.slice()
  out[31]! ^= 1
  return out
}

describe("membership proofs, made and checked in threads", () => {
  it("a member proves a payload's place, and both verifiers agree", async () => {
    const task = fixture.taskOf(1, 5)
    const { nullifier, proof } = await prover.prove(task)
    assert.deepEqual(nullifier, nullifierOf(task.secret, task.scope))
    const { signal, scope, path } = task
    const claim = { statement: { root: path.root, nullifier, signal, scope }, proof }
    assert.equal(await verifier.verify(claim), true)
    assert.equal(nobleVerifies(key, claim), true)
    for (const name of ["root", "nullifier", "signal", "scope"] as const) {
      const changed = { ...claim, statement: { ...claim.statement, [name]: other(claim.statement[name]) } } // prettier-ignore
      assert.equal(await verifier.verify(changed), false, name)
      assert.equal(nobleVerifies(key, changed), false, name)
    }
  })

  it("a newcomer proves that it knows the secret of its commitment, for one item of one mesh", async () => {
    const [secret, meshId, item] = [newSecret(), primitives.randomBytes(32), primitives.randomBytes(64)] // prettier-ignore
    const commitment = commitmentOf(secret)
    const { nullifier, proof } = await prover.prove({
      secret,
      path: loneLeaf(commitment),
      signal: joinSignal(item),
      scope: joinScope(meshId),
    })
    const joinProof = encodeJoinProof(nullifier, proof)
    const check = async (...what: Parameters<typeof joinClaim>) => {
      const claim = joinClaim(...what)
      const holds = await verifier.verify(claim)
      assert.equal(nobleVerifies(key, claim), holds)
      return holds
    }
    assert.equal(await check(meshId, commitment, item, joinProof), true)
    assert.equal(await check(meshId, commitment, other(item), joinProof), false)
    assert.equal(await check(other(meshId), commitment, item, joinProof), false)
    assert.equal(await check(meshId, fixture.commitments[0]!, item, joinProof), false)
  })

  it("refuses to prove what is not so: another's leaf, a path too long, root 0", async () => {
    const task = fixture.taskOf(0, 0)
    const notOurs = { ...task, secret: newSecret() }
    await assert.rejects(prover.prove(notOurs), { code: "NO_MEMBER" })
    const siblings = Array.from({ length: 21 }, () => task.signal)
    await assert.rejects(prover.prove({ ...task, path: { ...task.path, siblings } }), { code: "NO_MEMBER" }) // prettier-ignore
    const nowhere = { ...task.path, root: new Uint8Array(32) }
    await assert.rejects(prover.prove({ ...task, path: nowhere }), { code: "NO_MEMBER" })
  })

  it("what somebody waits for goes before what is made ahead; what nobody wants is not made", async () => {
    const order: string[] = []
    const made = (name: string, urgent: boolean, signal?: AbortSignal) =>
      prover
        .prove(fixture.taskOf(2, 1), { urgent, ...(signal === undefined ? {} : { signal }) })
        .then(() => order.push(name))
    const gone = new AbortController()
    const all = [made("first", false), made("ahead", false), made("urgent", true)]
    const dropped = made("dropped", false, gone.signal)
    gone.abort(new Error("nobody waits"))
    await assert.rejects(dropped, /nobody waits/)
    await Promise.all(all)
    assert.deepEqual(order, ["first", "urgent", "ahead"])
  })

  it("takes so many at a time and no more, and gives up all of them when it is stopped", async () => {
    const own = new Prover()
    // one more, because one is under way
    const waiting = Array.from({ length: PROVING_MAX + 1 }, () => own.prove(fixture.taskOf(0, 0)))
    const settled = Promise.allSettled(waiting)
    await assert.rejects(own.prove(fixture.taskOf(0, 0)), { code: "QUEUE_FULL" })
    await own.stop()
    for (const each of await settled)
      assert.equal(each.status === "rejected" && (each.reason as { code: string }).code, "STOPPING")
    assert.equal(own.running, false)
  })
})

describe("many proofs at once", () => {
  it("finds a false one among true ones of others, whatever their number and place", async () => {
    const claims = Array.from({ length: 3 * BATCH_MAX }, (_, i) => claimOf(i % 4, i % 32))
    const isBad = (i: number) => i % 7 === 3 || (i > 40 && i < 50)
    const mixed = claims.map((claim, i) =>
      isBad(i) ? { ...claim, statement: claimOf((i + 1) % 4, i % 32).statement } : claim,
    )
    const holds = await Promise.all(mixed.map((claim, i) => verifier.verify(claim, `peer ${i}`)))
    assert.deepEqual(
      holds,
      mixed.map((_, i) => !isBad(i)),
    )
  })

  it("checks nothing more of who sent a false one, and lets nobody wait behind a flood", async () => {
    const [good, bad] = [claimOf(0, 0), { ...claimOf(0, 0), statement: claimOf(1, 1).statement }]
    const order: string[] = []
    const sent = (claim: Claim, sender: string) =>
      verifier.verify(claim, sender).then(
        (held) => (order.push(sender), held),
        (error: unknown) => (error as { code: string }).code,
      )
    const before = Array.from({ length: 5 }, () => sent(good, "flooder"))
    const flood = Array.from({ length: 200 }, () => sent(bad, "flooder"))
    const honest = await sent(good, "honest")
    assert.equal(honest, true)
    const answers = await Promise.all([...before, ...flood])
    assert.deepEqual(answers.slice(0, 5), [true, true, true, true, true])
    assert.equal(answers.filter((each) => each === false).length, 1)
    assert.equal(answers.filter((each) => each === "UNTRUSTED").length, 199)
    assert.equal(order.includes("honest"), true)
    // the next one of theirs is looked at again
    assert.equal(await sent(good, "flooder"), true)
  })

  it("two false proofs whose faults cancel out do not pass together", async () => {
    // each has the other's C: in a product without random powers nobody would notice
    const [one, two] = [claimOf(0, 0), claimOf(0, 1)]
    const swapped = [
      { ...one, proof: concatParts(one.proof, two.proof) },
      { ...two, proof: concatParts(two.proof, one.proof) },
    ]
    const holds = await Promise.all(swapped.map((claim, i) => verifier.verify(claim, `${i}`)))
    assert.deepEqual(holds, [false, false])
    for (const claim of swapped) assert.equal(nobleVerifies(key, claim), false)
  })

  it("takes so many at a time and no more", async () => {
    const own = new ProofVerifier()
    const claim = claimOf(0, 0)
    const waiting = Array.from({ length: VERIFYING_MAX }, () => own.verify(claim))
    const settled = Promise.allSettled(waiting)
    await assert.rejects(own.verify(claim), { code: "QUEUE_FULL" })
    await own.stop()
    for (const each of await settled)
      assert.equal(each.status === "rejected" && (each.reason as { code: string }).code, "STOPPING")
    await assert.rejects(own.verify(claim), { code: "STOPPING" })
  })
})

/** A and B of one proof, C of another. */
const concatParts = (ab: Bytes, c: Bytes) => new Uint8Array([...ab.slice(0, 96), ...c.slice(96)])
