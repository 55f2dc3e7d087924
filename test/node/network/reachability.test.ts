import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { multiaddr } from "@multiformats/multiaddr"
import { type ReachedBy, Reachability } from "../../../src/node/network/reachability.ts"
import { HOP_PROTOCOL } from "../../../src/node/transport/relays.ts"
import { TransportError } from "../../../src/node/transport/transport.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"

const RELAY = [HOP_PROTOCOL]
const PUNCHED = "/ip4/1.1.1.2/tcp/1"
const WAIT_MS = 30_000

function begin(by: ReachedBy, refuse: ReadonlySet<string> = new Set()) {
  const clock = new ManualClock(0)
  const asked: string[] = []
  const faults: unknown[] = []
  const reach = new Reachability({
    transport: {
      reserveAt(relay) {
        asked.push(relay)
        if (refuse.has(relay)) return Promise.reject(new TransportError("NO_RELAY", "full"))
        return Promise.resolve()
      },
      isPunched: ({ remoteAddr }) => remoteAddr.toString() === PUNCHED,
    },
    by,
    clock,
    onChange: () => undefined,
    onFault: (error) => faults.push(error),
  })
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return { clock, asked, faults, reach, settled }
}

const called = (address: string, direction: "inbound" | "outbound" = "inbound") => ({
  direction,
  remoteAddr: multiaddr(address),
})

describe("whether a peer asks for a place at a relay", () => {
  it("only when nobody from outside has called for a while", async () => {
    const { clock, asked, reach, settled } = begin("auto")
    reach.identified("relay", RELAY)
    reach.identified("somebody", ["/meshsub/1.2.0"])
    reach.connected(called("/ip4/192.168.1.7/tcp/1"))
    reach.connected(called("/ip4/1.1.1.1/tcp/1", "outbound"))
    reach.connected(called(PUNCHED))
    await settled()
    assert.deepEqual(asked, [])
    clock.advance(WAIT_MS)
    await settled()
    assert.deepEqual(asked, ["relay"])
    await reach.stop()
  })

  it("not when it was called, nor ever when it is told so", async () => {
    for (const by of ["auto", "direct"] as const) {
      const { clock, asked, reach, settled } = begin(by)
      if (by === "auto") reach.connected(called("/ip4/1.1.1.1/tcp/1"))
      reach.identified("relay", RELAY)
      clock.advance(WAIT_MS)
      await settled()
      assert.deepEqual(asked, [], by)
      await reach.stop()
    }
  })

  it("at once when it is told so, at two at most, and at another when one has gone", async () => {
    const { asked, reach, settled } = begin("relay")
    for (const relay of ["one", "two", "three"]) reach.identified(relay, RELAY)
    await settled()
    assert.deepEqual(asked, ["one", "two"])
    reach.disconnected("one")
    await settled()
    assert.deepEqual(asked, ["one", "two", "three"])
    await reach.stop()
  })

  it("and one that is full is asked again, after a while, no fault of anybody's", async () => {
    const full = new Set(["full"])
    const { clock, asked, faults, reach, settled } = begin("relay", full)
    reach.identified("full", RELAY)
    await settled()
    clock.advance(59_000)
    await settled()
    assert.deepEqual(asked, ["full"])
    full.clear()
    clock.advance(1_000)
    await settled()
    assert.deepEqual([asked, faults], [["full", "full"], []])
    await reach.stop()
  })
})
