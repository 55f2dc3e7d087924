/**
 * New keys in time (DESIGN §10): every member commits an update after about fifty of its messages, or with the first one after a day.
 * Whoever stole everything it had before reads nothing of what is said after, and is believed no longer.
 */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import type { Channel } from "../../../src/chat/channel.ts"
import { UPDATE_EVERY_MESSAGES, UPDATE_SPREAD_MESSAGES } from "../../../src/chat/updates.ts"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { tagOf } from "../../../src/crypto/envelope.ts"
import { threadTag } from "../../../src/crypto/tags.ts"
import { Calendar } from "../../helpers/calendar.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"

const EARLIEST = UPDATE_EVERY_MESSAGES - UPDATE_SPREAD_MESSAGES
const LATEST = UPDATE_EVERY_MESSAGES + UPDATE_SPREAD_MESSAGES

let world: World
let calendar: Calendar

beforeEach(() => {
  calendar = new Calendar()
})

afterEach(async () => {
  await world.stop()
  const logged = world.people.flatMap(({ logs }) => logs).join("\n")
  assert.doesNotMatch(logged, /assertion|TypeError|stopped|failed/)
})

async function people(...names: string[]): Promise<Person[]> {
  const all: Person[] = []
  for (const name of names) {
    const person = await world.add(name)
    await person.chat.stop()
    person.clock = calendar
    await person.start()
    all.push(person)
  }
  return all
}

async function friends(order?: Order): Promise<[Person, Person]> {
  world = new World(order)
  const [ada, bob] = await people("Ada", "Bob")
  assert(ada !== undefined && bob !== undefined)
  // One adds and the other accepts: one thread of two, not one from each.
  await ada.chat.addContact(bob.address, "Bob")
  await tell(ada, bob, "hello")
  await bob.chat.accept(ada.address)
  await tell(bob, ada, "hello yourself")
  await quiet(ada, bob)
  // Who has said nothing since their first keys would greet once more after a restart.
  await tell(bob, ada, "I like it here")
  // Receipts leave a little later than what they are for.
  const heard = (one: Person, other: Person) => async () =>
    (await one.messages(other)).every(({ state }) => state === "delivered")
  await ordering(world, ada, "Bob's receipt", heard(ada, bob))
  await ordering(world, bob, "Ada's receipt", heard(bob, ada))
  await quiet(ada, bob)
  return [ada, bob]
}

/** One message, which has left when this resolves. */
async function say(one: Person, other: Person, text: string): Promise<void> {
  await one.chat.send(other.address, text, undefined)
  await ordering(world, one, `"${text}" to leave`, () => one.chat.unsent === 0)
}

async function tell(one: Person, other: Person, text: string): Promise<void> {
  await say(one, other, text)
  await ordering(world, other, text, async () => (await other.texts(one)).includes(text))
}

const channelOf = async (one: Person): Promise<Channel> => {
  const [channel, ...others] = await one.channels()
  assert(channel !== undefined && others.length === 0, "one thread")
  return channel
}

const epochOf = ({ epochs }: Channel): number => epochs[0]?.epoch ?? assert.fail("no epoch")

/** No commit is on its way, nothing waits, and all are in one epoch. */
async function quiet(...all: Person[]): Promise<void> {
  for (const person of all)
    await ordering(world, person, "quiet", async () => {
      const channels = await Promise.all(all.map(channelOf))
      const epochs = new Set(channels.map(epochOf))
      return (
        epochs.size === 1 &&
        channels.every(({ held }) => held.length === 0) &&
        all.every(({ chat }) => chat.unsent === 0)
      )
    })
}

/** Says things until new keys of theirs count that were made after `sinceMs`: an update that lost its epoch is made again then. */
async function heal(one: Person, other: Person, sinceMs: number): Promise<void> {
  for (let i = 1; (await channelOf(one)).renewedAtMs < sinceMs; i++) {
    assert(i < 20, "new keys come in time")
    await tell(one, other, `day ${sinceMs}, ${i}`)
    await ordering(world, one, "the update, or what it lost to", async () => {
      const { held, renewedAtMs } = await channelOf(one)
      return renewedAtMs >= sinceMs || held.length === 0
    })
  }
  await quiet(one, other)
}

