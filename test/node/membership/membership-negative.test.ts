/**
 * Everything that must not get in by a membership proof, one line each: the verdict of the judge, and, where it is a matter of the proof,
 * what the two verifiers say, which share no line of code. Each case spoils one thing of an envelope that is otherwise accepted.
 */
import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import { bn254 } from "@noble/curves/bn254.js"
import { Base8, mulPointEscalar } from "@zk-kit/baby-jubjub"
import { primitives } from "#primitives"
import { type Bytes, concat } from "../../../src/crypto/bytes.ts"
import { ADMISSION_BYTES, envelopeId } from "../../../src/crypto/envelope.ts"
import {
  keyRootOf,
  type MembershipFields,
  readMembership,
  statementOf,
  writeMembership,
} from "../../../src/crypto/membership/admission.ts"
import { bytesOfNumber, FIELD_ORDER, numberFrom } from "../../../src/crypto/membership/field.ts"
import { type Claim, membershipVerifier } from "../../../src/crypto/membership/groth16.ts"
import { encodeJoinProof, joinClaim } from "../../../src/crypto/membership/join.ts"
import { signEnvelope } from "../../../src/crypto/membership/one-time-keys.ts"
import { compressProof, proofParts } from "../../../src/crypto/membership/proof.ts"
import { newSecret, scalarOf, commitmentOf } from "../../../src/crypto/membership/secret.ts"
import { joinScope, joinSignal, payloadScope } from "../../../src/crypto/membership/statement.ts"
import { loneLeaf } from "../../../src/crypto/membership/tree-path.ts"
import { readVerificationKey } from "../../../src/crypto/membership/verification-key.ts"
import { Prover } from "../../../src/node/membership/prove.ts"
import { loadVerificationKey } from "../../../src/node/semaphore-files.ts"
import { codeOf } from "../../helpers/decoders.ts"
import { unpaidEnvelope } from "../../helpers/envelopes.ts"
import {
  commitments,
  fieldsOf,
  meshId,
  PERIOD,
  proofOf,
  seedsOf,
  tree,
} from "../../helpers/membership-fixture.ts"
import { membershipMailbox, said, TestRoots } from "../../helpers/membership-mailbox.ts"
import { TestTree } from "../../helpers/membership-tree.ts"
import { nobleVerifies } from "../../helpers/noble-groth16.ts"

const key = await loadVerificationKey()
const mcl = await membershipVerifier(key)
const envelope = unpaidEnvelope()
const good = fieldsOf(envelope, 0, 0)
const { a, b, c } = proofParts(good.proof)

/** What the judge would have the verifiers check of an envelope. */
function claimOf(bytes: Bytes, root = tree.root): Claim | undefined {
  const read = readMembership(bytes)
  if ("wrong" in read) return undefined
  const { fields } = read
  const scope = payloadScope(meshId, fields.period, fields.slot)
  const statement = statementOf(root, scope, fields.nullifier, keyRootOf(fields))
  return { statement, proof: fields.proof }
}

const refusedByBoth = (claim: Claim) => {
  assert.equal(mcl.verify(claim), false, "mcl")
  assert.equal(nobleVerifies(key, claim), false, "noble")
}

/** The envelope with some fields changed. */
const with_ = (changes: Partial<MembershipFields>, of = envelope) =>
  writeMembership(of, { ...good, ...changes })

const little = (value: bigint) => bytesOfNumber(value).reverse()
/** The lowest x from 1 on for which there is no point of G1: y² = x³ + 3. */
function offCurve(): Bytes {
  const { Fp } = bn254.fields
  for (let x = 1n; ; x++) {
    const square = Fp.add(Fp.pow(x, 3n), 3n)
    if (Fp.pow(square, (Fp.ORDER - 1n) / 2n) !== 1n) return little(x)
  }
}

/** A point of the twist, on the curve and outside the subgroup that the pairing is for. */
function outsideSubgroup(): Bytes {
  const { Fp2 } = bn254.fields
  const { Point } = bn254.G2
  for (let i = 1n; ; i++) {
    const x = Fp2.fromBigTuple([i, 7n])
    try {
      const y = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), Point.CURVE().b))
      const point = Point.fromAffine({ x, y })
      if (!point.isTorsionFree())
        return compressProof({ a: [1n, 2n], b: [[x.c0, x.c1], [y.c0, y.c1]], c: [1n, 2n] }).slice(32, 96) // prettier-ignore
    } catch {
      // no square root: no point there
    }
  }
}

const plusOne = (bytes: Bytes) => bytesOfNumber((numberFrom(bytes) + 1n) % FIELD_ORDER)
const alias = bytesOfNumber(numberFrom(good.nullifier) + FIELD_ORDER)
const foreign = fieldsOf(envelope, 1, 0)
const smaller = new TestTree(commitments.slice(1))

type Case = readonly [what: string, envelope: Bytes, verdict: string, root?: Bytes]

