/** Directory peers over loopback TCP, honest and hostile, for tests and the bench. */
import { noise } from "@chainsafe/libp2p-noise"
import { yamux } from "@chainsafe/libp2p-yamux"
import { identify } from "@libp2p/identify"
import type { Libp2p } from "@libp2p/interface"
import {
  type KadDHT,
  kadDHT,
  type KadDHTComponents,
  passthroughMapper,
  type SingleKadDHT,
} from "@libp2p/kad-dht"
import { type Ping, ping } from "@libp2p/ping"
import { Libp2pRecord } from "@libp2p/record"
import { tcp } from "@libp2p/tcp"
import { ed25519 } from "@noble/curves/ed25519.js"
import { base32nopad } from "@scure/base"
import { createLibp2p } from "libp2p"
import { type Address, addressBytes, addressFromBytes } from "../../src/crypto/address.ts"
import { type Bytes, concat, fromUtf8, toHex, utf8 } from "../../src/crypto/bytes.ts"
import type { Clock } from "../../src/node/clock.ts"
import {
  CARD_BLOB_PROTOCOL,
  CARD_BLOB_REQUEST_BYTES_MAX,
  type CardBlobRequest,
  decodeCardBlobRequest,
} from "../../src/node/directory/card-blob-messages.ts"
import {
  type Directory,
  directoryProtocol,
  directoryServices,
  type Published,
  startDirectory,
  type VerifyCard,
} from "../../src/node/directory/directory.ts"
import type { DirectoryStore } from "../../src/node/directory/marks.ts"
import type { Shelf } from "../../src/node/directory/shelf.ts"
import { Streams } from "../../src/node/transport/streams.ts"

export const meshId = new Uint8Array(32).fill(0x5a)

export interface Person {
  readonly seed: Bytes
  readonly address: Address
  readonly raw: Bytes
}

/** A person whose keys follow from a number. */
export function person(n: number): Person {
  const seed = new Uint8Array(32).fill(n % 251).map((byte, i) => byte ^ (i + (n >> 3)))
  const raw = concat(ed25519.getPublicKey(seed), new Uint8Array(32).fill(n % 256))
  return { seed, address: addressFromBytes(raw), raw }
}

/** Stands in for a signed card: says whose it is and which, and carries a name. 34,500 bytes, as the real one has. */
export function cardOf({ raw }: Person, sequence: number): Bytes {
  const card = new Uint8Array(34_500)
  card.set(utf8(`${toHex(raw)} ${sequence} Grace Hopper, rear admiral`))
  return card
}

/** The double of the real verification: a card is good for the address it names. */
export const verifyCard: VerifyCard = (address, card) => {
  const [owner, sequence] = fromUtf8(card).split(" ")
  return owner === toHex(addressBytes(address)) ? Number(sequence) : undefined
}

export const memoryStore = (kept = new Map<string, Bytes>()): DirectoryStore => ({
  get: (key) => Promise.resolve(kept.get(key)),
  put(key, value) {
    if (value === undefined) kept.delete(key)
    else kept.set(key, value)
    return Promise.resolve()
  },
})

type Datastore = KadDHTComponents["datastore"]

const common = {
  addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
  connectionEncrypters: [noise()],
  connectionManager: {
    inboundConnectionThreshold: 1000,
    maxIncomingPendingConnections: 128,
    // A machine that is busy with other tests is no reason to fail.
    dialTimeout: 60_000,
    inboundUpgradeTimeout: 60_000,
    addressDialTimeout: 60_000,
  },
  connectionMonitor: { enabled: false },
  nodeInfo: { name: "test", version: "1", userAgent: "test/1" },
}

/** Requests of our own protocols, over the connections of a peer of these tests. */
export const streamsOf = (libp2p: Libp2p<{ dht: KadDHT }>): Streams =>
  new Streams(libp2p, (error) => {
    throw error
  })

export interface Peer {
  readonly libp2p: Libp2p<{ dht: KadDHT; directoryShelf: Shelf; ping: Ping }>
  readonly directory: Directory
  /** All that this peer stores for the directory. */
  readonly kept: ReadonlyMap<string, Bytes>
  /** All that its libp2p stores. */
  readonly datastore: Datastore
  /** Rounds of putting, as they end. */
  readonly published: Published[]
  nextPublished(): Promise<Published>
  stop(): Promise<void>
}

export async function startPeer(clock: Clock): Promise<Peer> {
  const datastores: Datastore[] = []
  const kept = new Map<string, Bytes>()
  const libp2p = await createLibp2p({
    ...common,
    transports: [tcp()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      probe: ({ datastore }: KadDHTComponents) => datastores.push(datastore),
      ...directoryServices({ meshId, store: memoryStore(kept), clock }),
    },
  })
  const published: Published[] = []
  let waiting: ((published: Published) => void)[] = []
  const streams = streamsOf(libp2p)
  const directory = await startDirectory({
    libp2p,
    streams,
    meshId,
    verifyCard,
    clock,
    random: () => 0.5,
    onPublished(round) {
      published.push(round)
      for (const wake of waiting) wake(round)
      waiting = []
    },
  })
  const stop = async () => {
    await directory.stop()
    await streams.stop()
    await libp2p.stop()
  }
  const nextPublished = () => new Promise<Published>((resolve) => void waiting.push(resolve))
  return { libp2p, directory, kept, datastore: datastores[0]!, published, nextPublished, stop }
}

