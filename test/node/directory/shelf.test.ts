import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { primitives } from "#primitives"
import { Libp2pRecord } from "@libp2p/record"
import { base32nopad } from "@scure/base"
import fc from "fast-check"
import { Key } from "interface-datastore"
import { blindedKey } from "../../../src/crypto/blinding.ts"
import { type Bytes, concat, toHex, utf8, Writer } from "../../../src/crypto/bytes.ts"
import {
  directoryKey,
  EPOCH_MS,
  epochAt,
  openRecord,
} from "../../../src/crypto/directory-record.ts"
import { domain } from "../../../src/crypto/kdf.ts"
import { Allowance } from "../../../src/node/allowance.ts"
import { Marks } from "../../../src/node/directory/marks.ts"
import { PUT_ALLOWANCE, Shelf, ShelfError } from "../../../src/node/directory/shelf.ts"
import { memoryStore, type Person, person } from "../../helpers/directory-mesh.ts"
import { cardRecord } from "../../helpers/directory-records.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"

const NOON = Date.UTC(2026, 10, 20, 12)
const day = epochAt(NOON)
const ada = person(1)

function recordOf(who: Person, epoch: number, sequence: number) {
  const record = cardRecord(who, { epoch, sequence })
  return { ...record, value: record.bytes }
}

/** A shelf over memory, with what survives a restart in the caller's hands. */
function shelfOver(clock: ManualClock, kept = new Map<string, Bytes>()) {
  const shelf = new Shelf({ store: memoryStore(kept), clock })
  /** What kad-dht does when a peer puts: judge, then store. */
  const put = (key: Bytes, value: Bytes, peer = "peer") =>
    shelf.serve(peer, async () => {
      await shelf.validate(key, value)
      await shelf.guarded.put(pathOf(key), new Libp2pRecord(key, value, new Date()).serialize())
    })
  const count = (what = "record") =>
    [...kept.keys()].filter((key) => key.startsWith(`${what}/`)).length
  return { shelf, put, kept, count }
}

const pathOf = (key: Bytes) =>
  new Key(`/dht/record/${base32nopad.encode(key).toLowerCase()}`, false)

const refusedAs = (code: string) => (error: unknown) =>
  error instanceof ShelfError && error.code === code

