/** Groups among people in one process, with real MLS and a ledger that orders what the test lets it. */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import type { GroupView } from "../../../src/node/api/types.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, noticeOf, ordering } from "../../helpers/group-talk.ts"

let world: World

const people = async (...names: string[]): Promise<Person[]> => {
  const all: Person[] = []
  for (const name of names) all.push(await world.add(name))
  return all
}

beforeEach(() => {
  world = new World(new Order())
})

afterEach(async () => {
  await world.stop()
  const logged = world.people.flatMap(({ logs }) => logs).join("\n")
  assert.doesNotMatch(logged, /assertion|TypeError|stopped|failed/)
})

const namesIn = (group: GroupView) => group.members.map(({ name, me }) => (me ? "me" : name)).sort()

/** A group of these, in which all know each other. */
async function team(...names: string[]): Promise<[GroupTalk, ...Person[]]> {
  const all = await people(...names)
  await befriendAll(world, ...all)
  const talk = new GroupTalk(world, "Team")
  const [first, ...others] = all
  assert(first !== undefined)
  await talk.found(first, ...others)
  return [talk, ...all]
}

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected

describe("a group", () => {
  it("is founded with contacts, who all read what is said from then on, and know each other's names", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    for (const person of [ada, bob, cyd])
      assert.deepEqual(
        namesIn(talk.view(person)),
        ["me", ...["Ada", "Bob", "Cyd"].filter((name) => name !== person.name)].sort(),
      )
    await talk.say(ada, "hello both")
    await talk.everybodyRead(ada, bob, cyd)
    await talk.say(bob, "hello Ada")
    await talk.everybodyRead(ada, bob, cyd)
    await talk.sameFor(ada, bob, cyd)
    const [message] = await talk.words(cyd)
    assert.equal(message?.authorName, "Ada")
  })

  it("tells its author how many of its members have a text, and says delivered when all have", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    cyd.isAway = true
    await talk.say(ada, "who is there?")
    const mine = async () => (await talk.words(ada))[0]
    await ordering(world, ada, "Bob's receipt", async () => (await mine())?.receipts?.got === 1)
    assert.deepEqual((await mine())?.receipts, { got: 1, of: 2, read: 0 })
    assert.notEqual((await mine())?.state, "delivered")
    world.catchUp(cyd)
    await ordering(world, ada, "all receipts", async () => (await mine())?.state === "delivered")
    await talk.everybodyRead(bob, cyd)
  })

  it("shows nothing of before to who is new, and nothing of after to who was removed", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    await talk.say(ada, "before Dan")
    await talk.everybodyRead(ada, bob, cyd)
    const dan = await world.add("Dan")
    await befriendAll(world, ada, dan)
    await ada.chat.groupAdd("Team", ["Dan"])
    await talk.settled(ada, bob, cyd, dan)
    await ada.chat.groupRemove("Team", "Cyd")
    await talk.settled(ada, bob, dan)
    await ordering(world, cyd, "her removal", () => !talk.has(cyd))
    await talk.say(bob, "after Cyd")
    await ordering(world, dan, "Bob", async () => (await talk.texts(dan)).length === 1)
    await talk.everybodyRead(ada, bob)
    assert.deepEqual(await talk.texts(dan), ["after Cyd"])
    const left = cyd.chat.threads().find(({ kind }) => kind === "group")
    assert(left?.left === true)
    const { messages } = await cyd.chat.page(left.id, undefined, 10)
    assert.deepEqual(
      messages.map(({ text, notice }) => notice?.kind ?? text),
      ["before Dan", "added", "removed"],
    )
    await assert.rejects(cyd.chat.send(left.id, "let me in", undefined), code("NOT_A_MEMBER"))
    // Everything that was ever posted, and she has no key to any of it.
    for (const envelope of world.order?.envelopes.values() ?? []) cyd.mailbox.take(envelope)
    await cyd.chat.stop()
    await cyd.start()
    assert.equal((await cyd.chat.page(left.id, undefined, 10)).messages.length, messages.length)
  })

  it("lets who was removed in again, and they go on in the same thread", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    await talk.say(cyd, "I am here")
    await talk.everybodyRead(ada, bob, cyd)
    await ada.chat.groupRemove("Team", "Cyd")
    await ordering(world, cyd, "her removal", () => !talk.has(cyd))
    await talk.settled(ada, bob)
    await ada.chat.groupAdd("Team", ["Cyd"])
    await talk.settled(ada, bob, cyd)
    await talk.say(bob, "welcome back")
    await talk.everybodyRead(ada, bob, cyd)
    await talk.sameFor(ada, bob, cyd)
  })

  it("is left by who wants out: others remove them, their keys are gone at once", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    await cyd.chat.groupLeave("Team")
    await ordering(world, cyd, "to be out", () => !talk.has(cyd))
    await talk.settled(ada, bob)
    await talk.say(ada, "she is gone")
    await talk.everybodyRead(ada, bob)
    // Whoever runs it names an heir first.
    await ada.chat.groupLeave("Team")
    await ordering(world, ada, "to be out", () => !talk.has(ada))
    await talk.settled(bob)
    assert.equal(talk.view(bob).admin, true)
    await bob.chat.groupLeave("Team")
    await ordering(world, bob, "to be out", () => !talk.has(bob))
  })

  it("is run by its admins only, and by at least one", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    await assert.rejects(bob.chat.groupRename("Team", "Bob's"), code("NOT_ADMIN"))
    await assert.rejects(bob.chat.groupRemove("Team", "Cyd"), code("NOT_ADMIN"))
    await assert.rejects(ada.chat.groupAdmin("Team", ada.address, false), code("LAST_ADMIN"))
    await ada.chat.groupAdmin("Team", "Bob", true)
    await talk.settled(ada, bob, cyd)
    await bob.chat.groupRename("Team", "Crew")
    talk.name = "Crew"
    await talk.settled(bob, ada, cyd)
    await bob.chat.groupAdmin("Crew", "Ada", false)
    await talk.settled(bob, ada, cyd)
    assert.equal(talk.view(ada).admin, false)
    await assert.rejects(ada.chat.groupRemove("Crew", "Cyd"), code("NOT_ADMIN"))
  })

  it("loses an admin and gets a name at once, and everybody follows", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    await ada.chat.groupAdmin("Team", "Cyd", true)
    await talk.settled(ada, bob, cyd)
    assert(world.order !== undefined)
    world.order.isStalled = true
    // One commit is on its way; these come together after it.
    await ada.chat.groupAdmin("Team", "Bob", true)
    await ada.chat.groupRemove("Team", "Cyd")
    await ada.chat.groupRename("Team", "Crew")
    world.order.isStalled = false
    await ordering(world, bob, "the new name", () =>
      bob.chat.threads().some(({ title }) => title === "Crew"),
    )
    await ordering(world, ada, "the new name", () =>
      ada.chat.threads().some(({ title }) => title === "Crew"),
    )
    talk.name = "Crew"
    await talk.settled(ada, bob)
    await talk.say(bob, "the two of us")
    await talk.everybodyRead(ada)
  })

  it("is a request when a stranger adds one, and tells them nothing until it is accepted", async () => {
    const [ada, bob, cyd] = (await people("Ada", "Bob", "Cyd")) as [Person, Person, Person]
    await befriendAll(world, ada, bob)
    await ada.chat.addContact(cyd.address, "Cyd")
    await cyd.until("Ada's request", () => cyd.chat.contacts().length === 1)
    const talk = new GroupTalk(world, "Team")
    await ada.chat.groupCreate("Team", [bob.address, cyd.address])
    await ordering(world, cyd, "the invitation", () => talk.has(cyd))
    assert.equal(talk.view(cyd).state, "request")
    await talk.say(ada, "hello?")
    await talk.everybodyRead(bob, cyd)
    assert.equal(talk.view(ada).members.find(({ name }) => name === "Cyd")?.here, false)
    await cyd.chat.groupAccept("Team")
    await talk.settled(ada, bob, cyd)
  })

  it("is refused where no ledger orders its changes", async () => {
    const unordered = new World()
    const ada = await unordered.add("Ada")
    await assert.rejects(ada.chat.groupCreate("Team", []), code("NO_LEDGER"))
    await unordered.stop()
  })

  it("is hidden by one and kept by the others, until something is said", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    await talk.say(ada, "an old story")
    await talk.everybodyRead(ada, bob, cyd)
    await bob.chat.hide("Team")
    assert(bob.chat.threads().every(({ kind }) => kind !== "group"))
    await talk.say(cyd, "a new one")
    await ordering(world, bob, "the new one", async () => (await talk.texts(bob)).length === 1)
    assert.deepEqual(await talk.texts(bob), ["a new one"])
    await talk.everybodyRead(ada, cyd)
  })
})

