import assert from "node:assert/strict"
import { createServer } from "node:net"
import { once } from "node:events"
import { describe, it } from "node:test"
import { listening } from "../../../src/node/transport/listen-ports.ts"
import { newPeerKey } from "../../../src/node/transport/peer-key.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import { startTransport } from "../../../src/node/transport/transport.ts"

const ports = (addresses: readonly string[]) =>
  new Set(addresses.map((address) => /\/tcp\/(\d+)/.exec(address)?.[1]))

describe("listening where nobody said where", () => {
  const start = async (listen: readonly string[]) =>
    startTransport({ key: await newPeerKey(), listen, topics: [] })

  it("takes the ports of the last time, so that yesterday's ticket still leads here", async () => {
    const store = await openMemoryStore()
    const first = await listening(store, undefined, start)
    const before = ports(first.addresses())
    await first.stop()
    const second = await listening(store, undefined, start)
    assert.deepEqual(ports(second.addresses()), before)
    await second.stop()
    await store.close()
  })

  it("takes others when one of them is taken, and stays with those", async () => {
    const store = await openMemoryStore()
    const first = await listening(store, undefined, start)
    const [taken] = [...ports(first.addresses())]
    await first.stop()
    const squatter = createServer().listen(Number(taken), "0.0.0.0")
    await once(squatter, "listening")
    const second = await listening(store, undefined, start)
    const after = ports(second.addresses())
    assert(!after.has(taken))
    await second.stop()
    squatter.close()
    await once(squatter, "close")
    const third = await listening(store, undefined, start)
    assert.deepEqual(ports(third.addresses()), after)
    await third.stop()
    await store.close()
  })

  it("does as it is told when it is told", async () => {
    const store = await openMemoryStore()
    const told = await listening(store, ["/ip4/127.0.0.1/tcp/0"], start)
    assert(told.addresses().every((address) => address.startsWith("/ip4/127.0.0.1/")))
    await told.stop()
    await store.close()
  })
})
