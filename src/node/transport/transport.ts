/**
 * libp2p, wired: TCP and WebSockets, TLS 1.3 with X25519MLKEM768 before Noise, yamux, identify, ping, gossip. Everything a peer could
 * learn from the defaults (program, version, system) is fixed; everything that grows has a limit. It connects to nobody by itself:
 * who is dialed, and again, is the dialer's business. Streams are opened through streams.ts only.
 */
import type { GossipSubComponents } from "@chainsafe/libp2p-gossipsub"
import { noise } from "@chainsafe/libp2p-noise"
import { identify } from "@libp2p/identify"
import type { Connection, Peer, PrivateKey } from "@libp2p/interface"
import { mdns } from "@libp2p/mdns"
import { peerIdFromString } from "@libp2p/peer-id"
import { ping } from "@libp2p/ping"
import { tcp } from "@libp2p/tcp"
import { webSockets } from "@libp2p/websockets"
import { multiaddr } from "@multiformats/multiaddr"
import { createLibp2p, type Libp2p, type ServiceFactoryMap } from "libp2p"
import { CodedError } from "../../crypto/errors.ts"
import { Gossip, type GossipOptions, type TopicRule } from "./gossip.ts"
import { Handshakes, POST_QUANTUM_GROUP } from "./handshake.ts"
import { OwnAddresses } from "./own-addresses.ts"
import { directFirst, isRelayed, RelayClient, relayServer } from "./relays.ts"
import { thriftyYamux } from "./thrifty-muxer.ts"

/** How many peers may be connected at once; at the limit libp2p closes the least valued. */
export const CONNECTIONS_MAX = 128
/** New connections a second from one address. Peers behind one router, or on one machine, start together. */
const INBOUND_PER_SECOND_MAX = 64
const PENDING_INBOUND_MAX = 64
const DIAL_TIMEOUT_MS = 10_000
/** Of that, for the ways that lead straight to a peer that can be reached over a relay as well. */
const DIRECT_FIRST_MS = 4_000
/** A round trip to each peer now and then is all that an idle connection costs; every one more counts in an idle hour. */
const PING_INTERVAL_MS = 120_000
/** A peer may be busy for this long (a proof, a big sync) before it counts as gone. */
const PING_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 5_000
const MDNS_TAG = "_sotto._udp.local"
const PROTOCOL_PREFIX = "sotto"
/** The same for all: a version number would tell installations apart. */
const AGENT = "sotto/1"

export type TransportErrorCode =
  /** The address cannot be listened on: taken, or not ours. */
  | "LISTEN_FAILED"
  /** Nobody answered, or who answered is somebody else. */
  | "DIAL_FAILED"
  /** Not a multiaddr, or not one that this peer can dial. */
  | "BAD_PEER_ADDRESS"
  /** The peer is no relay, or has no place left. */
  | "NO_RELAY"

export class TransportError extends CodedError<TransportErrorCode> {}

export interface TransportOptions extends GossipOptions {
  readonly key: PrivateKey
  /** Multiaddrs to listen on; none: this peer only dials. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others besides the ones of the interfaces: where a router lets calls in for us. */
  readonly announce?: readonly string[]
  readonly topics: readonly TopicRule[]
  /** Whether a connection from this multiaddr is taken at all; asked before anything is read from it. */
  readonly letsIn?: (address: string) => boolean
  /** `required`: no connection without post-quantum key agreement, so none with a browser. `preferred` takes Noise or X25519 as well. */
  readonly postQuantum?: "preferred" | "required"
  /** Look for peers on the local network. Tells everybody there that sotto is running. */
  readonly mdns?: boolean
  /** Let others reach each other over this peer (relays.ts). */
  readonly relay?: boolean
  /** Further libp2p services, such as the DHT. */
  readonly services?: ServiceFactoryMap
}

/** One open connection, as far as its quality goes. */
export interface Link {
  readonly peer: string
  readonly address: string
  readonly direction: "inbound" | "outbound"
  /** Key agreement of a TLS connection, or `Noise`. */
  readonly encryption: string
  readonly postQuantum: boolean
}

