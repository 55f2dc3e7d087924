/** The stored chain and its snapshot: a start goes on from it, and never from one that is not the chain's. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it } from "node:test"
import { batchOf } from "../../../src/consensus/item.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import type { BlockRecord, Item } from "../../../src/consensus/types.ts"
import { type Bytes, utf8 } from "../../../src/crypto/bytes.ts"
import { LedgerChain } from "../../../src/node/ledger/chain.ts"
import { servedFrom } from "../../../src/node/ledger/serving.ts"
import { verifyStored } from "../../../src/node/ledger/view.ts"
import { openMemoryStore, openStore, type Store } from "../../../src/node/store/store.ts"
import { type Bench, bench, certify, hash, proof, work } from "../../consensus/parts.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const TERM = 8
const parts = bench(4, "fast", TERM)
const { rules } = parts

const itemsOf = (n: number): Item[] => [
  work(`envelope ${n}`),
  proof(`proof ${n}`, `nullifier ${n >> 2}`, n & 3, `root ${n >> 2}`),
  ...(n % 20 === 10 ? [{ type: "tick" as const, period: (n + 10) / 20 }] : []),
  ...(n % 9 === 1
    ? [
        {
          type: "member-add" as const,
          commitment: hash(`member ${n}`),
          voucher: hash(`voucher ${n}`),
          evidence: new Uint8Array(0),
        },
      ]
    : []),
]

interface Made {
  readonly record: BlockRecord
  readonly applied: readonly Item[]
}

/** The next blocks of a chain. */
function blocksOn(ledger: Ledger, count: number, { rules: at }: Bench = parts): Made[] {
  return Array.from({ length: count }, () => {
    const items = itemsOf(ledger.height + 1)
    const { applied } = ledger.plan(batchOf(items))
    return { record: certify({ ...parts, rules: at }, ledger, items), applied }
  })
}

/** A peer's chain as it takes blocks one by one. */
async function grown(store: Store, count: number): Promise<Ledger> {
  const chain = await LedgerChain.open(store)
  const { ledger } = await chain.replay(rules)
  for (const { record, applied } of blocksOn(copyOf(ledger), count)) {
    ledger.apply(ledger.plan(record.batch))
    await chain.keep([{ record, applied }], undefined, { sync: false })
  }
  return ledger
}

const copyOf = (ledger: Ledger) => new Ledger(rules, ledger.snapshot())

async function replayed(store: Store) {
  const chain = await LedgerChain.open(store)
  return { chain, ...(await chain.replay(rules)) }
}

async function rowsOf(store: Store, prefix: string): Promise<[Bytes, Bytes][]> {
  const rows: [Bytes, Bytes][] = []
  const [gte, lt] = [utf8(prefix), utf8(prefix)]
  lt[lt.length - 1]! += 1
  for await (const [key, value] of store.range("ledger", { gte, lt })) rows.push([key, value])
  return rows
}

