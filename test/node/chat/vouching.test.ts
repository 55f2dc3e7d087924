/** Looking up who the members of a group are, while the disk does not do what it should. */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { Order } from "../../helpers/chat-ledger.ts"
import { World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"

const world = new World(new Order())

afterEach(() => world.stop())

describe("a member whom somebody else added", () => {
  it("is vouched for in the end, also where the disk fails just then; the process goes on", async () => {
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    const cyd = await world.add("Cyd")
    await befriendAll(world, ada, bob)
    await befriendAll(world, ada, cyd)
    const talk = new GroupTalk(world, "Team")
    await talk.found(ada, bob)

    // Bob sees her come, and finds no card of hers.
    const asBobSees = () => talk.view(bob).members.find(({ address }) => address === cyd.address)
    const { findCard } = world
    world.findCard = (address, asker) =>
      asker === bob && address === cyd.address
        ? Promise.resolve(undefined)
        : findCard(address, asker)
    await ada.chat.groupAdd("Team", [cyd.address])
    await ordering(world, bob, "Cyd in the group", () => asBobSees() !== undefined)
    await talk.settled(ada, bob, cyd)
    assert.equal(asBobSees()?.vouched, false)

    world.findCard = findCard
    bob.shelf.crashAt = bob.shelf.writes + 1
    bob.chat.peersChanged()
    await bob.until("what the disk refused is said", () =>
      bob.logs.some((line) => line.startsWith("vouching in a group failed")),
    )
    assert.equal(asBobSees()?.vouched, false, "nothing is believed that was not written")

    bob.shelf.crashAt = Number.POSITIVE_INFINITY
    bob.chat.peersChanged()
    await bob.until("Cyd is vouched for", () => asBobSees()?.vouched === true)
  })
})