export type HostilePeer = Libp2p<{ dht: KadDHT }>

/** The reply to a request for a blob; throws to break the stream, never settles to leave it hanging. */
export type BlobAnswer = (request: CardBlobRequest) => Bytes | Promise<Bytes>

/**
 * Speaks our Kademlia, puts whatever it likes, keeps nothing, and answers questions as `answer` says; those about blobs as `blobAnswer`
 * says, without which it does not speak of them.
 */
export async function startHostilePeer(
  answer: (key: Bytes) => Bytes | undefined = () => undefined,
  blobAnswer?: BlobAnswer,
): Promise<HostilePeer> {
  const lie = (components: KadDHTComponents): KadDHTComponents => {
    const datastore: Datastore = components.datastore
    const lying = new Proxy(datastore, {
      get(target, name) {
        if (name === "put") return (key: unknown) => Promise.resolve(key)
        if (name === "get") return (key: { toString(): string }) => lieAbout(key.toString())
        const found: unknown = Reflect.get(target, name)
        return typeof found === "function" ? (found.bind(target) as unknown) : found
      },
    })
    return new Proxy(components, {
      get: (target, name): unknown =>
        name === "datastore" ? lying : (Reflect.get(target, name) as unknown),
    })
  }
  const lieAbout = (path: string): Bytes => {
    const key = keyIn(path)
    const value = answer(key)
    if (value === undefined) throw Object.assign(new Error("none"), { name: "NotFoundError" })
    return new Libp2pRecord(key, value, new Date()).serialize()
  }
  const libp2p = await createLibp2p({
    ...common,
    transports: [tcp()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      dht: (components: KadDHTComponents) =>
        kadDHT({
          protocol: directoryProtocol(meshId),
          clientMode: false,
          peerInfoMapper: passthroughMapper,
          allowQueryWithZeroPeers: true,
          validators: { card: () => undefined },
          selectors: { card: () => 0 },
        })(lie(components)),
    },
  })
  if (blobAnswer !== undefined)
    await streamsOf(libp2p).serve(
      CARD_BLOB_PROTOCOL,
      { requestBytesMax: CARD_BLOB_REQUEST_BYTES_MAX },
      async (request) => blobAnswer(decodeCardBlobRequest(request)),
    )
  return libp2p
}

/** kad-dht files records under the base32 form of their key. */
const keyIn = (path: string): Bytes =>
  base32nopad.decode(path.slice("/dht/record/".length).toUpperCase())

type AnyPeer = Libp2p<{ dht: KadDHT }>

/** Connects and waits until both know each other as Kademlia peers. */
export async function connect(a: AnyPeer, b: AnyPeer): Promise<void> {
  await a.dial(b.getMultiaddrs())
  await Promise.all([knows(a, b), knows(b, a)])
}

async function knows(a: AnyPeer, b: AnyPeer): Promise<void> {
  const table = (a.services.dht as SingleKadDHT).routingTable as unknown as EventTarget & {
    find(peer: AnyPeer["peerId"]): Promise<unknown>
  }
  const signal = AbortSignal.timeout(60_000)
  while ((await table.find(b.peerId)) === undefined) {
    signal.throwIfAborted()
    await new Promise<void>((resolve) => {
      table.addEventListener("peer:add", () => resolve(), { once: true })
      void table.find(b.peerId).then((found) => found === undefined || resolve())
      signal.addEventListener("abort", () => resolve(), { once: true })
    })
  }
}

/** `count` peers, each connected to every other. */
export async function startMesh(count: number, clock: Clock): Promise<Peer[]> {
  const peers = await Promise.all(Array.from({ length: count }, () => startPeer(clock)))
  for (const [i, { libp2p }] of peers.entries())
    for (const other of peers.slice(0, i)) await connect(libp2p, other.libp2p)
  return peers
}

/** How many peers confirmed a put. */
export async function put(from: AnyPeer, key: Bytes, value: Bytes): Promise<number> {
  let confirmed = 0
  const signal = AbortSignal.timeout(20_000)
  for await (const event of from.services.dht.put(key, value, { signal }))
    if (event.name === "PEER_RESPONSE" && event.messageName === "PUT_VALUE") confirmed++
  return confirmed
}

/** The records that a peer stores for others, as they lie there; or their blobs. */
export function stored({ kept }: Pick<Peer, "kept">, what: "record" | "blob" = "record"): Buffer[] {
  return [...kept]
    .filter(([key]) => key.startsWith(`${what}/`))
    .map(([, value]) => Buffer.from(value))
}

/** Whether kad-dht got anything past the shelf, into libp2p's own datastore. */
export async function leaked({ datastore }: Pick<Peer, "datastore">): Promise<boolean> {
  for await (const key of datastore.queryKeys({}))
    if (key.toString().startsWith("/dht")) return true
  return false
}
