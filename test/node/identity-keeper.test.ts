/**
 * Rotation and one-time key packages (DESIGN §4), with a clock that the test owns: what is replaced when, what still opens until when,
 * and what is gone from the disk afterwards.
 */
import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { addressBytes, type Address } from "../../src/crypto/address.ts"
import { type Bytes, equal, toHex } from "../../src/crypto/bytes.ts"
import { type Card, isLeafOf, verifyCard, vouchesFor } from "../../src/crypto/card.ts"
import { INTRO_PLAINTEXT_BYTES, openIntro, sealIntro } from "../../src/crypto/envelope.ts"
import { addressOfRoots, type Identity, leafPublic } from "../../src/crypto/identity.ts"
import { openVault } from "../../src/crypto/keyfile.ts"
import { PAYLOAD_MAX_BYTES } from "../../src/crypto/offer-record.ts"
import { decodeOffer, OFFER_SIZE } from "../../src/crypto/one-time.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import {
  addMembers,
  createGroup,
  generateSignatureSeed,
  inspectKeyPackage,
  joinFromWelcome,
  keyPackageSigning,
  signaturePublicOf,
} from "../../src/crypto/session.ts"
import { ChatRecords } from "../../src/node/chat-records.ts"
import { pickFrom } from "../../src/node/directory-cards.ts"
import { IdentityKeeper, type PublishedOffer } from "../../src/node/identity-keeper.ts"
import { KeyRing } from "../../src/node/key-ring.ts"
import { makeIdentity } from "../../src/node/make-identity.ts"
import { Sealed } from "../../src/node/sealed.ts"
import { sealedShelf } from "../../src/node/sealed-store.ts"
import { openStore } from "../../src/node/store.ts"
import { MemoryShelf, meshId } from "../helpers/chat-world.ts"
import { ManualClock } from "../helpers/manual-clock.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"

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
  readonly offers: PublishedOffer[]
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
  const [cards, offers]: [Card[], PublishedOffer[]] = [[], []]
  const keeper = new IdentityKeeper({
    ring,
    records,
    clock,
    isRestored,
    published: () => Promise.resolve(owner.known),
    onCard: ({ card }) => cards.push(verifyCard(card)),
    onOffer: (offer) => offers.push(offer),
    onFault: (error) => assert.fail(String(error)),
  })
  const address = addressOfRoots(identity.roots)
  const owner: Owner = { clock, keeper, ring, records, address, cards, offers, known: 0 }
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

/** Whether a first contact for this key package gets through; a group that is joined uses the package. */
async function joins(one: Owner, keyPackage: Bytes): Promise<boolean> {
  const signatureSeed = generateSignatureSeed(keyPackageSigning(keyPackage) ?? assert.fail())
  const identity = primitives.randomBytes(64)
  const group = await createGroup({ groupId: primitives.randomBytes(16), identity, signatureSeed })
  const nowSeconds = Math.floor(one.clock.nowMs() / 1000)
  const { welcome } = await addMembers(group, [keyPackage], nowSeconds)
  const found = one.ring.packageFor(welcome)
  if (found === undefined) return false
  const joined = await joinFromWelcome(welcome, found.pair)
  if (joined.kind !== "joined") return false
  await one.records.write(found.used(), { sync: true })
  return true
}

const offersOf = ({ offers }: Owner, kind: PublishedOffer["kind"] = "offer") =>
  offers.filter((each) => each.kind === kind)

const latest = (one: Owner, kind?: PublishedOffer["kind"]): readonly Bytes[] =>
  decodeOffer(offersOf(one, kind).at(-1)?.offer ?? assert.fail("no offer")).packages

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
    const [oneTime] = latest(ada)
    await ada.keeper.rotate({ forgetOld: true })
    assert(!opens(ada, letter))
    assert(!vouchesFor(cardOf(ada), leaf))
    assert(oneTime && !(await joins(ada, oneTime)))
    assert.deepEqual((await live(ada.clock, shelf)).ring.identity.old, [])
  })
})