const cases: readonly Case[] = [
  ["wrong root", with_({}), "reject MEMBER_PROOF", smaller.root],
  ["root 0", with_({}), "reject MEMBER_PROOF", new Uint8Array(32)],
  ["wrong period, within the window", with_({ period: PERIOD - 1 }), "reject MEMBER_PROOF"],
  ["wrong slot", with_({ slot: 1 }), "reject MEMBER_PROOF"],
  ["tampered nullifier", with_({ nullifier: plusOne(good.nullifier) }), "reject MEMBER_PROOF"],
  ["A off the curve", with_({ proof: concat(offCurve(), b, c) }), "reject MEMBER_PROOF"],
  ["C off the curve", with_({ proof: concat(a, b, offCurve()) }), "reject MEMBER_PROOF"],
  ["B outside the subgroup", with_({ proof: concat(a, outsideSubgroup(), c) }), "reject MEMBER_PROOF"], // prettier-ignore
  ["A and C swapped", with_({ proof: concat(c, b, a) }), "reject MEMBER_PROOF"],
  ["another's proof", with_({ proof: foreign.proof }), "reject MEMBER_PROOF"],
  ["another's one-time key", with_({ key: foreign.key, path: foreign.path, signature: foreign.signature }), "reject MEMBER_PROOF"], // prettier-ignore
]

describe("[REJECT] by the proof: the judge, mcl and noble agree", () => {
  it("what is not spoilt passes all three", async (t) => {
    const { came } = await membershipMailbox(t)
    const claim = claimOf(with_({}))
    assert.ok(claim)
    assert.equal(mcl.verify(claim), true)
    assert.equal(nobleVerifies(key, claim), true)
    assert.equal(await came(with_({})), "accept")
  })

  for (const [what, spoilt, verdict, root = tree.root] of cases)
    it(`${what}: ${verdict}`, async (t) => {
      const roots = new TestRoots()
      roots.roots.set(PERIOD, root)
      roots.roots.set(PERIOD - 1, root)
      const { came } = await membershipMailbox(t, { roots })
      assert.equal(await came(spoilt), verdict)
      const claim = claimOf(spoilt, root)
      assert.ok(claim)
      refusedByBoth(claim)
    })
})

describe("[REJECT] before any proof is looked at", () => {
  const fields: readonly Case[] = [
    ["slot = limit", with_({ slot: 32 }), "reject MEMBER_RANGE"],
    ["key index out of range", with_({ keyIndex: 8 }), "reject MEMBER_RANGE"],
    ["nullifier + field order", with_({ nullifier: alias }), "reject MEMBER_ENCODING"],
    ["A at infinity", with_({ proof: concat(new Uint8Array(32), b, c) }), "reject MEMBER_ENCODING"],
    ["B at infinity", with_({ proof: concat(a, new Uint8Array(64), c) }), "reject MEMBER_ENCODING"],
    ["C at infinity", with_({ proof: concat(a, b, new Uint8Array(32)) }), "reject MEMBER_ENCODING"],
    ["another key index", with_({ keyIndex: 1 }), "reject MEMBER_PROOF"],
    ["another's signature", with_({ signature: foreign.signature }), "reject MEMBER_SIGNATURE"],
    [
      "signature of another envelope",
      with_({ signature: fieldsOf(unpaidEnvelope(), 0, 0).signature }),
      "reject MEMBER_SIGNATURE",
    ],
    [
      "signature for another mesh",
      with_({ signature: signEnvelope(seedsOf(0, 0)[0]!, tree.root, envelopeId(envelope)) }),
      "reject MEMBER_SIGNATURE",
    ],
    ["a key of small order", with_({ key: new Uint8Array(32) }), "reject MEMBER_SIGNATURE"],
    ["bytes after the fields", with_({}).fill(1, 360, 361), "reject MEMBER_PADDING"],
  ]
  for (const [what, spoilt, verdict] of fields)
    it(`${what}: ${verdict}`, async (t) => {
      const { came, counted } = await membershipMailbox(t)
      assert.equal(await came(spoilt), verdict)
      assert.equal(counted.checks, verdict.endsWith("PROOF") ? 1 : 0)
    })

  it("aliases and infinity are refused by both verifiers as well", () => {
    const claim = claimOf(with_({}))
    assert.ok(claim)
    const { statement, proof } = claim
    refusedByBoth({ statement: { ...statement, nullifier: alias }, proof })
    for (const spoilt of [
      concat(new Uint8Array(32), b, c),
      concat(a, new Uint8Array(64), c),
      concat(a, b, new Uint8Array(32)),
    ])
      refusedByBoth({ statement, proof: spoilt })
  })

  it("an extra public signal: there is no room for one in an envelope, and no key that takes one", async () => {
    const { readFile } = await import("node:fs/promises")
    const file = new URL("../../../../data/semaphore/semaphore-20.json", import.meta.url)
    const json = JSON.parse(await readFile(file, "utf8")) as { nPublic: number; IC: unknown[] }
    const bytes = (value: unknown) => new Uint8Array(Buffer.from(JSON.stringify(value)))
    readVerificationKey(bytes(json))
    const more = { ...json, nPublic: 5, IC: [...json.IC, json.IC[1]] }
    assert.equal(codeOf(() => readVerificationKey(bytes(more))), "BAD_ENCODING") // prettier-ignore
    const longer = { ...json, IC: [...json.IC, json.IC[1]] }
    assert.equal(codeOf(() => readVerificationKey(bytes(longer))), "BAD_ENCODING") // prettier-ignore
  })
})

