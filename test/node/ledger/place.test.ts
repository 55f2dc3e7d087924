/** Proofs of place out of a stored chain: any envelope of it, from the newest snapshot or from the genesis, over changes of the validators. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { batchOf } from "../../../src/consensus/item.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import { judgePlaces } from "../../../src/consensus/place.ts"
import type { Item, ValidatorsItem } from "../../../src/consensus/types.ts"
import { LedgerChain } from "../../../src/node/ledger/chain.ts"
import { provePlaces } from "../../../src/node/ledger/place.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import { bench, certify, hash, work } from "../../consensus/parts.ts"

const TERM = 8
const parts = bench(4, "fast", TERM)
const { rules } = parts

/** A chain of so many blocks with an envelope in each; at some heights the validators change as well. */
async function chainOf(blocks: number, changesAt: readonly number[] = []): Promise<LedgerChain> {
  const chain = await LedgerChain.open(await openMemoryStore())
  const { ledger } = await chain.replay(rules)
  const maker = new Ledger(rules, ledger.snapshot())
  let come = 4
  for (let height = 1; height <= blocks; height++) {
    const items: Item[] = [work(`before ${height}`), work(`envelope ${height}`)]
    if (changesAt.includes(height)) {
      const change: ValidatorsItem = {
        type: "validators",
        term: maker.term,
        add: [{ keys: parts.ring.holder(come).keys, possession: new Uint8Array(1) }],
        remove: [parts.ring.holder(come - 4).keys.ed25519],
        approvals: [],
      }
      items.push(change)
      come++
    }
    const { applied } = maker.plan(batchOf(items))
    const record = certify(parts, maker, items)
    ledger.apply(ledger.plan(record.batch))
    await chain.keep([{ record, applied }], undefined, { sync: false })
  }
  return chain
}

const envelope = (height: number) => hash(`envelope ${height}`)

async function shows(chain: LedgerChain, ...heights: readonly number[]) {
  const ids = heights.map(envelope)
  const proof = await provePlaces({ chain, rules }, ids)
  assert(proof !== undefined)
  const judged = judgePlaces(rules, proof, ids, parts.ring.scheme)
  assert(judged.ok, "code" in judged ? judged.code : "")
  assert.deepEqual(
    judged.places,
    heights.map((height) => ({ height, index: 1 })),
  )
  return proof
}

describe("proving a place", () => {
  it("is possible for every envelope of the chain, wherever its snapshot lies", async () => {
    const chain = await chainOf(3 * TERM + 3)
    for (let height = 1; height <= chain.height; height++)
      assert.equal((await shows(chain, height)).links.length, 0)
    const both = await shows(chain, chain.height, 2, 2)
    assert.deepEqual(
      both.blocks.map(({ record }) => record.height),
      [2, chain.height],
    )
  })

  it("leads over the changes of the validators before it, and no later ones", async () => {
    const chain = await chainOf(6 * TERM, [3, TERM + 1, 4 * TERM + 2])
    const linksTo = async (height: number) =>
      (await shows(chain, height)).links.map((link) => link.height)
    assert.deepEqual(await linksTo(1), [])
    assert.deepEqual(await linksTo(TERM), [])
    assert.deepEqual(await linksTo(TERM + 1), [TERM])
    assert.deepEqual(await linksTo(2 * TERM), [TERM])
    assert.deepEqual(await linksTo(4 * TERM), [TERM, 2 * TERM])
    assert.deepEqual(await linksTo(6 * TERM), [TERM, 2 * TERM, 5 * TERM])
  })

  it("goes on from the newest snapshot where that is early enough, and tells how far it is", async () => {
    const chain = await chainOf(2 * TERM + 4)
    const from: number[] = []
    const records = chain.records.bind(chain)
    chain.records = (after) => {
      from.push(after ?? 0)
      return records(after)
    }
    await shows(chain, 2 * TERM + 1)
    await shows(chain, 2 * TERM)
    assert.deepEqual(from, [2 * TERM, 0])
  })

  it("says nothing of what has no place, and ends when it is told to", async () => {
    const chain = await chainOf(5)
    assert.equal(await provePlaces({ chain, rules }, [envelope(1), hash("nowhere")]), undefined)
    const signal = AbortSignal.abort(new Error("enough"))
    await assert.rejects(provePlaces({ chain, rules, signal }, [envelope(1)]), /enough/)
  })
})
