import assert from "node:assert/strict"
import { describe, test, type TestContext } from "node:test"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { envelopeId, tagOf } from "../../../src/crypto/envelope.ts"
import { type Kept, RECENT_MAX, Shelf, type ShelfOptions } from "../../../src/node/mailbox/shelf.ts"
import { StoreError } from "../../../src/node/store/errors.ts"
import { openMemoryStore, openStore, type Store } from "../../../src/node/store/store.ts"
import { unpaidEnvelope } from "../../helpers/envelopes.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const many = (count: number) => Array.from({ length: count }, unpaidEnvelope)

for (const [variant, open] of [
  ["on the disk", (t: TestContext) => openStore(temporaryDirectory(t))],
  ["in memory", () => openMemoryStore()],
] as const)
  describe(`a shelf ${variant}`, () => {
    async function shelfOf(t: TestContext, options: ShelfOptions = {}) {
      const store = await open(t)
      t.after(() => store.close())
      return { store, ...(await reopened(store, options)) }
    }

    async function reopened(store: Store, options: ShelfOptions = {}) {
      const told: Kept[] = []
      const shelf = await Shelf.open(store, options, (kept) => told.push(...kept))
      const keep = (bytes: Bytes) => shelf.keep(envelopeId(bytes), bytes)
      return { shelf, told, keep }
    }

    test("numbers envelopes from 1 in the order they came, without holes", async (t) => {
      const { shelf, told, keep } = await shelfOf(t)
      const envelopes = many(600)
      const kept = await Promise.all(envelopes.map(keep))
      assert.deepEqual(
        kept.map(({ seq }) => seq),
        envelopes.map((_, i) => i + 1),
      )
      assert.deepEqual(told, kept, "listeners hear of them in the same order")
      assert.equal(shelf.count, 600)
      const page = await shelf.entriesAfter(598, 10)
      assert.deepEqual(
        page.map(({ seq, bytes }) => [seq, bytes]),
        [
          [599, envelopes[598]],
          [600, envelopes[599]],
        ],
      )
      assert.equal((await shelf.idsAfter(0, 7)).length, 7)
    })

    test("answers the same from memory and from the disk, also after a change and for what was dropped", async (t) => {
      const { store, shelf, keep } = await shelfOf(t, { envelopesMax: 3 * RECENT_MAX })
      const envelopes = many(4 * RECENT_MAX)
      for (const envelope of envelopes) await keep(envelope)
      const changed = envelopes.at(-2)!
      const asOnDisk = async () => {
        const { shelf: fresh } = await reopened(store, { envelopesMax: 3 * RECENT_MAX })
        for (const seq of [0, 1, 2, 2.5, 3, 3.5, 4].map((share) => share * RECENT_MAX))
          for (const limit of [1, 5, RECENT_MAX, 5 * RECENT_MAX]) {
            const entries = await shelf.entriesAfter(seq, limit)
            assert.deepEqual(entries, await fresh.entriesAfter(seq, limit))
            const numbers = (await shelf.idsAfter(seq, limit)).map((each) => each.seq)
            assert.deepEqual(numbers, entries.map((each) => each.seq)) // prettier-ignore
          }
      }
      await asOnDisk()
      await shelf.change([envelopeId(changed)], (bytes) => bytes.slice().fill(0, 0, 384))
      await asOnDisk()
      await keep(unpaidEnvelope())
      await asOnDisk()
      const [last] = await shelf.entriesAfter(4 * RECENT_MAX - 2, 1)
      assert(last?.bytes.subarray(0, 384).every((byte) => byte === 0))
    })

    test("knows an envelope from the moment it is given, before it is stored", async (t) => {
      const { shelf, keep } = await shelfOf(t)
      const envelope = unpaidEnvelope()
      assert(!shelf.knows(envelopeId(envelope)))
      const keeping = keep(envelope)
      assert(shelf.knows(envelopeId(envelope)))
      await keeping
      assert(shelf.knows(envelopeId(envelope)))
    })

    test("finds by tag, also when several share one", async (t) => {
      const { shelf, keep } = await shelfOf(t)
      const [one, other] = [unpaidEnvelope(), unpaidEnvelope()]
      const twin = unpaidEnvelope()
      twin.set(tagOf(one), 1952)
      await Promise.all([one, twin, other].map(keep))
      const hexes = (found: readonly { bytes: Bytes }[]) =>
        found.map(({ bytes }) => toHex(bytes)).sort()
      assert.deepEqual(hexes(await shelf.byTag(tagOf(one))), [toHex(one), toHex(twin)].sort())
      assert.deepEqual(hexes(await shelf.byTag(tagOf(other))), [toHex(other)])
      assert.deepEqual(await shelf.byTag(new Uint8Array(16)), [])
    })

    test("goes on counting where it was", async (t) => {
      const { store, keep } = await shelfOf(t)
      await Promise.all(many(3).map(keep))
      const again = await reopened(store)
      assert.equal(again.shelf.lastSeq, 3)
      assert.equal((await again.keep(unpaidEnvelope())).seq, 4)
    })

    test("drops the oldest when it is full, and remembers for a while that it had them", async (t) => {
      const options = { envelopesMax: 10 }
      const { store, shelf, keep } = await shelfOf(t, options)
      const envelopes = many(40)
      // one after the other: what is stored in one batch is never dropped by it
      for (const envelope of envelopes) await keep(envelope)
      const oldest = envelopes.slice(0, 30)
      assert.equal(shelf.count, 10)
      assert.equal(shelf.firstSeq, 31)
      assert.deepEqual(
        (await shelf.entriesAfter(0, 100)).map(({ seq }) => seq),
        [31, 32, 33, 34, 35, 36, 37, 38, 39, 40],
      )
      assert.deepEqual(await shelf.getMany(oldest.map(envelopeId)), Array(30).fill(undefined))
      assert.deepEqual(await shelf.byTag(tagOf(oldest[0]!)), [], "its tag went with it")
      const remembered = (from: Shelf) => envelopes.filter((e) => from.knows(envelopeId(e))).length
      assert.equal(remembered(shelf), 30, "twice as many ids as envelopes are remembered besides")
      const again = await reopened(store, options)
      assert.equal(again.shelf.count, 10)
      assert.equal(remembered(again.shelf), 30)
    })

    test("a shelf that was made smaller shrinks", async (t) => {
      const { store, keep } = await shelfOf(t)
      await Promise.all(many(50).map(keep))
      const smaller = await reopened(store, { envelopesMax: 5 })
      await smaller.keep(unpaidEnvelope())
      assert.equal(smaller.shelf.count, 5)
      assert.equal((await smaller.shelf.idsAfter(0, 100)).length, 5)
    })
  })

test("what could not be stored is not known, takes no number, and may come again", async () => {
  const store = await openMemoryStore()
  let full = true
  const failing: Store = {
    ...bound(store),
    batch: async (writes, options) => {
      if (full) throw new StoreError("DISK_FULL", "full")
      await store.batch(writes, options)
    },
  }
  const shelf = await Shelf.open(failing, {}, () => undefined)
  const envelope = unpaidEnvelope()
  const id = envelopeId(envelope)
  await assert.rejects(shelf.keep(id, envelope), { code: "DISK_FULL" })
  assert(!shelf.knows(id))
  full = false
  assert.equal((await shelf.keep(id, envelope)).seq, 1)
  await store.close()
})

/** The store with its methods as plain properties, so that one can be replaced. */
function bound(store: Store): Store {
  return {
    id: store.id,
    kind: store.kind,
    schema: store.schema,
    get: (table, key) => store.get(table, key),
    peek: (table, key) => store.peek(table, key),
    getMany: (table, keys) => store.getMany(table, keys),
    range: (table, range) => store.range(table, range),
    batch: (writes, options) => store.batch(writes, options),
    compact: (table, gte, lt) => store.compact(table, gte, lt),
    close: () => store.close(),
  }
}