export interface Transport {
  /** This peer's id as text. */
  readonly peer: string
  readonly gossip: Gossip
  /** For what registers or opens streams (streams.ts) and for services that need libp2p whole (the DHT). */
  readonly libp2p: Libp2p
  /** Where others can reach this peer: multiaddrs that end in its id. */
  addresses(): readonly string[]
  /** Peers with an open connection. */
  peers(): readonly string[]
  /** The oldest open connection of each peer. */
  links(): readonly Link[]
  /** Connects, or finds the open connection; resolves to the peer's id. Throws TransportError DIAL_FAILED, BAD_PEER_ADDRESS. */
  dial(addresses: readonly string[], signal: AbortSignal): Promise<string>
  /** Whether a connection that just opened comes of two peers calling each other, which shows of neither that it can be called. */
  isPunched(connection: Pick<Connection, "remoteAddr">): boolean
  /** Asks a connected relay for a place at which this peer can be reached. Throws TransportError NO_RELAY. */
  reserveAt(relay: string): Promise<void>
  /** Opens what gossip with this peer lacks, over the best connection to it that is open. */
  mend(peer: string): void
  /** Closes every connection to the peer. */
  hangUp(peer: string): Promise<void>
  /** The same without a word: for who would go on sending while it is being asked to close. */
  cut(peer: string): void
  /** Closes everything. Never takes longer than five seconds; harmless when repeated. */
  stop(): Promise<void>
}

/** Throws TransportError LISTEN_FAILED or BAD_PEER_ADDRESS. */
export async function startTransport(options: TransportOptions): Promise<Transport> {
  const handshakes = new Handshakes()
  const made: { gossip?: Gossip; relays?: RelayClient; own?: OwnAddresses } = {}
  const relay = options.relay === true ? { relay: await relayServer() } : {}
  const libp2p = await listening(
    createLibp2p({
      start: false,
      privateKey: options.key,
      nodeInfo: { name: "sotto", version: "1", userAgent: AGENT },
      addresses: {
        listen: options.listen.map(checkedAddress),
        appendAnnounce: (options.announce ?? []).map(checkedAddress),
      },
      transports: [tcp(), webSockets()],
      connectionEncrypters:
        options.postQuantum === "required"
          ? [handshakes.encrypter(true)]
          : [handshakes.encrypter(false), noise()],
      // the connection monitor asks for a sign of life already
      streamMuxers: [thriftyYamux({ enableKeepAlive: false })],
      connectionGater: {
        denyInboundConnection: ({ remoteAddr }) =>
          options.letsIn?.(remoteAddr.toString()) === false,
      },
      connectionManager: {
        maxConnections: CONNECTIONS_MAX,
        inboundConnectionThreshold: INBOUND_PER_SECOND_MAX,
        maxIncomingPendingConnections: PENDING_INBOUND_MAX,
        dialTimeout: DIAL_TIMEOUT_MS,
        // the dialer keeps its own accounts
        reconnectRetries: 0,
      },
      connectionMonitor: {
        protocolPrefix: PROTOCOL_PREFIX,
        pingInterval: PING_INTERVAL_MS,
        pingTimeout: {
          minTimeout: PING_TIMEOUT_MS,
          maxTimeout: 2 * PING_TIMEOUT_MS,
        },
      },
      peerDiscovery: options.mdns === true ? [mdns({ serviceTag: MDNS_TAG })] : [],
      services: {
        ...options.services,
        ...relay,
        relays: (components: ConstructorParameters<typeof RelayClient>[0]) =>
          (made.relays = new RelayClient(components)),
        own: (components: ConstructorParameters<typeof OwnAddresses>[0]) =>
          (made.own = new OwnAddresses(components)),
        identify: identify({ protocolPrefix: PROTOCOL_PREFIX }),
        ping: ping({ protocolPrefix: PROTOCOL_PREFIX }),
        pubsub: (components: GossipSubComponents) => {
          made.gossip = new Gossip(components, options.topics, options)
          return made.gossip.service
        },
      },
    }),
  )
  const { gossip, relays, own } = made
  if (gossip === undefined || relays === undefined || own === undefined)
    throw new Error("libp2p made no services")
  await listening(Promise.resolve(libp2p.start()))
  own.confirm()
  for (const { topic } of options.topics) gossip.subscribe(topic)
  return new Libp2pTransport(libp2p, { gossip, relays, own, handshakes })
}

interface Services {
  readonly gossip: Gossip
  readonly relays: RelayClient
  readonly own: OwnAddresses
  readonly handshakes: Handshakes
}

class Libp2pTransport implements Transport {
  readonly libp2p: Libp2p
  readonly gossip: Gossip
  readonly peer: string
  readonly #handshakes: Handshakes
  readonly #relays: RelayClient
  readonly #own: OwnAddresses

  constructor(libp2p: Libp2p, { gossip, relays, own, handshakes }: Services) {
    this.libp2p = libp2p
    this.gossip = gossip
    this.peer = libp2p.peerId.toString()
    this.#handshakes = handshakes
    this.#relays = relays
    this.#own = own
  }

  addresses(): readonly string[] {
    this.#own.confirm()
    return this.libp2p.getMultiaddrs().map((address) => address.toString())
  }

