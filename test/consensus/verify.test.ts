/** The judge, check by check; each test opens with the sentence it holds the code to. Real signatures. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { toHex } from "../../src/crypto/bytes.ts"
import { blockFault, certificateFault, certificateOf } from "../../src/consensus/certificate.ts"
import { decodeBlockClaim, encodeBlockRecord } from "../../src/consensus/codec.ts"
import { claimsOf } from "../../src/consensus/claims.ts"
import { newViewPreimage, viewChangePreimage } from "../../src/consensus/preimage.ts"
import { Follower, verifyChain } from "../../src/consensus/follower.ts"
import { hybridScheme, remembering } from "../../src/consensus/hybrid.ts"
import type { Scheme } from "../../src/consensus/hybrid.ts"
import { NULL_BATCH } from "../../src/consensus/item.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import { carriedBy } from "../../src/consensus/new-view.ts"
import type {
  Certificate,
  Message,
  NewView,
  PreparedProof,
  ValidatorKeys,
  ViewChange,
  Vote,
  VoteType,
} from "../../src/consensus/types.ts"
import { isWrong, verify } from "../../src/consensus/verify.ts"
import type { Court } from "../../src/consensus/verify.ts"
import { bench, certify, hash, sign, work } from "./parts.ts"

const parts = bench(4, "real")
const ledger = new Ledger(parts.rules)
const { set } = ledger
const { meshId, termHeights } = parts.rules
const court: Court = { meshId, scheme: parts.ring.scheme, term: 0, termHeights, set }

const vote = (type: VoteType, more: Partial<Vote> = {}): Message =>
  sign<Vote>(parts, set, {
    type,
    term: 0,
    view: 0,
    height: 1,
    digest: hash("batch"),
    signer: 1,
    ...more,
  })

/** "ok", or the verdict and code. */
function judged(message: Message, at: Court = court): string {
  const result = verify(message, at)
  return isWrong(result) ? `${result.verdict} ${result.code}` : "ok"
}

function proofAt(
  height: number,
  view: number,
  digest = hash("batch"),
  backups = [1, 2, 3],
): PreparedProof {
  const primary = view % 4
  const signed = (type: "pre-prepare" | "prepare", signer: number) =>
    sign<Vote>(parts, set, { type, term: 0, view, height, digest, signer }).signature
  return {
    height,
    view,
    digest,
    proposal: signed("pre-prepare", primary),
    prepares: backups
      .filter((signer) => signer !== primary)
      .slice(0, 2)
      .map((signer) => ({ signer, signature: signed("prepare", signer) })),
  }
}

function change(
  view: number,
  signer: number,
  prepared: readonly PreparedProof[] = [],
  tip?: Certificate,
): ViewChange {
  const fields = {
    type: "view-change" as const,
    term: 0,
    view,
    prepared,
    signer,
    ...(tip === undefined ? {} : { tip }),
  }
  return {
    ...fields,
    signature: parts.holderOf(set, signer).sign(viewChangePreimage(meshId, fields)),
  }
}

function newView(
  view: number,
  changes: readonly ViewChange[],
  bend?: (o: NewView["proposals"]) => NewView["proposals"],
): NewView {
  const signer = view % 4
  const carried = carriedBy(changes, 0)
  assert.ok(!("contradiction" in carried))
  const proposals = carried.proposals.map(({ height, digest }) => ({
    height,
    digest,
    signature: sign<Vote>(parts, set, {
      type: "pre-prepare",
      term: 0,
      view,
      height,
      digest,
      signer,
    }).signature,
  }))
  const fields = {
    type: "new-view" as const,
    term: 0,
    view,
    changes,
    proposals: bend === undefined ? proposals : bend(proposals),
    signer,
  }
  return { ...fields, signature: parts.holderOf(set, signer).sign(newViewPreimage(meshId, fields)) }
}

function certificate(signers: readonly number[], more: Partial<Vote> = {}): Certificate {
  const votes = signers.map((signer) =>
    sign<Vote<"commit">>(parts, set, {
      type: "commit",
      term: 0,
      view: 0,
      height: 1,
      digest: hash("block"),
      signer,
      ...more,
    } as Vote<"commit">),
  )
  return certificateOf(votes)
}
const faultOf = (given: Certificate, at = set): string | undefined =>
  certificateFault(given, meshId, at, parts.ring.scheme)

