/**
 * Rotation and one-time key packages (DESIGN §4), with a clock that the test owns: what is replaced when, what still opens until when,
 * and what is gone from the disk afterwards.
 */
import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { addressBytes, type Address } from "../../../src/crypto/address.ts"
import { type Bytes, equal, toHex } from "../../../src/crypto/bytes.ts"
import { type Card, isLeafOf, verifyCard, vouchesFor } from "../../../src/crypto/card.ts"
import { INTRO_PLAINTEXT_BYTES, openIntro, sealIntro } from "../../../src/crypto/envelope.ts"
import {
  addressOfRoots,
  type Identity,
  leafPublic,
  leafSeed,
} from "../../../src/crypto/identity.ts"
import { openVault } from "../../../src/crypto/keyfile.ts"
import { epochAt } from "../../../src/crypto/directory-record.ts"
import {
  destroyedAt,
  KEEP_UNUSED_MS,
  ONE_TIME_MAX,
  type OneTimePackage,
} from "../../../src/crypto/one-time.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import {
  addMembers,
  createGroup,
  generateSignatureSeed,
  joinFromWelcome,
  keyPackageSigning,
  signaturePublicOf,
  type Signing,
} from "../../../src/crypto/session.ts"
import { ChatRecords } from "../../../src/node/chat/records.ts"
import { IdentityKeeper } from "../../../src/node/identity/identity-keeper.ts"
import { KeyRing } from "../../../src/node/identity/key-ring.ts"
import { makeIdentity, makeOneTime } from "../../../src/node/identity/make-identity.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { sealedShelf } from "../../../src/node/store/sealed-store.ts"
import { openStore } from "../../../src/node/store/store.ts"
import { MemoryShelf, meshId } from "../../helpers/chat-world.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR
const vaultKey = primitives.randomBytes(32)

interface Owner {
  readonly clock: ManualClock
  readonly keeper: IdentityKeeper
  readonly ring: KeyRing
  readonly records: ChatRecords
  readonly address: Address
  readonly cards: Card[]
  /** The newest card of ours that the mesh claims to know. */
  known: number
}

/** One life of an owner's process over what is on a disk. */
async function live(
  clock: ManualClock,
  shelf: MemoryShelf,
  { isRestored = false } = {},
): Promise<Owner> {
  const records = new ChatRecords(new Sealed(openVault(vaultKey), shelf))
  const identity = (await records.identity()) ?? assert.fail("no identity")
  const ring = await KeyRing.open({ records, clock }, identity)
  const cards: Card[] = []
  const keeper = new IdentityKeeper({
    ring,
    records,
    clock,
    isRestored,
    published: () => Promise.resolve(owner.known),
    onCard: ({ card }) => cards.push(verifyCard(card)),
    onOffer: () => ring.offered("ed25519", epochAt(clock.nowMs())).length,
    onFault: (error) => assert.fail(String(error)),
  })
  const address = addressOfRoots(identity.roots)
  const owner: Owner = { clock, keeper, ring, records, address, cards, known: 0 }
  return owner
}

const startMs = Date.now()
const made = new Map<number, Promise<Identity>>()
/** Making one takes seconds: every test begins with the same two. */
function born(which: 0 | 1): Promise<Identity> {
  const known = made.get(which)
  const making = known ?? makeIdentity({ name: "Ada", nowMs: startMs, progress: () => undefined })
  made.set(which, making)
  return making
}

async function owner(
  t: TestContext,
  which: 0 | 1 = 0,
): Promise<{ owner: Owner; shelf: MemoryShelf }> {
  const clock = new ManualClock(startMs)
  const shelf = new MemoryShelf()
  const identity = await born(which)
  const records = new ChatRecords(new Sealed(openVault(vaultKey), shelf))
  await records.write([records.putIdentity(identity)], { sync: true })
  const one = await live(clock, shelf)
  t.after(() => one.keeper.stop())
  await one.keeper.start()
  return { owner: one, shelf }
}

/** Lets time pass an hour at a time, as timers do, until what fell due is done. */
async function pass(one: Owner, ms: number): Promise<void> {
  one.clock.advance(ms)
  await one.keeper.idle()
}

const cardOf = ({ ring }: Owner): Card => verifyCard(ring.identity.card)

function letterFor(card: Card): Bytes {
  return sealIntro(meshId, card.intro, new Uint8Array(INTRO_PLAINTEXT_BYTES).fill(7))
}

const opens = ({ ring }: Owner, envelope: Bytes): boolean =>
  ring.intro().some((key) => openIntro(meshId, key, envelope) !== undefined)

