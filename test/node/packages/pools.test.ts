/**
 * One-time key packages from their owner by way of keepers to strangers: handed out once each, the last-resort one when they are
 * exhausted, replenished by the owner. With keepers that lie, and a clock that the test owns.
 */
import assert from "node:assert/strict"
import { before, describe, it, type TestContext } from "node:test"
import { addressBytes } from "../../../src/crypto/address.ts"
import { type Bytes, equal, toHex } from "../../../src/crypto/bytes.ts"
import { verifyCard } from "../../../src/crypto/card.ts"
import { EPOCH_MS, epochAt } from "../../../src/crypto/directory-record.ts"
import { addressOfRoots, type Identity, leafPublic } from "../../../src/crypto/identity.ts"
import { openVault } from "../../../src/crypto/keyfile.ts"
import { openPackage, poolOf, SEALED_BYTES, sealPackage } from "../../../src/crypto/package-pool.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import { keyPackageReference, type Signing, SIGNINGS } from "../../../src/crypto/session.ts"
import { ChatRecords } from "../../../src/node/chat/records.ts"
import { findKeyPackage } from "../../../src/node/directory/cards.ts"
import type { Directory } from "../../../src/node/directory/directory.ts"
import { KeyRing } from "../../../src/node/identity/key-ring.ts"
import { makeIdentity, rotateIdentity } from "../../../src/node/identity/make-identity.ts"
import { bookFor, decodeBook, encodeBook, noted } from "../../../src/node/packages/book.ts"
import { takeKeyPackage } from "../../../src/node/packages/finder.ts"
import { KEEPER_SHARES_MAX, PackagePools, POOL_SIZE } from "../../../src/node/packages/pools.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { MemoryShelf } from "../../helpers/chat-world.ts"
import { strictDecoder } from "../../helpers/decoders.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import { type Keeping, PackageMesh } from "../../helpers/package-mesh.ts"

const NOON = Date.UTC(2026, 10, 20, 12)
const HOUR = 3_600_000
const { signal } = new AbortController()
const vaultKey = primitives.randomBytes(32)

interface Owner {
  readonly pools: PackagePools
  readonly ring: KeyRing
  readonly records: ChatRecords
}

/** One life of an owner's process over what is on a disk. */
async function live(
  t: TestContext,
  mesh: PackageMesh,
  clock: ManualClock,
  shelf: MemoryShelf,
): Promise<Owner> {
  const records = new ChatRecords(new Sealed(openVault(vaultKey), shelf))
  const identity = (await records.identity()) ?? assert.fail("no identity")
  const ring = await KeyRing.open({ records, clock }, identity)
  const pools = new PackagePools({
    ring,
    records,
    address: addressBytes(addressOfRoots(identity.roots)),
    keepers: mesh.from("owner"),
    clock,
    random: () => 0.5,
    onFault: (error) => assert.fail(String(error)),
  })
  t.after(() => pools.stop())
  return { pools, ring, records }
}

