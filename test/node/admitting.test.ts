/** How own envelopes are admitted: by proof when one is there or comes soon, by work when that is quicker, and with word of how far it is. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { admitting, granting } from "../../src/node/admitting.ts"
import type { MineOptions } from "../../src/node/membership/mine.ts"

const envelope = new Uint8Array(1)
const proof = new Uint8Array([1])
const work = new Uint8Array([2])

const network = (bits: number, mine: (options: MineOptions) => void = () => undefined) => ({
  price: () => ({ anchor: new Uint8Array(32), bits }),
  pay: (_: Bytes, options: MineOptions = {}) => {
    mine(options)
    return Promise.resolve(work)
  },
})
/** A member whose proof comes when `come` is called, or never. */
function member() {
  const { promise, resolve } = Promise.withResolvers<readonly Bytes[]>()
  return {
    come: () => resolve([proof]),
    admit: (_: readonly Bytes[], signal: AbortSignal) => {
      const aborted = new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true })
      })
      return Promise.race([promise, aborted])
    },
  }
}
const never = new AbortController().signal
const quiet = () => undefined

describe("admitting", () => {
  it("takes a proof that is there, and work where there is no membership", async () => {
    const one = member()
    one.come()
    assert.deepEqual(await admitting(network(14), one, quiet)([envelope], never), [proof])
    assert.deepEqual(await admitting(network(14), undefined, quiet)([envelope], never), [work])
  })

  it("goes on by work when a period's slots are used up, loses nothing, and goes back to proofs with the next", async () => {
    let slots = 32
    const one = { admit: () => Promise.resolve(slots-- > 0 ? [proof] : undefined) }
    const admit = admitting(network(14), one, quiet)
    const sent = await Promise.all(Array.from({ length: 40 }, () => admit([envelope], never)))
    assert.equal(sent.filter(([each]) => each === proof).length, 32)
    assert.equal(sent.filter(([each]) => each === work).length, 8)
    slots = 32
    assert.deepEqual(await admit([envelope], never), [proof])
  })

  it("does not wait long for a proof while work is cheap", async () => {
    const beganMs = performance.now()
    assert.deepEqual(await admitting(network(14), member(), quiet)([envelope], never), [work])
    assert.ok(performance.now() - beganMs < 10_000)
  })

  it("waits for it when work is dear", async () => {
    const one = member()
    const admitted = admitting(network(26), one, quiet)([envelope], never)
    setImmediate(() => one.come())
    assert.deepEqual(await admitted, [proof])
  })

  it("ends when the message is called off", async () => {
    const stop = new AbortController()
    const admitted = admitting(network(14), member(), quiet)([envelope], stop.signal)
    stop.abort(new Error("called off"))
    await assert.rejects(admitted, /called off/)
  })

  it("says nothing of quick work, and of long work until it is done", async () => {
    const told: [number, number][] = []
    const say = (done: number, total: number) => void told.push([done, total])
    await admitting(
      network(14, (options) => options.onProgress?.(10, 100)),
      undefined,
      say,
    )([envelope], never)
    assert.deepEqual(told, [])
    const slowly = ({ onProgress }: MineOptions) => {
      for (const beganMs = performance.now(); performance.now() - beganMs < 1_100;);
      onProgress?.(60, 100)
      onProgress?.(250, 100)
    }
    await admitting(network(14, slowly), undefined, say)([envelope], never)
    assert.deepEqual(told, [
      [60, 100],
      [99, 100],
      [100, 100],
    ])
  })
})

describe("admitting chunks", () => {
  it("takes work while that is cheap and leaves the proofs for what is said; a proof once work is dear", async () => {
    const one = member()
    one.come()
    assert.deepEqual(await granting(network(14), one)(envelope, never), work)
    assert.deepEqual(await granting(network(19), one)(envelope, never), proof)
    const without = { admit: () => Promise.resolve(undefined) }
    assert.deepEqual(await granting(network(19), without)(envelope, never), work)
  })
})
