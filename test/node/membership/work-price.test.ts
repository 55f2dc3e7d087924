/** The price of posting without membership is the ledger's: what work is bound to and how much of it moves with the periods, at every peer alike. */
import assert from "node:assert/strict"
import { describe, test } from "node:test"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { envelopeId } from "../../../src/crypto/envelope.ts"
import { anchorOf, type WorkPrice } from "../../../src/crypto/pow.ts"
import { testMesh, unpaidEnvelope } from "../../helpers/envelopes.ts"
import { testPeer, type TestPeer, untilLinked } from "../../helpers/peers.ts"
import { until } from "../../helpers/wait.ts"

const price = (n: number, bits = 4): WorkPrice => ({ anchor: new Uint8Array(32).fill(n), bits })
const has = (peer: TestPeer, envelope: Bytes) => peer.mailbox.knows(envelopeId(envelope))
const judged = async (peer: TestPeer, envelope: Bytes) => {
  const verdict = await peer.mailbox.admit(envelope, { from: "gossip", peer: "somebody" })
  return verdict.verdict === "accept" ? "accept" : `${verdict.verdict} ${verdict.code}`
}

describe("the price of work", () => {
  test("is this period's or the last one's; work for an older one is stale, and for an unknown one waits", async (t) => {
    let prices = [price(1)]
    const { genesis, meshId } = testMesh()
    const peer = await testPeer(
      t,
      { genesis, meshId, admissions: new Map() },
      { prices: () => prices },
    )
    const [first, second, third] = [unpaidEnvelope(), unpaidEnvelope(), unpaidEnvelope()]
    const paid = await peer.pay(first)
    assert.deepEqual(anchorOf(paid), price(1).anchor)
    const late = await peer.pay(second)
    const tooLate = await peer.pay(third)
    assert.equal(await judged(peer, paid), "accept")
    prices = [price(2), price(1)]
    assert.equal(peer.isStale(late), false)
    assert.equal(await judged(peer, late), "accept")
    prices = [price(3), price(2)]
    assert.equal(peer.isStale(tooLate), true)
    assert.equal(await judged(peer, tooLate), "ignore POW_ANCHOR")
    const again = await peer.pay(third)
    assert.deepEqual(envelopeId(again), envelopeId(third), "the same envelope, paid for anew")
    assert.equal(await judged(peer, again), "accept")
  })

  test("rises and falls with the ledger", async (t) => {
    let prices = [price(1, 2)]
    const { genesis, meshId } = testMesh()
    const peer = await testPeer(
      t,
      { genesis, meshId, admissions: new Map() },
      { prices: () => prices },
    )
    const envelopes = await Promise.all(Array.from({ length: 8 }, () => peer.pay(unpaidEnvelope())))
    prices = [price(1, 12)]
    const codes = await Promise.all(envelopes.map((each) => judged(peer, each)))
    assert.ok(codes.includes("reject POW_BITS"), "cheap work does not do any more")
    assert.equal(await judged(peer, await peer.pay(unpaidEnvelope())), "accept")
  })

  test("just after a tick own work goes by the last period's, which everybody knows", async (t) => {
    let prices = [price(1)]
    const { genesis, meshId } = testMesh()
    const mesh = { genesis, meshId, admissions: new Map() }
    const ahead = await testPeer(t, mesh, { prices: () => prices })
    const behind = await testPeer(t, mesh, {
      prices: () => [price(1)],
      bootstrap: ahead.addresses(),
    })
    await untilLinked(ahead, behind)
    prices = [price(2), price(1)]
    ahead.ledgerMoved()
    assert.deepEqual(ahead.price(), price(1))
    const envelope = await ahead.pay(unpaidEnvelope())
    await ahead.post(envelope)
    await until("it arrived at a peer that has not heard of the tick", () => has(behind, envelope))
  })
})
