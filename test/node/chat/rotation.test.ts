/**
 * What contacts notice of a rotation: nothing. Threads take on the new leaf key, which the new card names; first contacts with old keys
 * still open; and a key that no card comes to name ends what was made with it.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { type Channel, ownLeafKey, peerLeafKey } from "../../../src/chat/channel.ts"
import { groupIn } from "../../../src/chat/group.ts"
import { equal } from "../../../src/crypto/bytes.ts"
import { epochAt } from "../../../src/crypto/directory-record.ts"
import { type Card, isLeafOf, vouchesFor } from "../../../src/crypto/card.ts"
import {
  generateIntro,
  introPublic,
  compositeLeafOf,
  leafPublic,
  oldAfter,
  rotated,
} from "../../../src/crypto/identity.ts"
import { addressBytes } from "../../../src/crypto/address.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import {
  createKeyPackage,
  generateSignatureSeed,
  type Signing,
  signingOf,
} from "../../../src/crypto/session.ts"
import type { Clock } from "../../../src/node/clock.ts"
import { makeOneTime } from "../../../src/node/identity/make-identity.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"

let world: World
const NO_KEY = new Uint8Array(32)

afterEach(async () => {
  await world.stop()
})

/** Pauses of minutes pass in tenths of a second. */
const fast: Clock = {
  nowMs: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms / 500)
    return () => clearTimeout(timer)
  },
}

const standing = (one: Person, other: Person) =>
  one.chat.contacts().find(({ address }) => address === other.address)?.state

async function friends(signing?: Signing): Promise<[Person, Person]> {
  world = new World()
  const ada = await world.add("Ada")
  const bob = await world.add("Bob")
  await ada.chat.addContact(bob.address, "bob", signing)
  await ada.chat.send("bob", "hello", undefined)
  await bob.until("a request", async () => (await bob.texts(ada)).length === 1)
  await bob.chat.accept("Ada")
  await ada.until("delivery", async () => (await ada.messages(bob))[0]?.state === "delivered")
  return [ada, bob]
}

const keysOf = (one: Person) => one.keys ?? assert.fail("not running")

/** As `rotateIdentity` does, without the second that the root signatures take: the world believes unsigned cards. */
async function rotate(one: Person, { publish = true, forgetOld = false } = {}): Promise<Card> {
  const { identity } = keysOf(one)
  const before = world.cards.get(one.address) ?? assert.fail("no card")
  const nowMs = one.clock.nowMs()
  const leaf = primitives.ed25519.generate()
  const intro = generateIntro()
  const lastResort = await createKeyPackage({
    identity: addressBytes(one.address),
    signatureSeed: leaf,
    lastResort: true,
    notAfterSeconds: 2 ** 33,
  })
  const seed = generateSignatureSeed("composite")
  const composite = {
    leaf: seed,
    lastResort: await createKeyPackage({
      identity: addressBytes(one.address),
      signatureSeed: seed,
      lastResort: true,
      notAfterSeconds: 2 ** 33,
    }),
  }
  const sequence = identity.sequence + 1
  const card = primitives.randomBytes(32)
  const next = rotated(identity, {
    ...{ intro, leaf, lastResort, composite, card, sequence },
    ...{ nowMs, forgetOld },
  })
  await keysOf(one).replace(next)
  const published: Card = {
    ...before,
    sequence,
    intro: introPublic(intro),
    leaf: leafPublic(next),
    lastResort: lastResort.public,
    formers: oldAfter(identity, nowMs, forgetOld).map((old) => old.leaf),
    compositeLeaf: compositeLeafOf(next),
    formerComposites: oldAfter(identity, nowMs, forgetOld).flatMap(
      (old) => old.composite?.leafHash ?? [],
    ),
    hash: primitives.sha3_256(card),
  }
  if (publish) {
    world.cards.set(one.address, published)
    world.composites.set(one.address, composite.lastResort.public)
  }
  return published
}

const channels = (one: Person): Promise<Channel[]> => one.channels()

async function bothWays(one: Person, other: Person): Promise<void> {
  const [mine, theirs] = [
    `from ${one.name} ${Math.random()}`,
    `from ${other.name} ${Math.random()}`,
  ]
  await one.chat.send(other.address, mine, undefined)
  await other.chat.send(one.address, theirs, undefined)
  await other.until(mine, async () => (await other.texts(one)).includes(mine))
  await one.until(theirs, async () => (await one.texts(other)).includes(theirs))
}

