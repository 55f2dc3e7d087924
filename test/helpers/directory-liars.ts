/**
 * Honest directory peers among as many that lie, for the bench that asks what lies cost: junk, a record of another person, one that is longer
 * than any, and old ones, said for whatever key is asked.
 */
import { epochAt, makeRecord, RECORD_BYTES } from "../../src/crypto/directory-record.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { systemClock } from "../../src/node/clock.ts"
import {
  cardOf,
  connect,
  type HostilePeer,
  person,
  type Peer,
  startHostilePeer,
  startMesh,
  startPeer,
} from "./directory-mesh.ts"

const HONEST = 5
const TOO_LONG_BYTES = 3 << 20

export interface Lookups {
  readonly timesMs: readonly number[]
  /** Answers that were not the newest card; never anything but 0. */
  readonly wrong: number
}

/** Each of `lookups` asks anew, by a peer that stores nothing of the card. `liars`: how many of them there are beside five honest peers. */
export async function amongLiars(liars: number, lookups: number): Promise<Lookups> {
  const [ada, eve] = [person(21), person(22)]
  const epoch = epochAt(systemClock.nowMs())
  const record = (who: typeof ada, sequence: number) =>
    makeRecord({ address: who.raw, seed: who.seed, epoch, sequence, card: cardOf(who, sequence) })
  const lies: readonly Bytes[] = [
    new Uint8Array(RECORD_BYTES).fill(7),
    new Uint8Array(TOO_LONG_BYTES),
    record(eve, 9),
    record(ada, 1),
  ]
  const peers: Peer[] = await startMesh(HONEST, systemClock)
  const hostile: HostilePeer[] = []
  try {
    for (let i = 0; i < liars; i++) {
      const liar = await startHostilePeer(() => lies[i % lies.length])
      hostile.push(liar)
      for (const { libp2p } of peers) await connect(liar, libp2p)
    }
    await peers[0]!.directory.publish({ ...ada, card: cardOf(ada, 2), sequence: 2 })
    const reader = await startPeer(systemClock)
    peers.push(reader)
    for (const { libp2p } of peers.slice(0, HONEST)) await connect(reader.libp2p, libp2p)
    for (const liar of hostile) await connect(reader.libp2p, liar)
    const timesMs: number[] = []
    let wrong = 0
    for (let i = 0; i < lookups; i++) {
      const startMs = performance.now()
      const found = await reader.directory.lookup(ada.address, { fresh: true })
      timesMs.push(performance.now() - startMs)
      if (found === "NOT_FOUND" || found.sequence !== 2) wrong++
    }
    return { timesMs, wrong }
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()))
    for (const liar of hostile) await liar.stop()
  }
}
