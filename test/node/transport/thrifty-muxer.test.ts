/** Fewer writes under yamux: what leaves is what was sent, in order, and nobody waits for room that is there. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { MessageStream } from "@libp2p/interface"
import fc from "fast-check"
import { concat, type Bytes } from "../../../src/crypto/bytes.ts"
import {
  CREDIT_BYTES_MIN,
  CREDITS_MAX,
  thrifty,
} from "../../../src/node/transport/thrifty-muxer.ts"

const DATA = 0
const WINDOW_UPDATE = 1
const FIN = 4

function frame(type: number, flags: number, stream: number, length: number, data?: Bytes): Bytes {
  const header = new Uint8Array(12)
  const view = new DataView(header.buffer)
  view.setUint8(1, type)
  view.setUint16(2, flags)
  view.setUint32(4, stream)
  view.setUint32(8, length)
  return data === undefined ? header : concat(header, data)
}
const data = (stream: number, bytes: Bytes) => frame(DATA, 0, stream, bytes.length, bytes)
const credit = (stream: number, bytes: number) => frame(WINDOW_UPDATE, 0, stream, bytes)

/** A connection that notes what is written; with `takes` it says when it is full. */
function connection(takes: () => boolean = () => true) {
  const written: Bytes[] = []
  const target = new EventTarget()
  const raw = Object.assign(target, {
    status: "open",
    send: (bytes: Uint8Array | { subarray(): Uint8Array }) => {
      if (raw.status !== "open") throw new Error("closed")
      written.push(bytes.subarray().slice())
      return takes()
    },
  })
  const sent = thrifty(raw as unknown as MessageStream)
  const turn = () => Promise.resolve()
  return { raw, sent, written, turn, drain: () => target.dispatchEvent(new Event("drain")) }
}

/** The frames in what was written. */
function framesIn(written: readonly Bytes[]) {
  const all = concat(...written)
  const frames: { type: number; flags: number; stream: number; length: number; data: Bytes }[] = []
  for (let at = 0; at < all.length;) {
    const view = new DataView(all.buffer, at, 12)
    const [type, length] = [view.getUint8(1), view.getUint32(8)]
    const end = at + 12 + (type === DATA ? length : 0)
    frames.push({
      type,
      flags: view.getUint16(2),
      stream: view.getUint32(4),
      length,
      data: all.slice(at + 12, end),
    })
    at = end
  }
  return frames
}

describe("a thrifty muxer", () => {
  it("writes what one turn sends in one piece", async () => {
    const { sent, written, turn } = connection()
    sent.send(data(1, Uint8Array.of(1, 2, 3)))
    sent.send(data(3, Uint8Array.of(4)))
    assert.deepEqual(written, [])
    await turn()
    assert.equal(written.length, 1)
    assert.deepEqual(
      framesIn(written).map((each) => [each.stream, ...each.data]),
      [
        [1, 1, 2, 3],
        [3, 4],
      ],
    )
  })

  it("says at once that a stream opens, closes or is reset", async () => {
    const { sent, written, turn } = connection()
    sent.send(frame(WINDOW_UPDATE, FIN, 1, 0))
    await turn()
    assert.equal(framesIn(written).length, 1)
  })

  it("gives room back once a quarter of a window is used up, and then all of it", async () => {
    const { sent, written, turn } = connection()
    const piece = CREDIT_BYTES_MIN / 4
    for (let i = 0; i < 3; i++) sent.send(credit(1, piece))
    sent.send(credit(3, piece))
    await turn()
    assert.deepEqual(written, [])
    sent.send(credit(1, piece))
    await turn()
    assert.deepEqual(
      framesIn(written).map(({ stream, length }) => [stream, length]),
      [[1, CREDIT_BYTES_MIN]],
    )
  })

  it("holds back the room of so many streams, and then says all", async () => {
    const { sent, written, turn } = connection()
    for (let stream = 1; stream <= CREDITS_MAX + 1; stream++) sent.send(credit(stream, 10))
    await turn()
    assert.equal(framesIn(written).length, CREDITS_MAX + 1)
  })

  it("says when to wait, until the connection drains", async () => {
    const { sent, turn, drain } = connection(() => false)
    assert.equal(sent.send(data(1, Uint8Array.of(1))), true)
    await turn()
    assert.equal(sent.send(data(1, Uint8Array.of(2))), false)
    drain()
    assert.equal(sent.send(data(1, Uint8Array.of(3))), true)
    await turn()
  })

  it("fails in nobody's hands when the connection has closed", async () => {
    const { raw, sent, written, turn } = connection()
    sent.send(data(1, Uint8Array.of(1)))
    raw.status = "closed"
    await turn()
    assert.deepEqual(written, [])
    assert.throws(() => sent.send(data(1, Uint8Array.of(2))), /closed/)
  })

  it("loses, adds and reorders nothing, whatever is sent when", async () => {
    const step = fc.record({
      stream: fc.integer({ min: 1, max: 3 }),
      isCredit: fc.boolean(),
      bytes: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 70_000 })),
      turns: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { sent, written, turn } = connection()
        const given = new Map<number, number>()
        const expected: number[][] = []
        for (const [i, { stream, isCredit, bytes, turns }] of steps.entries()) {
          if (isCredit) {
            sent.send(credit(stream, bytes))
            given.set(stream, (given.get(stream) ?? 0) + bytes)
          } else {
            sent.send(data(stream, new Uint8Array(bytes).fill(i)))
            expected.push([stream, bytes, i])
          }
          if (turns) await turn()
        }
        await turn()
        const frames = framesIn(written)
        const payloads = frames.filter(({ type }) => type === DATA)
        assert.deepEqual(
          payloads.map((each) => [each.stream, each.length, each.data[0]]),
          expected,
        )
        for (const [stream, bytes] of given) {
          const said = frames
            .filter((each) => each.type === WINDOW_UPDATE && each.stream === stream)
            .reduce((sum, { length }) => sum + length, 0)
          assert.ok(bytes - said >= 0 && bytes - said < CREDIT_BYTES_MIN)
        }
      }),
      { numRuns: 60 },
    )
  })
})
