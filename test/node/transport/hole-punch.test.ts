/** What of hole punching needs no routers: whom a peer lets itself be told to call. The rest is shown by test/e2e/hole-punch.test.ts. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { multiaddr } from "@multiformats/multiaddr"
import { callable, PUNCHED_MAX } from "../../../src/node/transport/hole-punch.ts"

const PEER = "12D3KooWDkh1DUCqoSVctwLuyfo1RFuwXCyL52bnH8umKKzR9o9b"
const called = (...addresses: string[]) =>
  callable(addresses.map((text) => multiaddr(text))).map(String)

describe("addresses that the other side says it calls from", () => {
  it("are called where they are public, plain TCP, and name the peer that has to answer there", () => {
    const fine = [`/ip4/55.1.1.11/tcp/4001/p2p/${PEER}`, `/ip6/2a00:1450::5/tcp/4001/p2p/${PEER}`]
    assert.deepEqual(called(...fine), fine)
    for (const wrong of [
      "/ip4/55.1.1.11/tcp/4001",
      `/ip4/192.168.1.1/tcp/4001/p2p/${PEER}`,
      `/ip4/127.0.0.1/tcp/22/p2p/${PEER}`,
      `/ip6/fe80::1/tcp/4001/p2p/${PEER}`,
      `/ip4/55.1.1.11/tcp/4001/ws/p2p/${PEER}`,
      `/ip4/55.1.1.11/udp/4001/quic-v1/p2p/${PEER}`,
      `/dns4/example.org/tcp/4001/p2p/${PEER}`,
      `/ip4/55.1.1.11/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${PEER}`,
    ])
      assert.deepEqual(called(wrong), [], wrong)
  })

  it("are few, however many were named", () => {
    const many = Array.from({ length: 50 }, (_, i) => `/ip4/55.1.1.${i}/tcp/4001/p2p/${PEER}`)
    assert.equal(called(...many).length, PUNCHED_MAX)
  })
})
