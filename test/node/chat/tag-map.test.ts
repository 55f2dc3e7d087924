import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { type Channel, tagAt } from "../../../src/chat/channel.ts"
import { BEGINNING } from "../../../src/chat/held.ts"
import { toHex } from "../../../src/crypto/bytes.ts"
import { ENVELOPE_BYTES, TAG_AT } from "../../../src/crypto/envelope.ts"
import { epochKeys } from "../../../src/crypto/tags.ts"
import { TagMap } from "../../../src/node/chat/tag-map.ts"

const keys = epochKeys(new Uint8Array(32).fill(7))
/** Under these keys the tags of leaf 1 at these two counters begin with the same four bytes. */
const [ONE, OTHER] = [5_680, 67_689]

/** A channel that expects 32 envelopes of leaf 1 from a counter on; nothing else of it matters here. */
function waiting(group: number, base: number): Channel {
  const windows = new Map([[1, { base, used: 0n, seen: 0 }]])
  const epoch = {
    epoch: 0,
    ownLeaf: 0,
    exporter: new Uint8Array(32),
    began: BEGINNING,
    keys,
    next: 0,
    unsent: 0,
    windows,
  }
  const channel: Partial<Channel> = {
    groupId: new Uint8Array(16).fill(group),
    trusted: true,
    epochs: [epoch],
  }
  return channel as Channel
}

const tag = (channel: Channel, counter: number) => tagAt(channel, { epoch: 0, leaf: 1, counter })

/** Windows of three senders in two epochs. */
const states = fc.array(
  fc.record({
    epoch: fc.nat({ max: 2 }),
    which: fc.nat({ max: 1 }),
    windows: fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 2 },
)
/** Every epoch has keys of its own, and others where the group was joined anew. */
const KEYS = Array.from({ length: 12 }, (_, i) => epochKeys(new Uint8Array(32).fill(i)))

describe("the tag map", () => {
  it("expects after any moves exactly what a new one would, and tells what is new", () => {
    fc.assert(
      fc.property(fc.array(states, { maxLength: 12 }), (moves) => {
        const map = new TagMap()
        const [one] = waiting(1, 0).epochs
        const known = new Set<string>()
        for (const move of moves) {
          const epochs = move.map(({ epoch, which, windows }, i) => ({
            ...(one ?? assert.fail()),
            // no two of one channel are of one number
            epoch: 2 * epoch + i,
            keys: KEYS[2 * (2 * epoch + i) + which] ?? keys,
            windows: new Map(windows.map((base, leaf) => [leaf, { base, used: 0n, seen: 0 }])),
          }))
          const channel = { ...waiting(1, 0), epochs }
          const fresh = new TagMap()
          const wanted = new Set(fresh.follow(channel).map(toHex))
          for (const tag of map.follow(channel)) known.add(toHex(tag))
          assert.equal(map.size, fresh.size)
          const name = toHex(channel.groupId)
          assert.deepEqual(new Set(map.tagsOf(name).map(toHex)), wanted)
          for (const tag of wanted) {
            assert(known.has(tag), "it was told")
            const bytes = new Uint8Array(Buffer.from(tag, "hex"))
            assert(map.find(bytes, 0) !== undefined, "it is found")
          }
        }
        map.forget(toHex(waiting(1, 0).groupId))
        assert.equal(map.size, 0)
      }),
    )
  })

  it("finds each expected tag and its place, in a whole envelope and on its own, and no other", () => {
    const map = new TagMap()
    const channel = waiting(1, 0)
    assert.equal(map.follow(channel).length, 32)
    assert.equal(map.size, 32)
    const envelope = new Uint8Array(ENVELOPE_BYTES)
    assert.equal(map.find(envelope), undefined)
    for (let counter = 0; counter < 32; counter++) {
      envelope.set(tag(channel, counter), TAG_AT)
      const hit = { group: toHex(channel.groupId), at: { epoch: 0, leaf: 1, counter } }
      assert.deepEqual(map.find(envelope), hit)
      assert.deepEqual(map.find(tag(channel, counter), 0), hit)
    }
    assert.equal(map.find(tag(channel, 32), 0), undefined)
  })

  it("moves on with its channel: what is fresh is told, what is past is gone", () => {
    const map = new TagMap()
    map.follow(waiting(1, 0))
    const later = waiting(1, 5)
    const fresh = map.follow(later).map(toHex)
    assert.deepEqual(
      fresh,
      [32, 33, 34, 35, 36].map((counter) => toHex(tag(later, counter))),
    )
    assert.equal(map.find(tag(later, 4), 0), undefined)
    assert.equal(map.size, 32)
    assert.deepEqual(map.follow(later), [])
    map.forget(toHex(later.groupId))
    assert.equal(map.size, 0)
    assert.equal(map.find(tag(later, 5), 0), undefined)
  })

  it("keeps tags apart that begin alike, and loses one without the other", () => {
    for (const [kept, lost] of [
      [ONE, OTHER],
      [OTHER, ONE],
    ] as const) {
      const map = new TagMap()
      const [staying, going] = [waiting(1, kept), waiting(2, lost)]
      map.follow(staying)
      map.follow(going)
      assert.equal(toHex(tag(staying, kept)).slice(0, 8), toHex(tag(going, lost)).slice(0, 8))
      assert.equal(map.find(tag(staying, kept), 0)?.at.counter, kept)
      assert.equal(map.find(tag(going, lost), 0)?.at.counter, lost)
      map.forget(toHex(going.groupId))
      assert.equal(map.find(tag(staying, kept), 0)?.at.counter, kept)
      assert.equal(map.find(tag(going, lost), 0), undefined)
      assert.equal(map.size, 32)
    }
  })
})