describe("a group whose members all change it at once", () => {
  it("takes one change after the other, and ends the same for everybody", async () => {
    const [talk, ...all] = await team("Ada", "Bob", "Cyd", "Dan", "Eve")
    const [ada, ...others] = all as [Person, ...Person[]]
    for (const { name } of others) await ada.chat.groupAdmin("Team", name, true)
    await talk.settled(...all)
    await Promise.all(all.map((person) => person.chat.groupRename("Team", `${person.name}'s`)))
    const group = ({ chat }: Person) => {
      const thread = chat.threads().find(({ kind }) => kind === "group") ?? assert.fail()
      return chat.groupShow(thread.id)
    }
    await ordering(world, ada, "one name", () => {
      const seen = all.map(group)
      const done = seen.every(({ pending, changing }) => pending.length === 0 && !changing)
      return done && new Set(seen.map(({ epoch }) => epoch)).size === 1
    })
    talk.name = group(ada).name
    assert.notEqual(talk.name, "Team")
    await talk.settled(...all)
    await talk.say(ada, "still one group")
    await talk.everybodyRead(...all)
  })

  it("waits while the ledger stands still, goes on talking, and comes about when it resumes", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    assert(world.order !== undefined)
    world.order.isStalled = true
    await ada.chat.groupRename("Team", "Crew")
    await talk.say(bob, "meanwhile")
    await talk.everybodyRead(ada, bob, cyd)
    assert.equal(talk.view(ada).pending.length, 1)
    assert.equal(talk.view(cyd).name, "Team")
    world.order.isStalled = false
    await ordering(world, cyd, "the new name", () =>
      cyd.chat.threads().some(({ title }) => title === "Crew"),
    )
    talk.name = "Crew"
    await talk.settled(ada, bob, cyd)
    await talk.sameFor(ada, bob, cyd)
  })

  it("tells whoever was cut off everything once they are back, also what they said meanwhile", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    cyd.isAway = true
    await talk.say(cyd, "can anybody hear me?")
    for (let i = 0; i < 6; i++) {
      const name = `Team ${i}`
      await ada.chat.groupRename(talk.name, name)
      talk.name = name
      for (const person of [ada, bob])
        await ordering(world, person, name, () =>
          person.chat.threads().some(({ title }) => title === name),
        )
      await talk.say(bob, `in ${name}`)
    }
    world.catchUp(cyd)
    await ordering(world, cyd, "the name", () => talk.has(cyd))
    await talk.everybodyRead(ada, bob, cyd)
    await talk.sameFor(ada, bob, cyd)
  })
})

