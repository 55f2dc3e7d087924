/**
 * Key-change rules (DESIGN §4): an address holds the roots, so other roots are another person. Where such a one comes under a name that
 * the user knows, it is said aloud, nothing goes out to them, and doing nothing is safe.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { ApiError } from "../../../src/node/api/errors.ts"
import { type Person, World } from "../../helpers/chat-world.ts"

let world: World

afterEach(async () => {
  await world.stop()
})

const contactOf = (one: Person, other: Person) =>
  one.chat.contacts().find(({ address }) => address === other.address)

const refused = (code: string) => (error: unknown) =>
  error instanceof ApiError && error.code === code

async function befriend(one: Person, name: string, other: Person): Promise<void> {
  await one.chat.addContact(other.address, name)
  await other.until("a request", () => contactOf(other, one) !== undefined)
  await other.chat.accept(one.address)
  await one.chat.send(name, "hello", undefined)
  await other.until("a text", async () => (await other.texts(one)).length === 1)
  await one.until("delivery", async () => (await one.messages(other))[0]?.state === "delivered")
}

/** Ada knows Bob, and there is another who calls themselves Bob. */
async function twoBobs(): Promise<{ ada: Person; bob: Person; other: Person }> {
  world = new World()
  const ada = await world.add("Ada")
  const bob = await world.add("Bob")
  await befriend(ada, "bob", bob)
  const other = await world.add("Bob")
  return { ada, bob, other }
}

describe("another identity under a known name", () => {
  it("that writes: a request that claims, pauses everything towards it, and leaves the known one alone", async () => {
    const { ada, bob, other } = await twoBobs()
    await other.chat.addContact(ada.address, "ada")
    await other.chat.send("ada", "I lost my phone, this is me now", undefined)
    await ada.until("the text", async () => (await ada.texts(other)).length === 1)
    const claim = contactOf(ada, other)
    assert.deepEqual(
      [claim?.state, claim?.claims, claim?.name, claim?.verified],
      ["request", bob.address, "Bob", false],
    )
    const told = ada.events.filter((e) => e.type === "contact" && e.contact.claims !== null)
    assert.equal(told.length, 1, "the screens are told once")

    await assert.rejects(
      ada.chat.send(other.address, "really?", undefined),
      refused("IDENTITY_CHANGED"),
    )
    await assert.rejects(ada.chat.accept(other.address), refused("IDENTITY_CHANGED"))
    assert.equal(contactOf(ada, other)?.state, "request", "refusing changed nothing")
    await ada.chat.send("bob", "was that you?", undefined)
    await bob.until("the question", async () => (await bob.texts(ada)).includes("was that you?"))
    assert.deepEqual(
      (await other.messages(ada)).map((m) => m.state),
      ["gossiped"],
    )
  })

  it("that is accepted anyway is a contact of its own: it inherits no name, no mark and no conversation", async () => {
    const { ada, bob, other } = await twoBobs()
    const { number } = await ada.chat.safety("bob")
    await ada.chat.verify("bob", number)
    await other.chat.addContact(ada.address, "ada")
    await other.chat.send("ada", "me again", undefined)
    await ada.until("the text", async () => (await ada.texts(other)).length === 1)
    await ada.chat.accept(other.address, { anyway: true })
    const [known, next] = [contactOf(ada, bob), contactOf(ada, other)]
    assert.deepEqual([known?.name, known?.verified], ["bob", true])
    assert.deepEqual([next?.verified, next?.claims, next?.state], [false, null, "accepted"])
    assert.notEqual(known?.name, next?.name)
    await other.until("delivery", async () => (await other.messages(ada))[0]?.state === "delivered")
    await ada.chat.send(other.address, "hello to you, too", undefined)
    await other.until("the answer", async () => (await other.texts(ada)).length === 2)
    assert.deepEqual(await bob.texts(ada), ["hello"])
  })

  it("that the user adds by its code: no envelope leaves before the user has decided", async () => {
    const { ada, bob, other } = await twoBobs()
    const before = other.mailbox.arrivals.length
    const added = await ada.chat.addContact(other.address, "Bob")
    assert.deepEqual([added.state, added.claims], ["pending", bob.address])
    await assert.rejects(ada.chat.send(other.address, "hi", undefined), refused("IDENTITY_CHANGED"))
    ada.chat.peersChanged()
    await ada.chat.send("bob", "somebody is using your name", undefined)
    await bob.until("the text", async () => (await bob.texts(ada)).length === 2)
    const intros = other.mailbox.arrivals.length - before
    assert.equal(contactOf(other, ada), undefined)
    await ada.chat.accept(other.address, { anyway: true })
    await other.until("a first contact", () => contactOf(other, ada) !== undefined)
    assert(other.mailbox.arrivals.length > before + intros)
  })

  it("that was a contact and takes another's name: what waits stays in line until the user has decided", async () => {
    world = new World()
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    const eve = await world.add("Eve")
    await befriend(ada, "bob", bob)
    await befriend(ada, "eve", eve)
    // Eve starts over under another name; her address is the same.
    await eve.chat.stop()
    eve.rename("Bob")
    await eve.start()
    await eve.chat.remove("Ada")
    await eve.chat.addContact(ada.address, "ada")
    await ada.until("the claim", () => contactOf(ada, eve)?.claims === bob.address)
    assert.deepEqual([contactOf(ada, eve)?.name, contactOf(ada, eve)?.state], ["eve", "accepted"])
    await assert.rejects(ada.chat.send("eve", "hm", undefined), refused("IDENTITY_CHANGED"))
    await ada.chat.block("eve")
    await assert.rejects(ada.chat.send("eve", "hm", undefined), refused("BLOCKED_CONTACT"))
  })

  it("is no claim when the names differ, nor from one stranger to another", async () => {
    const { ada, other } = await twoBobs()
    const carol = await world.add("Carol")
    const caroll = await world.add("Carol")
    for (const each of [carol, caroll]) {
      await each.chat.addContact(ada.address, "ada")
      await ada.until("a request", () => contactOf(ada, each) !== undefined)
      assert.equal(contactOf(ada, each)?.claims, null)
    }
    assert.equal(contactOf(ada, other), undefined)
  })
})

