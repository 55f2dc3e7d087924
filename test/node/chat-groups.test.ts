/** Groups among people in one process, with real MLS and a ledger that orders what the test lets it. */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import type { GroupView } from "../../src/node/api/types.ts"
import { Order } from "../helpers/chat-ledger.ts"
import { type Person, World } from "../helpers/chat-world.ts"
import { befriendAll, GroupTalk } from "../helpers/group-talk.ts"

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

describe("a group", () => {
  it("is founded with contacts, who all read what is said from then on, and each other's names", async () => {
    const [ada, bob, cyd] = (await people("Ada", "Bob", "Cyd")) as [Person, Person, Person]
    await befriendAll(world, ada, bob, cyd)
    const talk = new GroupTalk(world, "Team")
    await talk.found(ada, bob, cyd)
    for (const person of [ada, bob, cyd])
      assert.deepEqual(
        namesIn(talk.view(person)),
        ["me", ...["Ada", "Bob", "Cyd"].filter((name) => name !== person.name)].sort(),
      )
    await talk.say(ada, "hello both")
    await talk.say(bob, "hello Ada")
    await talk.everybodyRead(ada, bob, cyd)
    assert.deepEqual(await talk.texts(ada), await talk.texts(bob))
    assert.deepEqual(await talk.texts(cyd), await talk.texts(bob))
  })
})
