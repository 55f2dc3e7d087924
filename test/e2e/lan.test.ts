/**
 * Two machines on one wire (network namespaces): no router, no name service, nobody else. What they know of each other is out of date, and
 * multicast DNS is what brings them together again.
 */
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it } from "node:test"
import { networks, nodeIn, ONE_LAN, whyNoNamespaces } from "../helpers/namespaces.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { until } from "./mesh.ts"

describe("e2e: a wire and nothing else", { skip: whyNoNamespaces() }, () => {
  it("peers explain why they are alone, and find each other when a port has changed", async (t) => {
    const [first = "", second = ""] = await networks(t, ONE_LAN)
    const directory = temporaryDirectory(t)
    const at = (port: number) => ["--listen", `/ip4/0.0.0.0/tcp/${port}`]
    const alice = await nodeIn(t, first, join(directory, "alice"), "--no-mdns", ...at(4001))
    await alice.call("mesh.join", { name: "hills" })
    const alone = await until(
      alice,
      async () => (await alice.call("status", {})).alone,
      (why) => why !== null,
    )
    assert.equal(alone?.reason, "no peer is known")

    const { ticket } = await alice.call("mesh.ticket", {})
    const bob = await nodeIn(t, second, join(directory, "bob"), "--mdns", "--listen", "none")
    await bob.call("mesh.join", { ticket })
    const peersOfBob = async () =>
      (await bob.call("status", {})).peers.map(({ address }) => address)
    await until(bob, peersOfBob, (peers) => peers.length === 1)
    await alice.call("stop", {})
    const { reason } = await until(
      bob,
      async () => (await bob.call("status", {})).alone ?? { reason: "", retryInMs: 0 },
      (why) => why.reason === "nobody answers at the known addresses",
    )
    assert.equal(reason, "nobody answers at the known addresses")

    // The same peer at another port, which stands in no ticket and no address book.
    await nodeIn(t, first, join(directory, "alice"), "--mdns", ...at(4002))
    await until(bob, peersOfBob, (peers) => peers.some((address) => address.includes("/tcp/4002")))
  })
})
