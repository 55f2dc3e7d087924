import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decodeMessage, encodeBlockRecord } from "../../../src/consensus/codec.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { Serving } from "../../../src/node/ledger/serving.ts"
import { bench, certify, work } from "../../consensus/parts.ts"

const parts = bench(4)
const ledger = new Ledger(parts.rules)
const stored = Array.from({ length: 30 }, (_, i) =>
  encodeBlockRecord(certify(parts, ledger, [work(`item ${i}`)])),
)

/** A chain whose answers hold four blocks. Says the heights of each answer that is sent. */
function serving() {
  const answers: number[][] = []
  const chain = {
    stable: undefined,
    encodedAfter: (after: number) => Promise.resolve(stored.slice(after, after + 4)),
  }
  const send = (_: number, message: Bytes) => {
    const blocks = decodeMessage(message)
    assert(blocks.type === "blocks")
    answers.push(blocks.records.map(({ height }) => height))
  }
  return { answers, serving: new Serving(chain, send) }
}

describe("blocks for validators that lag", () => {
  it("go some answers ahead, and never twice to one that comes along", async () => {
    const { answers, serving: served } = serving()
    await served.serve(1, 0)
    await served.serve(1, 4)
    await served.serve(1, 30)
    const heights = answers.flat()
    assert(answers.length > 2)
    assert.deepEqual(
      heights,
      Array.from({ length: 30 }, (_, i) => i + 1),
    )
  })

  it("go again to one that still stands where it stood", async () => {
    const { answers, serving: served } = serving()
    await served.serve(1, 8)
    await served.serve(1, 8)
    const first = answers.filter((answer) => answer[0] === 9)
    assert.equal(first.length, 2)
  })

  it("go to each laggard from its own height", async () => {
    const { answers, serving: served } = serving()
    await served.serve(1, 28)
    await served.serve(2, 26)
    assert.deepEqual(
      answers.filter((answer) => answer.length > 0).map(([height]) => height),
      [29, 27],
    )
  })
})
