/** Envelopes that wait for a place: a validator alone gathers them, several take them as they come. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Item } from "../../../src/consensus/types.ts"
import { envelopeId } from "../../../src/crypto/envelope.ts"
import { ALONE_REST_MS, Waiting } from "../../../src/node/ledger/waiting.ts"
import { unpaidEnvelope } from "../../helpers/envelopes.ts"

async function proposals(restMs: number): Promise<{ items: number; afterMs: number }[]> {
  const made: { items: number; afterMs: number }[] = []
  const enough = Promise.withResolvers<undefined>()
  const began = performance.now()
  const waiting = new Waiting({
    isOrdered: () => false,
    mailbox: { entriesAfter: () => Promise.resolve([]) },
    pooled: () => 0,
    admit: (items: readonly Item[]) => {
      made.push({ items: items.length, afterMs: performance.now() - began })
      if (made.reduce((sum, each) => sum + each.items, 0) === 4) enough.resolve(undefined)
    },
    restMs: () => restMs,
    onFirst: () => undefined,
    onStalled: () => undefined,
    onFault: (error) => enough.reject(error),
  })
  for (let i = 0; i < 4; i++) {
    const envelope = unpaidEnvelope()
    waiting.stored(envelopeId(envelope), envelope)
    // the first turn of the event loop takes what is there
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await enough.promise
  await waiting.stop()
  return made
}

describe("what waits for a place", () => {
  it("is proposed at once, and what comes soon after together, by a validator alone", async () => {
    const made = await proposals(ALONE_REST_MS)
    assert.deepEqual(
      made.map(({ items }) => items),
      [1, 3],
    )
    const [first, second] = made.map(({ afterMs }) => afterMs)
    assert(first !== undefined && second !== undefined)
    assert(second - first >= ALONE_REST_MS - 2)
  })

  it("is proposed as it comes where others vote too", async () => {
    assert.deepEqual(
      (await proposals(0)).map(({ items }) => items),
      [1, 1, 1, 1],
    )
  })
})