describe("a vote", () => {
  it("counts with both halves of its signature, in its own seat, term, mesh and role", () => {
    const good = vote("commit") as Vote
    assert.equal(judged(good as Message), "ok")
    for (const at of [0, 63, 64, 3000]) {
      const signature = good.signature.slice()
      signature[at]! ^= 1
      assert.equal(judged({ ...good, signature }), "reject BAD_SIGNATURE")
    }
    assert.equal(
      judged({ ...good, signature: good.signature.slice(0, 64) }),
      "reject BAD_SIGNATURE",
    )
    assert.equal(judged({ ...good, signer: 2 }), "reject BAD_SIGNATURE")
    assert.equal(judged({ ...good, signer: 9 }), "reject BAD_SIGNATURE")
    assert.equal(judged({ ...good, type: "prepare" }), "reject BAD_SIGNATURE")
    assert.equal(
      judged(good as Message, { ...court, meshId: hash("other mesh") }),
      "reject BAD_SIGNATURE",
    )
    assert.equal(judged({ ...good, term: 1 }), "ignore OTHER_TERM")
    assert.equal(judged({ ...good, term: 1 }, { ...court, term: 1 }), "reject OUTSIDE_WINDOW")
  })

  it('has its number "between a low water mark, h, and a high water mark, H" (4.2)', () => {
    assert.equal(judged(vote("prepare", { height: termHeights })), "ok")
    assert.equal(judged(vote("prepare", { height: termHeights + 1 })), "reject OUTSIDE_WINDOW")
    assert.equal(judged(vote("prepare", { height: 0 })), "reject OUTSIDE_WINDOW")
  })

  it("proposes only as primary of its view, and as primary never prepares (4.2)", () => {
    assert.equal(judged(vote("pre-prepare", { signer: 0 })), "ok")
    assert.equal(judged(vote("pre-prepare", { signer: 1 })), "reject NOT_PRIMARY")
    assert.equal(judged(vote("pre-prepare", { signer: 1, view: 5 })), "ok")
    assert.equal(judged(vote("prepare", { signer: 0 })), "reject PRIMARY_PREPARED")
  })

  it("for a checkpoint stands at the end of the term (4.3)", () => {
    assert.equal(judged(vote("checkpoint", { height: termHeights })), "ok")
    assert.equal(judged(vote("checkpoint", { height: 3 })), "reject NOT_A_BOUNDARY")
    assert.equal(
      judged(vote("checkpoint", { height: termHeights, view: 1 })),
      "reject NOT_A_BOUNDARY",
    )
  })

  it("is evidence beside another one for the same place, and only then", () => {
    const first = vote("prepare") as Vote
    const second = vote("prepare", { digest: hash("other") }) as Vote
    assert.equal(judged({ type: "evidence", first, second }), "ok")
    assert.equal(judged({ type: "evidence", first, second: first }), "reject NO_CONFLICT")
    const elsewhere = vote("prepare", { digest: hash("other"), view: 1, signer: 2 }) as Vote
    assert.equal(judged({ type: "evidence", first, second: elsewhere }), "reject NO_CONFLICT")
    const forged = { ...second, signature: first.signature }
    assert.equal(judged({ type: "evidence", first, second: forged }), "reject BAD_SIGNATURE")
  })
})

describe("a certificate", () => {
  it("is a quorum of distinct members, each signature good", () => {
    assert.equal(faultOf(certificate([0, 1, 2])), undefined)
    assert.equal(faultOf(certificate([0, 1, 2, 3])), undefined)
    assert.equal(faultOf(certificate([0, 1])), "NO_QUORUM")
  })
  it("does not count a signer twice", () => {
    assert.equal(faultOf(certificate([0, 0, 1])), "BAD_SIGNERS")
    assert.equal(faultOf(certificate([1, 1, 1])), "BAD_SIGNERS")
  })
  it("falls with one bad of three, and with a bad fourth beside a good quorum", () => {
    const good = certificate([0, 1, 2, 3])
    for (const bad of [1, 3]) {
      const signatures = good.signatures.map((signed, i) =>
        i === bad ? { ...signed, signature: good.signatures[0]!.signature } : signed,
      )
      assert.equal(faultOf({ ...good, signatures }), "BAD_SIGNATURE")
    }
  })
  it("knows no foreign members and no mixed views or terms", () => {
    const foreign = certificate([0, 1]).signatures
    const signatures = [...foreign, { signer: 7, signature: foreign[0]!.signature }]
    assert.equal(faultOf({ ...certificate([0, 1]), signatures }), "BAD_SIGNERS")
    const otherView = certificate([2], { view: 1 })
    const mixed = [...certificate([0, 1]).signatures, ...otherView.signatures]
    assert.equal(faultOf({ ...certificate([0, 1]), signatures: mixed }), "BAD_SIGNATURE")
    const prepares = [0, 1, 2].map((signer) => {
      const { signature } = vote("prepare", { signer, view: 3, digest: hash("block") }) as Vote
      return { signer, signature }
    })
    assert.equal(faultOf({ ...certificate([0, 1, 2]), signatures: prepares }), "BAD_SIGNATURE")
  })
})

