/** The room for key packages, put together for one peer: what it hands out for others, and the network by which it asks them. */
import { peerIdFromString } from "@libp2p/peer-id"
import type { Clock } from "../clock.ts"
import type { DirectoryLibp2p } from "../directory/directory.ts"
import type { Network } from "../network/parts.ts"
import { PackageKeepers } from "./keepers.ts"
import { PackageShelf } from "./shelf.ts"
import type { Store } from "../store/store.ts"

export interface PackageRoomParts {
  readonly store: Store
  readonly network: Pick<Network, "meshId" | "streams" | "transport">
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
}

/** Answers other peers from now on; to be stopped before the network. Throws StoreError. */
export async function openPackageRoom(parts: PackageRoomParts): Promise<PackageKeepers> {
  const { store, network, clock, onFault } = parts
  const { meshId, streams, transport } = network
  const self = transport.peer
  // with the directory's services (mesh-rooms.ts)
  const libp2p = transport.libp2p as unknown as DirectoryLibp2p
  return await PackageKeepers.start({
    meshId,
    self,
    shelf: await PackageShelf.open({ store, clock, meshId, self }),
    streams,
    dht: libp2p.services.dht,
    connected: () => transport.peers(),
    reach: async (peer, signal) => {
      if (!transport.peers().includes(peer))
        await transport.libp2p.dial(peerIdFromString(peer), { signal })
    },
    clock,
    onFault,
  })
}
