/**
 * Threads with post-quantum signatures, among people in one process with real MLS: of two and of several, beside ordinary ones; chosen at
 * first contact or later; waited for where somebody has no key; never less than was agreed on, whoever has broken Ed25519.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { addressOf } from "../../../src/crypto/address.ts"
import { type Bytes, concat, toHex } from "../../../src/crypto/bytes.ts"
import { compositeLeafHash } from "../../../src/crypto/card.ts"
import { tagOf } from "../../../src/crypto/envelope.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import {
  generateSignatureSeed,
  sessionLimits,
  signaturePublicOf,
  signingOf,
} from "../../../src/crypto/session.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { makeIdentity, type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"
import { Rogue } from "../../helpers/rogue.ts"

let world: World

afterEach(async () => {
  await world.stop()
  const logged = world.people.flatMap(({ logs }) => logs)
  const own = logged.filter((line) => !line.includes("the process was killed")).join("\n")
  assert.doesNotMatch(own, /assertion|TypeError|stopped|failed/)
  const seen = new Map<string, string>()
  for (const { mailbox } of world.people)
    for (const { id, bytes } of mailbox.arrivals) {
      const [tag, envelope] = [toHex(tagOf(bytes)), toHex(id)]
      assert.equal(seen.get(tag) ?? envelope, envelope, "one tag on two envelopes")
      seen.set(tag, envelope)
    }
})

const contactOf = (one: Person, other: { readonly address: string }) =>
  one.chat.contacts().find(({ address }) => address === other.address)

const signsWith = (one: Person, other: Person): boolean =>
  contactOf(one, other)?.postQuantumSignatures === true

async function says(from: Person, to: Person, text: string): Promise<void> {
  await from.chat.send(to.address, text, undefined)
  await to.until(`"${text.slice(0, 40)}"`, async () => (await to.texts(from)).includes(text))
}

const delivered = (from: Person, to: Person) =>
  from.until("a receipt", async () =>
    (await from.messages(to)).every(({ mine, state }) => !mine || state === "delivered"),
  )

/** Added by the first, accepted by the other, quiet. */
async function pair(): Promise<[Person, Person]> {
  const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
  await ada.chat.addContact(bob.address, "bob", "composite")
  await says(ada, bob, "hello")
  await bob.chat.accept(ada.address)
  await says(bob, ada, "hello yourself")
  await delivered(ada, bob)
  await delivered(bob, ada)
  return [ada, bob]
}

