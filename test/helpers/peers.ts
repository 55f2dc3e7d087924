/** Whole peers of a test mesh in this process: real libp2p over loopback TCP, stores in memory or where the test says. */
import type { TestContext } from "node:test"
import assert from "node:assert/strict"
import { startNetwork } from "../../src/node/network/network.ts"
import type { Network, NetworkParts } from "../../src/node/network/parts.ts"
import { newPeerKey } from "../../src/node/transport/peer-key.ts"
import { openMemoryStore, type Store } from "../../src/node/store/store.ts"
import type { TestMesh } from "./envelopes.ts"
import { until } from "./wait.ts"

export interface TestPeer extends Network {
  readonly store: Store
  readonly id: string
}

export type PeerOptions = Partial<NetworkParts>

/** Stopped when the test ends; a fault that nobody is to blame for fails the test. */
export async function testPeer(
  t: TestContext,
  mesh: TestMesh,
  options: PeerOptions = {},
): Promise<TestPeer> {
  const store = options.store ?? (await openMemoryStore())
  const faults: unknown[] = []
  const network = await startNetwork({
    key: await newPeerKey(),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootstrap: [],
    ipColocationWeight: 0,
    genesis: mesh.genesis,
    onFault: (error) => faults.push(error),
    ...options,
    store,
  })
  t.after(async () => {
    await network.stop()
    if (options.store === undefined) await store.close()
    assert.deepEqual(faults, [])
  })
  return Object.assign(network, { store, id: network.transport.peer })
}

/** Peers that all know the first. */
export async function testPeers(
  t: TestContext,
  mesh: TestMesh,
  count: number,
  options: PeerOptions = {},
): Promise<TestPeer[]> {
  const first = await testPeer(t, mesh, options)
  const bootstrap = first.addresses()
  const others = Array.from({ length: count - 1 }, () =>
    testPeer(t, mesh, { ...options, bootstrap }),
  )
  return [first, ...(await Promise.all(others))]
}

export const linked = (a: TestPeer, b: TestPeer): boolean =>
  a.transport.gossip.linkUp(b.id) && b.transport.gossip.linkUp(a.id)

/** Gossip flows both ways between the two. */
export const untilLinked = (a: TestPeer, b: TestPeer): Promise<void> =>
  until("gossip both ways", () => {
    const { topic } = a.mailbox
    const hears = (x: TestPeer, y: TestPeer) => x.transport.gossip.meshPeers(topic).includes(y.id)
    return linked(a, b) && hears(a, b) && hears(b, a)
  })
