import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { PeerId } from "@libp2p/interface"
import { startMesh } from "../../helpers/directory-mesh.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import { until } from "../../helpers/wait.ts"

/** The part of Kademlia's table that its package does not publish. */
interface RoutingTable {
  find(peer: PeerId): Promise<unknown>
  remove(peer: PeerId): Promise<void>
}

describe("directory: a peer that Kademlia's table lost", () => {
  it("is offered to the table again while it stays connected", async () => {
    const clock = new ManualClock(Date.UTC(2026, 10, 20, 12))
    const [ada, bob] = await startMesh(2, clock)
    assert(ada && bob)
    try {
      const { routingTable } = ada.libp2p.services.dht as unknown as { routingTable: RoutingTable }
      await routingTable.remove(bob.libp2p.peerId)
      assert.equal(await routingTable.find(bob.libp2p.peerId), undefined)
      clock.advance(15_000)
      await until(
        "bob is in the table again",
        async () => (await routingTable.find(bob.libp2p.peerId)) !== undefined,
      )
    } finally {
      await Promise.all([ada.stop(), bob.stop()])
    }
    assert.equal(clock.waiting, 0)
  })
})