describe("pools of one-time key packages", () => {
  let identity: Identity
  let eve: Identity
  before(async () => {
    const born = () => makeIdentity({ name: "Ada", nowMs: NOON, progress: () => undefined })
    ;[identity, eve] = await Promise.all([born(), born()])
  })
  const cardOf = ({ ring }: Owner) => verifyCard(ring.identity.card)

  async function begin(t: TestContext, ...keepers: readonly string[]) {
    const clock = new ManualClock(NOON)
    const mesh = new PackageMesh(t, clock)
    await mesh.honest(...keepers)
    const disk = new MemoryShelf()
    const records = new ChatRecords(new Sealed(openVault(vaultKey), disk))
    await records.write([records.putIdentity(identity)], { sync: true })
    const owner = await live(t, mesh, clock, disk)
    const take = (signing: Signing = "ed25519") =>
      takeKeyPackage({ keepers: mesh.from("stranger"), clock }, cardOf(owner), signing, signal)
    return { clock, mesh, disk, owner, take }
  }

  const takeAll = async (take: () => Promise<Bytes | undefined>): Promise<string[]> => {
    const all: string[] = []
    for (let one = await take(); one !== undefined; one = await take()) all.push(toHex(one))
    return all
  }

  /** How a first contact uses one up. */
  async function use({ ring, records }: Owner, name: string): Promise<void> {
    const reference = toHex(await keyPackageReference(Buffer.from(name, "hex")))
    const each = ring.all().find((mine) => toHex(mine.reference) === reference)
    assert(each, "it is the owner's")
    await records.write([records.delOneTime(each)], { sync: true })
    ring.drop([each])
  }

  it("lie with as many keepers as there are, each its own, so that each is handed out once", async (t) => {
    const keepers = Array.from({ length: 12 }, (_, i) => `keeper ${i}`)
    const { owner, mesh, take } = await begin(t, ...keepers)
    await owner.pools.refill()
    assert.equal(owner.pools.onOffer("ed25519"), 16)
    assert.equal(owner.pools.onOffer("composite"), 4)
    for (const signing of SIGNINGS) {
      const strangers = await Promise.all(
        Array.from({ length: POOL_SIZE[signing].total }, () => take(signing)),
      )
      const names = strangers.map((each) => toHex(each ?? assert.fail("one each")))
      assert.equal(new Set(names).size, POOL_SIZE[signing].total, "no two are given the same")
      assert.equal(await take(signing), undefined)
    }
    const with2 = keepers.slice(0, 8).map((peer) => mesh.handedOut.filter((h) => h.peer === peer))
    const sizes = with2.map((out) =>
      SIGNINGS.map(
        (signing) => out.filter(({ sealed }) => sealed.length === SEALED_BYTES[signing]).length,
      ),
    )
    assert.deepEqual(sizes, [
      ...Array.from({ length: 4 }, () => [2, 1]),
      ...Array.from({ length: 4 }, () => [2, 0]),
    ])
  })

  it("all lie with the only keeper there is; with nobody there none is made", async (t) => {
    const alone = await begin(t)
    alone.mesh.peers.set("owner", null)
    await alone.owner.pools.refill()
    assert.equal(alone.owner.pools.onOffer("ed25519"), 0)
    const { owner, take } = await begin(t, "keeper")
    await owner.pools.refill()
    assert.equal((await takeAll(take)).length, 16)
  })

  it("are replenished when some were handed out, with new ones, and not otherwise", async (t) => {
    const { owner, mesh, take, clock } = await begin(t, "a", "b", "owner")
    await owner.pools.refill()
    const full = owner.pools.onOffer("ed25519")
    assert.equal(full, 18, "six at each of three")
    const handfuls = () => mesh.given.filter(({ handful }) => handful.length > 4096).length
    const before = handfuls()
    await owner.pools.refill()
    assert.equal(handfuls(), before, "nothing was handed out")
    const first = await takeAll(take)
    assert.equal(first.length, full)
    for (const name of first) await use(owner, name)
    clock.advance(HOUR)
    await owner.pools.refill()
    const second = await takeAll(take)
    assert.equal(second.length, full)
    assert.equal(new Set([...first, ...second]).size, 2 * full)
  })

  it("are replenished a minute after a first contact used one, by themselves, and every hour", async (t) => {
    const { owner, take, clock } = await begin(t, "a", "b")
    await owner.pools.refill()
    assert.equal((await takeAll(take)).length, 16)
    clock.advance(HOUR)
    // a round is asked for only to be told that the one that time has set off is over
    await owner.pools.refill()
    assert.equal((await takeAll(take)).length, 16)
  })

  it("give way to the last-resort package when they are exhausted: the card's, or the one beside it", async (t) => {
    const { owner, mesh, clock } = await begin(t, "a")
    await owner.pools.refill()
    const card = cardOf(owner)
    const composite = owner.ring.identity.composite?.lastResort.public ?? assert.fail()
    const found = { card: card.encoded, sequence: card.sequence, composite }
    const directory = {
      lookup: () => Promise.resolve(found),
      publish: () => assert.fail(),
      stop: () => assert.fail(),
    } satisfies Directory
    const find = (signing: Signing) =>
      findKeyPackage({ directory, packages: mesh.from("s"), clock }, card, signing, signal)
    for (const signing of SIGNINGS) {
      const lastResort = signing === "composite" ? composite : card.lastResort
      for (let i = 0; i < POOL_SIZE[signing].total; i++)
        assert(!equal((await find(signing)) ?? assert.fail(), lastResort))
      for (let i = 0; i < 2; i++) assert.deepEqual(await find(signing), lastResort)
    }
  })

  it("are new ones every day: tomorrow's strangers are given none of today's", async (t) => {
    const { owner, clock, take } = await begin(t, "a", "b")
    await owner.pools.refill()
    const today = [await take(), await take()].map((each) => toHex(each ?? assert.fail()))
    clock.advance(EPOCH_MS)
    await owner.pools.refill()
    assert.equal(owner.pools.onOffer("ed25519"), 16)
    const tomorrow = await takeAll(take)
    assert.equal(tomorrow.length, 16 + 14, "and then those of the day before, while they last")
    assert.equal(new Set([...today, ...tomorrow]).size, 32)
  })

  it("are found by whoever has another day: a reader who is ahead, or behind", async (t) => {
    const { owner, mesh } = await begin(t, "a")
    await owner.pools.refill()
    for (const days of [-1, 1]) {
      const clock = new ManualClock(NOON + days * EPOCH_MS)
      const parts = { keepers: mesh.from("stranger"), clock }
      assert(await takeKeyPackage(parts, cardOf(owner), "ed25519", signal))
    }
  })

  it("go on over a restart: the day's keepers are known, and are not given more than they lack", async (t) => {
    const { owner, mesh, clock, disk, take } = await begin(t, "a", "b")
    await owner.pools.refill()
    const used = toHex((await take()) ?? assert.fail())
    await use(owner, used)
    await owner.pools.stop()
    clock.advance(1_000)
    const again = await live(t, mesh, clock, disk)
    assert.equal(again.pools.onOffer("ed25519"), 15)
    await again.pools.refill()
    assert.equal(again.pools.onOffer("ed25519"), 16)
    const left = await takeAll(take)
    assert.equal(left.length, 16)
    assert(!left.includes(used))
    for (const name of left) await use(again, name)
  })

  it("are void after a restore and after a rotation: keepers drop what nobody can or should use", async (t) => {
    const { owner, mesh, clock, disk, take } = await begin(t, "a", "b")
    await owner.pools.refill()
    const { records, ring } = owner
    await records.write([records.delPackageBook()], { sync: true })
    clock.advance(1_000)
    const restored = await live(t, mesh, clock, disk)
    const before = new Set(ring.all().map(({ public: bytes }) => toHex(bytes)))
    await restored.pools.refill()
    const found = await takeAll(take)
    assert.equal(found.length, 16)
    assert(!found.some((name) => before.has(name)))

    clock.advance(1_000)
    const next = await rotateIdentity(ring.identity, {
      nowMs: clock.nowMs(),
      sequence: 2,
      forgetOld: false,
    })
    await restored.ring.replace(next)
    await restored.pools.refill()
    const card = verifyCard(next.card)
    assert(!equal(card.leaf, leafPublic(ring.identity)))
    const parts = { keepers: mesh.from("stranger"), clock }
    const handedBefore = mesh.handedOut.length
    assert(await takeKeyPackage(parts, card, "ed25519", signal))
    assert.equal(mesh.handedOut.length, handedBefore + 1, "none of the old ones was in the way")
  })

  it("cost a day no more than so many, however they are drained: then the last-resort package serves until tomorrow", async (t) => {
    const { owner, clock, take } = await begin(t, "a", "b", "c", "d")
    for (let hour = 0; hour < 10; hour++) {
      await owner.pools.refill()
      await takeAll(take)
      clock.advance(HOUR)
    }
    assert.equal(owner.ring.all().length, POOL_SIZE.ed25519.dayMax + POOL_SIZE.composite.total)
    await owner.pools.refill()
    assert.equal(await take(), undefined)
    clock.advance(EPOCH_MS)
    await owner.pools.refill()
    assert(await take())
  })

  it("go to other peers when the nearest do not answer", async (t) => {
    const { owner, mesh, take } = await begin(t)
    for (const dead of ["x", "y", "z"]) mesh.peers.set(dead, null)
    await mesh.honest("a", "b")
    await owner.pools.refill()
    assert.equal((await takeAll(take)).length, 16)
  })

  describe("with keepers that lie", () => {
    const never = { give: () => Promise.resolve("LIED" as const) }

    it("one that says that it has all and gives none spoils its own handful only", async (t) => {
      const { owner, mesh, take } = await begin(t, "a", "b", "c")
      const has: Keeping = {
        give: () => Promise.resolve(6),
        take: () => Promise.resolve(undefined),
      }
      mesh.peers.set("liar", has)
      await owner.pools.refill()
      assert.equal((await takeAll(take)).length, 12)
    })

    it("one that says that it has none takes no more from the day than its shares", async (t) => {
      const { owner, mesh, clock } = await begin(t, "a", "b", "c")
      const none: Keeping = {
        give: () => Promise.resolve(0),
        take: () => Promise.resolve(undefined),
      }
      mesh.peers.set("liar", none)
      for (let hour = 0; hour < 10; hour++) {
        await owner.pools.refill()
        clock.advance(HOUR)
      }
      const book = await owner.records.packageBook()
      assert.equal(book?.given.ed25519.get("liar")?.count, 4 * KEEPER_SHARES_MAX)
      assert.equal(book.given.ed25519.get("a")?.count, 4)
    })

    it("junk, foreign packages, those of another person and last-resort ones cost time and nothing else", async (t) => {
      const { owner, mesh, take } = await begin(t, "a")
      await owner.pools.refill()
      const address = addressBytes(addressOfRoots(identity.roots))
      const pool = poolOf(address, epochAt(NOON), "ed25519")
      const foreign = poolOf(addressBytes(addressOfRoots(eve.roots)), epochAt(NOON), "ed25519")
      const lies = [
        primitives.randomBytes(SEALED_BYTES.ed25519),
        sealPackage(foreign, eve.lastResort.public),
        // who knows the address can seal; nobody can make the owner's packages
        sealPackage(pool, eve.lastResort.public),
        sealPackage(pool, identity.lastResort.public),
        sealPackage(pool, primitives.randomBytes(99)),
      ]
      for (const [i, lie] of lies.entries())
        mesh.peers.set(`liar ${i}`, { ...never, take: () => Promise.resolve(lie) })
      const names = await takeAll(take)
      assert.equal(names.length, 16)
      for (const name of names) await use(owner, name)
    })

    it("one that hands out twice gives two strangers the same: the owner's keys open once, as identity-keeper shows", async (t) => {
      const { owner, mesh, take } = await begin(t, "a")
      await owner.pools.refill()
      const honest = mesh.peers.get("a") ?? assert.fail()
      let first: Bytes | undefined
      const twice: Keeping = {
        give: (handful, signing) => honest.give(handful, signing),
        take: async (taking) => (first ??= await honest.take(taking)),
      }
      mesh.peers.set("a", twice)
      assert.deepEqual(await take(), await take())
    })

    it("one that brings another keeper's handful, or yesterday's, to somebody else is refused there", async (t) => {
      const { owner, mesh, clock } = await begin(t, "a", "b")
      await owner.pools.refill()
      const b = mesh.peers.get("b") ?? assert.fail()
      const fromA = mesh.given.filter(({ peer }) => peer === "a")
      for (const { handful } of fromA) assert.equal(await b.give(handful, "ed25519"), "UNSOUND")
      const fromB = mesh.given.filter(({ peer }) => peer === "b")
      for (const { handful } of fromB) assert.equal(await b.give(handful, "ed25519"), "STALE")
      clock.advance(2 * EPOCH_MS)
      for (const { handful } of fromB) assert.equal(await b.give(handful, "ed25519"), "UNSOUND")
    })
  })

  it("show no keeper anything of their owner, and no two keepers anything in common but the day and the key of the pool", async (t) => {
    const { owner, mesh } = await begin(t, "a", "b")
    await owner.pools.refill()
    const address = addressBytes(addressOfRoots(identity.roots))
    const [a, b] = ["a", "b"].map((peer) =>
      mesh.given.filter((each) => each.peer === peer && each.handful.length > 4096),
    )
    for (const { handful } of [...(a ?? []), ...(b ?? [])])
      for (const secret of [address.slice(0, 32), leafPublic(identity)])
        assert(!Buffer.from(handful).includes(Buffer.from(secret)))
    const pieces = (all: typeof a) =>
      new Set(
        (all ?? []).flatMap(({ handful }) =>
          Array.from({ length: (handful.length >> 3) - 6 }, (_, i) =>
            toHex(handful.slice(46 + 8 * i, 54 + 8 * i)),
          ),
        ),
      )
    const ofB = pieces(b)
    const shared = [...pieces(a)].filter((piece) => ofB.has(piece))
    assert.deepEqual(shared, [], "behind version, way of signing, key, day and order")
    const pool = poolOf(address, epochAt(NOON), "ed25519")
    const [first] = a ?? []
    assert(first && openPackage(pool, first.handful.slice(-4096)) !== undefined)
  })

  it("are noted in a book that decodes to what was encoded, and to nothing else", () => {
    const day = { epoch: 20_777, sequence: 3 }
    const book = noted(noted(bookFor(undefined, day), "ed25519", "a", 2), "composite", "b", 1)
    assert.deepEqual(decodeBook(encodeBook(book)), book)
    strictDecoder(encodeBook(book), decodeBook)
    const voided = bookFor(book, { epoch: 20_777, sequence: 4 })
    assert.deepEqual(voided.given.ed25519.get("a"), { count: 2, holds: false })
    assert.equal(bookFor(book, { epoch: 20_778, sequence: 3 }).given.ed25519.size, 0)
  })
})