describe("rotation, as a contact sees it", () => {
  it("changes the leaf key of a thread without a word, in whichever direction it was made", async () => {
    const [ada, bob] = await friends()
    for (const [one, other] of [
      [ada, bob],
      [bob, ada],
    ] as const) {
      const card = await rotate(one)
      other.events.length = 0
      one.chat.keysChanged()
      await other.until("the new key", async () =>
        (await channels(other)).some((channel) =>
          equal(peerLeafKey(channel) ?? card.hash, card.leaf),
        ),
      )
      await bothWays(one, other)
      assert.equal(standing(other, one), "accepted")
      const told = other.events.filter(({ type }) => type === "contact")
      assert(told.every((event) => event.type === "contact" && event.contact.claims === null))
      assert.equal((await channels(other)).length, 1, "the same thread, no new one")
    }
  })

  it("of both at the same moment ends with both new keys", async () => {
    const [ada, bob] = await friends()
    world.held = []
    const cards = [await rotate(ada), await rotate(bob)]
    ada.chat.keysChanged()
    bob.chat.keysChanged()
    world.release()
    for (const one of [ada, bob])
      await one.until("both keys", async () =>
        (await channels(one)).some((channel) => {
          const keys = [ownLeafKey(channel), peerLeafKey(channel)]
          return cards.every(({ leaf }) =>
            keys.some((key) => key !== undefined && equal(key, leaf)),
          )
        }),
      )
    await bothWays(ada, bob)
  })

  it("that happens while its first contact is on the way: the recipient believes the former key of the new card", async () => {
    world = new World()
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    bob.isAway = true
    world.carriers = 1
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "are you there?", undefined)
    await ada.until("it to leave", async () => (await ada.messages(bob))[0]?.state === "gossiped")
    const card = await rotate(ada)
    ada.chat.keysChanged()
    world.catchUp(bob)
    await bob.until("the text", async () => (await bob.texts(ada)).length === 1)
    await bob.chat.accept("Ada")
    await bothWays(ada, bob)
    await bob.until("the new key", async () =>
      (await channels(bob)).some((channel) => equal(peerLeafKey(channel) ?? card.hash, card.leaf)),
    )
  })

  it("of the recipient while a first contact is on the way: it opens with the old keys", async () => {
    world = new World()
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    bob.isAway = true
    world.carriers = 1
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "are you there?", undefined)
    await ada.until("it to leave", async () => (await ada.messages(bob))[0]?.state === "gossiped")
    await rotate(bob)
    world.catchUp(bob)
    await bob.until("the text", async () => (await bob.texts(ada)).length === 1)
    await bob.chat.accept("Ada")
    await bothWays(ada, bob)
  })
})

describe("rotation of a key for post-quantum signatures", () => {
  it("changes the leaf key of a thread of two, in whichever direction it was made", async () => {
    const [ada, bob] = await friends("composite")
    for (const [one, other] of [
      [ada, bob],
      [bob, ada],
    ] as const) {
      const card = await rotate(one)
      one.chat.keysChanged()
      await other.until("the new key", async () =>
        (await channels(other)).some((channel) => isLeafOf(card, peerLeafKey(channel) ?? NO_KEY)),
      )
      await bothWays(one, other)
    }
    for (const one of [ada, bob])
      assert((await channels(one)).every(({ state }) => signingOf(state) === "composite"))
  })

  it("ends the thread in which somebody took a key that no card names; another is made, and with no less", async () => {
    const [ada, bob] = await friends("composite")
    await bob.chat.stop()
    bob.clock = fast
    await bob.start()
    const [before] = await channels(bob)
    await rotate(ada, { publish: false })
    ada.chat.keysChanged()
    await bob.until("the end of the thread", () =>
      bob.logs.some((line) => line.includes("no card names the key its peer took")),
    )
    await bob.until("another thread", async () => (await channels(bob)).length === 1)
    const [after] = await channels(bob)
    assert(before && after && !equal(before.groupId, after.groupId))
    assert.equal(signingOf(after.state), "composite")
  })

  it("changes the leaf key in a group, where the others look the new card up", async () => {
    world = new World(new Order())
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    await befriendAll(world, ada, bob)
    const talk = new GroupTalk(world, "Team")
    await ada.chat.groupCreate("Team", [bob.address], "composite")
    await talk.settled(ada, bob)
    const card = await rotate(bob)
    bob.chat.keysChanged()
    await ordering(world, ada, "Bob's new key, vouched for", async () => {
      const group = (await channels(ada)).find((channel) => channel.group !== null)
      const now = group && groupIn(group.state)
      const isNew = now?.members.some(({ key }) => isLeafOf(card, key)) === true
      return isNew && talk.view(ada).members.every(({ vouched }) => vouched)
    })
    await talk.say(bob, "with a new key")
    await talk.everybodyRead(ada, bob)
  })
})