describe("shelf: what a peer keeps for others", () => {
  it("keeps the newest record of a key, in whatever order they come", async () => {
    const { shelf, put } = shelfOver(new ManualClock(NOON))
    const [one, two] = [recordOf(ada, day, 1), recordOf(ada, day, 2)]
    await put(one.key, one.value)
    await put(two.key, two.value)
    await assert.rejects(put(one.key, one.value), refusedAs("RECORD_STALE"))
    assert.deepEqual(await shelf.find(blindedKey(ada.raw, day)), two.value)
    await put(two.key, two.value)
  })

  it("lets the newer of two win that come at once, whichever was judged first", async () => {
    const clock = new ManualClock(NOON)
    for (const sequences of [
      [1, 2],
      [2, 1],
    ]) {
      const { shelf, put } = shelfOver(clock)
      const records = sequences.map((sequence) => recordOf(ada, day, sequence))
      await Promise.allSettled(records.map(({ key, value }) => put(key, value)))
      const newest = records[sequences.indexOf(2)]!
      assert.deepEqual(await shelf.find(blindedKey(ada.raw, day)), newest.value)
    }
  })

  it("has record and mark after a restart, and the mark even when the record was lost", async () => {
    const clock = new ManualClock(NOON)
    const [one, two] = [recordOf(ada, day, 1), recordOf(ada, day, 2)]
    const before = shelfOver(clock)
    await before.put(two.key, two.value)
    const restarted = shelfOver(clock, before.kept)
    await assert.rejects(restarted.put(one.key, one.value), refusedAs("RECORD_STALE"))
    await restarted.put(two.key, two.value)
    assert.deepEqual(await restarted.shelf.find(blindedKey(ada.raw, day)), two.value)
    restarted.kept.delete([...restarted.kept.keys()].find((key) => key.startsWith("record/"))!)
    await assert.rejects(restarted.put(one.key, one.value), refusedAs("RECORD_STALE"))
  })

  it("gives kad-dht what is there, under its own path and no other, and forgets nothing for it", async () => {
    const { shelf, put } = shelfOver(new ManualClock(NOON))
    const { key, value } = recordOf(ada, day, 1)
    await assert.rejects(async () => shelf.guarded.get(pathOf(key)), { name: "NotFoundError" })
    await put(key, value)
    await shelf.guarded.delete(pathOf(key))
    const entry = Libp2pRecord.deserialize(await shelf.guarded.get(pathOf(key)))
    assert.deepEqual([entry.key, entry.value], [key, value])
    assert(await shelf.guarded.has(pathOf(key)))
    for (const path of ["/dht/record/x", "/dht/record/", "/peers/x", "/dht/provider/x"])
      await assert.rejects(async () => shelf.guarded.get(new Key(path)), { name: "NotFoundError" })
    for await (const found of shelf.guarded.query({})) assert.fail(found.key.toString())
  })

  it("marks its own publication against rollback, and keeps it only as a keeper", async () => {
    const { shelf, put, count } = shelfOver(new ManualClock(NOON))
    const [one, two] = [recordOf(ada, day, 1), recordOf(ada, day, 2)]
    await shelf.keepOwn(two, false)
    assert.equal(count() + count("blob"), 0)
    await assert.rejects(put(one.key, one.value), refusedAs("RECORD_STALE"))
    await shelf.keepOwn(two, true)
    assert.deepEqual(await shelf.find(blindedKey(ada.raw, day)), two.value)
    await shelf.keepOwn(one, true)
    assert.deepEqual(await shelf.find(blindedKey(ada.raw, day)), two.value, "silently refused")
    assert.deepEqual(await shelf.findBlob(two.blinded, two.blob.id), two.blob.bytes)
  })

  it("writes nothing that kad-dht puts on its own account, and nothing under another path", async () => {
    const { shelf, count } = shelfOver(new ManualClock(NOON))
    const { key, value } = recordOf(ada, day, 1)
    const entry = new Libp2pRecord(key, value, new Date()).serialize()
    await shelf.guarded.put(new Key("/dht/record/anything"), entry)
    const asPeer = (path: string, bytes: Bytes) =>
      shelf.serve("peer", async () => shelf.guarded.put(new Key(path), bytes))
    await assert.rejects(asPeer("/dht/record/anything", entry), refusedAs("RECORD_ROOM"))
    await assert.rejects(asPeer("/dht/provider/x/y", entry), refusedAs("RECORD_ROOM"))
    await assert.rejects(asPeer("/peers/x", new Uint8Array(9)), refusedAs("RECORD_ROOM"))
    assert.throws(() => shelf.guarded.batch(), refusedAs("RECORD_ROOM"))
    assert.throws(() => shelf.guarded.putMany([]), refusedAs("RECORD_ROOM"))
    assert.equal(count(), 0)
  })

  it("drops a record, its blob and its mark when their days are over", async () => {
    const clock = new ManualClock(NOON)
    const { shelf, put, count } = shelfOver(clock)
    for (const epoch of [day - 1, day, day + 1]) {
      const { key, value, blinded, blob } = recordOf(ada, epoch, 1)
      await put(key, value)
      assert(await shelf.keepBlob(blinded, blob.id, blob.bytes))
    }
    assert.deepEqual([count(), count("blob")], [3, 3])
    for (const left of [2, 1, 0]) {
      clock.advance(EPOCH_MS)
      await shelf.prune()
      assert.deepEqual([count(), count("blob")], [left, left], "the blob goes with its record")
    }
  })

  it("takes only so many records from a peer at once, good or bad, and others are not held up", async () => {
    const clock = new ManualClock(NOON)
    const { put } = shelfOver(clock)
    const { key, value } = recordOf(ada, day, 1)
    for (let i = 0; i < PUT_ALLOWANCE.burst; i++)
      await assert.rejects(put(key, value.slice(1, 3)), refusedAs("RECORD_VERSION"))
    await assert.rejects(put(key, value), refusedAs("TOO_OFTEN"))
    await put(key, value, "another peer")
    clock.advance(PUT_ALLOWANCE.refillMs)
    await put(key, value)
    await assert.rejects(put(key, value), refusedAs("TOO_OFTEN"))
  })
})

interface Stranger {
  readonly blinded: Bytes
  readonly bytes: Bytes
}
const anyBlob = cardRecord(person(9), { epoch: day, sequence: 1 }).blob

