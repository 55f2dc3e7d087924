/** Until when an epoch's words count: a question of heights alone (DESIGN §10). */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { type Channel, type ChannelEpoch } from "../../src/chat/channel.ts"
import { lastHeight, LATE_HEIGHTS_MAX } from "../../src/chat/lateness.ts"
import { EMPTY_WINDOW } from "../../src/chat/window.ts"

const OWN_LEAF = 0

/** An epoch that began at that height, with these leaves besides our own. */
const epoch = (number: number, height: number, ...leaves: number[]): ChannelEpoch => ({
  epoch: number,
  ownLeaf: OWN_LEAF,
  began: { height, index: 0 },
  exporter: new Uint8Array(32),
  keys: {} as ChannelEpoch["keys"],
  next: 0,
  unsent: 0,
  windows: new Map(leaves.map((leaf) => [leaf, EMPTY_WINDOW])),
})

/** Newest first. */
const channel = (...epochs: ChannelEpoch[]) => ({ epochs }) as unknown as Channel

describe("what is said under an epoch", () => {
  const group = channel(epoch(7, 90, 1), epoch(6, 50, 1, 2), epoch(5, 40, 1, 2), epoch(4, 30, 1, 2))

  it("counts without end while the epoch goes on", () => {
    assert.equal(lastHeight(group, { epoch: 7, leaf: 1 }), undefined)
  })

  it("counts some blocks longer than the epoch", () => {
    assert.equal(lastHeight(group, { epoch: 6, leaf: 1 }), 90 + LATE_HEIGHTS_MAX)
    assert.equal(lastHeight(group, { epoch: 4, leaf: OWN_LEAF }), 40 + LATE_HEIGHTS_MAX)
  })

  it("counts not even in the block of the commit that took its author out", () => {
    assert.equal(lastHeight(group, { epoch: 6, leaf: 2 }), 89)
    assert.equal(lastHeight(group, { epoch: 4, leaf: 2 }), 40 + LATE_HEIGHTS_MAX, "ended before")
  })

  it("counts for nobody once the epoch is forgotten, and is not judged from before we came in", () => {
    assert.equal(lastHeight(group, { epoch: 3, leaf: 1 }), 0)
    const joined = channel(epoch(7, 90, 1), epoch(6, 0, 1))
    assert.equal(lastHeight(joined, { epoch: 5, leaf: 1 }), undefined)
  })

  it("is judged alike by all who read the same commits, however many epochs they keep", () => {
    const heights = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(heights, fc.nat(3), fc.integer({ min: 0, max: 3 }), (gaps, back, shorter) => {
        let height = 0
        const oldestFirst = gaps.map((gap, i) => epoch(i, (height += gap), 1, 2))
        const whole = channel(...[...oldestFirst].reverse())
        const newcomer = channel(...whole.epochs.slice(0, 4 - shorter))
        const said = { epoch: 3 - back, leaf: 1 }
        if (newcomer.epochs.every((each) => each.epoch !== said.epoch)) return
        assert.equal(lastHeight(newcomer, said), lastHeight(whole, said))
      }),
    )
  })
})
