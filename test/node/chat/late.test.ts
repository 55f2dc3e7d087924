/**
 * What is ordered under keys that had ended counts for nobody (DESIGN §10): a thief with a copied state is refused at everybody in the same
 * way as soon as that member's update is some blocks old, a removed member at once; what honest people had on its way is said again.
 */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import { LATE_HEIGHTS_MAX } from "../../../src/chat/lateness.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import { systemClock } from "../../../src/node/clock.ts"
import { Calendar } from "../../helpers/calendar.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"

let order: Order
let world: World
let calendar: Calendar
let talk: GroupTalk
let ada: Person
let bob: Person
let cyd: Person

beforeEach(async () => {
  order = new Order()
  world = new World(order)
  calendar = new Calendar()
  const [one, two, three] = await Promise.all(["Ada", "Bob", "Cyd"].map((name) => world.add(name)))
  assert(one !== undefined && two !== undefined && three !== undefined)
  ;[ada, bob, cyd] = [one, two, three]
  for (const person of [ada, bob, cyd]) {
    await person.chat.stop()
    person.clock = calendar
    await person.start()
  }
  await befriendAll(world, ada, bob, cyd)
  talk = new GroupTalk(world, "Team")
  await talk.found(ada, bob, cyd)
  await quiet(ada, bob, cyd)
})

afterEach(async () => {
  await world.stop()
  const logged = world.people.flatMap(({ logs }) => logs).join("\n")
  assert.doesNotMatch(logged, /assertion|TypeError|stopped|failed/)
})

const channelOf = async (person: Person) =>
  (await person.channels()).find(({ group }) => group !== null) ?? assert.fail("in the group")
const epochOf = async (person: Person): Promise<number> =>
  (await channelOf(person)).epochs[0]?.epoch ?? assert.fail("no epoch")

/** Nothing is on its way, and all are in one epoch. */
async function quiet(...people: Person[]): Promise<void> {
  const isQuiet = async () => {
    const channels = await Promise.all(people.map(channelOf))
    return (
      new Set(channels.map(({ epochs }) => epochs[0]?.epoch)).size === 1 &&
      channels.every(({ held, group }) => held.length === 0 && group?.wishes.length === 0) &&
      people.every(({ chat }) => chat.unsent === 0)
    )
  }
  for (const person of people) await ordering(world, person, "quiet", isQuiet)
}

/** Everything that came and was ordered has been looked at. */
const followed = (person: Person): Promise<void> =>
  person.until("everything to be looked at", async () => {
    world.orderOn()
    // a thief is nobody's peer
    person.blocksCame()
    const { arrivals, height } = await person.followed()
    return arrivals === person.mailbox.arrivals.length && height === order.blocks.length
  })

/** So much else is ordered that what was sealed before is late. */
async function blocksPass(...people: Person[]): Promise<void> {
  const end = order.blocks.length + LATE_HEIGHTS_MAX + 1
  while (order.blocks.length < end) {
    order.take(primitives.randomBytes(4096))
    world.orderOn()
  }
  for (const person of people) await followed(person)
}

/** New keys of theirs count. */
async function renews(person: Person, ...others: Person[]): Promise<void> {
  const sinceMs = calendar.aDayPasses()
  const epoch = await epochOf(person)
  await talk.say(person, "good morning")
  await ordering(world, person, "new keys", async () => {
    const { renewedAtMs } = await channelOf(person)
    return renewedAtMs >= sinceMs
  })
  await quiet(person, ...others)
  assert(await stillReads(person, epoch), "so few commits that the former epoch is kept")
}

/** Every message but its delivery, the same bytes for the same transcript. */
async function transcript(person: Person): Promise<string> {
  const messages = await talk.words(person)
  return JSON.stringify(
    messages.map(({ id, author, text, place, deleted, edited, reactions }) => {
      const signs = reactions.map(({ sign, by, mine }) => [sign, by.length + Number(mine)])
      return { id, author, text, place, deleted, edited: edited?.first ?? null, signs }
    }),
  )
}

const idOf = ({ id }: { readonly id: string }) => new Uint8Array(Buffer.from(id, "hex"))

const stillReads = async (person: Person, epoch: number): Promise<boolean> =>
  (await channelOf(person)).epochs.some((each) => each.epoch === epoch)

describe("whoever copied all that a member had", () => {
  it("is refused by everybody in the same way once that member's update is some blocks old, though its keys still open", async () => {
    const said = await talk.say(ada, "I am Ada")
    await talk.everybodyRead(ada, bob, cyd)
    await quiet(ada, bob, cyd)
    const thief = ada.steal()()
    thief.clock = systemClock
    const stolen = await epochOf(ada)
    // Cyd sees neither the update nor the forgery until both are old.
    cyd.isAway = true
    await renews(ada, bob)
    await blocksPass(ada, bob)
    assert(await stillReads(bob, stolen), "the keys of the stolen epoch are kept")
    const before = await transcript(bob)

    await thief.start()
    await followed(thief)
    const posted = order.envelopes.size
    // Ada has used the first counters herself, so that nobody looks at those envelopes twice.
    for (let i = 0; i < 20; i++) {
      await thief.chat.send(talk.name, `forged ${i}`, undefined)
      await thief.until("it to leave", () => thief.chat.unsent === 0)
    }
    await thief.chat.messages.edit(idOf(said), "I am not Ada")
    await thief.chat.messages.react(idOf(said), ["👎"])
    await thief.chat.messages.delete(idOf(said), true)
    await thief.until("all of it to leave", () => thief.chat.unsent === 0)
    thief.kill()
    assert(order.envelopes.size >= posted + 1)

    for (const person of [ada, bob]) await followed(person)
    assert.equal(await transcript(bob), before)
    cyd.isAway = false
    world.catchUp(cyd)
    await followed(cyd)
    await quiet(ada, bob, cyd)
    for (const person of [ada, bob, cyd]) {
      assert(
        (await talk.texts(person)).every((text) => !text.startsWith("forged")),
        person.name,
      )
      assert.equal(await transcript(person), before, person.name)
      const shown = person.events.flatMap((each) => (each.type === "message" ? [each] : []))
      assert(
        shown.every(({ message }) => !message.text.startsWith("forged")),
        "not even for a moment",
      )
      // Who has followed so many commits that the key is forgotten does not even look.
      const isRefused = person.logs.some((line) => line.includes("keys that had ended"))
      assert(person === ada || isRefused || !(await stillReads(person, stolen)), person.name)
    }
    const summary = cyd.chat.threads().find(({ title }) => title === talk.name)
    const unread = (await talk.words(cyd)).filter(({ mine }) => !mine).length
    assert(summary !== undefined && summary.unread <= unread, "nothing unread that is not there")
    await talk.say(ada, "it is me")
    await talk.everybodyRead(ada, bob, cyd)
    await talk.sameFor(ada, bob, cyd)
  })
})

