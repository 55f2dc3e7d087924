/**
 * kad-dht as the directory needs it (DESIGN §8): our protocol, our one namespace, addresses of a LAN kept, always a server,
 * and nothing stored but by way of the shelf. Put the two entries among the `services` of `createLibp2p`, beside identify
 * and ping, which kad-dht needs.
 *
 * Closed here, because kad-dht leaves it open: its table of validators is a plain object, so a record under `/constructor/x`
 * meets `Object` as its validator and is stored unseen, up to 4 MiB; its own namespace `pk` and its provider entries are stored
 * for anybody, without limit.
 */
import { type KadDHT, type KadDHTComponents, kadDHT, passthroughMapper } from "@libp2p/kad-dht"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { DIRECTORY_NAMESPACE, selectRecord } from "../../crypto/directory-record.ts"
import type { Clock } from "../clock.ts"
import type { DirectoryStore } from "./marks.ts"
import { Shelf } from "./shelf.ts"

export interface DirectoryServiceOptions {
  /** 32 bytes. */
  readonly meshId: Bytes
  /** Where others' records with their blobs (up to 209 MiB) and their marks lie; in an ephemeral profile, a Map. */
  readonly store: DirectoryStore
  readonly clock: Clock
}

/** What the two services are called and made of. */
export interface DirectoryServices {
  readonly directoryShelf: () => Shelf
  readonly dht: (components: KadDHTComponents) => KadDHT
}

/** How long a peer that has just come may take to answer before it is left out of the routing table. */
const NEWCOMER_TIMEOUT_MS = 15_000
/** Kademlia requests a peer may have open with us at a time. */
const INBOUND_STREAMS_MAX = 32

/**
 * A query goes by disjoint ways, so that a liar on one of them spoils one only, with so many requests at a time on each. kad-dht's
 * own ten times ten would ask everybody at once, and stopping early would save nothing.
 */
const PATHS = 4
const PATH_REQUESTS = 3

export const directoryProtocol = (meshId: Bytes): string => `/sotto/${toHex(meshId)}/kad/1`

/** For one `createLibp2p`: both services share one shelf. */
export function directoryServices(options: DirectoryServiceOptions): DirectoryServices {
  const shelf = new Shelf(options)
  return {
    directoryShelf: () => shelf,
    dht: (components) => kademlia(options, components, shelf),
  }
}

function kademlia(options: DirectoryServiceOptions, components: KadDHTComponents, shelf: Shelf) {
  const dht = kadDHT({
    protocol: directoryProtocol(options.meshId),
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    // A query with nobody to ask ends at once; without this it would wait for somebody, for up to three minutes.
    allowQueryWithZeroPeers: true,
    maxInboundStreams: INBOUND_STREAMS_MAX,
    // A newcomer may be a machine that has just started and has its hands full.
    pingNewContactTimeout: { minTimeout: NEWCOMER_TIMEOUT_MS },
    onPeerConnectTimeout: 2 * NEWCOMER_TIMEOUT_MS,
    alpha: PATH_REQUESTS,
    disjointPaths: PATHS,
    validators: { [DIRECTORY_NAMESPACE]: (key, record) => shelf.validate(key, record) },
    selectors: { [DIRECTORY_NAMESPACE]: (_key, records) => selectRecord(records) },
  })(behindShelf(components, shelf))
  for (const table of [dht.validators, dht.selectors]) {
    Object.setPrototypeOf(table, null)
    for (const name of Object.keys(table))
      if (name !== DIRECTORY_NAMESPACE) Reflect.deleteProperty(table, name)
  }
  return dht
}

/** libp2p's components with the shelf before the datastore, and with every inbound stream marked with its peer. */
function behindShelf(components: KadDHTComponents, shelf: Shelf): KadDHTComponents {
  const registrar = components.registrar
  const marking: KadDHTComponents["registrar"] = override(
    registrar,
    "handle",
    (protocol, handler, opts) =>
      registrar.handle(
        protocol,
        (stream, connection) =>
          shelf.serve(connection.remotePeer.toString(), () => handler(stream, connection)),
        opts,
      ),
  )
  return override(override(components, "datastore", shelf.guarded), "registrar", marking)
}

/** The same object but for one property. A proxy, because libp2p's components are one: they cannot be spread. */
function override<T extends object, K extends keyof T>(target: T, name: K, value: T[K]): T {
  return new Proxy(target, {
    get(_, property) {
      if (property === name) return value
      const found: unknown = Reflect.get(target, property)
      return typeof found === "function" ? (found.bind(target) as unknown) : found
    },
  })
}