describe("a VIEW-CHANGE", () => {
  const tip = certificate([0, 1, 3])
  it("proves its tip and each slot it says prepared (4.4)", () => {
    assert.equal(judged(change(1, 2)), "ok")
    assert.equal(judged(change(1, 2, [proofAt(2, 0)], tip)), "ok")
    assert.equal(judged(change(0, 2)), "reject BAD_VIEW")
    assert.equal(judged(change(1, 2, [], certificate([0, 1]))), "reject TIP_NO_QUORUM")
    assert.equal(judged(change(1, 2, [], { ...tip, type: "checkpoint" })), "reject BAD_TIP")
    assert.equal(judged(change(1, 2, [], { ...tip, height: 99 })), "reject BAD_TIP")
  })
  it("needs 2f prepares from different backups for a proof, the primary's PRE-PREPARE beside", () => {
    const good = proofAt(2, 0)
    const [first] = good.prepares
    const bent = (proof: PreparedProof): string => judged(change(1, 2, [proof]))
    assert.equal(bent({ ...good, prepares: [first!] }), "reject PREPARED_NO_QUORUM")
    assert.equal(bent({ ...good, prepares: [first!, first!] }), "reject PREPARED_BAD_SIGNERS")
    const byPrimary = { signer: 0, signature: good.proposal }
    assert.equal(
      bent({ ...good, prepares: [byPrimary, first!] }),
      "reject PREPARED_PRIMARY_PREPARED",
    )
    assert.equal(bent({ ...good, proposal: first!.signature }), "reject PREPARED_BAD_SIGNATURE")
    assert.equal(bent({ ...good, digest: hash("another") }), "reject PREPARED_BAD_SIGNATURE")
  })
  it("has one proof a slot, above its tip, inside the window, from an earlier view", () => {
    assert.equal(judged(change(1, 2, [proofAt(1, 0)], tip)), "reject BAD_PREPARED_SLOT")
    assert.equal(judged(change(1, 2, [proofAt(2, 0), proofAt(2, 0)])), "reject BAD_PREPARED_SLOT")
    assert.equal(judged(change(1, 2, [proofAt(termHeights + 1, 0)])), "reject BAD_PREPARED_SLOT")
    assert.equal(judged(change(1, 2, [proofAt(2, 1)])), "reject BAD_PREPARED_VIEW")
    // A height that nobody could count up to costs nobody anything.
    const huge = newView(1, [change(1, 0), change(1, 2), change(1, 3)])
    const far = { ...change(1, 3), prepared: [{ ...proofAt(2, 0), height: 2 ** 50 }] }
    const [a, b] = huge.changes
    assert.equal(judged({ ...huge, changes: [a!, b!, far] }), "reject BAD_PREPARED_SLOT")
  })
})

