/**
 * Groups after somebody went on from a backup, or lost the thread: they are let in anew by whoever is there, without a human, also when
 * nobody is left who runs the group; everything said meanwhile is read; and nothing is sealed twice under one key.
 */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import { type Bytes, toHex } from "../../src/crypto/bytes.ts"
import { tagOf } from "../../src/crypto/envelope.ts"
import { systemClock } from "../../src/node/clock.ts"
import { Order } from "../helpers/chat-ledger.ts"
import { type Person, World } from "../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../helpers/group-talk.ts"

let world: World
let talk: GroupTalk
let [ada, bob, cyd] = [] as unknown as [Person, Person, Person]

/** Founded, two people let in, and each of them with new keys. */
const RENEWED = 3

beforeEach(async () => {
  world = new World(new Order())
  ;[ada, bob, cyd] = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
  await befriendAll(world, ada, bob, cyd)
  talk = new GroupTalk(world, "Team")
  await talk.found(ada, bob, cyd)
  // Newcomers leave the key package behind that they came in with: a copy from before could not follow.
  for (const person of [ada, bob, cyd])
    await ordering(world, person, "new keys", () => talk.view(person).epoch >= RENEWED)
})

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

const copyOf = (person: Person): ReadonlyMap<string, Bytes> => new Map(person.shelf.rows)

/** So much later for everybody: from one return of somebody to the next some time passes. */
function later(ms: number): void {
  for (const person of world.people)
    person.clock = { ...systemClock, nowMs: () => systemClock.nowMs() + ms }
}

const backIn = (person: Person) =>
  ordering(world, person, `${person.name} back in the group`, async () => {
    const isAway = (await person.channels()).some(({ group, retired }) => group && retired)
    if (isAway || !talk.has(person)) return false
    const { epoch, pending, changing } = talk.view(person)
    return pending.length === 0 && !changing && epoch === talk.view(ada).epoch
  })

describe("who goes on from a backup", () => {
  it("is let into a group anew by itself, reads all that was said meanwhile, and is answered", async () => {
    await talk.say(bob, "before")
    await talk.everybodyRead(ada, bob, cyd)
    const backup = copyOf(bob)
    await bob.chat.send("Team", "the old Bob", undefined)
    await ordering(world, cyd, "the old Bob", async () =>
      (await talk.texts(cyd)).includes("the old Bob"),
    )
    for (const name of ["One", "Two", "Three", "Four", "Five", "Six"]) {
      await talk.say(cyd, `in ${talk.name}`)
      await ada.chat.groupRename(talk.name, name)
      talk.name = name
      await talk.settled(ada, bob, cyd)
    }
    const { epoch } = talk.view(ada)

    talk.name = "Team"
    await bob.moveTo(backup)
    talk.name = "Six"
    await backIn(bob)
    assert(talk.view(ada).epoch > epoch, "with a leaf of his own making")
    await talk.say(bob, "here I am")
    await talk.say(ada, "there you are")
    await talk.everybodyRead(ada, bob, cyd)
    const heard = (await talk.messages(bob)).filter(({ mine }) => !mine).map(({ text }) => text)
    assert.equal(new Set(heard).size, heard.length, "nothing twice")
    assert.deepEqual(talk.view(bob).members.filter(({ admin }) => admin).length, 1)
  })

  it("is let in where nobody is left who runs the group, and runs it again", async () => {
    const backup = copyOf(ada)
    await talk.say(cyd, "meanwhile")
    await talk.everybodyRead(ada, bob, cyd)
    await ada.moveTo(backup)
    await backIn(ada)
    await talk.everybodyRead(ada, bob, cyd)
    await ada.chat.groupRename("Team", "Crew")
    talk.name = "Crew"
    await talk.settled(ada, bob, cyd)
  })

  it("comes back once more, from the very same copy", async () => {
    const backup = copyOf(bob)
    for (const [i, text] of ["once", "twice", "three times"].entries()) {
      later(i * 11 * 60_000)
      for (const person of [ada, cyd]) {
        await person.chat.stop()
        await person.start()
      }
      await bob.moveTo(backup)
      await backIn(bob)
      await talk.say(bob, text)
      await talk.everybodyRead(ada, cyd)
    }
  })
})
