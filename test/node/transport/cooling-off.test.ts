/** Hosts that somebody was cut off from (src/node/transport/cooling-off.ts): by a clock of the test's, and at a real peer. */
import assert from "node:assert/strict"
import { describe, it, test } from "node:test"
import { utf8 } from "../../../src/crypto/bytes.ts"
import {
  BETWEEN_CONNECTIONS_MS,
  COOLING_OFF_MS,
  CoolingOff,
  HOSTS_MAX,
} from "../../../src/node/transport/cooling-off.ts"
import { testMesh, unpaidEnvelope } from "../../helpers/envelopes.ts"
import { DATA, gossipStranger, TOPIC } from "../../helpers/gossip-stranger.ts"
import { testPeer, untilLinked } from "../../helpers/peers.ts"
import { until } from "../../helpers/wait.ts"

function withClock() {
  const clock = { nowMs: 0 }
  return { clock, coolingOff: new CoolingOff(() => clock.nowMs) }
}

const FLOODER = "/ip4/192.0.2.7/tcp/40001"

describe("a host from which somebody was cut off", () => {
  it("gets one connection a second from then on, whatever the port", () => {
    const { clock, coolingOff } = withClock()
    assert.ok(
      coolingOff.letsIn(FLOODER) && coolingOff.letsIn(FLOODER),
      "before, as many as it wants",
    )
    coolingOff.offended(FLOODER)
    const again = "/ip4/192.0.2.7/tcp/40002"
    assert.equal(coolingOff.letsIn(again), false)
    clock.nowMs += BETWEEN_CONNECTIONS_MS
    assert.equal(coolingOff.letsIn(again), true)
    assert.equal(coolingOff.letsIn(again), false)
    clock.nowMs += BETWEEN_CONNECTIONS_MS - 1
    assert.equal(coolingOff.letsIn(again), false)
    clock.nowMs += 1
    assert.equal(coolingOff.letsIn(again), true)
  })

  it("is like any other after a minute without another offence", () => {
    const { clock, coolingOff } = withClock()
    coolingOff.offended(FLOODER)
    clock.nowMs += COOLING_OFF_MS - 1
    coolingOff.offended(FLOODER)
    clock.nowMs += COOLING_OFF_MS - 1
    assert.ok(coolingOff.letsIn(FLOODER))
    assert.equal(coolingOff.letsIn(FLOODER), false)
    clock.nowMs += 1
    assert.ok(coolingOff.letsIn(FLOODER) && coolingOff.letsIn(FLOODER))
  })

  it("is its address in IPv4, its network of 64 bits in IPv6, and nobody over a relay", () => {
    const { coolingOff } = withClock()
    coolingOff.offended(FLOODER)
    assert.ok(coolingOff.letsIn("/ip4/192.0.2.8/tcp/1"))
    coolingOff.offended("/ip6/2001:db8:0:7::1/tcp/1")
    assert.equal(coolingOff.letsIn("/ip6/2001:0db8:0:7:ffff::2/tcp/9"), false)
    assert.ok(coolingOff.letsIn("/ip6/2001:db8:0:8::1/tcp/1"))
    const relayed = `${FLOODER}/p2p/12D3KooWRelay/p2p-circuit`
    coolingOff.offended(relayed)
    assert.ok(coolingOff.letsIn(relayed) && coolingOff.letsIn(relayed))
    coolingOff.offended("")
    assert.ok(coolingOff.letsIn(""))
  })

  it("is forgotten first of too many when its offence is the oldest", () => {
    const { coolingOff } = withClock()
    const host = (i: number) => `/ip4/10.0.${i >> 8}.${i & 255}/tcp/1`
    for (let i = 0; i <= HOSTS_MAX; i++) coolingOff.offended(host(i))
    assert.equal(coolingOff.letsIn(host(0)), true)
    assert.equal(coolingOff.letsIn(host(1)), false)
    assert.equal(coolingOff.letsIn(host(HOSTS_MAX)), false)
  })
})

test("whoever is cut off waits at the door under any other name, and who is inside stays", async (t) => {
  const mesh = testMesh()
  const { clock, coolingOff } = withClock()
  const peer = await testPeer(t, mesh, { coolingOff })
  const friend = await testPeer(t, mesh, { bootstrap: peer.addresses() })
  await untilLinked(peer, friend)
  const { topic } = peer.mailbox
  const [address = ""] = peer.addresses()
  const stranger = await gossipStranger(t, address, topic)
  const junk = Array.from({ length: 64 }, () => [[DATA, unpaidEnvelope()], [TOPIC, utf8(topic)]] as const) // prettier-ignore
  // it may be cut off while it is still writing
  await stranger.send(...junk).catch(() => undefined)
  await until("it is cut off", () => !stranger.connected())
  await assert.rejects(gossipStranger(t, address, topic), "another name, the same host")
  assert.ok(peer.transport.peers().includes(friend.id), "whoever stands there is not touched")
  clock.nowMs += BETWEEN_CONNECTIONS_MS
  assert.ok((await gossipStranger(t, address, topic)).connected())
})