describe("a thread of two with post-quantum signatures", () => {
  it("is chosen at first contact, holds for both, and carries short and long texts both ways", async () => {
    world = new World()
    const [ada, bob] = await pair()
    for (const [one, other] of [
      [ada, bob],
      [bob, ada],
    ] as const) {
      assert(signsWith(one, other), `${one.name} knows`)
      assert.equal(one.chat.threads()[0]?.postQuantumSignatures, true)
      const channels = await one.channels()
      assert(channels.every(({ state }) => signingOf(state) === "composite"))
      // As long as a message may be: with its signature in more envelopes than an ordinary one takes.
      await says(one, other, one.name.padEnd(16_000, "x"))
      await delivered(one, other)
    }
  })

  it("costs three envelopes for a short text where an ordinary one costs one", async () => {
    world = new World()
    const [ada, bob] = await pair()
    const before = bob.mailbox.arrivals.length
    await says(ada, bob, "a")
    await delivered(ada, bob)
    // Bob's receipt takes as many.
    const [mine, receipts] = [bob.mailbox.arrivals.length - before, 3]
    assert(mine === 3 || mine === 3 + receipts, `${mine} envelopes`)
  })

  it("comes of an ordinary one when either asks for it: nothing is lost, and nothing more goes the old way", async () => {
    world = new World()
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    await ada.chat.addContact(bob.address, "bob")
    await says(ada, bob, "in the old way")
    await bob.chat.accept(ada.address)
    await says(bob, ada, "likewise")
    assert(!signsWith(ada, bob) && !signsWith(bob, ada))

    await bob.chat.addContact(ada.address, undefined, "composite")
    await says(bob, ada, "in the new way")
    await ada.until("to know", () => signsWith(ada, bob))
    await says(ada, bob, "here, too")
    await delivered(ada, bob)
    await delivered(bob, ada)
    assert.deepEqual(await ada.texts(bob), [
      "in the old way",
      "likewise",
      "in the new way",
      "here, too",
    ])
    for (const one of [ada, bob]) {
      const channels = await one.channels()
      const old = channels.filter(({ state }) => signingOf(state) === "ed25519")
      const spoken = old.map((channel) => channel.epochs.map(({ next }) => next))
      await says(one, one === ada ? bob : ada, `once more from ${one.name}`)
      const after = (await one.channels()).filter(({ state }) => signingOf(state) === "ed25519")
      assert.deepEqual(
        after.map((channel) => channel.epochs.map(({ next }) => next)),
        spoken,
      )
    }
  })

  it("loses nothing of who wrote first at the same moment, with less", async () => {
    world = new World()
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    world.held = []
    await ada.chat.addContact(bob.address, "bob", "composite")
    await bob.chat.addContact(ada.address, "ada")
    await ada.chat.send("bob", "from Ada", undefined)
    await bob.chat.send("ada", "from Bob", undefined)
    for (const one of [ada, bob])
      await one.until("both to have written", async () => (await one.channels()).length === 1)
    await bob.until("his text to be sealed", () => (world.held?.length ?? 0) >= 13 + 3 + 3 + 1)
    world.release()
    await bob.until("Ada's text", async () => (await bob.texts(ada)).includes("from Ada"))
    await ada.until("Bob's text", async () => (await ada.texts(bob)).includes("from Bob"))
    await delivered(bob, ada)
    await delivered(ada, bob)
    assert.equal((await ada.texts(bob)).filter((text) => text === "from Bob").length, 1)
    const kept = (await ada.channels()).map(({ state }) => signingOf(state))
    assert.deepEqual(kept, ["composite"], "what came with less was not taken")
  })

  it("survives a restart, and going on from a backup", async () => {
    world = new World()
    const [ada, bob] = await pair()
    const backup = new Map(ada.shelf.rows)
    await ada.chat.stop()
    await ada.start()
    await says(ada, bob, "after a restart")
    await ada.moveTo(backup)
    await says(ada, bob, "from elsewhere")
    await says(bob, ada, "wherever you are")
    assert(signsWith(ada, bob) && signsWith(bob, ada))
    const sending = (await ada.channels()).filter(({ retired }) => !retired)
    assert(sending.length > 0)
    assert(sending.every(({ state }) => signingOf(state) === "composite"))
  })

  it("waits for who has no key for it, says so, and goes on when there is one", async () => {
    world = new World()
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    const keyPackage = world.composites.get(bob.address) ?? assert.fail("no package")
    world.composites.delete(bob.address)
    await ada.chat.addContact(bob.address, "bob", "composite")
    await ada.chat.send("bob", "patience", undefined)
    await ada.until("to see what is missing", () => contactOf(ada, bob)?.lacksKey === true)
    assert.deepEqual(await bob.texts(ada), [], "not with less")
    world.composites.set(bob.address, keyPackage)
    ada.chat.peersChanged()
    await bob.until("the text", async () => (await bob.texts(ada)).includes("patience"))
    assert.equal(contactOf(ada, bob)?.lacksKey, false)
  })
})