describe("what a group tells of itself", () => {
  const told = async (talk: GroupTalk, person: Person) =>
    (await talk.messages(person)).flatMap(({ notice, author }) =>
      notice === null ? [] : [{ by: author, ...noticeOf(notice) }],
    )

  it("stands in the transcript of all members alike, by whose doing, unread by nobody, over a restart", async () => {
    const [talk, ada, bob, cyd] = (await team("Ada", "Bob", "Cyd")) as [
      GroupTalk,
      Person,
      Person,
      Person,
    ]
    const [dan] = (await people("Dan")) as [Person]
    await befriendAll(world, ada, dan)
    const founding = { by: ada.address, kind: "added", who: [bob.address, cyd.address].sort() }
    assert.deepEqual(await told(talk, ada), [{ ...founding, name: null }])
    assert.deepEqual(await told(talk, bob), [], "nothing of what let them in")

    await ada.chat.groupAdmin("Team", bob.address, true)
    await talk.settled(ada, bob, cyd)
    await bob.chat.groupRename("Team", "Crew")
    talk.name = "Crew"
    await talk.settled(ada, bob, cyd)
    await ada.chat.groupAdd("Crew", [dan.address])
    await talk.settled(ada, bob, cyd, dan)
    await ada.chat.groupAdmin("Crew", bob.address, false)
    await talk.settled(ada, bob, cyd, dan)
    await ada.chat.groupRemove("Crew", cyd.address)
    await talk.settled(ada, bob, dan)
    await dan.chat.groupLeave("Crew")
    await talk.settled(ada, bob)

    const changes = [
      { by: ada.address, kind: "admin", who: [bob.address], name: null },
      { by: bob.address, kind: "renamed", who: [], name: "Crew" },
      { by: ada.address, kind: "added", who: [dan.address], name: null },
      { by: ada.address, kind: "no-admin", who: [bob.address], name: null },
      { by: ada.address, kind: "removed", who: [cyd.address], name: null },
      { by: dan.address, kind: "left", who: [dan.address], name: null },
    ]
    assert.deepEqual((await told(talk, ada)).slice(1), changes)
    assert.deepEqual(await told(talk, bob), changes)
    const seenByCyd = (await cyd.chat.page(talk.view(ada).thread, undefined, 500)).messages
    assert.deepEqual(
      seenByCyd.flatMap(({ notice }) => (notice === null ? [] : [notice.kind])),
      ["admin", "renamed", "added", "no-admin", "removed"],
    )
    await talk.sameFor(ada, bob)
    for (const person of [ada, bob]) {
      const summary = person.chat.threads().find(({ title }) => title === "Crew")
      assert.equal(summary?.unread, 0)
      assert.equal(summary.last?.notice?.kind, "left")
    }
    await bob.chat.stop()
    await bob.start()
    assert.deepEqual(await told(talk, bob), changes)
    const [first] = (await talk.messages(bob)).filter(({ notice }) => notice !== null)
    const id = new Uint8Array(Buffer.from(first?.id ?? "", "hex"))
    await assert.rejects(bob.chat.messages.react(id, ["👍"]), code("NO_WORDS"))
  })
})
