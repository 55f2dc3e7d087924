import assert from "node:assert/strict"
import { statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test, type TestContext } from "node:test"
import { primitives } from "#primitives"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { CHUNK_BYTES, newBlobKey, type SealedChunk, sealChunk } from "../../../src/crypto/blob.ts"
import {
  ChunkShelf,
  type ChunkShelfOptions,
  OWN_BEYOND_MAX,
} from "../../../src/node/blobs/chunk-shelf.ts"
import { type ChunkSlots, MemorySlots, openSlotFile } from "../../../src/node/blobs/chunk-slots.ts"
import { openMemoryStore, openStore, type Store } from "../../../src/node/store/store.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"
import { until } from "../../helpers/wait.ts"

const DAY_MS = 86_400_000
const chunk = (): SealedChunk => sealChunk(newBlobKey(), 0, primitives.randomBytes(100))
const chunks = (count: number) => Array.from({ length: count }, chunk)

interface Shelf {
  readonly shelf: ChunkShelf
  readonly clock: ManualClock
  readonly keep: (one: SealedChunk, own?: boolean) => Promise<boolean>
}

async function shelfIn(
  store: Store,
  slots: ChunkSlots,
  options: ChunkShelfOptions & { clock?: ManualClock } = {},
): Promise<Shelf> {
  const clock = options.clock ?? new ManualClock(20_000 * DAY_MS)
  const onFault = (error: unknown) => assert.fail(String(error))
  const shelf = await ChunkShelf.open({ store, slots, clock, onFault, ...options })
  return { shelf, clock, keep: ({ id, bytes }, own = false) => shelf.keep(id, bytes, { own }) }
}

async function memoryShelf(t: TestContext, options?: ChunkShelfOptions): Promise<Shelf> {
  const store = await openMemoryStore()
  const made = await shelfIn(store, new MemorySlots(), options)
  t.after(async () => {
    await made.shelf.close()
    await store.close()
  })
  return made
}