  peers(): readonly string[] {
    return this.libp2p.getPeers().map((peer) => peer.toString())
  }

  links(): readonly Link[] {
    const links = new Map<string, Link>()
    for (const connection of directFirst(this.libp2p.getConnections())) {
      const peer = connection.remotePeer.toString()
      if (connection.status === "open" && !links.has(peer)) links.set(peer, this.#link(connection))
    }
    return [...links.values()]
  }

  async dial(addresses: readonly string[], signal: AbortSignal): Promise<string> {
    const direct = addresses.filter((address) => !isRelayed(address))
    const relayed = addresses.filter(isRelayed)
    if (relayed.length === 0) return await this.#dial(direct, signal)
    if (direct.length > 0) {
      // One address after the other is tried: dead ones would take all the time there is.
      const soon = AbortSignal.any([signal, AbortSignal.timeout(DIRECT_FIRST_MS)])
      const reached = await this.#dial(direct, soon).catch((error: unknown) => {
        if (error instanceof TransportError && error.code === "DIAL_FAILED") return undefined
        throw error
      })
      if (reached !== undefined) return reached
    }
    await this.#relays.prepare(relayed)
    return await this.#dial(relayed, signal)
  }

  async #dial(addresses: readonly string[], signal: AbortSignal): Promise<string> {
    const parsed = addresses.map((address) => multiaddr(checkedAddress(address)))
    try {
      return (await this.libp2p.dial(parsed, { signal })).remotePeer.toString()
    } catch (cause) {
      throw new TransportError("DIAL_FAILED", "no connection came about", { cause })
    }
  }

  isPunched(connection: Pick<Connection, "remoteAddr">): boolean {
    return this.#relays.isPunched(connection)
  }

  async reserveAt(relay: string): Promise<void> {
    const connection = directFirst(this.libp2p.getConnections(peerIdFromString(relay)))[0]
    if (connection === undefined || connection.limits !== undefined)
      throw new TransportError("NO_RELAY", "no direct connection to the relay")
    try {
      await this.#relays.listenAt(relay, named(connection.remoteAddr.toString(), relay))
    } catch (cause) {
      throw new TransportError("NO_RELAY", "the peer gives no place", { cause })
    }
  }

  mend(peer: string): void {
    const open = this.libp2p.getConnections(peerIdFromString(peer))
    const [best] = directFirst(open.filter(({ status }) => status === "open"))
    if (best !== undefined) this.gossip.mend(best)
  }

  async hangUp(peer: string): Promise<void> {
    const id = peerIdFromString(peer)
    const signal = AbortSignal.timeout(STOP_TIMEOUT_MS)
    // a peer that does not answer cannot be asked to close: then the connection is cut
    await this.libp2p.hangUp(id, { signal }).catch(() => this.cut(peer))
  }

  cut(peer: string): void {
    for (const connection of this.libp2p.getConnections(peerIdFromString(peer)))
      connection.abort(new Error("hung up"))
  }

  async stop(): Promise<void> {
    const deadline = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => deadline.resolve(undefined), STOP_TIMEOUT_MS)
    try {
      await Promise.race([this.libp2p.stop(), deadline.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  #link(connection: Connection): Link {
    const encryption = this.#handshakes.groupOf(connection) ?? nameOf(connection.encryption)
    return {
      peer: connection.remotePeer.toString(),
      address: connection.remoteAddr.toString(),
      direction: connection.direction,
      encryption,
      postQuantum: encryption === POST_QUANTUM_GROUP,
    }
  }
}

/** `address` with the peer's id at its end, as what is dialled has it. */
export const named = (address: string, peer: string): string =>
  address.endsWith(`/p2p/${peer}`) ? address : `${address}/p2p/${peer}`

/** Where a peer can be called, as far as libp2p knows. */
export const addressesOf = ({ id, addresses }: Peer): readonly string[] =>
  addresses.map(({ multiaddr: address }) => named(address.toString(), id.toString()))

const nameOf = (protocol: string | undefined) =>
  protocol === "/noise" ? "Noise" : (protocol ?? "none")

async function listening<T>(starting: Promise<T>): Promise<T> {
  try {
    return await starting
  } catch (cause) {
    if (cause instanceof TransportError) throw cause
    throw new TransportError("LISTEN_FAILED", "cannot listen on the given addresses", { cause })
  }
}

function checkedAddress(text: string): string {
  try {
    return multiaddr(text).toString()
  } catch (cause) {
    throw new TransportError("BAD_PEER_ADDRESS", "not a multiaddr", { cause })
  }
}
