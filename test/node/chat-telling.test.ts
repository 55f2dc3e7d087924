/** What screens are told: whatever looks otherwise, and nothing of what only lies in the records. */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import type { ApiEvent } from "../../src/node/api/types.ts"
import { Order } from "../helpers/chat-ledger.ts"
import { World } from "../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../helpers/group-talk.ts"

let world: World
afterEach(async () => {
  await world.stop()
})

const threadsIn = (events: readonly ApiEvent[]) =>
  events.flatMap((event) => (event.type === "thread" ? [event.thread] : []))

describe("screens", () => {
  it("are told of a thread when it looks otherwise, not when a receipt is owed or has come and gone", async () => {
    const order = new Order()
    world = new World(order)
    const [ada, bob, cyd] = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
    await befriendAll(world, ada, bob, cyd)
    const talk = new GroupTalk(world, "Team")
    await talk.found(ada, bob, cyd)
    for (const person of [ada, bob, cyd])
      await ordering(world, person, "quiet", () => person.chat.unsent === 0)
    for (const { events } of [ada, bob, cyd]) events.length = 0
    await ada.chat.send("Team", "hello", undefined)
    // both have confirmed it, so Cyd has seen Bob's receipt or Bob Cyd's
    await ordering(world, ada, "both to confirm it", () =>
      ada.events.some((event) => event.type === "delivery" && event.state === "delivered"),
    )
    const [last] = threadsIn(ada.events).slice(-1)
    assert.equal(last?.last?.state, "delivered", "the author's thread shows how far it got")
    for (const { events, name } of [bob, cyd]) {
      const told = threadsIn(events)
      assert(told.every(({ unread }) => unread === 1))
      const looks = told.map((thread) => JSON.stringify(thread))
      assert.equal(new Set(looks).size, looks.length, `${name} is told nothing twice`)
      // it came, and it got its place
      assert(looks.length >= 1 && looks.length <= 2, `${name} is told ${looks.length} times`)
    }
  })
})
