/** When new keys are due. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  isUpdateDue,
  UPDATE_EVERY_MESSAGES,
  UPDATE_EVERY_MS,
  UPDATE_SPREAD_MESSAGES,
} from "../../src/chat/updates.ts"

const EARLIEST = UPDATE_EVERY_MESSAGES - UPDATE_SPREAD_MESSAGES
const LATEST = UPDATE_EVERY_MESSAGES + UPDATE_SPREAD_MESSAGES

/** With which message they are first due. */
function firstDue(draw: () => number): number {
  for (let spoken = 1; ; spoken++)
    if (isUpdateDue({ spoken, renewedAtMs: 0 }, 0, draw())) return spoken
}

describe("new keys of one's own", () => {
  it("are due after about fifty messages, never much sooner or later", () => {
    assert.equal(
      firstDue(() => 0),
      EARLIEST,
    )
    assert.equal(
      firstDue(() => 1 - 2 ** -16),
      LATEST,
    )
    const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(fc.infiniteStream(draw), (draws) => {
        const due = firstDue(() => Number(draws.next().value))
        assert(due >= EARLIEST && due <= LATEST)
      }),
    )
  })

  it("are due at every count of the spread alike", () => {
    // The chance of each count: due then, and not at any before. It is the draw's threshold times what is left.
    let left = 1
    for (let spoken = EARLIEST; spoken <= LATEST; spoken++) {
      const steps = 21 * 20 * 19 * 16
      let hits = 0
      for (let i = 0; i < steps; i += 16)
        if (isUpdateDue({ spoken, renewedAtMs: 0 }, 0, (i + 0.5) / steps)) hits += 16
      const chance = hits / steps
      assert(Math.abs(left * chance - 1 / (LATEST - EARLIEST + 1)) < 0.001, `${spoken}`)
      left *= 1 - chance
    }
  })

  it("are due with the first message after a day, and when the clock was set back", () => {
    const renewedAtMs = 1_000
    const due = (nowMs: number) => isUpdateDue({ spoken: 1, renewedAtMs }, nowMs, 0)
    assert(!due(renewedAtMs))
    assert(!due(renewedAtMs + UPDATE_EVERY_MS - 1))
    assert(due(renewedAtMs + UPDATE_EVERY_MS))
    assert(due(renewedAtMs - 1))
  })
})