describe("one-time key packages", () => {
  const pick = (one: Owner) =>
    pickFrom(latest(one), cardOf(one), Math.floor(one.clock.nowMs() / 1000))

  it("are offered in a batch, each another; whoever writes takes one of them that is the owner's", async (t) => {
    const { owner: ada } = await owner(t)
    const offer = latest(ada)
    assert.equal(offer.length, OFFER_SIZE)
    assert.equal(new Set(offer.map(toHex)).size, OFFER_SIZE)
    const picked = (await pick(ada)) ?? assert.fail("none was picked")
    assert(offer.some((each) => equal(each, picked)))
    const { owner: eve } = await owner(t, 1)
    const now = Math.floor(ada.clock.nowMs() / 1000)
    assert.equal(await pickFrom(offer, cardOf(eve), now), undefined, "another's are not taken")
    assert.equal(await pickFrom([cardOf(ada).lastResort], cardOf(ada), now), undefined)
    assert.equal(await pickFrom([new Uint8Array(9)], cardOf(ada), now), undefined)
    assert.equal(await pickFrom([], cardOf(ada), now), undefined)
  })

  it("leave the offer when used, and another takes the place", async (t) => {
    const { owner: ada, shelf } = await owner(t)
    const picked = (await pick(ada)) ?? assert.fail("none")
    assert(await joins(ada, picked))
    await pass(ada, 60_000)
    assert.equal(offersOf(ada).length, 2)
    assert((offersOf(ada)[1]?.sequence ?? 0) > (offersOf(ada)[0]?.sequence ?? 0))
    assert.equal(latest(ada).length, OFFER_SIZE)
    assert(!latest(ada).some((each) => equal(each, picked)))
    const next = await live(ada.clock, shelf)
    await next.keeper.start()
    t.after(() => next.keeper.stop())
    assert.equal(
      toHex(offersOf(next)[0]?.offer ?? assert.fail()),
      toHex(offersOf(ada)[1]?.offer ?? assert.fail()),
    )
  })

  it("that two strangers picked at once open for both, and for nobody a day later", async (t) => {
    const { owner: ada, shelf } = await owner(t)
    const picked = (await pick(ada)) ?? assert.fail("none")
    assert(await joins(ada, picked))
    assert(await joins(ada, picked), "the second stranger gets through as well")
    await pass(ada, DAY - HOUR)
    assert(await joins(ada, picked))
    await pass(ada, 2 * HOUR)
    assert(!(await joins(ada, picked)), "its private key is destroyed")
    const left = await (await live(ada.clock, shelf)).records.oneTimePackages()
    assert(!left.some((each) => equal(each.public, picked)))
  })

  it("are not destroyed before the mail of an absence was read", async (t) => {
    const { owner: ada, shelf } = await owner(t)
    const picked = (await pick(ada)) ?? assert.fail("none")
    assert(await joins(ada, picked))
    await ada.keeper.stop()
    ada.clock.advance(20 * DAY)
    const back = await live(ada.clock, shelf)
    await back.keeper.start()
    t.after(() => back.keeper.stop())
    assert(await joins(back, picked), "the other one's letter waited in the mailbox all the while")
    await pass(back, HOUR)
    assert(!(await joins(back, picked)))
  })

  it("run out for whoever finds none: the last-resort package serves any number", async (t) => {
    const { owner: ada } = await owner(t)
    const { lastResort } = cardOf(ada)
    for (let i = 0; i < 3; i++) assert(await joins(ada, lastResort))
    await pass(ada, 5 * DAY)
    assert(await joins(ada, lastResort))
  })

  it("are all replaced with the leaf key, and the old ones open late mail for 90 days", async (t) => {
    const { owner: ada } = await owner(t)
    const [old] = latest(ada)
    assert(old)
    await ada.keeper.rotate()
    assert(!latest(ada).some((each) => equal(each, old)))
    assert(await pick(ada), "the new ones carry the new leaf key")
    await pass(ada, 89 * DAY)
    assert(await joins(ada, old))
    await pass(ada, 2 * DAY)
    assert(!(await joins(ada, old)))
  })
})

describe("key packages for composite signatures", () => {
  const kind = "composite-offer"
  const now = ({ clock }: Owner) => Math.floor(clock.nowMs() / 1000)

  it("are offered apart: one for one use, and a last-resort one, under the leaf key whose hash the card names", async (t) => {
    const { owner: ada } = await owner(t)
    const offer = latest(ada, kind)
    assert.equal(offer.length, 2)
    const card = cardOf(ada)
    const kinds: boolean[] = []
    for (const each of offer) {
      const verdict = await inspectKeyPackage(each, now(ada))
      assert(verdict.verdict === "accept" && isLeafOf(card, verdict.signatureKey))
      assert.equal(verdict.signatureKey.length, 2624)
      kinds.push(verdict.lastResort)
    }
    assert.deepEqual(kinds.sort(), [false, true])
    const encoded = offersOf(ada, kind)[0]?.offer.length ?? 0
    assert(encoded < PAYLOAD_MAX_BYTES, `${encoded} bytes fit a record`)
    assert(latest(ada).every((each) => keyPackageSigning(each) === "ed25519"))
  })

  it("are replaced when used, the last-resort one not; another's are not taken", async (t) => {
    const { owner: ada } = await owner(t)
    const { owner: eve } = await owner(t, 1)
    const offer = latest(ada, kind)
    assert.equal(await pickFrom(offer, cardOf(eve), now(ada)), undefined)
    const [once, always] = [
      (await pickFrom(offer, cardOf(ada), now(ada))) ?? assert.fail("none"),
      (await pickFrom(offer, cardOf(ada), now(ada), true)) ?? assert.fail("none"),
    ]
    assert(await joins(ada, always))
    assert(await joins(ada, once))
    await pass(ada, 60_000)
    assert.equal(offersOf(ada, kind).length, 2)
    assert.equal(offersOf(ada).length, 1, "the other offer is none of its business")
    assert(!latest(ada, kind).some((each) => equal(each, once)))
    assert(latest(ada, kind).some((each) => equal(each, always)))
    await pass(ada, 25 * HOUR)
    assert(!(await joins(ada, once)))
    assert(await joins(ada, always))
  })

  it("change with the leaf key, which the next card vouches for as a former one, and open for 90 days", async (t) => {
    const { owner: ada } = await owner(t)
    const [old] = latest(ada, kind)
    const seed = ada.ring.identity.composite?.leaf ?? assert.fail("no key")
    await ada.keeper.rotate()
    assert(vouchesFor(cardOf(ada), signaturePublicOf(seed)))
    assert(!isLeafOf(cardOf(ada), signaturePublicOf(seed)))
    assert(old && !latest(ada, kind).some((each) => equal(each, old)))
    assert(await joins(ada, old))
    await pass(ada, 91 * DAY)
    assert(!(await joins(ada, old)))
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
    assert.equal(latest(ada, kind).length, 2)
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
      onOffer: () => undefined,
      onFault: (error) => assert.fail(String(error)),
    })
    t.after(() => keeper.stop())
    await keeper.rotate({ forgetOld: true })
    assert.deepEqual(inFiles(), [])
    assert.equal(addressBytes(addressOfRoots(ring.identity.roots)).length, 64)
  })
})
