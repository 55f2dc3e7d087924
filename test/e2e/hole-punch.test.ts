/**
 * Two homes, each behind a router that hides it and lets in only what answers (network namespaces, real NAT by nft), and one host between
 * them that both can call. A ticket leads over that host; what comes of it depends on the routers alone.
 */
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import type { Api } from "../../src/node/api/types.ts"
import { homes, networks, nodeIn, whyNoRouters } from "../helpers/namespaces.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { received, until } from "./mesh.ts"

const ticketOf = async (api: Api) => (await api.call("mesh.ticket", {})).ticket
const isRelayed = (address: string) => address.includes("/p2p-circuit")

/** A host that serves as a relay, and alice in the first home with a place there. */
async function begin(t: TestContext, ports: "kept" | "random") {
  const [middle = "", first = "", second = ""] = await networks(t, homes(ports))
  const directory = temporaryDirectory(t)
  const node = (pid: string, name: string, ...more: readonly string[]) =>
    nodeIn(t, pid, join(directory, name), "--no-mdns", ...more)
  const relay = await node(middle, "relay", "--relay")
  await relay.call("mesh.join", { name: "hills" })
  const alice = await node(first, "alice", "--reached-by", "relay")
  const ticket = await ticketOf(relay)
  await alice.call("profile.create", { name: "alice", passphrase: null, ticket })
  await until(
    alice,
    () => alice.call("status", {}),
    ({ listen }) => listen.some(isRelayed),
  )
  return { second, relay, alice, node }
}

const idOf = async (api: Api) => {
  const { listen } = await api.call("status", {})
  return listen[0]?.split("/p2p/").at(-1) ?? ""
}

/** Waits until `api` gossips with the peer over a connection whose address is as wanted. */
const linked = (api: Api, peer: string, wanted: (address: string) => boolean) =>
  until(
    api,
    () => api.call("status", {}),
    ({ peers }) =>
      peers.some(({ peerId, gossip, address }) => peerId === peer && gossip && wanted(address)),
    { timeoutMs: 60_000 },
  )

/** Bob comes by alice's ticket, writes, and is answered. */
async function talk(alice: Api, bob: Api, ticket: string) {
  await bob.call("contacts.add", { code: ticket, name: "alice" })
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
}

// Most of either is waiting for a network that does not answer.
const options = { skip: whyNoRouters(), concurrency: true }

describe("e2e: two homes behind routers", options, () => {
  it("find each other over a relay, then call each other and need it no more", async (t) => {
    const { second, relay, alice, node } = await begin(t, "kept")
    const ticket = await ticketOf(alice)
    const bob = await node(second, "bob")
    await bob.call("profile.create", { name: "bob", passphrase: null, ticket })
    const [one, other] = [await idOf(alice), await idOf(bob)]
    await linked(bob, one, (address) => address.startsWith("/ip4/55.1.1.11/tcp/"))
    await linked(alice, other, (address) => address.startsWith("/ip4/55.1.1.12/tcp/"))
    await talk(alice, bob, ticket)

    const alone = (api: Api) =>
      until(
        api,
        () => api.call("status", {}),
        ({ peers }) => peers.length === 1,
      )
    await relay.call("stop", {})
    await Promise.all([alone(alice), alone(bob)])
    await received(alice, "bob", ["without them"], () =>
      bob.call("messages.send", { to: "alice", text: "without them" }),
    )
    const [link] = (await bob.call("status", {})).peers
    assert.equal(link?.peerId, one)
    assert.match(link.address, /^\/ip4\/55\.1\.1\.11\/tcp\//)
  })

  it("stay with the relay where a router gives every call another port", async (t) => {
    const { second, alice, node } = await begin(t, "random")
    const ticket = await ticketOf(alice)
    const bob = await node(second, "bob")
    await bob.call("profile.create", { name: "bob", passphrase: null, ticket })
    await linked(bob, await idOf(alice), isRelayed)
    await talk(alice, bob, ticket)
    await linked(bob, await idOf(alice), isRelayed)
  })
})