describe("a NEW-VIEW", () => {
  const changes = [change(1, 0, [proofAt(3, 0)]), change(1, 2), change(1, 3)]
  it("holds 2f+1 VIEW-CHANGEs of different members for its view (4.4)", () => {
    assert.equal(judged(newView(1, changes)), "ok")
    assert.equal(judged(newView(1, changes.slice(1))), "reject NO_QUORUM")
    assert.equal(judged(newView(1, [changes[1]!, changes[1]!, changes[2]!])), "reject BAD_SIGNERS")
    assert.equal(judged(newView(1, [changes[2]!, changes[1]!, changes[0]!])), "reject BAD_SIGNERS")
    assert.equal(
      judged(newView(1, [changes[0]!, changes[1]!, change(2, 3)])),
      "reject FOREIGN_CHANGE",
    )
    assert.equal(judged({ ...newView(1, changes), signer: 2 }), "reject NOT_PRIMARY")
  })
  it("proposes exactly what everyone computes from them (4.4)", () => {
    assert.equal(judged(newView(1, changes, (o) => o.slice(1))), "reject WRONG_PROPOSALS")
    assert.equal(
      judged(newView(1, changes, (o) => [...o, { ...o[0]!, height: 4 }])),
      "reject WRONG_PROPOSALS",
    )
    const swapped = newView(1, changes, (o) => [{ ...o[0]!, digest: hash("x") }, ...o.slice(1)])
    assert.equal(judged(swapped), "reject WRONG_PROPOSALS")
    const unsigned = newView(1, changes, (o) => [
      { ...o[0]!, signature: o[1]!.signature },
      ...o.slice(1),
    ])
    assert.equal(judged(unsigned), "reject BAD_SIGNATURE")
  })
  it("is no better than the VIEW-CHANGEs inside", () => {
    const forged = { ...changes[2]!, signature: changes[1]!.signature }
    assert.equal(judged(newView(1, [changes[0]!, changes[1]!, forged])), "reject BAD_SIGNATURE")
  })
})

describe("the claims of a big message", () => {
  const named = (keys: ValidatorKeys, preimage: Uint8Array, signature: Uint8Array) =>
    [keys.ed25519, preimage, signature].map(toHex).join(" ")
  const tip = certificate([0, 1, 2])
  const changes = [change(1, 0, [proofAt(2, 0), proofAt(3, 0)], tip), change(1, 2), change(1, 3)]
  for (const message of [changes[0]!, newView(1, changes)])
    it(`are all the signatures that its judge checks: ${message.type}`, () => {
      const asked = new Set<string>()
      const scheme = {
        ...court.scheme,
        verify: (...claim: Parameters<Scheme["verify"]>) => {
          asked.add(named(...claim))
          return court.scheme.verify(...claim)
        },
      }
      assert.equal(judged(message, { ...court, scheme }), "ok")
      const claims = claimsOf(message, { meshId, setOf: () => set })
      const claimed = claims.map(({ keys, preimage, signature }) =>
        named(keys, preimage, signature),
      )
      assert.deepEqual(new Set(claimed), asked)
    })
})

describe("what a new view carries", () => {
  it('is, for each slot, "the pre-prepare in V with the highest view number"', () => {
    const old = proofAt(1, 0, hash("old"))
    const young = proofAt(1, 2, hash("young"))
    const carried = carriedBy([change(3, 0, [young]), change(3, 1, [old]), change(3, 2)], 0)
    assert.deepEqual(carried, {
      low: 0,
      high: 1,
      proposals: [{ height: 1, digest: hash("young") }],
    })
  })
  it("fills holes with null requests, and nothing above the highest prepared slot", () => {
    const carried = carriedBy([change(1, 0, [proofAt(3, 0)]), change(1, 2), change(1, 3)], 0)
    assert.deepEqual(carried, {
      low: 0,
      high: 3,
      proposals: [
        { height: 1, digest: NULL_BATCH.digest },
        { height: 2, digest: NULL_BATCH.digest },
        { height: 3, digest: hash("batch") },
      ],
    })
  })
  it("begins above the highest certified block: what is decided is not agreed on again", () => {
    const tip = certificate([0, 1, 3], { height: 3 })
    const carried = carriedBy(
      [change(1, 0, [proofAt(2, 0)]), change(1, 2, [], tip), change(1, 3)],
      0,
    )
    assert.deepEqual(carried, { low: 3, high: 3, proposals: [] })
  })
  it("is a contradiction when two batches prepared in one view, or two blocks are certified: never a choice", () => {
    const two = [change(1, 0, [proofAt(1, 0, hash("a"))]), change(1, 2, [proofAt(1, 0, hash("b"))])]
    assert.deepEqual(carriedBy(two, 0), { contradiction: "TWO_PREPARED", height: 1 })
    const tips = ["a", "b"].map((name) => certificate([0, 1, 2], { digest: hash(name) }))
    const forks = tips.map((tip, i) => change(1, i, [], tip))
    assert.deepEqual(carriedBy(forks, 0), { contradiction: "TWO_CERTIFICATES", height: 1 })
  })
})

