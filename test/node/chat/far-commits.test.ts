/**
 * Commits that lie in blobs, in groups of people with real MLS and a ledger that orders what the test lets it. Every commit is taken for
 * a long one here. When one counts is a matter of pure rules (test/chat/confirmations.test.ts); here it is what members do about it.
 */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import type { Channel } from "../../../src/chat/channel.ts"
import { isFar } from "../../../src/chat/confirmations.ts"
import { BlobError } from "../../../src/node/blobs/blobs.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"

const NEVER_MS = 10 * 60_000

let world: World
let talk: GroupTalk
let people: Person[] = []

beforeEach(async () => {
  world = new World(new Order())
  people = []
  for (const name of ["Ada", "Bob", "Cyd", "Dan", "Eve"]) people.push(await world.add(name))
  const [ada, ...others] = people
  assert(ada !== undefined)
  for (const other of others) await befriendAll(world, ada, other)
  talk = new GroupTalk(world, "Team")
})

/** A group of these, in which every commit from now on is too long. */
async function founded(...some: readonly Person[]): Promise<void> {
  const [first, ...others] = some
  assert(first !== undefined)
  await talk.found(first, ...others)
  await restart(people, { aboveEnvelopes: 0, spreadMs: 1, fallbackMs: NEVER_MS })
}

afterEach(async () => {
  await world.stop()
  const logged = world.people.flatMap(({ logs }) => logs).join("\n")
  assert.doesNotMatch(logged, /assertion|TypeError|stopped|failed/)
})

const five = () => {
  const [ada, bob, cyd, dan, eve] = people
  assert(ada && bob && cyd && dan && eve)
  return [ada, bob, cyd, dan, eve] as const
}

const groupOf = async (person: Person): Promise<Channel> =>
  (await person.channels()).find(({ group }) => group !== null) ?? assert.fail()

/** Everybody is called so by everybody's program: the change counts for them. */
const isCalled = (name: string, ...some: readonly Person[]) =>
  some.every((person) => person.chat.threads().some(({ title }) => title === name))

async function renamed(by: Person, name: string, ...some: readonly Person[]): Promise<void> {
  await by.chat.groupRename(talk.name, name)
  await ordering(world, by, name, () => isCalled(name, ...some))
  talk.name = name
}

/** From now on these people start anew, by these rules. */
async function restart(some: readonly Person[], rules: World["farCommits"]): Promise<void> {
  world.farCommits = { ...world.farCommits, ...rules }
  for (const person of some) {
    await person.chat.stop()
    await person.start()
  }
}

describe("a commit that is too long for a few envelopes", () => {
  it("lies in a blob, is confirmed by three others and no more, and counts for all at one place", async () => {
    const [ada, ...others] = five()
    await founded(ada, ...others)
    await renamed(ada, "Crew", ...people)
    const channels = await Promise.all(people.map(groupOf))
    const [began, ...same] = channels.map(({ epochs }) => epochs[0]?.began)
    for (const other of same) assert.deepEqual(other, began)
    assert(world.payloads.size > 0)
    for (const { farPast } of channels) assert(farPast.length > 0, "it came by its blob")
    await talk.say(ada, "all aboard?")
    await talk.everybodyRead(...people)
    await talk.sameFor(...people)
  })

  it("takes in who is new, who follows the group from where it counts", async () => {
    const [ada, bob, cyd, dan, eve] = five()
    await founded(ada, bob, cyd, dan)
    await talk.say(ada, "without Eve")
    await ada.chat.groupAdd("Team", ["Eve"])
    await talk.settled(ada, bob, cyd, dan, eve)
    assert((await groupOf(bob)).farPast.length > 0)
    await talk.say(eve, "hello")
    await ordering(world, bob, "Eve's word", async () => (await talk.texts(bob)).includes("hello"))
    assert(!(await talk.texts(eve)).includes("without Eve"))
  })

  it("lets everybody commit at once, and ends in one epoch", async () => {
    const [ada, ...others] = five()
    await founded(ada, ...others)
    for (const { name } of others) await ada.chat.groupAdmin("Team", name, true)
    await talk.settled(...people)
    const { thread } = talk.view(ada)
    await Promise.all(people.map((each) => each.chat.groupRename(thread, `of ${each.name}`)))
    await ordering(world, ada, "one name for all", () => {
      const views = people.map((person) => person.chat.groupShow(thread))
      const isDone = views.every(({ pending, changing }) => pending.length === 0 && !changing)
      return isDone && new Set(views.map(({ epoch, name }) => `${epoch} ${name}`)).size === 1
    })
  })
})

