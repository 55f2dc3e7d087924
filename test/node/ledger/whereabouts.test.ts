import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { hybridScheme } from "../../../src/consensus/hybrid.ts"
import { type Bytes, equal } from "../../../src/crypto/bytes.ts"
import { CryptoError } from "../../../src/crypto/errors.ts"
import {
  decodeWhereabouts,
  encodeWhereabouts,
  Finder,
  type WhereaboutsParts,
} from "../../../src/node/ledger/whereabouts.ts"
import { ownValidator, type Validator } from "../../../src/node/ledger/validator-keys.ts"

const meshId = new Uint8Array(32).fill(7)
const ADDRESS = "/ip4/10.0.0.1/tcp/4001/p2p/12D3KooWnobody"
const [ada, bob, eve] = await Promise.all([1, 2, 3].map(() => ownValidator(undefined)))
assert(ada !== undefined && bob !== undefined && eve !== undefined)

/** Ada's or a follower's finder, in a mesh of ada and bob, and the calls it makes. */
function finderOf(own: Validator | undefined, given: Partial<WhereaboutsParts> = {}) {
  const calls: (readonly string[])[] = []
  const finder = new Finder({
    meshId,
    scheme: hybridScheme(),
    validators: () => [ada!.keys, bob!.keys],
    own: () => own,
    isLinked: () => false,
    addresses: () => [ADDRESS],
    publish: () => Promise.resolve(),
    dial: (addresses) => Promise.resolve(calls.push(addresses)),
    nowMs: () => 0,
    ...given,
  })
  const said = (bytes: Bytes) => {
    const judged = finder.judge(bytes)
    return judged.verdict === "accept" ? "accept" : `${judged.verdict} ${judged.code}`
  }
  return { finder, calls, said }
}

describe("where validators are", () => {
  it("is heard by the others, who call, and passed on by everybody", () => {
    const message = encodeWhereabouts(meshId, bob, [ADDRESS])
    const at = finderOf(ada)
    assert.equal(at.said(message), "accept")
    assert.deepEqual(at.calls, [[ADDRESS]])
    const follower = finderOf(undefined)
    assert.equal(follower.said(message), "accept")
    assert.deepEqual(follower.calls, [], "a follower has no reason to call")
    const linked = finderOf(ada, { isLinked: (key) => equal(key, bob.keys.ed25519) })
    assert.equal(linked.said(message), "accept")
    const own = finderOf(bob)
    assert.equal(own.said(message), "accept")
    assert.deepEqual([...linked.calls, ...own.calls], [])
  })

  it("is believed from the validator alone, and only for this mesh", () => {
    const { said, calls } = finderOf(ada)
    assert.equal(said(encodeWhereabouts(meshId, eve, [ADDRESS])), "ignore NOT_A_VALIDATOR")
    const forged = { keys: bob.keys, sign: eve.sign }
    assert.equal(said(encodeWhereabouts(meshId, forged, [ADDRESS])), "reject BAD_SIGNATURE")
    const elsewhere = encodeWhereabouts(new Uint8Array(32), bob, [ADDRESS])
    assert.equal(said(elsewhere), "reject BAD_SIGNATURE")
    assert.deepEqual(calls, [])
  })

  it("is passed on four times a minute, whoever repeats it", () => {
    let nowMs = 0
    const { said } = finderOf(undefined, { nowMs: () => nowMs })
    const message = encodeWhereabouts(meshId, bob, [ADDRESS])
    for (let n = 0; n < 4; n++) assert.equal(said(message), "accept")
    assert.equal(said(message), "ignore TOO_OFTEN")
    nowMs = 60_001
    assert.equal(said(message), "accept")
  })

  it("is said while a link is missing, and only then", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] })
    let linked = false
    const published: Bytes[] = []
    const { finder } = finderOf(ada, {
      isLinked: () => linked,
      publish: (message) => Promise.resolve(published.push(message)),
    })
    finder.start()
    t.mock.timers.tick(4_000)
    const [first] = published
    assert(first !== undefined)
    assert.deepEqual(decodeWhereabouts(first).addresses, [ADDRESS])
    linked = true
    t.mock.timers.tick(3_600_000)
    assert.equal(published.length, 1)
    linked = false
    finder.changed()
    t.mock.timers.tick(4_000)
    assert.equal(published.length, 2)
    await finder.stop()
    t.mock.timers.tick(3_600_000)
    assert.equal(published.length, 2)
  })

  it("decodes whole, or is a coded error", () => {
    const whole = encodeWhereabouts(meshId, bob, [ADDRESS, ADDRESS])
    assert.deepEqual(decodeWhereabouts(whole).addresses, [ADDRESS, ADDRESS])
    const total = (bytes: Bytes) => {
      try {
        decodeWhereabouts(bytes)
      } catch (error) {
        assert(error instanceof CryptoError)
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 5_000 }), total))
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (cut) =>
        assert.throws(() => decodeWhereabouts(whole.subarray(0, cut)), CryptoError),
      ),
    )
    assert.throws(() => decodeWhereabouts(new Uint8Array([...whole, 0])), CryptoError)
  })
})
