/**
 * What people do with messages, in threads of two and in groups: answers, mentions, reactions, edits, deletions, messages that disappear,
 * receipts for reading, typing (DESIGN §10). Everybody ends with one transcript, in the ledger's order where there is one.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import type { ApiEvent, Message } from "../../../src/node/api/types.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, common, GroupTalk, ordering } from "../../helpers/group-talk.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"

let world = new World()
afterEach(() => world.stop())

async function friends(order?: Order): Promise<[Person, Person]> {
  world = new World(order)
  const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
  await befriendAll(world, ada, bob)
  return [ada, bob]
}

const last = async (one: Person, other: Person): Promise<Message | undefined> =>
  (await one.messages(other)).at(-1)

async function hears(one: Person, from: Person, text: string): Promise<Message> {
  await ordering(world, one, text, async () => (await last(one, from))?.text === text)
  return (await last(one, from)) ?? assert.fail("it was just there")
}

const idOf = (message: Message) => Uint8Array.from(Buffer.from(message.id, "hex"))
const unreadOf = (person: Person) => {
  const [thread] = person.chat.threads()
  return [thread?.unread, thread?.mentions]
}

describe("messages of two", () => {
  it("answer one another: the answer shows what it answers, as it reads now", async () => {
    const [ada, bob] = await friends()
    const said = await ada.chat.send(bob.address, "shall we meet?", undefined)
    const heard = await hears(bob, ada, "shall we meet?")
    await bob.chat.send(ada.address, "at nine", undefined, heard.id)
    const answer = await hears(ada, bob, "at nine")
    assert.deepEqual(answer.replyTo, { id: said.id, authorName: "", mine: true, text: "shall we meet?" }) // prettier-ignore
    await ada.chat.messages.edit(idOf(said), "shall we meet at all?")
    const page = await ada.messages(bob)
    assert.equal(page[1]?.replyTo?.text, "shall we meet at all?")
    await assert.rejects(bob.chat.send(ada.address, "to nothing", undefined, "0".repeat(32)), {
      code: "UNKNOWN_MESSAGE",
    })
  })

  it("are edited by their author, for a day, and say so; by nobody else", async () => {
    const [ada, bob] = await friends()
    const said = await ada.chat.send(bob.address, "at nein", undefined)
    await hears(bob, ada, "at nein")
    const edited = await ada.chat.messages.edit(idOf(said), "at nine")
    assert.equal(edited.text, "at nine")
    const heard = await hears(bob, ada, "at nine")
    assert.equal(heard.edited?.first, "at nein")
    assert.equal(heard.id, said.id)
    await assert.rejects(bob.chat.messages.edit(idOf(said), "never"), { code: "NOT_YOURS" })
    await assert.rejects(ada.chat.messages.edit(idOf(said), " "), { code: "MESSAGE_EMPTY" })
    await assert.rejects(ada.chat.messages.edit(idOf(said), "x".repeat(16_001)), {
      code: "MESSAGE_TOO_LONG",
    })
  })

  it("are reacted to by both, changed and taken back", async () => {
    const [ada, bob] = await friends()
    const said = await ada.chat.send(bob.address, "we won", undefined)
    await hears(bob, ada, "we won")
    await bob.chat.messages.react(idOf(said), ["👍", "🎉"])
    await ada.chat.messages.react(idOf(said), ["🎉"])
    const reads = async (person: Person, other: Person) =>
      (await last(person, other))?.reactions.map(({ sign, by, mine }) => [sign, by.length, mine])
    const both = (mine: boolean) => [
      ["👍", mine ? 1 : 0, !mine],
      ["🎉", 1, true],
    ]
    await ada.until("Bob's", async () => ((await reads(ada, bob))?.length ?? 0) === 2)
    const party = async () =>
      (await last(bob, ada))?.reactions.find(({ sign }) => sign === "🎉")?.by
    await bob.until("Ada's", async () => (await party())?.length === 1)
    const sorted = async (person: Person, other: Person) =>
      ((await reads(person, other)) ?? []).toSorted()
    assert.deepEqual(await sorted(ada, bob), both(true).toSorted())
    assert.deepEqual(await sorted(bob, ada), both(false).toSorted())
    await bob.chat.messages.react(idOf(said), [])
    await ada.until("none of Bob's", async () => ((await reads(ada, bob))?.length ?? 0) === 1)
    for (const wrong of [["a"], ["👍", "👍"], ["1", "2", "3", "4"]])
      await assert.rejects(ada.chat.messages.react(idOf(said), wrong), { code: "BAD_REACTION" })
  })

  it("are deleted for oneself, and do not come back; or for all, and only that they were is left", async () => {
    const [ada, bob] = await friends()
    const first = await ada.chat.send(bob.address, "for me alone", undefined)
    const second = await ada.chat.send(bob.address, "for nobody", undefined)
    await hears(bob, ada, "for nobody")
    await ada.chat.messages.delete(idOf(first), false)
    await assert.rejects(bob.chat.messages.delete(idOf(second), true), { code: "NOT_YOURS" })
    assert.equal(await ada.chat.messages.delete(idOf(second), true), false)
    await bob.until("it gone", async () => (await last(bob, ada))?.deleted === true)
    const seen = (await bob.messages(ada)).map(({ text, deleted }) => [text, deleted])
    assert.deepEqual(seen, [
      ["for me alone", false],
      ["", true],
    ])
    assert.deepEqual((await ada.messages(bob)).map(({ text }) => text), [""]) // prettier-ignore
    await assert.rejects(ada.chat.messages.edit(idOf(second), "again"), { code: "NO_WORDS" })
    await assert.rejects(ada.chat.messages.react(idOf(first), ["👍"]), { code: "UNKNOWN_MESSAGE" })
    // After a restart as well, and whatever of it still travels.
    ada.kill()
    await ada.start()
    for (const { bytes } of bob.mailbox.arrivals) ada.mailbox.take(bytes, { again: true })
    await bob.chat.send(ada.address, "still there?", undefined)
    await hears(ada, bob, "still there?")
    assert.deepEqual((await ada.messages(bob)).map(({ text }) => text), ["", "still there?"]) // prettier-ignore
  })

  it("that have not left yet are taken back and never do", async () => {
    const [ada, bob] = await friends()
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    ada.admit = async (envelope) => {
      await gate
      return envelope
    }
    // What fills the batches that are sealed ahead leaves; what stands behind them in line does not.
    const long = "x".repeat(1_800)
    for (let i = 0; i < 8; i++) await ada.chat.send(bob.address, `${i} ${long}`, undefined)
    const said = await ada.chat.send(bob.address, "a mistake", undefined)
    assert.equal(await ada.chat.messages.delete(idOf(said), true), true)
    open()
    await ada.chat.send(bob.address, "the end", undefined)
    await hears(bob, ada, "the end")
    assert(!(await bob.texts(ada)).includes("a mistake"))
  })

  it("meet what was done to them before they came", async () => {
    const [ada, bob] = await friends()
    await ada.chat.send(bob.address, "hello", undefined)
    await hears(bob, ada, "hello")
    world.held = []
    const first = await ada.chat.send(bob.address, "one", undefined)
    const second = await ada.chat.send(bob.address, "two", undefined)
    await ada.until("both to leave", () => (world.held?.length ?? 0) > 0 && ada.chat.unsent <= 2)
    await ada.chat.messages.edit(idOf(first), "ONE")
    await ada.chat.messages.delete(idOf(second), true)
    await ada.until("all to leave", () => (world.held?.length ?? 0) >= 3)
    world.release((held) => held.toReversed())
    await bob.until("all", async () => (await bob.messages(ada)).length === 3)
    await bob.until("the acts", async () => (await last(bob, ada))?.deleted === true)
    assert.deepEqual(await bob.texts(ada), ["hello", "ONE", ""])
    assert.deepEqual((await ada.messages(bob)).map(common), (await bob.messages(ada)).map(common))
  })

  it("name people: bound to an address, counted among the unread until they are read", async () => {
    const [ada, bob] = await friends()
    await ada.chat.rename(bob.address, "Robert")
    await ada.chat.send(bob.address, "hi @robert, and @nobody", undefined)
    const heard = await hears(bob, ada, "hi @robert, and @nobody")
    assert.deepEqual(
      heard.mentions.map(({ start, length, me }) => [start, length, me]),
      [[3, 7, true]],
    )
    assert.deepEqual(unreadOf(bob), [1, 1])
    bob.kill()
    await bob.start()
    assert.deepEqual(unreadOf(bob), [1, 1])
    await bob.chat.read(ada.address, heard.position)
    assert.deepEqual(unreadOf(bob), [0, 0])
  })

  it("are confirmed as read only where both sides want that", async () => {
    const [ada, bob] = await friends()
    await ada.chat.send(bob.address, "quietly", undefined)
    const quiet = await hears(bob, ada, "quietly")
    await bob.chat.read(ada.address, quiet.position)
    await bob.chat.tell(ada.address, { read: true })
    await ada.chat.tell(bob.address, { read: true })
    await ada.chat.send(bob.address, "aloud", undefined)
    const loud = await hears(bob, ada, "aloud")
    await bob.chat.read(ada.address, loud.position)
    await ada.until("that it was read", async () => (await last(ada, bob))?.state === "read")
    assert.equal((await ada.messages(bob))[0]?.state, "delivered")
  })

  it("in the making are told where that is on, at most a few times for one draft", async () => {
    const [ada, bob] = await friends()
    const typings = () =>
      bob.events.filter((event): event is Extract<ApiEvent, { type: "typing" }> => event.type === "typing") // prettier-ignore
    await ada.chat.send(bob.address, "first", undefined)
    await hears(bob, ada, "first")
    await ada.until("his receipt", async () => (await last(ada, bob))?.state === "delivered")
    await ada.chat.typing(bob.address, true)
    await ada.chat.tell(bob.address, { typing: true })
    await bob.chat.tell(ada.address, { typing: true })
    const before = bob.mailbox.arrivals.length
    for (let i = 0; i < 20; i++) await ada.chat.typing(bob.address, true)
    await bob.until("a word of it", () => typings().length > 0)
    assert.deepEqual(
      typings().map(({ active, author }) => [active, author]),
      [[true, ada.address]],
    )
    assert.equal(bob.mailbox.arrivals.length, before + 1)
  })
})

describe("messages that disappear", () => {
  it("go from both disks so long after they were read, or left, also over a restart; everybody sees who set it", async () => {
    const [ada, bob] = await friends()
    await ada.chat.send(bob.address, "stays", undefined)
    await hears(bob, ada, "stays")
    const clock = new ManualClock(Date.now())
    for (const person of [ada, bob]) {
      person.kill()
      person.clock = clock
      await person.start()
    }
    await ada.chat.setLifetime(bob.address, { unit: "seconds", amount: 60 })
    await bob.until("the setting", async () => (await last(bob, ada))?.sets !== null)
    assert.deepEqual((await last(bob, ada))?.sets, { lifetime: { unit: "seconds", amount: 60 } })
    assert.deepEqual(bob.chat.threads()[0]?.lifetime, { unit: "seconds", amount: 60 })
    await bob.chat.send(ada.address, "secret", undefined)
    const secret = await hears(ada, bob, "secret")
    await bob.until("it to leave", () => bob.chat.unsent === 0)
    clock.advance(61_000)
    await bob.until("it gone where it left", async () => (await bob.messages(ada)).length === 2)
    assert.equal((await ada.messages(bob)).length, 3, "Ada has not read it yet")
    await ada.chat.read(bob.address, secret.position)
    ada.kill()
    clock.advance(61_000)
    await ada.start()
    clock.advance(1)
    await ada.until("it gone where it was read", async () => (await ada.messages(bob)).length === 2)
    assert.deepEqual(await ada.texts(bob), ["stays", ""])
  })

  it("go so many blocks after the one that ordered them, from everybody at the same block", async () => {
    const [ada, bob] = await friends(new Order())
    await ada.chat.setLifetime(bob.address, { unit: "blocks", amount: 3 })
    await ordering(world, bob, "the setting", async () => (await bob.messages(ada)).length === 1)
    await ada.chat.send(bob.address, "for three blocks", undefined)
    const heard = await hears(bob, ada, "for three blocks")
    await ordering(world, bob, "its place", async () => (await last(bob, ada))?.place !== null)
    assert.deepEqual(heard.lifetime, { unit: "blocks", amount: 3 })
    await ada.chat.setLifetime(bob.address, null)
    for (let i = 0; i < 4; i++) await bob.chat.send(ada.address, `block ${i}`, undefined)
    for (const [one, other] of [
      [ada, bob],
      [bob, ada],
    ] as const)
      // prettier-ignore
      await ordering(world, one, "it gone", async () =>
        (await one.texts(other)).every((text) => text !== "for three blocks"),
      )
  })
})

describe("messages that disappear from a group", () => {
  it("go from everybody, from search too, also for who was away when that was set and who starts again", async () => {
    const order = new Order()
    world = new World(order)
    const people = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
    const [ada, bob, cyd] = people as [Person, Person, Person]
    await befriendAll(world, ...people)
    const talk = new GroupTalk(world, "Team")
    await talk.found(ada, bob, cyd)
    cyd.isAway = true
    await ada.chat.setLifetime("Team", { unit: "blocks", amount: 100 })
    await talk.say(ada, "fleeting words")
    await talk.everybodyRead(ada, bob)
    await talk.say(cyd, "lasting words of somebody who was not told")
    world.catchUp(cyd)
    await talk.everybodyRead(ada, bob, cyd)
    const lifetimeAt = (person: Person) =>
      person.chat.threads().find(({ kind }) => kind === "group")?.lifetime
    assert.deepEqual(lifetimeAt(cyd), { unit: "blocks", amount: 100 })
    await talk.say(cyd, "fleeting, once told")
    await talk.everybodyRead(ada, bob, cyd)
    for (const person of people)
      assert.equal((await person.chat.search.ask("fleeting", 9)).hits.length, 2, person.name)

    // Bob is down while they go, and Cyd has searched before.
    await bob.chat.stop()
    const end = order.blocks.length + 101
    while (order.blocks.length < end) {
      order.take(primitives.randomBytes(4096))
      world.orderOn()
    }
    await bob.start()
    const isGone = (person: Person) => async () =>
      (await talk.texts(person)).every((text) => !text.startsWith("fleeting"))
    for (const person of people) await ordering(world, person, "them gone", isGone(person))
    for (const person of people) {
      assert.equal((await person.chat.search.ask("fleeting", 9)).hits.length, 0, person.name)
      assert.equal((await person.chat.search.ask("lasting", 9)).hits.length, 1, person.name)
      await person.chat.stop()
      await person.start()
      assert(await isGone(person)(), "over a restart")
    }
    await talk.sameFor(ada, bob, cyd)
  })
})

describe("messages of a group", () => {
  it("are one transcript for all, with whatever is done to them by everybody at once", async () => {
    let state = 7
    const pick = (below: number) => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % below
    world = new World(new Order(pick))
    const people = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
    await befriendAll(world, ...people)
    const [ada, ...others] = people as [Person, Person, Person]
    const talk = new GroupTalk(world, "Team")
    await talk.found(ada, ...others)
    const said = await Promise.all(people.map((person, i) => talk.say(person, `@Bob ${i}`)))
    await talk.everybodyRead(...people)
    const [first] = said as [Message, Message, Message]
    await Promise.all([
      ada.chat.messages.edit(idOf(first), "@Cyd instead"),
      ...people.map((person, i) => person.chat.messages.react(idOf(first), [["👍", "🎉", "❤️"][i] ?? ""])), // prettier-ignore
      others[0].chat.messages.delete(idOf(said[1] as Message), true),
      others[1].chat.send("Team", "I agree", undefined, first.id),
    ])
    talk.said.splice(0, 3, "@Cyd instead", "I agree")
    await talk.everybodyRead(...people)
    const done = async (person: Person) => {
      const messages = await talk.words(person)
      const reactions = messages.flatMap(({ reactions: some }) => some).length
      return reactions === 3 && messages.some(({ deleted }) => deleted)
    }
    for (const person of people) await ordering(world, person, "the acts", () => done(person))
    await talk.sameFor(...people)
    const [, , , answer] = await talk.words(ada)
    assert.equal(answer?.replyTo?.id, first.id)
  })

  it("say how many have read them, and read when all have", async () => {
    world = new World(new Order())
    const people = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
    await befriendAll(world, ...people)
    const [ada, bob, cyd] = people as [Person, Person, Person]
    const talk = new GroupTalk(world, "Team")
    await talk.found(ada, bob, cyd)
    for (const person of people) await person.chat.tell("Team", { read: true })
    await talk.say(ada, "read me")
    await talk.everybodyRead(...people)
    const own = async () => (await talk.words(ada)).at(-1)
    for (const [i, person] of [bob, cyd].entries()) {
      const { position } = (await talk.messages(person)).at(-1) ?? assert.fail("it is there")
      await person.chat.read("Team", position)
      await ordering(world, ada, "a reader", async () => (await own())?.receipts?.read === i + 1)
    }
    assert.equal((await own())?.state, "read")
  })
})

describe("the ledger's order in a thread", () => {
  it("moves what is shown to where the ledger put it, and marks what it had overtaken", async () => {
    const order = new Order()
    const [ada, bob] = await friends(order)
    await ordering(world, ada, "quiet", () => ada.chat.unsent === 0 && bob.chat.unsent === 0)
    order.isStalled = true
    // Bob's text waits at the ledger behind Ada's, though it was written first.
    world.held = []
    await bob.chat.send(ada.address, "written first", undefined)
    await bob.until("it to leave", () => (world.held?.length ?? 0) > 0)
    world.release()
    await ada.until("it", async () => (await last(ada, bob))?.text === "written first")
    await ada.chat.send(bob.address, "written then", undefined)
    await hearsNow(bob, ada, "written then")
    assert.deepEqual(await ada.texts(bob), ["written first", "written then"])
    order.isStalled = false
    for (const [one, other] of [
      [ada, bob],
      [bob, ada],
    ] as const)
      // prettier-ignore
      await ordering(world, one, "places", async () =>
        (await one.messages(other)).every(({ place }) => place !== null),
      )
    assert.deepEqual((await ada.messages(bob)).map(common), (await bob.messages(ada)).map(common))
  })

  it("keeps what is read and what is unread over moves and restarts", async () => {
    const order = new Order()
    const [ada, bob] = await friends(order)
    order.isStalled = true
    await ada.chat.send(bob.address, "one", undefined)
    const one = await hearsNow(bob, ada, "one")
    await bob.chat.read(ada.address, one.position)
    assert.deepEqual(unreadOf(bob), [0, 0])
    order.isStalled = false
    await ordering(world, bob, "its place", async () => (await last(bob, ada))?.place !== null)
    await ada.chat.send(bob.address, "two", undefined)
    const two = await hears(bob, ada, "two")
    assert.deepEqual(unreadOf(bob), [1, 0])
    assert.equal(two.late, false)
    bob.kill()
    await bob.start()
    assert.deepEqual(unreadOf(bob), [1, 0])
    const now = await last(bob, ada)
    await bob.chat.read(ada.address, now?.position ?? "")
    assert.deepEqual(unreadOf(bob), [0, 0])
  })
})

async function hearsNow(one: Person, from: Person, text: string): Promise<Message> {
  await one.until(text, async () => (await last(one, from))?.text === text)
  return (await last(one, from)) ?? assert.fail("it was just there")
}
