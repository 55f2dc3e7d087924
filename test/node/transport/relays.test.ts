/** Peers that cannot be called, reached over one that both can reach. Loopback: nobody's address leads further than this process. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decodeTicket } from "../../../src/crypto/ticket.ts"
import type { PeerInfo } from "../../../src/node/api/types.ts"
import { acquaint, newNode, TestNode } from "../../helpers/nodes.ts"
import { until } from "../../helpers/wait.ts"

const linkTo = async (node: TestNode, peer: string): Promise<PeerInfo | undefined> =>
  (await node.call("status", {})).peers.find(({ peerId }) => peerId === peer)

const peerIdOf = (address: string) => address.slice(address.lastIndexOf("/p2p/") + 5)

describe("the addresses of a peer", () => {
  it("are what it listens on, and what it was told to tell besides", async (t) => {
    const announce = "/ip4/55.1.1.1/tcp/4001"
    const node = await newNode(t, { announce: [announce] })
    await node.call("mesh.join", { name: "hills" })
    const { listen } = await node.call("status", {})
    const told = (part: string) => listen.some((address) => address.startsWith(part))
    assert(told("/ip4/127.0.0.1/tcp/") && told(`${announce}/p2p/`))
    const { peers } = decodeTicket(await node.ticket())
    assert(peers.some((address) => address.startsWith(`${announce}/p2p/`)))
  })
})

describe("a peer that listens nowhere", () => {
  it("keeps a place at a relay, invites by it, and is reached and talked to over it", async (t) => {
    const relay = await newNode(t, { relay: true })
    await relay.call("mesh.join", { name: "hills" })
    const hidden = await newNode(t, { listen: [], reachedBy: "relay" })
    await hidden.create("alice", null, await relay.ticket())
    let ticket = ""
    await until("a place at the relay", async () => {
      const { listen } = await hidden.call("status", {})
      if (!listen.some((address) => address.includes("/p2p-circuit/"))) return false
      ticket = await hidden.ticket()
      return true
    })
    const { peers } = decodeTicket(ticket)
    assert(peers.length > 0 && peers.every((address) => address.includes("/p2p-circuit/p2p/")))
    const alice = peerIdOf(peers[0] ?? "")

    // All that bob has is that ticket: even the genesis comes over the relay.
    const bob = await newNode(t, { listen: [] })
    await bob.create("bob", null, ticket)
    await until("a connection over the relay", async () => {
      const link = await linkTo(bob, alice)
      return link?.gossip === true && link.address.includes("/p2p-circuit")
    })
    const link = await linkTo(bob, alice)
    assert.deepEqual([link?.encryption, link?.postQuantum], ["X25519MLKEM768", true])
    await acquaint(hidden, bob, { one: "alice", other: "bob" })
    await hidden.call("messages.send", { to: "bob", text: "over the hills" })
    await bob.untilText("alice", "over the hills")
    await bob.call("messages.send", { to: "alice", text: "and far away" })
    await hidden.untilText("bob", "and far away")
  })

  it("finds its place again when the relay was away, and is remembered by those it met", async (t) => {
    const relay = await newNode(t, { relay: true })
    await relay.call("mesh.join", { name: "hills" })
    const hidden = await newNode(t, { listen: [], reachedBy: "relay" })
    await hidden.call("mesh.join", { ticket: await relay.ticket() })
    const hasPlace = async () => {
      const { listen } = await hidden.call("status", {})
      return listen.some((address) => address.includes("/p2p-circuit/"))
    }
    await until("a place at the relay", hasPlace)
    const bob = await newNode(t, { listen: [] })
    await bob.call("mesh.join", { ticket: await hidden.ticket() })
    const alice = peerIdOf((await hidden.call("status", {})).listen[0] ?? "")
    await until("to meet", async () => (await linkTo(bob, alice)) !== undefined)
    await bob.stop()
    const { listen } = await relay.call("status", {})
    await relay.stop()
    await until("the place to be gone", async () => !(await hasPlace()))
    await relay.start({ listen: listen.map((address) => address.replace(/\/p2p\/.*$/, "")) })
    await until("a place again", hasPlace)
    // Nobody tells bob anything: no ticket, no bootstrap.
    await bob.start()
    await until("to meet again", async () => (await linkTo(bob, alice)) !== undefined)
  })
})
