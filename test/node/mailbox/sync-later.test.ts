import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { toHex, Writer } from "../../../src/crypto/bytes.ts"
import { isPassing, LATER_MAX, SyncLater } from "../../../src/node/mailbox/sync-later.ts"
import { FETCH_MAX } from "../../../src/node/mailbox/sync-messages.ts"

const idOf = (n: number) => new Writer().u32(n).raw(new Uint8Array(28)).finish()

describe("what a peer had before it could be judged", () => {
  const vouched = new Set<string>()
  const later = () => new SyncLater((id) => vouched.has(toHex(id)))

  it("is asked for again at that peer, once the ledger has ordered it or a period has begun", () => {
    const waiting = later()
    waiting.add(idOf(1), "ada")
    waiting.add(idOf(2), "bob")
    assert.deepEqual(waiting.due(false), [])
    vouched.add(toHex(idOf(2)))
    assert.deepEqual(waiting.due(false), [{ peer: "bob", ids: [idOf(2)] }])
    waiting.came(idOf(2))
    assert.deepEqual(waiting.due(true), [{ peer: "ada", ids: [idOf(1)] }])
    assert.equal(waiting.size, 1)
  })

  it("is not asked for for ever, and in requests that a peer takes", () => {
    const waiting = later()
    for (let i = 0; i < 2 * FETCH_MAX + 1; i++) waiting.add(idOf(10 + i), "ada")
    assert.deepEqual(
      waiting.due(true).map(({ ids }) => ids.length),
      [FETCH_MAX, FETCH_MAX, 1],
    )
    for (let i = 0; i < 3; i++) waiting.due(true)
    assert.deepEqual(waiting.due(true), [])
    // offered once more, it has had its chances
    waiting.add(idOf(10), "ada")
    assert.deepEqual(waiting.due(true), [])
  })

  it("is bounded: the oldest are forgotten", () => {
    const waiting = later()
    for (let i = 0; i < LATER_MAX + 5; i++) waiting.add(idOf(i), "ada")
    assert.equal(waiting.size, LATER_MAX)
    const asked = waiting.due(true).flatMap(({ ids }) => ids.map(toHex))
    assert.ok(!asked.includes(toHex(idOf(4))))
    assert.ok(asked.includes(toHex(idOf(5))))
  })

  it("is what another day may be judged otherwise, and nothing else", () => {
    for (const code of ["NOT_ORDERED", "MEMBER_ROOT", "MEMBER_PERIOD"]) assert.ok(isPassing(code))
    for (const code of ["DUPLICATE", "MEMBER_SPENT", "OVERLOADED"]) assert.ok(!isPassing(code))
  })
})