/** A package that lies with some keeper today, as node/packages/pools.ts makes them. */
async function given(one: Owner, signing: Signing = "ed25519"): Promise<OneTimePackage> {
  const { ring, records, clock } = one
  const nowMs = clock.nowMs()
  const seed = leafSeed(ring.identity, signing) ?? assert.fail("no leaf key")
  const made = await makeOneTime(ring.identity, seed, { nowMs, epoch: epochAt(nowMs) })
  await records.write([records.putOneTime(made)], { sync: true })
  ring.put([made])
  return made
}

async function welcomeFor(one: Owner, keyPackage: Bytes): Promise<Bytes> {
  const signatureSeed = generateSignatureSeed(keyPackageSigning(keyPackage) ?? assert.fail())
  const identity = primitives.randomBytes(64)
  const group = await createGroup({ groupId: primitives.randomBytes(16), identity, signatureSeed })
  const nowSeconds = Math.floor(one.clock.nowMs() / 1000)
  return (await addMembers(group, [keyPackage], nowSeconds)).welcome
}

/** Whether a first contact for this key package gets through; a group that is joined uses the package. */
async function joins(one: Owner, keyPackage: Bytes): Promise<boolean> {
  const welcome = await welcomeFor(one, keyPackage)
  const found = one.ring.packageFor(welcome)
  if (found === undefined) return false
  const joined = await joinFromWelcome(welcome, found.pair)
  if (joined.kind !== "joined") return false
  await one.records.write(found.used(), { sync: true })
  return true
}

const isKept = async ({ records }: Owner, { reference }: OneTimePackage): Promise<boolean> =>
  (await records.oneTimePackages()).some((each) => equal(each.reference, reference))

describe("rotation", () => {
  it("comes after 30 days and not before: new intro key, leaf key and packages, a card with the next number", async (t) => {
    const { owner: ada } = await owner(t)
    const before = cardOf(ada)
    await pass(ada, 30 * DAY - HOUR)
    assert.equal(ada.cards.length, 0)
    await pass(ada, 2 * HOUR)
    const [after] = ada.cards
    assert(after)
    assert.equal(after.address, before.address, "the address stays")
    assert.equal(after.sequence, before.sequence + 1)
    assert(!equal(after.leaf, before.leaf) && !equal(after.intro.mlKem, before.intro.mlKem))
    assert(
      !equal(after.intro.x25519, before.intro.x25519) &&
        !equal(after.lastResort, before.lastResort),
    )
    assert(
      vouchesFor(after, before.leaf),
      "first contacts made with the old leaf key may be on their way",
    )
    await pass(ada, 30 * DAY)
    assert.equal(ada.cards.length, 2)
  })

  it("on command works at any time, and takes a number above every card that the mesh has seen", async (t) => {
    const { owner: ada } = await owner(t)
    ada.known = 41
    await ada.keeper.rotate()
    assert.equal(cardOf(ada).sequence, 42)
    ada.known = 0
    await ada.keeper.rotate()
    assert.equal(cardOf(ada).sequence, 43)
  })

  it("follows a restore when a newer card was published meanwhile, once the mesh can be asked", async (t) => {
    const { owner: before, shelf } = await owner(t)
    await before.keeper.stop()
    const ada = await live(before.clock, shelf, { isRestored: true })
    t.after(() => ada.keeper.stop())
    await ada.keeper.start()
    assert.equal(ada.cards.length, 0, "nobody can be asked yet")
    ada.known = cardOf(ada).sequence + 3
    await pass(ada, 60_000)
    assert.equal(cardOf(ada).sequence, ada.known + 1)
    await pass(ada, HOUR)
    assert.equal(ada.cards.length, 1, "once is enough")
  })

  it("is stored before anybody hears of it: a life that ends there goes on with the new keys", async (t) => {
    const { owner: ada, shelf } = await owner(t)
    await ada.keeper.rotate()
    const published = ada.cards.at(-1)
    const next = await live(ada.clock, shelf)
    assert.deepEqual(cardOf(next).hash, published?.hash)
    assert(opens(next, letterFor(cardOf(ada))))

    shelf.crashAt = shelf.writes
    await assert.rejects(ada.keeper.rotate())
    assert.equal(ada.cards.length, 1, "what could not be stored is not told")
    assert.deepEqual(cardOf(ada).hash, published?.hash)
  })

  it("opens late mail to an old key for 90 days, and not after; then the key is nowhere", async (t) => {
    const { owner: ada, shelf } = await owner(t)
    const before = ada.ring.identity
    const letter = letterFor(verifyCard(before.card))
    const lastResort = before.lastResort.public
    await ada.keeper.rotate()
    assert(opens(ada, letter))
    ada.clock.advance(90 * DAY - 1)
    assert(opens(ada, letter), "a moment before")
    assert(await joins(ada, lastResort), "and so does the Welcome inside")
    ada.clock.advance(1)
    assert(!opens(ada, letter), "the moment after")
    assert(!(await joins(ada, lastResort)))

    await ada.keeper.idle()
    await pass(ada, HOUR)
    const kept = [ada.ring.identity, (await live(ada.clock, shelf)).ring.identity]
    for (const identity of kept)
      for (const { intro } of [identity, ...identity.old])
        assert(!equal(intro.mlKem, before.intro.mlKem) && !equal(intro.x25519, before.intro.x25519))
  })

  it("that forgets destroys earlier keys at once, on the card and on the disk", async (t) => {
    const { owner: ada, shelf } = await owner(t)
    const [letter, leaf] = [letterFor(cardOf(ada)), leafPublic(ada.ring.identity)]
    const oneTime = await given(ada)
    await ada.keeper.rotate({ forgetOld: true })
    assert(!opens(ada, letter))
    assert(!vouchesFor(cardOf(ada), leaf))
    assert(!(await joins(ada, oneTime.public)))
    assert(!(await isKept(ada, oneTime)))
    assert.deepEqual((await live(ada.clock, shelf)).ring.identity.old, [])
  })
})