/** Sound records under keys that nobody's address gives, which a keeper cannot tell: all in one slot of the marks. */
function strangersOfOneSlot(count: number): Stranger[] {
  const { ed25519 } = primitives
  const found: Stranger[] = []
  while (found.length < count) {
    const key = ed25519.importPrivate(ed25519.generate())
    const blinded = ed25519.publicFromPrivate(key)
    if (blinded[0] !== 7) continue
    const header = new Writer().u8(2).raw(blinded).u32(day).u64(5).raw(anyBlob.id)
    const unsigned = header.raw(primitives.randomBytes(12 + 85)).finish()
    const signature = ed25519.sign(key, concat(domain("directory record"), unsigned))
    found.push({ blinded, bytes: concat(unsigned, signature) })
  }
  return found
}

describe("shelf: the blobs of records that lie here", () => {
  it("takes a blob that a record here names, and no other: no record, another's, a changed one, a short one", async () => {
    const { shelf, put, count } = shelfOver(new ManualClock(NOON))
    const [mine, eves] = [recordOf(ada, day, 1), recordOf(person(2), day, 1)]
    const { blinded, blob } = mine
    assert(!(await shelf.keepBlob(blinded, blob.id, blob.bytes)), "no record is here")
    await put(mine.key, mine.value)
    assert.equal(await shelf.findBlob(blinded, blob.id), undefined)
    const changed = blob.bytes.slice()
    changed[100]! ^= 1
    for (const [id, bytes] of [
      [blob.id, changed],
      [blob.id, blob.bytes.slice(1)],
      [blob.id, concat(blob.bytes, utf8("x"))],
      [blob.id, eves.blob.bytes],
      [eves.blob.id, eves.blob.bytes],
    ] as const)
      assert(!(await shelf.keepBlob(blinded, id, bytes)))
    assert.equal(count("blob"), 0)
    assert(await shelf.keepBlob(blinded, blob.id, blob.bytes))
    assert.deepEqual(await shelf.findBlob(blinded, blob.id), blob.bytes)
    assert.equal(await shelf.findBlob(blinded, eves.blob.id), undefined)
    assert.equal(await shelf.findBlob(eves.blinded, blob.id), undefined)
  })

  it("drops a blob when its record is replaced by one that names another, and keeps it when it names the same", async () => {
    const { shelf, put, count } = shelfOver(new ManualClock(NOON))
    const [one, again, two] = [recordOf(ada, day, 1), recordOf(ada, day, 1), recordOf(ada, day, 2)]
    assert.notDeepEqual(one.value, again.value, "the owner has started again")
    assert.deepEqual(one.blob, again.blob, "and made the same blob")
    await put(one.key, one.value)
    await shelf.keepBlob(one.blinded, one.blob.id, one.blob.bytes)
    await put(again.key, again.value)
    assert.deepEqual(await shelf.findBlob(one.blinded, one.blob.id), one.blob.bytes)
    await put(two.key, two.value)
    assert.equal(count("blob"), 0)
    assert(!(await shelf.keepBlob(one.blinded, one.blob.id, one.blob.bytes)), "named no more")
  })

  it("does not say that it has what its disk has damaged, and takes it again", async () => {
    const { shelf, put, kept } = shelfOver(new ManualClock(NOON))
    const { key, value, blinded, blob } = recordOf(ada, day, 1)
    await put(key, value)
    await shelf.keepBlob(blinded, blob.id, blob.bytes)
    const at = [...kept.keys()].find((name) => name.startsWith("blob/"))!
    kept.set(at, blob.bytes.slice(0, -1))
    assert.equal(await shelf.findBlob(blinded, blob.id), undefined)
    assert(await shelf.keepBlob(blinded, blob.id, blob.bytes))
    assert.deepEqual(await shelf.findBlob(blinded, blob.id), blob.bytes)
  })

  it("replaces a record from before there were blobs, which nobody puts any more, by the one that its owner publishes anew", async () => {
    const { shelf, put, kept } = shelfOver(new ManualClock(NOON))
    const now = recordOf(ada, day, 5)
    const before = concat(new Uint8Array([1]), now.value.slice(1), new Uint8Array(40_868))
    await assert.rejects(put(now.key, before), refusedAs("RECORD_VERSION"))
    kept.set(`record/${toHex(now.blinded)}`, before)
    assert.equal(openRecord(ada.raw, day, before).verdict, "ignore", "readers leave it")
    assert(!(await shelf.keepBlob(now.blinded, now.blob.id, now.blob.bytes)))
    await put(now.key, now.value)
    assert.deepEqual(await shelf.find(now.blinded), now.value)
    assert(await shelf.keepBlob(now.blinded, now.blob.id, now.blob.bytes))
  })

  it("has a record whose blob never came make room when it is full, the oldest first, and refuses where all have theirs", async () => {
    const { shelf, put, count } = shelfOver(new ManualClock(NOON))
    const records = strangersOfOneSlot(19)
    const bring = async ({ blinded, bytes }: Stranger, withBlob: boolean) => {
      await put(directoryKey(blinded), bytes, toHex(blinded))
      if (withBlob) assert(await shelf.keepBlob(blinded, anyBlob.id, anyBlob.bytes))
    }
    for (const [i, each] of records.slice(0, 16).entries()) await bring(each, ![3, 9].includes(i))
    const has = async (i: number) => (await shelf.find(records[i]!.blinded)) !== undefined
    await bring(records[16]!, true)
    assert.deepEqual([await has(3), await has(9), await has(16)], [false, true, true])
    await bring(records[17]!, true)
    assert.deepEqual([await has(9), await has(17), count()], [false, true, 16])
    await assert.rejects(bring(records[18]!, true), refusedAs("SHELF_FULL"))
    assert.deepEqual([count(), count("blob")], [16, 16])
  })
})