describe("[IGNORE] what an honest neighbour may have sent", () => {
  it("a period outside the window", async (t) => {
    const { came } = await membershipMailbox(t)
    assert.equal(await came(with_({ period: PERIOD + 1 })), "ignore MEMBER_PERIOD")
    assert.equal(await came(with_({ period: PERIOD - 2 })), "ignore MEMBER_PERIOD")
  })

  it("a second envelope under one key", async (t) => {
    const { came } = await membershipMailbox(t)
    const second = unpaidEnvelope()
    assert.equal(await came(with_({})), "accept")
    assert.equal(await came(writeMembership(second, fieldsOf(second, 0, 0))), "ignore MEMBER_SPENT")
  })
})

describe("what the circuit itself would let pass", () => {
  const prover = new Prover()
  after(() => prover.stop())

  it("a ghost member, at the parent of two raw leaves: neither leaf can be joined with", async () => {
    // whoever registers Ax and Ay side by side owns their parent, Poseidon(Ax, Ay), which no list of members shows
    const secret = newSecret()
    const [ax, ay] = mulPointEscalar(Base8, scalarOf(secret)).map(bytesOfNumber)
    assert.ok(ax && ay)
    assert.deepEqual(new TestTree([ax, ay]).root, commitmentOf(secret))
    // the circuit has nothing against it: the proof of knowledge at joining does
    const item = primitives.randomBytes(40)
    const ghost = commitmentOf(secret)
    const { nullifier, proof } = await prover.prove({
      secret,
      path: loneLeaf(ghost),
      signal: joinSignal(item),
      scope: joinScope(meshId),
    })
    const joinProof = encodeJoinProof(nullifier, proof)
    assert.equal(mcl.verify(joinClaim(meshId, ghost, item, joinProof)), true)
    for (const leaf of [ax, ay]) refusedByBoth(joinClaim(meshId, leaf, item, joinProof))
  })

  it("a path of 21 levels gives a proof of root 0 that holds: refused by its root alone", async () => {
    const proof = await proofOfRootZero()
    // the equation is satisfied, so nothing but the rule on roots stands in the way
    assert.equal(proof.holds, true)
    refusedByBoth(proof.claim)
    const { nullifier } = proofOf(0, 0)
    assert.equal(nullifier.length, 32)
  })
})

/** Made with snarkjs itself, since our own prover refuses. On this thread: a second of standing still. */
async function proofOfRootZero(): Promise<{ claim: Claim; holds: boolean }> {
  const { curves, groth16 } = await import("snarkjs")
  const { loadProvingKey, loadWitnessGenerator } =
    await import("../../../src/node/semaphore-files.ts")
  const { readFile } = await import("node:fs/promises")
  const shared = globalThis as { curve_bn128?: unknown }
  shared.curve_bn128 = await curves.getCurveFromName("bn128", { singleThread: true })
  const [data, zkey] = await Promise.all([loadWitnessGenerator(), loadProvingKey()])
  const [signal, scope] = [primitives.randomBytes(31), primitives.randomBytes(31)]
  const { proof, publicSignals } = await groth16.fullProve(
    {
      secret: scalarOf(newSecret()),
      merkleProofLength: 21,
      merkleProofIndex: 0,
      merkleProofSiblings: Array.from({ length: 20 }, (_, i) => BigInt(i + 1)),
      message: numberFrom(signal),
      scope: numberFrom(scope),
    },
    { type: "mem", data },
    { type: "mem", data: zkey },
  )
  const [root = "", nullifier = ""] = publicSignals
  assert.equal(root, "0")
  const file = new URL("../../../../data/semaphore/semaphore-20.json", import.meta.url)
  const holds = await groth16.verify(JSON.parse(await readFile(file, "utf8")), publicSignals, proof)
  const number = (text = "0") => BigInt(text)
  const pair = (texts: readonly string[] = []) => [number(texts[0]), number(texts[1])] as const
  const { pi_a, pi_b, pi_c } = proof
  const points = { a: pair(pi_a), b: [pair(pi_b[0]), pair(pi_b[1])] as const, c: pair(pi_c) }
  const padded = (bytes: Bytes) => concat(new Uint8Array(1), bytes)
  const statement = {
    root: bytesOfNumber(BigInt(root)),
    nullifier: bytesOfNumber(BigInt(nullifier)),
    signal: padded(signal),
    scope: padded(scope),
  }
  return { claim: { statement, proof: compressProof(points) }, holds }
}

it("the fields end where the content begins", () => {
  assert.equal(with_({}).length, 4096)
  assert.deepEqual(with_({}).slice(ADMISSION_BYTES), envelope.slice(ADMISSION_BYTES))
  assert.equal(said({ verdict: "accept" }), "accept")
})
