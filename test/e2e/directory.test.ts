/**
 * The directory between real processes: a card outlives its owner's peer, and the peers that keep it outlive a power cut. What they keep
 * is a small record and the blob that it names, on their disks.
 */
import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { type Cluster, nodeOf } from "../../scripts/testnet/cluster.ts"
import { befriend, mesh, until } from "./mesh.ts"

describe("e2e: a card whose owner is away", () => {
  let cluster: Cluster
  let gone: () => Promise<void>
  before(async () => {
    ;({ cluster, gone } = await mesh(["alice", "bob", "carol"]))
    // Bob has seen her card by then, so it was published.
    await befriend(nodeOf(cluster, 0), nodeOf(cluster, 1))
  })
  after(() => gone())

  it("is found from the disks of peers that were killed meanwhile; she reads what was written to her when she is back", async () => {
    const [alice, bob, carol] = [0, 1, 2].map((at) => nodeOf(cluster, at))
    assert(alice && bob && carol)
    const { address } = await (await alice.api()).call("id", {})
    await Promise.all([alice, bob, carol].map((node) => node.kill9()))
    await Promise.all([bob, carol].map((node) => node.start()))
    await cluster.meshed()

    const writer = await carol.api()
    const states = async () => {
      const page = await writer.call("messages.page", { thread: "alice", limit: 1 })
      return page.messages.map(({ state }) => state)
    }
    await writer.call("contacts.add", { code: address, name: "alice" })
    await writer.call("messages.send", { to: "alice", text: "are you there?" })
    // Nothing can be sealed for her without her card.
    await until(writer, states, ([state]) => state !== undefined && state !== "queued")

    await alice.start()
    const reader = await alice.api()
    const requests = async () =>
      (await reader.call("contacts.list", {})).contacts.filter(({ state }) => state === "request")
    await until(reader, requests, (found) => found.length === 1)
  })
})
