import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { TextLimit, type TextPlace } from "../../../src/node/chat/text-limit.ts"

const thread = new Uint8Array(16)
const text = (lamport: number): TextPlace["message"] => ({ lamport, id: new Uint8Array(16) })

describe("a limit on texts", () => {
  it("gives out every text beyond it once, in the order of writing, and keeps the newest", () => {
    const counts = fc.array(fc.nat({ max: 40 }), { maxLength: 30 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), counts, (max, rounds) => {
        const limit = new TextLimit(max)
        const gone: number[] = []
        let written = 0
        for (const count of rounds) {
          for (let i = 0; i < count; i++) limit.add(thread, text(written++))
          gone.push(...limit.surplus().map(({ message }) => message.lamport))
          assert.deepEqual(
            gone,
            Array.from({ length: Math.max(0, written - max) }, (_, i) => i),
          )
        }
      }),
    )
  })

  it("forgets nothing where there is none", () => {
    const limit = new TextLimit(undefined)
    for (let i = 0; i < 1_000; i++) limit.add(thread, text(i))
    assert.deepEqual(limit.surplus(), [])
  })
})
