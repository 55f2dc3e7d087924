/**
 * One end of the gossip floor: libp2p with nothing of ours. Run with `listen`, it is the far end: it tells its parent where it listens, and
 * then of every message how many microseconds it was under way (both ends read the same monotonic clock).
 */
import { gossipsub, StrictNoSign } from "@chainsafe/libp2p-gossipsub"
import { noise } from "@chainsafe/libp2p-noise"
import { yamux } from "@chainsafe/libp2p-yamux"
import { identify } from "@libp2p/identify"
import { tcp } from "@libp2p/tcp"
import { multiaddr } from "@multiformats/multiaddr"
import { createLibp2p } from "libp2p"
import { setTimeout as sleep } from "node:timers/promises"

export const FLOOR_TOPIC = "floor"
export const FLOOR_BYTES = 4096
const HEARTBEAT_MS = 1_000

export async function startFloorPeer() {
  const libp2p = await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      pubsub: gossipsub({
        globalSignaturePolicy: StrictNoSign,
        allowPublishToZeroTopicPeers: true,
      }),
    },
  })
  const { pubsub } = libp2p.services
  pubsub.subscribe(FLOOR_TOPIC)
  return {
    pubsub,
    addresses: () => libp2p.getMultiaddrs().map(String),
    /** Resolves once the other end takes messages. */
    async meet(address: string): Promise<void> {
      await libp2p.dial(multiaddr(address))
      while (pubsub.getSubscribers(FLOOR_TOPIC).length === 0) await sleep(50)
      // the next heartbeat, and one more, make it a link that messages go over
      await sleep(2 * HEARTBEAT_MS)
    },
    stop: () => libp2p.stop(),
  }
}

if (process.argv[2] === "listen" && process.send !== undefined) {
  const tell = process.send.bind(process)
  const peer = await startFloorPeer()
  peer.pubsub.addEventListener("gossipsub:message", ({ detail: { msg } }) => {
    const sent = new DataView(msg.data.buffer, msg.data.byteOffset).getBigUint64(0)
    tell(Number(process.hrtime.bigint() - sent) / 1000)
  })
  tell(peer.addresses()[0])
}