describe("marks: bounded, durable, monotone", () => {
  const keyIn = (slot: number, n: number) => {
    const key = new Uint8Array(32)
    new DataView(key.buffer).setUint32(28, n)
    key[0] = slot
    return key
  }

  it("has room for sixteen keys in a slot, refuses the next, and has room again when days are over", async () => {
    const marks = new Marks(memoryStore())
    for (let n = 0; n < 16; n++)
      assert.equal(await marks.raise(keyIn(7, n), { epoch: n % 2, order: 1 }), "RAISED")
    assert.equal(await marks.raise(keyIn(7, 99), { epoch: 1, order: 1 }), "FULL")
    assert.equal(
      await marks.raise(keyIn(7, 3), { epoch: 1, order: 2 }),
      "RAISED",
      "known keys go on",
    )
    assert.equal(
      await marks.raise(keyIn(8, 99), { epoch: 1, order: 1 }),
      "RAISED",
      "other slots too",
    )
    const dropped: Bytes[] = []
    await marks.prune(1, (blinded) => Promise.resolve(void dropped.push(blinded)))
    assert.equal(dropped.length, 8, "the eight of day 0")
    assert.equal(await marks.raise(keyIn(7, 99), { epoch: 1, order: 1 }), "RAISED")
  })

  it("never sinks, and is the same after a restart as before", async () => {
    const step = fc.tuple(fc.nat(3), fc.nat(20), fc.nat(2 ** 52))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const kept = new Map<string, Bytes>()
        const highest = new Map<string, number>()
        let marks = new Marks(memoryStore(kept))
        for (const [slot, n, order] of steps) {
          const name = `${slot} ${n}`
          const before = highest.get(name) ?? -1
          const raised = await marks.raise(keyIn(slot, n), { epoch: 5, order })
          if (raised === "FULL") continue
          assert.equal(raised, order < before ? "STALE" : "RAISED")
          highest.set(name, Math.max(before, order))
          if (order % 3 === 0) marks = new Marks(memoryStore(kept))
          assert.equal((await marks.find(keyIn(slot, n)))?.order, highest.get(name))
        }
      }),
      { numRuns: 50 },
    )
  })

  it("makes something of any damaged slot: the marks in it, or none", async () => {
    const whole = fc.array(fc.uint8Array({ minLength: 44, maxLength: 44 }), { maxLength: 20 })
    const junks = fc.oneof(
      fc.uint8Array({ maxLength: 800 }),
      whole.map((entries) => concat(...entries)),
    )
    await fc.assert(
      fc.asyncProperty(junks, async (junk) => {
        const marks = new Marks(memoryStore(new Map([["mark/07", junk]])))
        const found = await marks.find(junk.slice(0, 32))
        assert(found === undefined || Number.isSafeInteger(found.order))
        await marks.raise(keyIn(7, 1), { epoch: 1, order: 1 })
      }),
    )
  })
})

describe("allowance: a burst, then a trickle", () => {
  it("gives back with time what was taken, up to the burst", () => {
    const clock = new ManualClock(0)
    const allowance = new Allowance({ burst: 3, refillMs: 100 }, clock)
    const taken = (times: number) =>
      Array.from({ length: times }, () => allowance.take("a")).filter(Boolean).length
    assert.equal(taken(5), 3)
    clock.advance(250)
    assert.equal(taken(5), 2)
    clock.advance(1_000_000)
    assert.equal(taken(9), 3)
  })
})