describe("a leaf key that no card names", () => {
  it("is not believed in a first contact, however often one looks", async () => {
    world = new World()
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    const card = await rotate(ada, { forgetOld: true, publish: false })
    assert(!vouchesFor(world.cards.get(ada.address) ?? card, card.leaf))
    let looked = 0
    const truth = world.findCard
    world.findCard = (address) => {
      if (address === ada.address) looked++
      return truth(address)
    }
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "it is me, believe me", undefined)
    await ada.until("it to leave", async () => (await ada.messages(bob))[0]?.state === "gossiped")
    await bob.until(
      "the first contact to be looked into and dropped",
      async () => looked >= 2 && (await channels(bob)).length === 0,
    )
    assert.equal(standing(bob, ada), undefined)
  })

  it("ends the thread in which somebody took it, and another is made with the keys of the card", async () => {
    const [ada, bob] = await friends()
    await bob.chat.stop()
    bob.clock = fast
    await bob.start()
    const [before] = await channels(bob)
    // Whoever has stolen Ada's state of the thread goes on in it with a key of their own.
    await rotate(ada, { publish: false })
    ada.chat.keysChanged()
    await bob.until("the end of the thread", () =>
      bob.logs.some((line) => line.includes("no card names the key its peer took")),
    )
    await bob.until("another thread", async () => (await channels(bob)).length === 1)
    const [after] = await channels(bob)
    assert(before && after && !equal(before.groupId, after.groupId))
    await bob.chat.send("Ada", "by the card", undefined)
    await ada.until("the text", async () => (await ada.texts(bob)).includes("by the card"))
  })
})

describe("one-time key packages in first contacts", () => {
  it("of two strangers who were handed the same one, the first gets through; the other one does by the next", async () => {
    world = new World()
    const [ada, bob, carol] = [
      await world.add("Ada"),
      await world.add("Bob"),
      await world.add("Carol"),
    ]
    const keys = keysOf(carol)
    const epoch = epochAt(Date.now())
    const when = { nowMs: Date.now(), epoch }
    const [same, next] = [
      await makeOneTime(keys.identity, keys.identity.leaf, when),
      await makeOneTime(keys.identity, keys.identity.leaf, when),
    ]
    keys.put([same, next])
    let handed = same.public
    world.findKeyPackage = (card) =>
      Promise.resolve(card.address === carol.address ? handed : card.lastResort)
    await ada.chat.addContact(carol.address, "carol")
    await ada.chat.send("carol", "from Ada", undefined)
    await carol.until("the first", async () => (await carol.texts(ada)).length === 1)
    assert.deepEqual(keys.offered("ed25519", epoch), [next], "it is used up")
    // A dishonest keeper: he is given what she was given.
    await bob.chat.addContact(carol.address, "carol")
    await bob.chat.send("carol", "from Bob", undefined)
    await carol.until("a word about it", () =>
      Promise.resolve(carol.logs.some((line) => line.includes("not here, or not any more"))),
    )
    assert.deepEqual(await carol.texts(bob), [])
    handed = next.public
    await bob.chat.remove(carol.address)
    await bob.chat.addContact(carol.address, "carol")
    await bob.chat.send("carol", "again", undefined)
    await carol.until("the other", async () => (await carol.texts(bob)).length === 1)
    await carol.chat.accept(ada.address)
    await carol.chat.accept(bob.address)
    await bothWays(carol, ada)
    await bothWays(carol, bob)
  })
})
