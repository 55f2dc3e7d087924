/**
 * Keeps connected peers in Kademlia's routing table. kad-dht looks at a newcomer once: if that peer is too busy to answer its ping, it
 * stays out for as long as the connection lives, and a mesh of two would have no directory. So whoever is connected, speaks the
 * directory's protocol and is not in the table is offered again, now and then.
 */
import type { Libp2p } from "@libp2p/interface"
import type { Clock } from "../clock.ts"

const AGAIN_MS = 15_000

type PeerId = ReturnType<Libp2p["getPeers"]>[number]

/** What kad-dht's own object has besides its published type. */
export interface Table {
  readonly protocol: string
  readonly routingTable: { find(peer: PeerId): Promise<unknown> }
  onPeerConnect(peer: { id: PeerId; multiaddrs: readonly unknown[] }): Promise<void>
}

export interface TableParts {
  readonly libp2p: Pick<Libp2p, "getConnections" | "peerStore">
  readonly table: Table
  readonly clock: Clock
}

/** Returns how to end it. */
export function keepInTable(parts: TableParts): () => void {
  let offering: Promise<void> | undefined
  let cancel: () => void
  const wait = () => {
    cancel = parts.clock.after(AGAIN_MS, () => {
      // A peer that leaves in the middle of this is looked at when it is back.
      offering ??= offerAll(parts)
        .catch(() => undefined)
        .finally(() => (offering = undefined))
      wait()
    })
  }
  wait()
  return () => cancel()
}

async function offerAll({ libp2p, table }: TableParts): Promise<void> {
  for (const { remotePeer, remoteAddr } of libp2p.getConnections()) {
    if ((await table.routingTable.find(remotePeer)) !== undefined) continue
    const { protocols } = await libp2p.peerStore.get(remotePeer)
    if (protocols.includes(table.protocol))
      await table.onPeerConnect({ id: remotePeer, multiaddrs: [remoteAddr] })
  }
}
