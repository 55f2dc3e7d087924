/**
 * Honest directory peers among as many that lie, for the bench that asks what lies cost: junk, a record of another person, one that is longer
 * than any, old ones, said for whatever key is asked; and junk for the blob of the right one.
 */
import { CARD_BLOB_BYTES } from "../../src/crypto/card-blob.ts"
import { epochAt, RECORD_BYTES } from "../../src/crypto/directory-record.ts"
import { type Bytes, fromUtf8 } from "../../src/crypto/bytes.ts"
import { encodeCardBlob } from "../../src/node/directory/card-blob-messages.ts"
import { systemClock } from "../../src/node/clock.ts"
import {
  connect,
  type HostilePeer,
  person,
  type Peer,
  startHostilePeer,
  startMesh,
  startPeer,
} from "./directory-mesh.ts"
import { type CardRecord, cardRecord, putCard } from "./directory-records.ts"

const HONEST = 5
const TOO_LONG_BYTES = 3 << 20
const FIRST_PERSON = 300

export interface Lookups {
  readonly timesMs: readonly number[]
  /** Answers that were not the newest card; never anything but 0. */
  readonly wrong: number
}

/**
 * Each of `lookups` asks for another person, so that nothing is remembered, by a peer that stores nothing of them. `liars`: how many of
 * those there are beside five honest peers.
 */
export async function amongLiars(liars: number, lookups: number): Promise<Lookups> {
  const epoch = epochAt(systemClock.nowMs())
  const people = Array.from({ length: lookups }, (_, i) => person(FIRST_PERSON + i))
  const record = (who: (typeof people)[number], sequence: number) =>
    cardRecord(who, { epoch, sequence })
  const newest = people.map((who) => record(who, 2))
  const lies = liesAbout(
    newest,
    people.map((who) => record(who, 1)),
  )
  const junk = encodeCardBlob(new Uint8Array(CARD_BLOB_BYTES).fill(7))
  const peers: Peer[] = await startMesh(HONEST, systemClock)
  const hostile: HostilePeer[] = []
  try {
    for (const [i, each] of newest.entries()) await putCard(peers[i % HONEST]!.libp2p, each)
    for (let i = 0; i < liars; i++) {
      const liar = await startHostilePeer(
        (key) => lies.get(fromUtf8(key))?.[i % LIES],
        () => junk,
      )
      hostile.push(liar)
      for (const { libp2p } of peers) await connect(liar, libp2p)
    }
    const reader = await startPeer(systemClock)
    peers.push(reader)
    for (const { libp2p } of peers.slice(0, HONEST)) await connect(reader.libp2p, libp2p)
    for (const liar of hostile) await connect(reader.libp2p, liar)
    const timesMs: number[] = []
    let wrong = 0
    for (const { address } of people) {
      const startMs = performance.now()
      const found = await reader.directory.lookup(address)
      timesMs.push(performance.now() - startMs)
      if (found === "NOT_FOUND" || found.sequence !== 2) wrong++
    }
    return { timesMs, wrong }
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()))
    for (const liar of hostile) await liar.stop()
  }
}

const LIES = 5

/** By DHT key, what is said instead of the truth; and the truth, from who has junk for its blob. */
function liesAbout(newest: readonly CardRecord[], stale: readonly CardRecord[]) {
  const lies = new Map<string, readonly Bytes[]>()
  const [junk, tooLong] = [new Uint8Array(RECORD_BYTES).fill(7), new Uint8Array(TOO_LONG_BYTES)]
  for (const [i, { key, bytes }] of newest.entries()) {
    const foreign = newest[(i + 1) % newest.length] ?? newest[0]!
    lies.set(fromUtf8(key), [junk, tooLong, foreign.bytes, stale[i]!.bytes, bytes])
  }
  return lies
}
