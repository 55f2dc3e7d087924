/** Peers of a test mesh that keep chunks: real libp2p over loopback, chunks in memory or where the test says. */
import type { TestContext } from "node:test"
import type { KeeperRole } from "../../src/node/blobs/messages.ts"
import { type BlobRoom, openBlobRoom } from "../../src/node/blob-room.ts"
import { type Clock, systemClock } from "../../src/node/clock.ts"
import { openMemoryStore, type Store } from "../../src/node/store/store.ts"
import type { TestMesh } from "./envelopes.ts"
import { type PeerOptions, testPeer, type TestPeer } from "./peers.ts"
import { until } from "./wait.ts"

export interface BlobPeer extends TestPeer, BlobRoom {}

export interface BlobPeerOptions extends PeerOptions {
  readonly role?: KeeperRole
  readonly chunksMax?: number
  readonly directory?: string
  readonly store?: Store
  readonly clock?: Clock
}

export async function blobPeer(
  t: TestContext,
  mesh: TestMesh,
  options: BlobPeerOptions = {},
): Promise<BlobPeer> {
  const { role = "headless", chunksMax, directory, clock = systemClock, ...rest } = options
  const store = options.store ?? (await openMemoryStore())
  const made: { room?: BlobRoom } = {}
  const peer = await testPeer(t, mesh, {
    ...rest,
    store,
    onPeers: () => made.room?.blobs.peersChanged(),
  })
  const room = await openBlobRoom({
    store,
    network: peer,
    directory,
    role,
    chunksMax,
    clock,
    onFault: (error) => {
      throw error
    },
  })
  made.room = room
  t.after(async () => {
    await room.close()
    if (options.store === undefined) await store.close()
  })
  return Object.assign(peer, room)
}

/** Both are connected and have found each other to be of one mesh. */
export const untilConnected = (a: BlobPeer, b: BlobPeer): Promise<void> =>
  until("a connection", () => a.peers().some(({ peerId }) => peerId === b.id))
