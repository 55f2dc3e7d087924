/** The log: after a crash the tail is cut, and whatever may hide a signed vote ends the right to vote. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { concat } from "../../src/crypto/bytes.ts"
import {
  appendRecord,
  crc32,
  decodeGuard,
  encodeGuard,
  encodeLogRecord,
  guardVerdict,
  logStart,
  readLog,
} from "../../src/consensus/log.ts"
import type { LogEnd } from "../../src/consensus/log.ts"
import type { LogRecord } from "../../src/consensus/types.ts"
import { hash } from "./parts.ts"

const meshId = hash("a mesh")
const start = logStart(meshId, 3)

const vote = (height: number): LogRecord => ({
  kind: "vote",
  message: {
    type: "prepare",
    term: 3,
    view: 0,
    height,
    digest: hash(`batch ${height}`),
    signer: 1,
    signature: Uint8Array.of(1, 2, 3),
  },
})

function logOf(...records: readonly LogRecord[]): { bytes: Uint8Array; ends: LogEnd[] } {
  const ends = [start]
  const parts = records.map((record) => {
    const { bytes, end } = appendRecord(ends.at(-1)!, encodeLogRecord(record))
    ends.push(end)
    return bytes
  })
  return { bytes: concat(...parts), ends }
}

const records = [vote(1), { kind: "observer", voteFromTerm: Infinity } as const, vote(2), vote(3)]
const { bytes, ends } = logOf(...records)

describe("a log", () => {
  it("has the well-known check sum", () => {
    assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926)
    const plainly = (bytes: Uint8Array) => {
      let crc = 0xffffffff
      for (const byte of bytes) {
        crc ^= byte
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1
      }
      return (crc ^ 0xffffffff) >>> 0
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(3), (bytes, from) => {
        const view = bytes.subarray(Math.min(from, bytes.length))
        assert.equal(crc32(view), plainly(view))
      }),
    )
  })
  it("reads back what was written", () => {
    const read = readLog(bytes, start)
    assert.deepEqual(read.records, records)
    assert.equal(read.goodBytes, bytes.length)
    assert.deepEqual(read.end, ends[4])
  })
  it("cut anywhere gives a prefix of its records", () => {
    for (let cut = 0; cut < bytes.length; cut++) {
      const read = readLog(bytes.subarray(0, cut), start)
      assert.deepEqual(read.records, records.slice(0, read.records.length))
      assert.ok(read.goodBytes <= cut)
    }
  })
  it("damaged anywhere gives a prefix, never a wrong record", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const bent = bytes.slice()
        bent[bit >> 3]! ^= 1 << (bit & 7)
        const read = readLog(bent, start)
        assert.deepEqual(read.records, records.slice(0, read.records.length))
        assert.ok(read.records.length < records.length)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        assert.deepEqual(readLog(noise, start).records, [])
      }),
    )
  })
  it("of another term or mesh is not taken for this one", () => {
    assert.equal(readLog(bytes, logStart(meshId, 4)).records.length, 0)
    assert.equal(readLog(bytes, logStart(hash("another"), 3)).records.length, 0)
  })
  it("with a record taken out, or two swapped, ends there", () => {
    const [one, two, three] = records.map(
      (record, i) => appendRecord(ends[i]!, encodeLogRecord(record)).bytes,
    )
    assert.equal(readLog(concat(one!, three!), start).records.length, 1)
    assert.equal(readLog(concat(two!, one!), start).records.length, 0)
  })
})

describe("the last-signed guard", () => {
  const judge = (
    guard: { term: number; end: LogEnd } | undefined,
    term: number,
    content: Uint8Array,
  ) => guardVerdict(guard, term, readLog(content, start), content, start)
  const guard = { term: 3, end: ends[3]! }

  it("is read back, and refused when a bit is wrong", () => {
    assert.deepEqual(decodeGuard(encodeGuard(guard)), guard)
    for (let bit = 0; bit < 48 * 8; bit++) {
      const bent = encodeGuard(guard).slice()
      bent[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(decodeGuard(bent), undefined)
    }
    assert.equal(decodeGuard(new Uint8Array(0)), undefined)
  })
  it("allows a torn tail that was never acted on", () => {
    assert.equal(judge(guard, 3, bytes), "intact")
    assert.equal(judge(guard, 3, bytes.subarray(0, bytes.length - 5)), "intact")
  })
  it("forbids to vote when the log is shorter than what was synced, missing, or another", () => {
    const two = logOf(...records.slice(0, 2)).bytes
    assert.equal(judge(guard, 3, two), "damaged")
    assert.equal(judge(undefined, 3, bytes), "damaged")
    const other = logOf(vote(7), vote(8), vote(9), vote(10)).bytes
    assert.equal(judge(guard, 3, other), "damaged")
  })
  it("forbids to vote when the chain was rolled back to an earlier term", () => {
    assert.equal(judge({ term: 4, end: start }, 3, bytes), "damaged")
  })
  it("of an earlier term says that nothing of this term was ever acted on", () => {
    assert.equal(judge({ term: 2, end: ends[2]! }, 3, bytes), "intact")
  })
})