describe("an update in a thread of two", () => {
  it("comes after about fifty messages, and reaches whoever was away meanwhile", async () => {
    const [ada, bob] = await friends(new Order())
    const before = await channelOf(ada)
    bob.isAway = true
    world.carriers = 1
    for (let { spoken } = before; spoken < EARLIEST - 1; spoken++) await say(ada, bob, `${spoken}`)
    const early = await channelOf(ada)
    assert.equal(early.spoken, EARLIEST - 1)
    assert.deepEqual([early.held, epochOf(early)], [[], epochOf(before)], "not yet")
    for (let i = EARLIEST; i <= LATEST; i++) await say(ada, bob, `${i}`)
    await ordering(
      world,
      ada,
      "new keys",
      async () => epochOf(await channelOf(ada)) > epochOf(before),
    )
    const after = await channelOf(ada)
    assert.equal(epochOf(after), epochOf(before) + 1, "one commit and no more")
    assert(after.renewedAtMs > before.renewedAtMs && after.spoken <= LATEST - EARLIEST)
    world.catchUp(bob)
    await ordering(world, bob, "all of it", async () =>
      (await bob.texts(ada)).includes(`${LATEST}`),
    )
    await tell(bob, ada, "I was away")
    await quiet(ada, bob)
  })

  it("comes a day later with what one says next, and not before", async () => {
    const order = new Order()
    const [ada, bob] = await friends(order)
    const posted = order.envelopes.size
    const epoch = epochOf(await channelOf(ada))
    const sinceMs = calendar.aDayPasses()
    for (const person of [ada, bob]) {
      // A day of silence, and a restart in it.
      await person.chat.stop()
      await person.start()
    }
    await quiet(ada, bob)
    assert.equal(order.envelopes.size, posted, "who says nothing makes no traffic")
    assert.equal(epochOf(await channelOf(ada)), epoch)
    await heal(ada, bob, sinceMs)
    await heal(bob, ada, sinceMs)
    assert(epochOf(await channelOf(ada)) >= epoch + 2)
    await tell(ada, bob, "still there?")
    await tell(bob, ada, "still here")
  })

  it("is on its way once, however much is said while the ledger stands still", async () => {
    const order = new Order()
    const [ada, bob] = await friends(order)
    const sinceMs = calendar.aDayPasses()
    order.isStalled = true
    await say(ada, bob, "0")
    const isHeld = async () => (await channelOf(ada)).held.some(({ own }) => own !== null)
    await ada.until("the update to be posted", isHeld)
    for (let i = 1; i <= 5; i++) await say(ada, bob, `${i}`)
    const { held } = await channelOf(ada)
    assert.equal(held.filter(({ own }) => own !== null).length, 1)
    order.isStalled = false
    await heal(ada, bob, sinceMs)
    await tell(bob, ada, "all read")
  })

  it("is made in turns where there is no ledger, so that two at once cannot split the thread", async () => {
    const [ada, bob] = await friends()
    const healed = new Set<Person>()
    for (let day = 1; day <= 4; day++) {
      const sinceMs = calendar.aDayPasses()
      const epoch = epochOf(await channelOf(ada))
      world.held = []
      // Both are due, and neither sees what the other does.
      await ada.chat.send(bob.address, `Ada, day ${day}`, undefined)
      await bob.chat.send(ada.address, `Bob, day ${day}`, undefined)
      const isRenewed = async (one: Person) => (await channelOf(one)).renewedAtMs >= sinceMs
      await ada.until("somebody's new keys", async () => (await isRenewed(ada)) || isRenewed(bob))
      world.release()
      await tell(ada, bob, `from Ada after day ${day}`)
      await tell(bob, ada, `from Bob after day ${day}`)
      await quiet(ada, bob)
      assert(epochOf(await channelOf(ada)) > epoch)
      for (const one of [ada, bob]) if (await isRenewed(one)) healed.add(one)
    }
    assert.equal(healed.size, 2, "both have their turn")
  })
})