describe("one-time key packages", () => {
  it("open one first contact: the private part goes with the write that makes the group, and nobody else gets through by it", async (t) => {
    const { owner: ada, shelf } = await owner(t)
    const [one, other] = [await given(ada), await given(ada)]
    assert.equal(ada.keeper.show().onOffer, 2)
    assert(await joins(ada, one.public))
    assert.equal(ada.keeper.show().onOffer, 1)
    assert(!(await isKept(ada, one)), "not a moment longer")
    assert(!(await joins(ada, one.public)), "a keeper that hands out twice gains nobody a way in")
    const next = await live(ada.clock, shelf)
    assert(!(await joins(next, one.public)))
    assert(await joins(next, other.public), "the other one is not touched")
  })

  it("open the same Welcome again while it could not be written, and no other; within a minute not that either", async (t) => {
    const { owner: ada } = await owner(t)
    const { public: bytes, reference } = await given(ada)
    const [welcome, later] = [await welcomeFor(ada, bytes), await welcomeFor(ada, bytes)]
    const first = ada.ring.packageFor(welcome) ?? assert.fail("none")
    assert.equal(first.used().length, 1)
    assert.equal(ada.ring.packageFor(later), undefined)
    const again = ada.ring.packageFor(welcome) ?? assert.fail("none")
    assert(equal((await ada.records.oneTimePackages())[0]?.reference ?? assert.fail(), reference))
    await ada.records.write(again.used(), { sync: true })
    assert.deepEqual(await ada.records.oneTimePackages(), [])
    await pass(ada, 60_000)
    assert.equal(ada.ring.packageFor(welcome), undefined)
  })

  it("that nobody used are destroyed 14 days after the last moment at which they can be handed out", async (t) => {
    const { owner: ada } = await owner(t)
    const [used, left] = [await given(ada), await given(ada)]
    const endMs = destroyedAt(epochAt(ada.clock.nowMs()))
    await pass(ada, endMs - ada.clock.nowMs() - HOUR)
    assert.equal(ada.keeper.show().onOffer, 0, "their day is over")
    assert(await joins(ada, used.public), "a first contact that travelled for two weeks")
    await pass(ada, 2 * HOUR)
    assert(!(await joins(ada, left.public)))
    assert(!(await isKept(ada, left)))
  })

  it("are not destroyed before the mail of an absence was read", async (t) => {
    const { owner: ada, shelf } = await owner(t)
    const [used, left] = [await given(ada), await given(ada)]
    await ada.keeper.stop()
    ada.clock.advance(30 * DAY)
    const back = await live(ada.clock, shelf)
    await back.keeper.start()
    t.after(() => back.keeper.stop())
    assert(await joins(back, used.public), "its letter waited in the mailbox all the while")
    await pass(back, HOUR)
    assert(!(await joins(back, left.public)))
  })

  it("are bounded: of too many the oldest are destroyed before their time", async (t) => {
    const { owner: ada } = await owner(t)
    const like = await given(ada)
    const crowd = Array.from({ length: ONE_TIME_MAX.ed25519 + 3 }, (_, i) => ({
      ...like,
      reference: primitives.randomBytes(32),
      destroyAtMs: ada.clock.nowMs() + 10 * DAY - i,
    }))
    await ada.records.write(crowd.map(ada.records.putOneTime), { sync: true })
    ada.ring.put(crowd)
    await pass(ada, HOUR)
    const left = new Set(ada.ring.all().map(({ reference }) => toHex(reference)))
    assert.equal(left.size, ONE_TIME_MAX.ed25519)
    const names = crowd.map(({ reference }) => toHex(reference))
    assert.deepEqual(
      names.filter((name) => !left.has(name)),
      names.slice(-4),
      "the four that would have gone first",
    )
    assert.equal((await ada.records.oneTimePackages()).length, ONE_TIME_MAX.ed25519)
  })

  it("of an earlier version are handed out nowhere, and open what is on its way", async (t) => {
    const { owner: before, shelf } = await owner(t)
    const kept = await Promise.all([given(before), given(before)])
    const old = kept.map((each) => ({ ...each, epoch: 0, destroyAtMs: null }))
    await before.records.write(old.map(before.records.putOneTime), { sync: true })
    await before.keeper.stop()
    const ada = await live(before.clock, shelf)
    t.after(() => ada.keeper.stop())
    await ada.keeper.start()
    assert.equal(ada.keeper.show().onOffer, 0)
    const [one, two] = kept
    assert(await joins(ada, one.public))
    await pass(ada, KEEP_UNUSED_MS + HOUR)
    assert(!(await joins(ada, two.public)))
    assert(!(await isKept(ada, two)))
  })

  it("run out for whoever finds none: the last-resort package serves any number", async (t) => {
    const { owner: ada } = await owner(t)
    const { lastResort } = cardOf(ada)
    for (let i = 0; i < 3; i++) assert(await joins(ada, lastResort))
    await pass(ada, 5 * DAY)
    assert(await joins(ada, lastResort))
  })

  it("under a leaf key that was replaced are handed out no more, and open late mail to their end", async (t) => {
    const { owner: ada } = await owner(t)
    const old = await given(ada)
    await ada.keeper.rotate()
    assert.equal(ada.keeper.show().onOffer, 0)
    await pass(ada, 13 * DAY)
    assert(await joins(ada, old.public))
  })
})