describe("a shelf of chunks", () => {
  test("gives back what it keeps, and nothing else", async (t) => {
    const { shelf, keep } = await memoryShelf(t)
    const [one = chunk(), other = chunk()] = chunks(2)
    assert.equal(await keep(one), true)
    assert.deepEqual(await shelf.get(one.id), one.bytes)
    assert.equal(shelf.has(other.id), false)
    assert.equal(await shelf.get(other.id), undefined)
    // the same again changes nothing, at once or later
    assert.deepEqual(await Promise.all([keep(other), keep(other), keep(one)]), [true, true, true])
    assert.equal(shelf.count, 2)
  })

  test("outlives its process, in a file of whole slots", async (t) => {
    const directory = temporaryDirectory(t)
    const path = join(directory, "chunks")
    const kept = chunks(5)
    const first = await openStore(join(directory, "store"))
    const before = await shelfIn(first, await openSlotFile(path))
    await Promise.all(kept.map((one) => before.keep(one)))
    await before.shelf.close()
    await first.close()
    assert.equal(statSync(path).size, 5 * CHUNK_BYTES)
    assert.equal(statSync(path).mode & 0o777, 0o600)

    const second = await openStore(join(directory, "store"))
    const after = await shelfIn(second, await openSlotFile(path))
    t.after(async () => {
      await after.shelf.close()
      await second.close()
    })
    assert.equal(after.shelf.count, 5)
    for (const { id, bytes } of kept) assert.deepEqual(await after.shelf.get(id), bytes)
  })

  test("a chunk that the disk lost or changed is not here any more, and its slot is used again", async (t) => {
    const directory = temporaryDirectory(t)
    const path = join(directory, "chunks")
    const store = await openMemoryStore()
    const { shelf, keep } = await shelfIn(store, await openSlotFile(path))
    t.after(async () => {
      await shelf.close()
      await store.close()
    })
    const [torn = chunk(), gone = chunk(), whole = chunk()] = chunks(3)
    for (const one of [whole, torn, gone]) await keep(one)
    writeFileSync(path, Buffer.concat([whole.bytes, chunk().bytes, gone.bytes]))
    truncateSync(path, 2.5 * CHUNK_BYTES)
    assert.equal(await shelf.get(torn.id), undefined)
    assert.equal(await shelf.get(gone.id), undefined)
    assert.deepEqual([shelf.has(torn.id), shelf.has(gone.id), shelf.count], [false, false, 1])
    assert.deepEqual(await shelf.get(whole.id), whole.bytes)
    assert.equal(await keep(torn), true)
    assert.deepEqual(await shelf.get(torn.id), torn.bytes)
    assert(statSync(path).size <= 3 * CHUNK_BYTES)
  })

  test("refuses others' chunks when it is full of young ones; own ones may go further", async (t) => {
    const { shelf, keep, clock } = await memoryShelf(t, { chunksMax: 3 })
    const kept = chunks(3)
    for (const one of kept) assert.equal(await keep(one), true)
    assert.equal(await keep(chunk()), false)
    clock.advance(DAY_MS)
    assert.equal(await keep(chunk()), false, "of the day before: still young")
    const own = chunk()
    assert.equal(await keep(own, true), true)
    assert.equal(shelf.count, 4)
    assert.equal(shelf.isFull, false)
    assert(OWN_BEYOND_MAX >= 8192)
  })

  test("makes room by dropping the oldest once they are not young any more", async (t) => {
    const { shelf, keep, clock } = await memoryShelf(t, { chunksMax: 3 })
    const [old = chunk(), ...younger] = chunks(3)
    await keep(old)
    clock.advance(DAY_MS)
    for (const one of younger) await keep(one)
    clock.advance(DAY_MS)
    const last = chunk()
    assert.equal(await keep(last), true)
    assert.deepEqual(
      [old, ...younger, last].map(({ id }) => shelf.has(id)),
      [false, true, true, true],
    )
    assert.equal(await keep(chunk()), false)
  })

  test("drops what is older than its days, also what grew old while nobody was there", async (t) => {
    const store = await openMemoryStore()
    t.after(() => store.close())
    const clock = new ManualClock(20_000 * DAY_MS)
    const [early = chunk(), late = chunk()] = chunks(2)
    const slots = new MemorySlots()
    const first = await shelfIn(store, slots, { daysMax: 10, clock })
    await first.keep(early)
    clock.advance(5 * DAY_MS)
    await first.keep(late)
    assert(first.shelf.has(early.id))
    clock.advance(5.5 * DAY_MS)
    await until("the early one is gone", () => {
      clock.advance(3_600_000)
      return !first.shelf.has(early.id)
    })
    assert(first.shelf.has(late.id))

    clock.advance(30 * DAY_MS)
    const second = await shelfIn(store, slots, { daysMax: 10, clock })
    assert.equal(second.shelf.count, 0)
    await first.shelf.close()
    await second.shelf.close()
  })

  test("a chunk whose slot could not be written is not kept, and its slot is free", async (t) => {
    const store = await openMemoryStore()
    t.after(() => store.close())
    const slots = new MemorySlots()
    let fails = true
    const failing: ChunkSlots = {
      write: (slot: number, bytes: Bytes) =>
        fails ? Promise.reject(new Error("no space")) : slots.write(slot, bytes),
      read: (slot) => slots.read(slot),
      shrink: (count) => slots.shrink(count),
      close: () => slots.close(),
    }
    const { shelf, keep } = await shelfIn(store, failing, { chunksMax: 1 })
    const one = chunk()
    await assert.rejects(keep(one), /no space/)
    assert.deepEqual([shelf.has(one.id), shelf.count], [false, 0])
    fails = false
    assert.equal(await keep(one), true)
    await shelf.close()
  })

  test("beside a chunk stand its id, its slot and the day, and nothing finer", async (t) => {
    const store = await openMemoryStore()
    t.after(() => store.close())
    const clock = new ManualClock(20_000 * DAY_MS + 12_345_678)
    const { shelf, keep } = await shelfIn(store, new MemorySlots(), { clock })
    const one = chunk()
    await keep(one)
    const rows: string[] = []
    for await (const [key, value] of store.range("chunks"))
      rows.push(`${Buffer.from(key).toString("hex")}=${Buffer.from(value).toString("hex")}`)
    const [id, day] = [Buffer.from(one.id).toString("hex"), (20_000).toString(16).padStart(8, "0")]
    assert.deepEqual(rows, [`00${id}=00000000${day}`, `01${day}${id}=`])
    await shelf.close()
  })
})
