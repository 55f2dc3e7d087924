/**
 * Who goes on from a backup has no keys for what was said to their old self after it had made new ones. In a thread of two they ask, and
 * the other one says it again: once, in its old place, and marked.
 */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import { type Bytes, fromHex, toHex } from "../../../src/crypto/bytes.ts"
import { tagOf } from "../../../src/crypto/envelope.ts"
import { ANSWERS_MAX } from "../../../src/node/chat/lacks.ts"
import { Calendar } from "../../helpers/calendar.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { ordering } from "../../helpers/group-talk.ts"

let world: World
let calendar: Calendar

beforeEach(() => {
  calendar = new Calendar()
})

afterEach(async () => {
  await world.stop()
  const logged = world.people.flatMap(({ logs }) => logs).join("\n")
  assert.doesNotMatch(logged, /assertion|TypeError|failed/)
})

async function tell(one: Person, other: Person, text: string): Promise<void> {
  await one.chat.send(other.address, text, undefined)
  await ordering(world, other, text, async () => (await other.texts(one)).includes(text))
}

async function friends(order?: Order): Promise<[Person, Person]> {
  world = new World(order)
  const people: Person[] = []
  for (const name of ["Ada", "Bob"]) {
    const person = await world.add(name)
    await person.chat.stop()
    person.clock = calendar
    await person.start()
    people.push(person)
  }
  const [ada, bob] = people
  assert(ada !== undefined && bob !== undefined)
  await ada.chat.addContact(bob.address, "Bob")
  await tell(ada, bob, "hello")
  await bob.chat.accept(ada.address)
  await tell(bob, ada, "hello yourself")
  await tell(ada, bob, "well met")
  return [ada, bob]
}

const newest = async (person: Person) => {
  const [channel] = await person.channels()
  assert(channel !== undefined)
  return { renewedAtMs: channel.renewedAtMs, epoch: channel.epochs[0]?.epoch ?? 0 }
}

/** The old Ada makes new keys, so that what follows is under none that the backup has. */
async function newKeys(ada: Person, bob: Person): Promise<void> {
  const sinceMs = calendar.aDayPasses()
  for (let i = 1; (await newest(ada)).renewedAtMs < sinceMs; i++) {
    assert(i < 20, "new keys come in time")
    await tell(ada, bob, `a day later, ${i}`)
    await placed(ada, bob)
  }
  const { epoch } = await newest(ada)
  await ordering(world, bob, "to have them too", async () => (await newest(bob)).epoch === epoch)
}

const theirs = async (one: Person, other: Person) =>
  (await one.messages(other)).filter(({ mine }) => !mine)

/** Everything has its place at both. */
async function placed(...both: readonly [Person, Person]): Promise<void> {
  const [one, other] = both
  if (world.order === undefined) return
  for (const [each, whom] of [
    [one, other],
    [other, one],
  ] as const)
    await ordering(world, each, "all places", async () =>
      (await each.messages(whom)).every(({ place }) => place !== null),
    )
}

function assertNoTagTwice(): void {
  const seen = new Map<string, string>()
  for (const { mailbox } of world.people)
    for (const { id, bytes } of mailbox.arrivals) {
      const [tag, envelope] = [toHex(tagOf(bytes)), toHex(id)]
      assert.equal(seen.get(tag) ?? envelope, envelope, "one tag on two envelopes")
      seen.set(tag, envelope)
    }
}

const copyOf = (person: Person): ReadonlyMap<string, Bytes> => new Map(person.shelf.rows)

/** What is said to each is known to have reached them. */
async function confirmed(one: Person, other: Person): Promise<void> {
  await ordering(world, one, "all receipts", async () =>
    (await one.messages(other)).every(({ mine, state }) => !mine || state === "delivered"),
  )
}

/** How many messages the other one asks for, as screens are told; some may be in the backup. */
const lacking = (one: Person, other: Person): number =>
  one.chat.threads().find(({ members }) => members.includes(other.address))?.lacks ?? 0

const marked = async (one: Person, other: Person) =>
  (await theirs(one, other)).filter(({ again }) => again).map(({ text }) => text)

