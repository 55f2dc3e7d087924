/**
 * Watches that gossip lives wherever a connection does. gossipsub never reopens a stream that died, so a peer can stay connected for
 * days and hear nothing: one of two connections ends, and its streams with it. A link that is found dead is opened anew over what is left;
 * one that is dead some times in a row is hung up; the dialer calls again, and everything starts fresh. A link that never came up gets more time: a busy machine needs some seconds to set it up.
 */
import type { Transport } from "./transport.ts"

const LOOK_MS = 1_000
const MISSES_MAX = 3
const MISSES_AT_FIRST_MAX = 12

export interface WatchdogParts {
  readonly transport: Pick<Transport, "gossip" | "peers" | "mend" | "hangUp">
  /** Whose subscription proves that a link is up. */
  readonly topic: string
  readonly onFault: (error: unknown) => void
}

/** Watches until the returned function is called. */
export function startWatchdog({ transport, topic, onFault }: WatchdogParts): () => void {
  /** Misses left of every connected peer. */
  let left = new Map<string, number>()
  const unsubscribe = transport.gossip.onSubscribed(topic, (peer) => left.set(peer, MISSES_MAX))
  const look = () => {
    const now = new Map<string, number>()
    for (const peer of transport.peers()) {
      const up = transport.gossip.linkUp(peer)
      if (!up && left.has(peer)) transport.mend(peer)
      const misses = up ? MISSES_MAX : (left.get(peer) ?? MISSES_AT_FIRST_MAX) - 1
      if (misses > 0) now.set(peer, misses)
      else transport.hangUp(peer).catch(onFault)
    }
    left = now
  }
  const timer = setInterval(look, LOOK_MS)
  return () => {
    clearInterval(timer)
    unsubscribe()
  }
}
