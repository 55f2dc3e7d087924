import assert from "node:assert/strict"
import { createSocket } from "node:dgram"
import { describe, it } from "node:test"
import { testMesh } from "../../helpers/envelopes.ts"
import { testPeer, untilLinked } from "../../helpers/peers.ts"

/** Whether this machine hears its own multicast; in some containers it does not, and then nobody can be found by it. */
async function multicastWorks(): Promise<boolean> {
  const socket = createSocket({ type: "udp4", reuseAddr: true })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), 1_500)
  socket.on("error", () => resolve(false))
  socket.on("message", (message) => {
    if (message.toString() === "sotto test") resolve(true)
  })
  socket.bind(0, () => {
    try {
      socket.addMembership("224.0.0.251")
      socket.setMulticastLoopback(true)
      socket.send("sotto test", socket.address().port, "224.0.0.251")
    } catch {
      resolve(false)
    }
  })
  const works = await promise
  clearTimeout(timer)
  socket.close()
  return works
}

describe("mDNS: peers of one LAN find each other with no address in hand", () => {
  it("announces every peer to the others, and they connect", async (t) => {
    if (!(await multicastWorks())) {
      t.skip("this machine does not deliver multicast to itself")
      return
    }
    const mesh = testMesh()
    const options = { mdns: true, listen: ["/ip4/0.0.0.0/tcp/0"] }
    const first = await testPeer(t, mesh, options)
    const second = await testPeer(t, mesh, options)
    await untilLinked(first, second)
    assert.equal(first.alone(), null)
  })
})