describe("a stored chain", () => {
  it("is gone on from at the last full term, with every memory that a replay would have", async (t) => {
    const directory = join(temporaryDirectory(t), "store")
    let expected = new Ledger(rules)
    // many lives, of all lengths, over many terms: ids and spends are forgotten on the way
    for (const more of [3, 4, 1, 8, 17, 30, 2, 64, 5]) {
      const store = await openStore(directory)
      const before = await replayed(store)
      assert.deepEqual(before.ledger.snapshot(), expected.snapshot())
      assert.equal(before.resumedAt, expected.height - (expected.height % TERM))
      expected = await grown(store, more)
      await store.close()
    }
    const store = await openStore(directory)
    const full = new Ledger(rules)
    const chain = await LedgerChain.open(store)
    for await (const { batch } of chain.records()) full.apply(full.plan(batch))
    const { ledger, recent } = await chain.replay(rules)
    assert.deepEqual(ledger.snapshot(), full.snapshot())
    assert.deepEqual(
      recent.map(({ height }) => height),
      Array.from(
        { length: full.height % TERM },
        (_, i) => full.height - (full.height % TERM) + 1 + i,
      ),
    )
    // what is forgotten is not kept for ever
    const terms = (await rowsOf(store, "u")).map(([key]) =>
      Number(Buffer.from(key).readBigUInt64BE(1)),
    )
    const ended = full.height / TERM
    assert(terms.length >= rules.retentionTerms && terms.length < ended - 2, terms.join())
    await store.close()
  })

  it("gives the blocks of the term that is open, also when its end is not proven yet", async () => {
    const store = await openMemoryStore()
    await grown(store, 2 * TERM)
    const { recent, resumedAt } = await replayed(store)
    assert.equal(resumedAt, 2 * TERM)
    assert.deepEqual(
      recent.map(({ height }) => height),
      Array.from({ length: TERM }, (_, i) => TERM + 1 + i),
    )
  })

  it("takes many blocks at once, over the end of a term: the next snapshot counts", async () => {
    const store = await openMemoryStore()
    const chain = await LedgerChain.open(store)
    const { ledger } = await chain.replay(rules)
    const made = blocksOn(copyOf(ledger), 3 * TERM + 2)
    for (const { record } of made) ledger.apply(ledger.plan(record.batch))
    await chain.keep(made, undefined, { sync: true })
    const again = await replayed(store)
    assert.equal(again.resumedAt, 3 * TERM)
    assert.deepEqual(again.ledger.snapshot(), ledger.snapshot())
  })

  it("replays all of it beside a snapshot that is damaged anywhere, and makes it anew", async () => {
    const store = await openMemoryStore()
    const ledger = await grown(store, 5 * TERM + 3)
    const snapshot = ledger.snapshot()
    const [[headKey, head]] = (await rowsOf(store, "head")) as [[Bytes, Bytes]]
    const uses = await rowsOf(store, "u")
    const damages: { key: Bytes; value: Bytes | undefined }[] = []
    for (let at = 0; at < head.length; at += 503) {
      const value = head.slice()
      value[at]! ^= 1 << (at & 7)
      damages.push({ key: headKey, value })
    }
    damages.push({ key: headKey, value: head.slice(0, -1) }, { key: headKey, value: undefined })
    for (const [key, value] of uses) {
      const altered = value.slice()
      altered[altered.length >> 1]! ^= 4
      damages.push({ key, value: altered }, { key, value: undefined })
    }
    for (const damage of damages) {
      await store.batch([{ table: "ledger", ...damage }])
      const found = await replayed(store)
      assert.equal(found.resumedAt, 0)
      assert.match(found.without!, /none was made|BAD_|TOO_LARGE/)
      assert.deepEqual(found.ledger.snapshot(), snapshot)
      assert.equal((await replayed(store)).resumedAt, 5 * TERM, "made anew")
      assert.deepEqual((await rowsOf(store, "head"))[0]![1], head)
      assert.deepEqual(await rowsOf(store, "u"), uses)
    }
  })

  it("does not go on from another chain's snapshot", async () => {
    const [store, other] = [await openMemoryStore(), await openMemoryStore()]
    const ledger = await grown(store, 2 * TERM + 1)
    const chain = await LedgerChain.open(other)
    const { ledger: others } = await chain.replay(rules)
    for (let n = 0; n < 2 * TERM + 1; n++) {
      const items = [work(`another ${n}`)]
      const record = certify(parts, others, items)
      await chain.keep([{ record, applied: items }], undefined, { sync: false })
    }
    for (const row of [...(await rowsOf(other, "head")), ...(await rowsOf(other, "u"))])
      await store.batch([{ table: "ledger", key: row[0], value: row[1] }])
    const found = await replayed(store)
    assert.equal(found.resumedAt, 0)
    assert.deepEqual(found.ledger.snapshot(), ledger.snapshot())
  })

  it("upgrades by itself where there was no snapshot before", async () => {
    const store = await openMemoryStore()
    const ledger = await grown(store, 4 * TERM + 5)
    for (const [key] of [...(await rowsOf(store, "head")), ...(await rowsOf(store, "u"))])
      await store.batch([{ table: "ledger", key, value: undefined }])
    assert.equal((await replayed(store)).resumedAt, 0)
    const again = await replayed(store)
    assert.equal(again.resumedAt, 4 * TERM)
    assert.deepEqual(again.ledger.snapshot(), ledger.snapshot())
  })

  it("stays whole when a write fails: the block is neither there nor in the snapshot", async () => {
    const store = await openMemoryStore()
    const chain = await LedgerChain.open(store)
    const { ledger } = await chain.replay(rules)
    const made = blocksOn(copyOf(ledger), TERM)
    for (const [i, { record, applied }] of made.entries()) {
      ledger.apply(ledger.plan(record.batch))
      if (i % 3 === 2) {
        const batch = store.batch.bind(store)
        store.batch = () => Promise.reject(new Error("no space"))
        await assert.rejects(chain.keep([{ record, applied }], undefined, { sync: true }))
        store.batch = batch
        assert.equal(chain.height, record.height - 1)
      }
      await chain.keep([{ record, applied }], undefined, { sync: true })
    }
    const again = await replayed(store)
    assert.equal(again.resumedAt, TERM)
    assert.deepEqual(again.ledger.snapshot(), ledger.snapshot())
  })
})