describe("key packages for composite signatures", () => {
  it("open one first contact each, the last-resort one any number", async (t) => {
    const { owner: ada } = await owner(t)
    const once = await given(ada, "composite")
    const always = ada.ring.identity.composite?.lastResort.public ?? assert.fail("none")
    assert.equal(ada.keeper.show().onOffer, 0, "ordinary ones are counted")
    for (let i = 0; i < 2; i++) assert(await joins(ada, always))
    assert(await joins(ada, once.public))
    assert(!(await joins(ada, once.public)))
    assert(!(await isKept(ada, once)))
  })

  it("change with the leaf key, which the next card vouches for as a former one", async (t) => {
    const { owner: ada } = await owner(t)
    const old = await given(ada, "composite")
    const seed = ada.ring.identity.composite?.leaf ?? assert.fail("no key")
    await ada.keeper.rotate()
    assert(vouchesFor(cardOf(ada), signaturePublicOf(seed)))
    assert(!isLeafOf(cardOf(ada), signaturePublicOf(seed)))
    assert(await joins(ada, old.public))
    await pass(ada, 91 * DAY)
    assert(!vouchesFor(cardOf(ada), signaturePublicOf(seed)))
  })

  it("come at once to an identity that is older than they are", async (t) => {
    const { owner: before, shelf } = await owner(t)
    await before.keeper.stop()
    const bare = { ...before.ring.identity, composite: null }
    await before.records.write([before.records.putIdentity(bare)], { sync: true })
    const ada = await live(before.clock, shelf)
    t.after(() => ada.keeper.stop())
    assert.equal(ada.ring.identity.composite, null)
    await ada.keeper.start()
    assert.equal(ada.cards.length, 1)
    assert.notEqual(cardOf(ada).compositeLeaf, null)
  })
})

describe("destroyed keys on the disk", () => {
  it("are not in the store's files any more, in whatever form", async (t) => {
    const directory = join(temporaryDirectory(t), "store")
    const clock = new ManualClock(Date.now())
    const store = await openStore(directory)
    t.after(() => store.close())
    const shelf = sealedShelf(store)
    const records = new ChatRecords(new Sealed(openVault(vaultKey), shelf))
    const identity = await born(0)
    await records.write([records.putIdentity(identity)], { sync: true })
    const [sealed] = await shelf.range(
      { gte: new Uint8Array(0), lt: new Uint8Array(64).fill(255) },
      { reverse: false, limit: 1 },
    )
    assert(sealed)
    const piece = Buffer.from(sealed.value.subarray(100, 164))
    const inFiles = () =>
      readdirSync(directory).filter((name) => readFileSync(join(directory, name)).includes(piece))
    assert.notDeepEqual(inFiles(), [], "the record is there, sealed")

    const ring = await KeyRing.open({ records, clock }, identity)
    const keeper = new IdentityKeeper({
      ring,
      records,
      clock,
      published: () => Promise.resolve(0),
      onCard: () => undefined,
      onOffer: () => 0,
      onFault: (error) => assert.fail(String(error)),
    })
    t.after(() => keeper.stop())
    await keeper.rotate({ forgetOld: true })
    assert.deepEqual(inFiles(), [])
    assert.equal(addressBytes(addressOfRoots(ring.identity.roots)).length, 64)
  })
})