describe("who has broken Ed25519", () => {
  /** Somebody who writes in Bob's name, and signs with what they have. */
  const asBob = async (bob: Person, signatureSeed: Bytes): Promise<Bytes[]> => {
    const rogue = await Rogue.join(world)
    const options = { from: bob.address, identity: bob.address, name: "Bob", signatureSeed }
    const [ada] = world.people
    assert(ada)
    const hello = await rogue.hello(ada, options)
    return [...hello, ...(await rogue.says("trust me"))]
  }

  /** Taken for nobody: what they sent was judged, and nothing of it is left. */
  async function comesToNothing(ada: Person, envelopes: readonly Bytes[]): Promise<void> {
    const channels = (await ada.channels()).length
    for (const envelope of envelopes) ada.mailbox.take(envelope)
    await ada.until("all of it read", async () => {
      const { arrivals } = await ada.followed()
      return arrivals === ada.mailbox.arrivals.length
    })
    await ada.until("none of it kept", async () => (await ada.channels()).length === channels)
    for (const { name } of ada.chat.contacts()) {
      const { messages } = await ada.chat.page(name, undefined, 100)
      assert(messages.every(({ text }) => text !== "trust me"))
    }
  }

  it("passes for a contact in an ordinary thread, and not in one with post-quantum signatures", async () => {
    world = new World()
    const [ada, bob] = await pair()
    await comesToNothing(ada, await asBob(bob, bob.leaf))
    await says(bob, ada, "it is me")

    world = new World()
    const [eve, finn] = [await world.add("Ada"), await world.add("Bob")]
    await eve.chat.addContact(finn.address, "Bob")
    await says(eve, finn, "hello")
    for (const envelope of await asBob(finn, finn.leaf)) eve.mailbox.take(envelope)
    await eve.until("the forgery", async () => (await eve.texts(finn)).includes("trust me"))
  })

  for (const [half, seedOf] of [
    ["classical", (one: Person) => one.compositeLeaf.slice(32)],
    ["post-quantum", (one: Person) => one.compositeLeaf.slice(0, 32)],
  ] as const)
    it(`passes for nobody with the ${half} half of a key alone`, async () => {
      world = new World()
      const [ada, bob] = await pair()
      const fresh = generateSignatureSeed("composite")
      const known = seedOf(bob)
      const seed =
        half === "classical" ? concat(fresh.slice(0, 32), known) : concat(known, fresh.slice(32))
      await comesToNothing(ada, await asBob(bob, seed))
      await says(bob, ada, "it is me")
    })

  it("would need the key whose hash both root keys have signed", async () => {
    world = new World()
    const [, bob] = await pair()
    const named = world.cards.get(bob.address)?.compositeLeaf
    assert.deepEqual(named, compositeLeafHash(signaturePublicOf(bob.compositeLeaf)))
  })
})

