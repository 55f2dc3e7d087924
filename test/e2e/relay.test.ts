/**
 * Two networks that have no way to each other, and between them one host that both reach: network namespaces with real interfaces. The
 * people in them are reached over the relay, because nothing else leads there.
 */
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it } from "node:test"
import type { Api } from "../../src/node/api/types.ts"
import { networks, nodeIn, TWO_NETWORKS, whyNoNamespaces } from "../helpers/namespaces.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { received, until } from "./mesh.ts"

const ticketOf = async (api: Api) => (await api.call("mesh.ticket", {})).ticket

describe("e2e: two networks without a way to each other", { skip: whyNoNamespaces() }, () => {
  it("talk over a relay between them, which a ticket alone leads to", async (t) => {
    const [middle = "", first = "", second = ""] = await networks(t, TWO_NETWORKS)
    const directory = temporaryDirectory(t)
    const place = (name: string) => join(directory, name)
    const relay = await nodeIn(t, middle, place("relay"), "--no-mdns", "--relay")
    await relay.call("mesh.join", { name: "hills" })

    const alice = await nodeIn(t, first, place("alice"), "--no-mdns", "--reached-by", "relay")
    await alice.call("profile.create", {
      name: "alice",
      passphrase: null,
      ticket: await ticketOf(relay),
    })
    await until(
      alice,
      () => alice.call("status", {}),
      ({ listen }) =>
        listen.some(
          (address) => address.includes("10.77.2.1") && address.includes("/p2p-circuit/"),
        ),
    )
    const invitation = await ticketOf(alice)

    const bob = await nodeIn(t, second, place("bob"), "--no-mdns")
    await bob.call("profile.create", { name: "bob", passphrase: null, ticket: invitation })
    await bob.call("contacts.add", { code: invitation, name: "alice" })
    const { peers } = await until(
      bob,
      () => bob.call("status", {}),
      (status) =>
        status.peers.some(({ address, gossip }) => gossip && address.includes("p2p-circuit")),
      { timeoutMs: 60_000 },
    )
    assert(
      peers.every(({ address }) => address.startsWith("/ip4/10.77.2.")),
      "nothing leads from one network into the other",
    )
    await bob.call("messages.send", { to: "alice", text: "over the hills" })
    const [request] = await until(
      alice,
      async () => (await alice.call("contacts.list", {})).contacts,
      (contacts) => contacts.length > 0,
      { timeoutMs: 60_000 },
    )
    assert(request !== undefined)
    await alice.call("contacts.accept", { contact: request.address })
    await received(alice, request.name, ["over the hills"])
    await received(bob, "alice", ["and far away"], () =>
      alice.call("messages.send", { to: request.address, text: "and far away" }),
    )
  })
})
