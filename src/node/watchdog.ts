/**
 * Watches that gossip lives wherever a connection does. gossipsub never reopens a stream that died, so a peer can stay connected for
 * days and hear nothing. A link that is found dead twice in a row is hung up; the dialer calls again, and everything starts fresh.
 */
import type { Transport } from "./transport.ts"

const LOOK_MS = 2_000
/** A link that is being set up looks dead for a moment. */
const MISSES_MAX = 2

export interface WatchdogParts {
  readonly transport: Pick<Transport, "gossip" | "peers" | "hangUp">
  readonly onFault: (error: unknown) => void
}

/** Watches until the returned function is called. */
export function startWatchdog({ transport, onFault }: WatchdogParts): () => void {
  let misses = new Map<string, number>()
  const look = () => {
    const counted = new Map<string, number>()
    for (const peer of transport.peers()) {
      if (transport.gossip.linkUp(peer)) continue
      const missed = (misses.get(peer) ?? 0) + 1
      if (missed < MISSES_MAX) counted.set(peer, missed)
      else transport.hangUp(peer).catch(onFault)
    }
    misses = counted
  }
  const timer = setInterval(look, LOOK_MS)
  return () => clearInterval(timer)
}
