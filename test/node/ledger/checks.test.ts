import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { claimsOf, type Claim } from "../../../src/consensus/claims.ts"
import { hybridScheme, remembering } from "../../../src/consensus/hybrid.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import { utf8 } from "../../../src/crypto/bytes.ts"
import { SignatureChecks } from "../../../src/node/ledger/checks.ts"
import { bench, certify, work } from "../../consensus/parts.ts"

/** A scheme that counts what it has to check itself. */
function counting() {
  const real = hybridScheme()
  let checked = 0
  const scheme = remembering(
    {
      ...real,
      verify: (...claim) => {
        checked++
        return real.verify(...claim)
      },
    },
    1024,
  )
  return { scheme, checked: () => checked }
}

const parts = bench(4, "real")
const ledger = new Ledger(parts.rules)
const records = Array.from({ length: 6 }, (_, i) => certify(parts, ledger, [work(`item ${i}`)]))
const court = { meshId: parts.rules.meshId, setOf: () => ledger.set }
const claims = claimsOf({ type: "blocks", records }, court)
const verifies = (scheme: ReturnType<typeof counting>["scheme"], claim: Claim) =>
  scheme.verify(claim.keys, claim.preimage, claim.signature)

describe("checking signatures in threads", () => {
  it("finds every signature that blocks rest on, and leaves none of them to the event loop", async (t) => {
    const { scheme, checked } = counting()
    const checks = new SignatureChecks(scheme)
    t.after(() => checks.stop())
    assert.equal(claims.length, 24)
    await checks.prove(claims)
    assert(claims.every((claim) => verifies(scheme, claim)))
    assert.equal(checked(), 0)
  })

  it("vouches for nobody: a bad one among them is left for whoever judges the message", async (t) => {
    const { scheme, checked } = counting()
    const checks = new SignatureChecks(scheme)
    t.after(() => checks.stop())
    const [first, ...others] = claims
    assert(first !== undefined)
    const forged = { ...first, preimage: utf8("something else") }
    await checks.prove([forged, ...others])
    assert(!verifies(scheme, forged))
    assert(others.every((claim) => verifies(scheme, claim)))
    assert.equal(checked(), 1)
  })

  it("starts no thread for a few, nor for what is remembered", async (t) => {
    const { scheme } = counting()
    const checks = new SignatureChecks(scheme)
    t.after(() => checks.stop())
    await checks.prove(claims.slice(0, 4))
    for (const { keys, preimage, signature } of claims)
      scheme.remember(scheme.nameOf(keys, preimage, signature))
    await checks.prove(claims)
    assert.equal(checks.threads, 0)
  })

  it("leaves the checking to others once it is stopped, also what is under way", async () => {
    const { scheme } = counting()
    const checks = new SignatureChecks(scheme)
    const proving = checks.prove(claims)
    await checks.stop()
    await proving
    assert.equal(checks.threads, 0)
    await checks.prove(claims)
    assert.equal(checks.threads, 0)
  })
})