describe("a follower", () => {
  const own = new Ledger(parts.rules)
  const chain = Array.from({ length: termHeights + 2 }, (_, i) =>
    certify(parts, own, [work(`item ${i}`)]),
  )
  const verdict = (records: typeof chain): string => {
    const result = verifyChain(parts.rules, records, parts.ring.scheme)
    return result.ok ? `ok ${result.height}` : `${result.code} at ${result.height}`
  }
  it("re-checks a whole chain across terms with nothing but the genesis", () => {
    assert.equal(verdict(chain), `ok ${termHeights + 2}`)
  })
  it("can tell a proven block without its items: a certificate counts for this very block alone", () => {
    const [first, second] = chain
    const { meshId } = parts.rules
    const fault = (bend: Partial<(typeof chain)[0]> = {}) => {
      const claim = decodeBlockClaim(encodeBlockRecord({ ...second!, ...bend }))
      return blockFault(claim, meshId, own.set, parts.ring.scheme)
    }
    assert.equal(fault(), undefined)
    assert.equal(fault({ batch: first!.batch }), "WRONG_BLOCK", "another batch under its proof")
    assert.equal(fault({ stateRoot: hash("x") }), "WRONG_BLOCK")
    assert.equal(fault({ parent: hash("x") }), "WRONG_BLOCK")
    assert.equal(fault({ height: 3 }), "WRONG_BLOCK")
    assert.equal(fault({ certificate: first!.certificate }), "WRONG_BLOCK")
    const { certificate: proof } = second!
    assert.equal(fault({ certificate: { ...proof, type: "checkpoint" } }), "WRONG_BLOCK")
    assert.equal(fault({ certificate: { ...proof, view: 1 } }), "BAD_SIGNATURE")
    const few = { ...proof, signatures: proof.signatures.slice(0, 2) }
    assert.equal(fault({ certificate: few }), "NO_QUORUM")
  })
  it("sees every tampering, and keeps what came before it", () => {
    const at = (i: number, bend: Partial<(typeof chain)[0]>) =>
      verdict(chain.map((record, j) => (i === j ? { ...record, ...bend } : record)))
    const [first, second] = chain
    assert.equal(verdict([second!]), "NOT_NEXT at 2")
    assert.equal(verdict([first!, first!]), "NOT_NEXT at 1")
    assert.equal(at(1, { parent: hash("x") }), "WRONG_PARENT at 2")
    assert.equal(at(1, { batch: first!.batch }), "WRONG_STATE at 2")
    assert.equal(at(1, { stateRoot: hash("x") }), "WRONG_STATE at 2")
    assert.equal(at(1, { certificate: first!.certificate }), "WRONG_BLOCK at 2")
    const { certificate: proof } = second!
    assert.equal(at(1, { certificate: { ...proof, term: 1 } }), "WRONG_TERM at 2")
    assert.equal(at(1, { certificate: { ...proof, view: 1 } }), "BAD_SIGNATURE at 2")
    const few = { ...proof, signatures: proof.signatures.slice(0, 2) }
    assert.equal(at(1, { certificate: few }), "NO_QUORUM at 2")
    const follower = new Follower(new Ledger(parts.rules), parts.ring.scheme)
    assert.equal(follower.take(first!).ok, true)
    assert.equal(follower.take({ ...second!, certificate: few }).ok, false)
    assert.equal(follower.take(second!).ok, true)
  })
  it("of another mesh believes none of it", () => {
    const other = { ...parts.rules, meshId: hash("other mesh") }
    assert.equal(verifyChain(other, chain, parts.ring.scheme).ok, false)
  })
})

describe("remembering signatures", () => {
  it("changes no verdict, and forgets", () => {
    let asked = 0
    const real = hybridScheme()
    const scheme = remembering({ ...real, verify: (...args) => (asked++, real.verify(...args)) }, 8)
    const cached: Court = { ...court, scheme }
    const good = vote("commit") as Vote
    for (let i = 0; i < 3; i++) assert.equal(judged(good as Message, cached), "ok")
    assert.equal(asked, 1)
    assert.equal(judged({ ...good, height: 2 }, cached), "reject BAD_SIGNATURE")
    assert.equal(judged({ ...good, height: 2 }, cached), "reject BAD_SIGNATURE")
    for (let height = 1; height <= 8; height++) judged(vote("prepare", { height, view: 7 }), cached)
    const before = asked
    assert.equal(judged(good as Message, cached), "ok")
    assert.equal(asked, before + 1)
  })
})
