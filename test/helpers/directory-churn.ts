/** Thirty peers, some of whom leave while others come: shared by the test that asks whether lookups hold and the bench that asks how fast. */
import { systemClock } from "../../src/node/clock.ts"
import { cardOf, connect, type Peer, person, startPeer } from "./directory-mesh.ts"

const PEERS = 30
/** Twenty in a hundred. */
const LEAVING = 6
const PEOPLE = 5
/** Connections a peer begins with; the rest it learns from Kademlia. */
const FIRST_CONTACTS = 4

export interface Churn {
  readonly asked: number
  readonly found: number
  /** Answers that were not the card looked for; never anything but 0. */
  readonly wrong: number
  /** Each lookup that found, in milliseconds. */
  readonly timesMs: readonly number[]
}

/** Peers come one after the other, each knowing a few of those before. */
async function grow(peers: Peer[], count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const peer = await startPeer(systemClock)
    const step = Math.max(1, Math.floor(peers.length / FIRST_CONTACTS))
    const contacts = peers.filter((_, n) => (peers.length - 1 - n) % step === 0)
    for (const { libp2p } of contacts.slice(0, FIRST_CONTACTS)) await connect(peer.libp2p, libp2p)
    peers.push(peer)
  }
}

/** `lookups`: at most PEOPLE for each peer. All publish; a fifth of the peers go without a word, publishers among them; as many come new; then everybody asks. */
export async function churn(lookups: number): Promise<Churn> {
  const peers: Peer[] = []
  try {
    await grow(peers, PEERS)
    const people = Array.from({ length: PEOPLE }, (_, i) => person(100 + i))
    for (const [i, who] of people.entries())
      await peers[5 * i]!.directory.publish({ ...who, card: cardOf(who, 1), sequence: 1 })
    const leaving = new Set(Array.from({ length: LEAVING }, (_, i) => peers[4 * i]!))
    await Promise.all([...leaving].map((peer) => peer.stop()))
    peers.splice(0, peers.length, ...peers.filter((peer) => !leaving.has(peer)))
    await grow(peers, LEAVING)
    return await askAll(peers, lookups)
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()))
  }
}

async function askAll(peers: readonly Peer[], lookups: number): Promise<Churn> {
  const timesMs: number[] = []
  let [found, wrong] = [0, 0]
  for (let i = 0; i < lookups; i++) {
    const { directory } = peers[i % peers.length]!
    // With every round another card, so that nobody answers from memory.
    const who = person(100 + ((i + Math.floor(i / peers.length)) % PEOPLE))
    const startMs = performance.now()
    const answer = await directory.lookup(who.address)
    if (answer === "NOT_FOUND") continue
    timesMs.push(performance.now() - startMs)
    if (Buffer.from(answer.card).equals(cardOf(who, 1))) found++
    else wrong++
  }
  return { asked: lookups, found, wrong, timesMs }
}