describe("checking the whole stored chain", () => {
  it("starts at the genesis whatever the snapshot says, and drops one that the chain does not lead to", async () => {
    const real = bench(4, "real", TERM)
    const store = await openMemoryStore()
    const chain = await LedgerChain.open(store)
    const { ledger } = await chain.replay(real.rules)
    for (let n = 0; n < TERM + 1; n++) {
      const items = [work(`envelope ${n}`)]
      await chain.keep([{ record: certify(real, ledger, items), applied: items }], undefined, {
        sync: false,
      })
    }
    const check = () => verifyStored(chain, real.rules, () => undefined)
    assert.deepEqual(await check(), { height: TERM + 1, code: null })
    // sound in itself, and yet not this chain's: nothing a start could notice
    const [[key, head]] = (await rowsOf(store, "head")) as [[Bytes, Bytes]]
    const lying = await openMemoryStore()
    const otherChain = await LedgerChain.open(lying)
    const { ledger: other } = await otherChain.replay(real.rules)
    for (let n = 0; n < TERM; n++) {
      const items = [work(`other ${n}`)]
      await otherChain.keep([{ record: certify(real, other, items), applied: items }], undefined, {
        sync: false,
      })
    }
    const [[, foreign]] = (await rowsOf(lying, "head")) as [[Bytes, Bytes]]
    assert.notDeepEqual(foreign, head)
    await store.batch([{ table: "ledger", key, value: foreign }])
    assert.deepEqual(await check(), { height: TERM, code: "SNAPSHOT_DIFFERS" })
    assert.deepEqual(await check(), { height: TERM + 1, code: null })
  })
})

describe("a chain in memory", () => {
  const bytesMax = 12_000

  async function kept(count: number, limits: { inMemory: boolean; bytesMax?: number }) {
    const store = await openMemoryStore()
    const chain = await LedgerChain.open(store, limits)
    const { ledger } = await chain.replay(rules)
    const made = blocksOn(copyOf(ledger), count)
    for (const { record, applied } of made) {
      ledger.apply(ledger.plan(record.batch))
      await chain.keep([{ record, applied }], undefined, { sync: false })
    }
    return { store, chain, made }
  }

  it("lets the oldest blocks go at its limit, with the places they gave, and keeps the newest whole", async () => {
    const { store, chain, made } = await kept(120, { inMemory: true, bytesMax })
    const { oldest, height } = chain
    assert.equal(height, 120)
    assert.ok(oldest > 1 && oldest <= height - 2 * TERM + 1, `keeps blocks from ${oldest} on`)
    const blocks = await rowsOf(store, "b")
    assert.equal(blocks.length, height - oldest + 1)
    const weight = (rows: readonly (readonly [Bytes, Bytes])[]) =>
      rows.reduce((sum, [, value]) => sum + value.length, 0)
    assert.ok(weight(blocks) <= bytesMax, "within the limit")
    const places = await rowsOf(store, "o")
    assert.equal(places.length, 2 * (height - oldest + 1))
    assert.equal(await chain.block(oldest - 1), undefined)
    for (const { record, applied } of made.slice(oldest - 1)) {
      assert.equal((await chain.block(record.height))?.height, record.height)
      for (const item of applied)
        if (item.type === "envelope") assert.equal(chain.orderedAt(item.id), record.height)
    }
    const [gone] = made[oldest - 2]!.applied
    assert.equal(gone?.type === "envelope" && chain.orderedAt(gone.id), undefined)
  })

  it("keeps two terms, however large they are", async () => {
    const { chain } = await kept(50, { inMemory: true, bytesMax: 1 })
    assert.equal(chain.oldest, 50 - 2 * TERM + 1)
  })

  it("sends away who asks for what it has let go, which is not the same as having nothing newer", async () => {
    const { chain } = await kept(50, { inMemory: true, bytesMax: 1 })
    await assert.rejects(servedFrom(chain, 0, 10), { code: "GONE" })
    await assert.rejects(servedFrom(chain, chain.oldest - 2, 10), { code: "GONE" })
    assert.equal((await servedFrom(chain, chain.oldest - 1, 10)).length, 10)
    assert.deepEqual(await servedFrom(chain, 50, 10), [])
    assert.deepEqual(await verifyStored(chain, rules, () => undefined), {
      height: chain.oldest - 1,
      code: "BLOCKS_NOT_KEPT",
    })
  })

  it("on a disk keeps everything", async () => {
    const { chain } = await kept(50, { inMemory: false, bytesMax: 1 })
    assert.equal(chain.oldest, 1)
    assert.equal((await servedFrom(chain, 0, 10)).length, 10)
  })
})