describe("a commit whose blob nobody can get", () => {
  it("is sent in envelopes by its author, the same bytes, when nobody confirms it", async () => {
    const [ada, ...others] = five()
    await founded(ada, ...others)
    await restart([ada], { fallbackMs: 50 })
    // It is taken, and nobody finds it again.
    world.getPayload = (ref, by) =>
      by === ada ? world.blobs.get(ref, by) : Promise.reject(new Error("not there"))
    await renamed(ada, "Crew", ...people)
    assert(ada.logs.some((line) => line.includes("was not confirmed in time")))
    await talk.say(ada, "there you are")
    await talk.everybodyRead(...people)
  })

  it("is sent in envelopes at once when no keeper takes it", async () => {
    const [ada, ...others] = five()
    await founded(ada, ...others)
    world.putPayload = () => Promise.reject(new Error("nobody keeps anything"))
    await renamed(ada, "Crew", ...people)
    assert(ada.logs.some((line) => line.includes("nobody took its blob")))
  })

  it("stops nobody when it is junk: it is not confirmed, and the next one counts", async () => {
    const [ada, bob, ...others] = five()
    await founded(ada, bob, ...others)
    await ada.chat.groupAdmin("Team", "Bob", true)
    await talk.settled(...people)
    const roots = new Set<string>()
    world.putPayload = async (payload, by) => {
      const ref = await world.blobs.put(payload, by)
      if (by === bob) roots.add(Buffer.from(ref.root).toString("hex"))
      return ref
    }
    // What Bob has stored is not what a blob holds.
    world.getPayload = (ref, by) =>
      roots.has(Buffer.from(ref.root).toString("hex"))
        ? Promise.reject(new BlobError("BLOB_DAMAGED", "made wrong"))
        : world.blobs.get(ref, by)
    const { thread } = talk.view(ada)
    await bob.chat.groupRename(thread, "Nobody")
    await ordering(world, ada, "Bob's commit", async () =>
      (await groupOf(ada)).held.some((each) => isFar(each) && each.payload.length === 1),
    )
    await renamed(ada, "Crew", ada, ...others)
    // Bob is told by the order that another was first, and says it again; nobody confirms that either.
    await ordering(world, bob, "Ada's name", () => isCalled("Crew", bob))
  })
})

describe("a member who cannot get the bytes of a commit that counts", () => {
  it("stands still there and tells the others, who bring them to the keepers again; then it goes on with all that was said", async () => {
    const [ada, bob, cyd, dan, eve] = five()
    await founded(ada, bob, cyd, dan, eve)
    let isLost = true
    world.getPayload = (ref, by) =>
      by === eve && isLost
        ? Promise.reject(new Error("no keeper has it any more"))
        : world.blobs.get(ref, by)
    const bringAgain = world.blobs.bringAgain.bind(world.blobs)
    world.blobs.bringAgain = (ref, by) => {
      isLost = false
      return bringAgain(ref, by)
    }
    await renamed(ada, "Crew", ada, bob, cyd, dan)
    await talk.say(ada, "where is Eve?")
    await talk.everybodyRead(ada, bob, cyd, dan)
    await ordering(world, eve, "the bytes", () => isCalled("Crew", eve))
    await talk.everybodyRead(eve)
    await talk.say(eve, "here")
    await talk.everybodyRead(...people)
    await talk.sameFor(...people)
  })

  it("goes on after a restart, and until then reads nothing wrong", async () => {
    const [ada, bob, cyd, dan, eve] = five()
    await founded(ada, bob, cyd, dan, eve)
    let isThere = false
    world.getPayload = (ref, by) =>
      by === eve && !isThere ? Promise.reject(new Error("not there")) : world.blobs.get(ref, by)
    world.blobs.bringAgain = () => Promise.reject(new Error("not here"))
    await renamed(ada, "Crew", ada, bob, cyd, dan)
    await ordering(
      world,
      eve,
      "to stand still",
      async () => (await groupOf(eve)).behindFrom !== null,
    )
    await renamed(ada, "Band", ada, bob, cyd, dan)
    await talk.say(bob, "said meanwhile")
    await talk.everybodyRead(ada, cyd, dan)
    assert(!isCalled("Band", eve))
    await eve.chat.stop()
    isThere = true
    await eve.start()
    await ordering(world, eve, "both changes", () => isCalled("Band", eve))
    await talk.everybodyRead(eve)
    await talk.sameFor(...people)
  })

  it("asks to be let in anew when nobody brings them", async () => {
    const [ada, bob, cyd, dan, eve] = five()
    await founded(ada, bob, cyd, dan, eve)
    await restart([eve], { lostMs: 0 })
    const lost = new Set<string>()
    let isFirst = true
    world.getPayload = (ref, by) => {
      const name = Buffer.from(ref.root).toString("hex")
      if (isFirst) lost.add(name)
      isFirst = false
      const isGone = by === eve && lost.has(name)
      return isGone ? Promise.reject(new Error("not there")) : world.blobs.get(ref, by)
    }
    world.blobs.bringAgain = () => Promise.reject(new Error("not here"))
    await renamed(ada, "Crew", ada, bob, cyd, dan)
    await ordering(world, eve, "to be in anew", () => isCalled("Crew", eve))
    await ordering(world, eve, "no wish", () => talk.view(eve).pending.length === 0)
    await talk.say(eve, "back again")
    await ordering(world, bob, "Eve", async () => (await talk.texts(bob)).includes("back again"))
  })
})

describe("whom a stranger has let into a group", () => {
  it("fetches nothing for it before they have said yes, and follows it then", async () => {
    const [ada, bob, cyd, dan, eve] = five()
    const mal = await world.add("Mal")
    await befriendAll(world, ada, mal)
    await founded(ada, bob, cyd, dan, eve)
    const asked = new Set<Person>()
    world.getPayload = (ref, by) => {
      asked.add(by)
      return world.blobs.get(ref, by)
    }
    const fay = await world.add("Fay")
    await ada.chat.addContact(fay.address, "Fay")
    await ada.chat.groupAdd("Team", ["Fay"])
    await ordering(world, fay, "the invitation", () =>
      fay.chat.threads().some(({ kind, title }) => kind === "group" && title === "Team"),
    )
    await renamed(ada, "Crew", ada, bob, cyd, dan, eve)
    await ordering(
      world,
      fay,
      "to stand still",
      async () => (await groupOf(fay)).behindFrom !== null,
    )
    assert(asked.has(bob) && !asked.has(fay))
    const { id } = fay.chat.threads().find(({ kind }) => kind === "group") ?? assert.fail()
    await fay.chat.groupAccept(id)
    await ordering(world, fay, "the change", () => isCalled("Crew", fay))
  })
})
