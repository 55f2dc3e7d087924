import assert from "node:assert/strict"
import { describe, test, type TestContext } from "node:test"
import { verifyProofOfWork } from "../../../src/crypto/pow.ts"
import { Miner, MINING_MAX } from "../../../src/node/membership/mine.ts"
import { testMesh, unpaidEnvelope } from "../../helpers/envelopes.ts"

const { meshId } = testMesh()
const rule = (bits: number) => ({ meshId, anchor: meshId, bits })
/** Nobody finds this. */
const HOPELESS = rule(64)

function minerOf(t: TestContext) {
  const miner = new Miner()
  t.after(() => miner.stop())
  return miner
}

describe("mining", () => {
  test("pays for an envelope as everybody checks it", async (t) => {
    const miner = minerOf(t)
    for (const bits of [0, 1, 8, 12]) {
      const envelope = unpaidEnvelope()
      const paid = await miner.mine(envelope, rule(bits))
      const check = { meshId, prices: [{ anchor: meshId, bits }] }
      assert.deepEqual(verifyProofOfWork(check, paid), { verdict: "accept" })
      assert.deepEqual(paid.subarray(384), envelope.subarray(384), "the content is as it was")
      assert.equal(envelope[0], 0, "and what was given is not written into")
    }
  })

  test("tells how far it is", async (t) => {
    const miner = minerOf(t)
    const giveUp = new AbortController()
    const told = Promise.withResolvers<readonly [number, number]>()
    const mining = miner.mine(unpaidEnvelope(), HOPELESS, {
      signal: giveUp.signal,
      onProgress: (tried, expected) => told.resolve([tried, expected]),
    })
    const ended = assert.rejects(mining, { name: "AbortError" })
    const [tried, expected] = await told.promise
    assert(tried > 0)
    assert.equal(expected, 2 ** 64)
    giveUp.abort()
    await ended
  })

  test("can be given up while it works and while it waits; what comes after it is mined", async (t) => {
    const miner = minerOf(t)
    const [first, second] = [new AbortController(), new AbortController()]
    const working = miner.mine(unpaidEnvelope(), HOPELESS, { signal: first.signal })
    const waiting = miner.mine(unpaidEnvelope(), HOPELESS, { signal: second.signal })
    const last = miner.mine(unpaidEnvelope(), rule(4))
    const ended = [assert.rejects(working), assert.rejects(waiting)]
    second.abort()
    first.abort()
    await Promise.all(ended)
    assert.equal((await last).length, 4096)
  })

  test("starts its thread with the first envelope and has none after it was stopped", async () => {
    const miner = new Miner()
    assert(!miner.running)
    await miner.mine(unpaidEnvelope(), rule(2))
    assert(miner.running, "kept for the next one")
    const working = miner.mine(unpaidEnvelope(), HOPELESS)
    const ended = assert.rejects(working, { code: "STOPPING" })
    await miner.stop()
    await ended
    assert(!miner.running)
    await assert.rejects(miner.mine(unpaidEnvelope(), rule(1)), { code: "STOPPING" })
  })

  test("ends its thread when there was nothing to do for ten seconds", async (t) => {
    const miner = minerOf(t)
    t.mock.timers.enable({ apis: ["setTimeout"] })
    await miner.mine(unpaidEnvelope(), rule(2))
    t.mock.timers.tick(9_999)
    assert(miner.running)
    await miner.mine(unpaidEnvelope(), rule(2))
    t.mock.timers.tick(9_999)
    assert(miner.running, "counted from the last one")
    t.mock.timers.tick(1)
    assert(!miner.running)
  })

  test("QUEUE_FULL beyond what may wait", async () => {
    const miner = new Miner()
    const envelope = unpaidEnvelope()
    const waiting = Array.from({ length: MINING_MAX }, () => miner.mine(envelope, HOPELESS))
    const ended = Promise.allSettled(waiting)
    await assert.rejects(miner.mine(envelope, HOPELESS), { code: "QUEUE_FULL" })
    await miner.stop()
    assert((await ended).every(({ status }) => status === "rejected"))
  })
})