describe("a group with post-quantum signatures", () => {
  /** A name with a star is somebody whose card is signed. */
  async function team(...names: string[]): Promise<[GroupTalk, ...Person[]]> {
    world = new World(new Order())
    const people: Person[] = []
    for (const name of names)
      people.push(await world.add(name.replace("*", ""), { signed: name.endsWith("*") }))
    await befriendAll(world, ...people)
    const [first, ...others] = people
    assert(first)
    const talk = new GroupTalk(world, "Team")
    await first.chat.groupCreate(
      "Team",
      others.map(({ address }) => address),
      "composite",
    )
    await talk.settled(first, ...others)
    return [talk, ...people]
  }
  type Three = [GroupTalk, Person, Person, Person]

  it("is talked in, takes in and lets go, is renamed, run and left, beside an ordinary one of the same people", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as Three
    const plain = new GroupTalk(world, "Plain")
    await plain.found(bob, ada, cyd)
    for (const person of [ada, bob, cyd]) {
      assert.equal(talk.view(person).postQuantumSignatures, true)
      assert.equal(plain.view(person).postQuantumSignatures, false)
      await talk.say(person, `with both, from ${person.name}`)
      await plain.say(person, `with one, from ${person.name}`)
    }
    await talk.everybodyRead(ada, bob, cyd)
    await plain.everybodyRead(ada, bob, cyd)

    const dan = await world.add("Dan")
    await befriendAll(world, ada, dan)
    await ada.chat.groupAdd("Team", ["Dan"])
    await talk.settled(ada, bob, cyd, dan)
    await ada.chat.groupRemove("Team", "Cyd")
    await talk.settled(ada, bob, dan)
    await ada.chat.groupRename("Team", "Crew")
    talk.name = "Crew"
    await talk.settled(ada, bob, dan)
    await ada.chat.groupAdmin("Crew", "Bob", true)
    await talk.settled(ada, bob, dan)
    await ada.chat.groupLeave("Crew")
    await talk.settled(bob, dan)
    await bob.chat.send("Crew", "without Ada", undefined)
    await ordering(world, dan, "Bob's text", async () =>
      (await talk.texts(dan)).includes("without Ada"),
    )
    await plain.say(cyd, "the other one goes on")
    await plain.everybodyRead(ada, bob, cyd)
    await plain.sameFor(ada, bob, cyd)
    for (const person of [bob, dan])
      await ordering(world, person, "to have looked at cards", () =>
        talk.view(person).members.every(({ vouched }) => vouched),
      )
  })

  it("waits for a member without a key, says so, and takes them in when there is one", async () => {
    world = new World(new Order())
    const [ada, bob, cyd] = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
    await befriendAll(world, ada, bob, cyd)
    const keyPackage = world.composites.get(cyd.address) ?? assert.fail("no package")
    world.composites.delete(cyd.address)
    const talk = new GroupTalk(world, "Team")
    await ada.chat.groupCreate("Team", [bob.address, cyd.address], "composite")
    await ordering(
      world,
      ada,
      "Bob, and to wait for Cyd",
      () =>
        talk.view(ada).members.length === 2 && talk.view(ada).pending.some((each) => each.lacksKey),
    )
    assert(!talk.has(cyd))
    world.composites.set(cyd.address, keyPackage)
    ada.chat.peersChanged()
    await talk.settled(ada, bob, cyd)
  })

  it("lets in anew who goes on from a backup, without a human, and is followed by who was away", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob*", "Cyd")) as Three
    await talk.say(bob, "before")
    await talk.everybodyRead(ada, bob, cyd)
    for (const person of [ada, bob, cyd])
      await ordering(world, person, "new keys", () => talk.view(person).epoch >= 3)
    const backup = new Map(bob.shelf.rows)
    cyd.isAway = true
    await talk.say(ada, "while Cyd is away")
    await bob.moveTo(backup)
    const isBack = async () => {
      const isAway = (await bob.channels()).some(({ group, retired }) => group && retired)
      if (isAway || !talk.has(bob)) return false
      const { epoch, pending, changing } = talk.view(bob)
      return pending.length === 0 && !changing && epoch === talk.view(ada).epoch
    }
    await ordering(world, bob, "Bob back in the group", isBack)
    await talk.say(bob, "here I am")
    world.catchUp(cyd)
    await talk.everybodyRead(ada, bob, cyd)
    const group = (await bob.channels()).find((channel) => channel.group && !channel.retired)
    assert(group && signingOf(group.state) === "composite")
  })

  it("takes in who comes last by a Welcome in a blob, when it is too long for envelopes", async () => {
    const [talk, ada, bob] = (await team("Ada", "Bob")) as [GroupTalk, Person, Person]
    const cyd = await world.add("Cyd")
    await befriendAll(world, ada, cyd)
    const ENOUGH = 13
    for (let i = 0; i < ENOUGH; i++) {
      const absent = await makeIdentity(`nobody ${i}`)
      world.cards.set(absent.card.address, absent.card)
      const keyPackage = absent.identity.composite?.lastResort.public ?? assert.fail()
      world.composites.set(absent.card.address, keyPackage)
      await ada.chat.addContact(absent.card.address, `nobody ${i}`)
    }
    await ada.chat.groupAdd(
      "Team",
      Array.from({ length: ENOUGH }, (_, i) => `nobody ${i}`),
    )
    const sizeAt = (one: Person) => (talk.has(one) ? talk.view(one).members.length : 0)
    await ordering(world, bob, "all of them", () => sizeAt(bob) === ENOUGH + 2)
    world.payloads.clear()
    await ada.chat.groupAdd("Team", ["Cyd"])
    await ordering(world, cyd, "Cyd in the group", () => sizeAt(cyd) === ENOUGH + 3)
    assert(world.payloads.size > 0)
    await talk.say(cyd, "from the last one")
    await talk.everybodyRead(ada, bob, cyd)
  })

  it("holds fewer people than an ordinary one", async () => {
    world = new World(new Order())
    const ada = await world.add("Ada")
    const strangers: string[] = []
    while (strangers.length < sessionLimits.COMPOSITE_MEMBERS_MAX) {
      const address = addressOf(primitives.randomBytes(32), primitives.randomBytes(64))
      await ada.chat.addContact(address, undefined)
      strangers.push(address)
    }
    await assert.rejects(ada.chat.groupCreate("Crowd", strangers, "composite"), {
      code: "GROUP_FULL",
    })
    const few = strangers.slice(1)
    assert.equal((await ada.chat.groupCreate("Crowd", few, "composite")).pending.length, few.length)
  })
})
