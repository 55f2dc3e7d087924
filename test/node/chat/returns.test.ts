/**
 * Groups after somebody went on from a backup, or lost the thread: they are let in anew by whoever is there, without a human, also when
 * nobody is left who runs the group; everything said meanwhile is read; and nothing is sealed twice under one key.
 */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { envelopeId, tagOf } from "../../../src/crypto/envelope.ts"
import { systemClock } from "../../../src/node/clock.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import { befriendAll, GroupTalk, noticeOf, ordering } from "../../helpers/group-talk.ts"

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
    assert.deepEqual(await noticesTo(bob, "missed"), [], "he had keys of every epoch")
    const heard = (await talk.words(bob)).filter(({ mine }) => !mine).map(({ text }) => text)
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

  it("says what waits only once it is in, and asks until somebody is there to let it in", async () => {
    const backup = copyOf(bob)
    for (const person of [ada, cyd]) person.isAway = true
    await bob.moveTo(backup)
    const waiting = await talk.say(bob, "is anybody there?")
    assert.equal(waiting.state, "queued")
    await assert.rejects(bob.chat.groupAdd("Team", [cyd.address]), { code: "NOT_A_MEMBER" })
    assert.deepEqual(
      talk.view(bob).pending.map(({ kind }) => kind),
      ["return"],
    )
    for (const person of [ada, cyd]) world.catchUp(person)
    await backIn(bob)
    await talk.everybodyRead(ada, bob, cyd)
  })

  it("leaves the group to the copy that came last", async () => {
    const old = bob
    const copy = old.steal()()
    world.people.push(copy)
    await copy.moveTo(new Map(copy.shelf.rows))
    await backIn(copy)
    await ordering(world, old, "the old Bob out of it", () => !talk.has(old))
    await talk.say(copy, "only one of us")
    await talk.everybodyRead(ada, copy, cyd)
    await assert.rejects(old.chat.send(talk.view(copy).thread, "me too", undefined), {
      code: "NOT_A_MEMBER",
    })
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

describe("who has lost a group", () => {
  it("asks by hand, while everything goes on, and keeps what was said", async () => {
    await talk.say(ada, "before")
    await talk.everybodyRead(ada, bob, cyd)
    const { epoch, thread } = talk.view(bob)
    await bob.chat.groupRejoin("Team")
    await talk.say(bob, "still here")
    await ordering(world, bob, "a leaf of his own making", () => talk.view(bob).epoch > epoch)
    await backIn(bob)
    assert.equal(talk.view(bob).thread, thread)
    await talk.say(cyd, "hello again")
    await talk.everybodyRead(ada, bob, cyd)
    await talk.sameFor(ada, bob, cyd)
  })

  it("finds out by itself when what was ordered cannot be had any more, and is let in", async () => {
    const clock = new ManualClock(Date.now())
    const { thread } = talk.view(bob)
    await bob.chat.stop()
    bob.clock = clock
    await bob.start()
    // A change that reaches nobody but the others: whoever was away that long finds nobody who keeps it.
    bob.isAway = true
    world.held = []
    await ada.chat.groupRename("Team", "Crew")
    await ada.until("a commit", () => (world.held ?? []).length > 0)
    const lost = new Set(world.held.map(({ envelope }) => toHex(envelopeId(envelope))))
    assert(lost.size > 0)
    const kept = world.held
    world.held = undefined
    for (const { envelope } of kept) cyd.mailbox.take(envelope)
    await ordering(world, cyd, "the name", () => cyd.chat.groupShow(thread).name === "Crew")
    bob.lost = lost
    bob.isAway = false
    bob.blocksCame()
    await bob.until("to have given up on it", async () => {
      clock.advance(1_000)
      await new Promise((resolve) => setImmediate(resolve))
      return bob.logs.some((line) => line.includes("cannot be had"))
    })
    assert.equal(talk.view(bob).name, "Team")
    clock.advance(10 * 60_000)
    talk.name = "Crew"
    await ordering(world, bob, "let in, and told the name", () => {
      clock.advance(1_000)
      return talk.has(bob) && talk.view(bob).pending.length === 0
    })
    await ordering(world, cyd, "her to know that he is in", () => {
      clock.advance(1_000)
      const { epoch, changing } = talk.view(cyd)
      return !changing && epoch === talk.view(bob).epoch
    })
    await talk.say(cyd, "there you are")
    await ordering(world, bob, "the text", async () => {
      clock.advance(1_000)
      return (await talk.texts(bob)).includes("there you are")
    })
    assert.deepEqual(await noticesTo(bob, "missed"), [[bob.address]], "he is told of the gap")
    assert.deepEqual(await noticesTo(cyd, "missed"), [], "and nobody else is")
  })
})

/** Whom each notice of a kind is about. */
const noticesTo = async (person: Person, kind: string) =>
  (await talk.messages(person)).flatMap(({ notice }) =>
    notice?.kind === kind ? [noticeOf(notice).who] : [],
  )