describe("updates in a group", () => {
  it("of everybody at once end in one epoch, with new keys of all", async () => {
    world = new World(new Order())
    const [ada, bob, cyd] = (await people("Ada", "Bob", "Cyd")) as [Person, Person, Person]
    const all = [ada, bob, cyd]
    await befriendAll(world, ...all)
    const talk = new GroupTalk(world, "Team")
    await talk.found(ada, bob, cyd)
    const { epoch } = talk.view(ada)
    const sinceMs = calendar.aDayPasses()
    await Promise.all(all.map((person) => talk.say(person, `${person.name} is up`)))
    const renewedAt = async (person: Person) =>
      (await person.channels()).find(({ group }) => group !== null)?.renewedAtMs ?? 0
    for (const person of all)
      await ordering(world, person, "new keys", async () => (await renewedAt(person)) >= sinceMs)
    await talk.settled(...all)
    assert(talk.view(ada).epoch >= epoch + all.length)
    for (const person of all) await talk.say(person, `${person.name} has new keys`)
    await talk.everybodyRead(...all)
    await talk.sameFor(...all)
  })
})

/** Every tag that somebody with this channel could work out, for any member. */
function tagsWithin({ epochs }: Channel): Set<string> {
  const tags = new Set<string>()
  for (const { keys, ownLeaf, windows } of epochs)
    for (const leaf of [ownLeaf, ...windows.keys()])
      for (let counter = 0; counter < 500; counter++)
        tags.add(toHex(threadTag(keys, leaf, counter)))
  return tags
}

/** Resolves when everything that came and was ordered has been looked at. */
const followed = (one: Person, order: Order): Promise<void> =>
  one.until("everything to be looked at", async () => {
    const { arrivals, height } = await one.followed()
    return arrivals === one.mailbox.arrivals.length && height === order.blocks.length
  })

describe("whoever stole all that a member had", () => {
  it("reads nothing that is said after its update, and is believed no longer", async () => {
    const order = new Order()
    const [ada, bob] = await friends(order)
    const thiefOfAda = ada.steal()
    await tell(bob, ada, "before the update")
    const sinceMs = calendar.aDayPasses()
    await heal(ada, bob, sinceMs)
    const earlier = new Set(order.envelopes.keys())
    await tell(bob, ada, "after it, from Bob")
    await tell(ada, bob, "after it, from Ada")
    await quiet(ada, bob)
    const later = [...order.envelopes].flatMap(([id, bytes]) => (earlier.has(id) ? [] : [bytes]))

    const reader = thiefOfAda()
    // It only looks.
    reader.admit = () => new Promise<Bytes>(() => undefined)
    for (const { bytes } of bob.mailbox.arrivals) reader.mailbox.take(bytes)
    await reader.start()
    await followed(reader, order)
    const read = await reader.texts(bob)
    assert(read.includes("before the update"), "the copy works")
    assert(!read.includes("after it, from Bob"))
    const stolen = await channelOf(reader)
    const known = tagsWithin(stolen)
    assert(later.length >= 2)
    assert(
      [...earlier].some((id) => known.has(toHex(tagOf(order.envelopes.get(id) ?? assert.fail())))),
    )
    for (const envelope of later) assert(!known.has(toHex(tagOf(envelope))), "no key to it")
    reader.kill()

    // Late messages of the last epochs are still read, whoever sends them: until those epochs are forgotten.
    const isForgotten = async () =>
      (await channelOf(bob)).epochs.every(({ epoch }) => epoch > epochOf(stolen))
    for (let i = 0; !(await isForgotten()); i++) {
      assert(i < 6)
      await heal(ada, bob, calendar.aDayPasses())
    }
    const epoch = epochOf(await channelOf(bob))
    const writer = thiefOfAda()
    const posted = bob.mailbox.arrivals.length
    await writer.start()
    await followed(writer, order)
    await writer.chat.send(bob.address, "forged", undefined)
    await writer.until("a forged update to be posted", async () =>
      (await channelOf(writer)).held.some(({ own }) => own !== null),
    )
    await writer.until("all of it to leave", () => writer.chat.unsent === 0)
    writer.kill()
    world.orderOn()
    await followed(bob, order)
    assert(bob.mailbox.arrivals.length > posted + 1, "they came")
    assert(!(await bob.texts(ada)).includes("forged"))
    assert.equal(epochOf(await channelOf(bob)), epoch)
    await tell(ada, bob, "it is me")
    await tell(bob, ada, "I know")
  })
})