describe("verification", () => {
  it("takes the digits that both see, survives a restart, and can be taken back", async () => {
    world = new World()
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    await befriend(ada, "bob", bob)
    const [hers, his] = [await ada.chat.safety("bob"), await bob.chat.safety("Ada")]
    assert.equal(hers.number, his.number)
    const grouped = his.number.match(/.{5}/g)?.join(" ") ?? ""
    assert.equal((await ada.chat.verify("bob", grouped)).verified, true)
    assert.equal(contactOf(bob, ada)?.verified, false, "the other side decides for itself")

    await ada.chat.stop()
    await ada.start()
    assert.equal(contactOf(ada, bob)?.verified, true)
    assert.equal((await ada.chat.unverify("bob")).verified, false)
    await ada.chat.stop()
    await ada.start()
    assert.equal(contactOf(ada, bob)?.verified, false)
  })

  it("refuses digits of anybody else, and changes nothing", async () => {
    const { ada, bob, other } = await twoBobs()
    await ada.chat.addContact(other.address, "somebody")
    const { number } = await ada.chat.safety("somebody")
    await assert.rejects(ada.chat.verify("bob", number), refused("NUMBER_DIFFERS"))
    assert.equal(contactOf(ada, bob)?.verified, false)
  })

  it("decides about a claim: compared is let in", async () => {
    const { ada, other } = await twoBobs()
    await other.chat.addContact(ada.address, "ada")
    await ada.until("the claim", () => contactOf(ada, other) !== undefined)
    const { number } = await other.chat.safety("ada")
    const contact = await ada.chat.verify(other.address, number)
    assert.deepEqual([contact.verified, contact.claims, contact.state], [true, null, "accepted"])
    await ada.chat.send(other.address, "so it is you", undefined)
    await other.until("the text", async () => (await other.texts(ada)).length === 1)
  })
})

describe("the newest card of a contact", () => {
  it("is remembered: neither an older one nor another of its number is believed, after a restart either", async () => {
    world = new World()
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    await befriend(ada, "bob", bob)
    const card = world.cards.get(bob.address)
    assert(card)
    const truth = world.findCard
    // Bob starts over, so that Ada looks for his card once more.
    await bob.chat.remove("Ada")
    for (const lie of [
      { ...card, sequence: card.sequence - 1 },
      { ...card, hash: new Uint8Array(32) },
    ]) {
      await ada.chat.stop()
      ada.logs.length = 0
      world.findCard = (address) =>
        address === bob.address ? Promise.resolve(lie) : truth(address)
      await ada.start()
      if (bob.chat.contacts().length === 0) {
        await bob.chat.addContact(ada.address, "ada")
        await bob.chat.send("ada", "it is me again", undefined)
      }
      await ada.until("the lie to be refused", () =>
        ada.logs.some((line) => line.includes("a newer one was seen")),
      )
      assert.equal((await ada.texts(bob)).length, 1)
    }
    world.findCard = truth
    ada.chat.peersChanged()
    await ada.until("the truth to be believed", async () => (await ada.texts(bob)).length === 2)
  })
})