describe("what was said under keys that a backup does not have", () => {
  it("is said again by itself if nobody had confirmed it, where it stood, and once; the rest is asked about", async () => {
    const [ada, bob] = await friends(new Order())
    const backup = copyOf(ada)
    await newKeys(ada, bob)
    await tell(bob, ada, "read by the old one")
    await placed(ada, bob)
    await confirmed(bob, ada)
    ada.kill()
    const long = "x".repeat(16_000)
    for (const text of ["under the new keys", long, "and more"])
      await bob.chat.send(ada.address, text, undefined)
    const last = (await bob.messages(ada)).findLast(({ mine }) => mine)
    assert(last !== undefined)
    await bob.chat.messages.edit(fromHex(last.id), "and still more")
    await ordering(world, bob, "all places", async () =>
      (await bob.messages(ada)).every(({ place }) => place !== null),
    )

    await ada.moveTo(backup)
    await ordering(world, ada, "what was lost", async () => {
      const texts = await ada.texts(bob)
      return texts.includes(long) && texts.some((text) => text.startsWith("and"))
    })
    await tell(bob, ada, "welcome back")
    await tell(ada, bob, "thank you")
    await placed(ada, bob)
    await confirmed(bob, ada)
    assert.deepEqual(await marked(ada, bob), ["under the new keys", long, "and still more"])
    const asked = lacking(bob, ada)
    assert(asked > 0, "one had been read, and waits for a word")
    assert(bob.events.some((event) => event.type === "thread" && event.thread.lacks === asked))

    await bob.chat.stop()
    await bob.start()
    assert.equal(lacking(bob, ada), asked, "also after a start")
    // The three have been confirmed since; what was said after the request is not meant.
    assert.equal(await bob.chat.lacks.again(ada.address), asked + 3)
    await ordering(world, ada, "what was read", async () =>
      (await ada.texts(bob)).includes("read by the old one"),
    )
    await tell(bob, ada, "that was all")
    await placed(ada, bob)
    await confirmed(bob, ada)
    const placesOf = async (of: Promise<Awaited<ReturnType<typeof theirs>>>) =>
      (await of).map(({ id, place, position }) => ({ id, place, position }))
    const mine = bob.messages(ada).then((all) => all.filter((message) => message.mine))
    assert.deepEqual(await placesOf(theirs(ada, bob)), await placesOf(mine), "one order for both")
    assert.equal((await marked(ada, bob))[0], "read by the old one")
    assert((await mine).every(({ again }) => !again))
    assert.equal(lacking(bob, ada), 0)
    assert.equal(await bob.chat.lacks.again(ada.address), 0, "the word holds once")
    assertNoTagTwice()
  })

  it("is not said to whoever comes back before the person here has said so, and nobody asks for what was erased", async () => {
    const [ada, bob] = await friends(new Order())
    assert.equal(await bob.chat.lacks.again(ada.address), 0, "nobody asks")
    const backup = copyOf(ada)
    await newKeys(ada, bob)
    for (const text of ["secret", "and more"]) await tell(bob, ada, text)
    await confirmed(bob, ada)
    await ada.moveTo(backup)
    await ordering(world, bob, "the request", () => lacking(bob, ada) >= 2)
    await tell(bob, ada, "is that you?")
    await placed(ada, bob)
    assert.deepEqual(await marked(ada, bob), [])
    await bob.chat.block(ada.address)
    await assert.rejects(bob.chat.lacks.again(ada.address), { code: "BLOCKED_CONTACT" })
    await bob.chat.accept(ada.address)
    await bob.chat.hide(ada.address)
    assert.equal(await bob.chat.lacks.again(ada.address), 0)
    await tell(bob, ada, "nothing of that")
    assert(!(await ada.texts(bob)).includes("secret"))
  })

  it("is said again in a mesh without an order too, and sorts by itself", async () => {
    const [ada, bob] = await friends()
    const backup = copyOf(ada)
    await newKeys(ada, bob)
    for (const text of ["one", "two"]) await tell(bob, ada, text)
    await confirmed(bob, ada)
    await ada.moveTo(backup)
    await bob.until("the request", () => lacking(bob, ada) > 0)
    await bob.chat.lacks.again(ada.address)
    await ordering(world, ada, "what was lost", async () => (await ada.texts(bob)).includes("two"))
    const heard = (await theirs(ada, bob)).map(({ text }) => text)
    assert.deepEqual(heard, ["hello yourself", "one", "two"])
    assertNoTagTwice()
  })

  it("is not asked for ever by somebody who always comes back", async () => {
    const [ada, bob] = await friends(new Order())
    const backup = copyOf(ada)
    await newKeys(ada, bob)
    await tell(bob, ada, "lost")
    await confirmed(bob, ada)
    const hasIt = async () => (await ada.texts(bob)).includes("lost")
    for (let i = 1; i <= ANSWERS_MAX; i++) {
      await ada.moveTo(backup)
      await ordering(world, bob, "the request", () => lacking(bob, ada) > 0)
      await bob.chat.lacks.again(ada.address)
      await ordering(world, ada, "what was lost", hasIt)
      await tell(bob, ada, `round ${i}`)
      await placed(ada, bob)
    }
    await ada.moveTo(backup)
    await tell(ada, bob, "once more")
    await tell(bob, ada, "and not again")
    assert.equal(lacking(bob, ada), 0)
    assert(!(await hasIt()))
  })
})