describe("an honest member", () => {
  it("who was away when the epoch ended is heard all the same, once, at one place for all", async () => {
    const said = await talk.say(ada, "see you")
    await talk.everybodyRead(ada, bob, cyd)
    await quiet(ada, bob, cyd)
    const stolen = await epochOf(cyd)
    cyd.isAway = true
    await talk.say(cyd, "from the train")
    await cyd.chat.messages.react(idOf(said), ["👋"])
    await renews(ada, bob)
    await blocksPass(ada, bob)
    cyd.isAway = false
    world.catchUp(cyd)
    await ordering(world, cyd, "it to leave", () => cyd.chat.unsent === 0)
    await talk.everybodyRead(ada, bob, cyd)
    await ordering(world, bob, "the wave", async () =>
      (await talk.messages(bob)).some(({ reactions }) => reactions.length > 0),
    )
    await quiet(ada, bob, cyd)
    await talk.sameFor(ada, bob, cyd)
    assert.equal((await talk.texts(bob)).filter((text) => text === "from the train").length, 1)
    assert((await epochOf(cyd)) > stolen)
  })

  it("whose words one member saw before they were late is heard by all, and only once they are said again", async () => {
    const envelopes: Bytes[] = []
    cyd.admit = (envelope) => {
      envelopes.push(envelope)
      return Promise.resolve(envelope)
    }
    cyd.isAway = true
    await talk.say(cyd, "from the train")
    // Gossip brings it to Bob, and nobody orders it.
    await bob.until("it to arrive", async () => {
      for (const envelope of envelopes) bob.mailbox.take(envelope)
      return (await talk.texts(bob)).includes("from the train")
    })
    await renews(ada, bob)
    await blocksPass(ada, bob)
    for (const person of [ada, bob])
      assert(!(await talk.texts(person)).includes("from the train"), person.name)
    const unread = bob.chat.threads().find(({ title }) => title === talk.name)?.unread
    assert.equal(unread, (await talk.texts(bob)).length, "what was taken back is not unread")
    // Ordered now, it still counts for nobody.
    for (const envelope of envelopes) order.take(envelope)
    for (const person of [ada, bob]) await followed(person)
    await talk.sameFor(ada, bob)
    assert(!(await talk.texts(ada)).includes("from the train"))
    cyd.isAway = false
    world.catchUp(cyd)
    await talk.everybodyRead(ada, bob, cyd)
    await quiet(ada, bob, cyd)
    await talk.sameFor(ada, bob, cyd)
    assert.equal((await talk.texts(bob)).filter((text) => text === "from the train").length, 1)
  })

  it("loses nothing that is ordered a little after the commit", async () => {
    order.isStalled = true
    await talk.say(bob, "before")
    const sinceMs = calendar.aDayPasses()
    await talk.say(ada, "new keys")
    await ada.until("the update", async () =>
      (await channelOf(ada)).held.some(({ own }) => own !== null),
    )
    for (let i = 0; i < 5; i++) await talk.say(bob, `on its way ${i}`)
    order.isStalled = false
    await talk.everybodyRead(ada, bob, cyd)
    await quiet(ada, bob, cyd)
    assert((await channelOf(ada)).renewedAtMs >= sinceMs)
    await talk.sameFor(ada, bob, cyd)
    const logs = [ada, cyd].flatMap((person) => person.logs)
    assert(logs.every((line) => !line.includes("keys that had ended")))
  })
})

describe("a removed member", () => {
  it("is not heard with what is ordered after the removal, by anybody", async () => {
    const envelopes: Bytes[] = []
    cyd.isAway = true
    cyd.admit = (envelope) => {
      envelopes.push(envelope)
      return Promise.resolve(envelope)
    }
    await cyd.chat.send(talk.name, "my last word", undefined)
    await cyd.until("it to be sealed", () => envelopes.length > 0)
    await ada.chat.groupRemove(talk.name, cyd.address)
    for (const person of [ada, bob])
      await ordering(world, person, "the removal", () => talk.view(person).members.length === 2)
    for (const envelope of envelopes) world.spread(bob, envelope)
    for (const envelope of envelopes) bob.mailbox.take(envelope)
    for (const person of [ada, bob]) {
      await followed(person)
      assert(!(await talk.texts(person)).includes("my last word"), person.name)
    }
    await talk.say(ada, "quieter now")
    await talk.everybodyRead(ada, bob)
    await talk.sameFor(ada, bob)
  })
})
