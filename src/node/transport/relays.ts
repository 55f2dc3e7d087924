/**
 * Circuit relay v2 and DCUtR (libp2p specs, relay/circuit-v2.md and relay/DCUtR.md): reaching peers that cannot be dialled over one that
 * both can reach, and from there directly where routers allow. What a relay carries is encrypted between the two ends. Serving as a relay
 * is for peers that are told to; everything else here is loaded when it is first needed, which at most peers is never.
 */
import type { CircuitRelayTransportComponents } from "@libp2p/circuit-relay-v2"
import { type Connection, type PeerId, start, stop, type Transport } from "@libp2p/interface"
import { peerIdFromString } from "@libp2p/peer-id"
import { multiaddr } from "@multiformats/multiaddr"
import { orAborted } from "../deadline.ts"
import type { HolePuncher, PuncherComponents } from "./hole-punch.ts"

/** Peers that a relay keeps a place for. */
export const RELAY_RESERVATIONS_MAX = 64
/** How long one relayed connection lasts; the two dial again. */
export const RELAY_CONNECTION_MS = 30 * 60_000
/** What goes over one relayed connection: a few thousand envelopes each way. */
export const RELAY_CONNECTION_BYTES = 64 * 1024 * 1024
/** Relayed connections that one peer asks for, or receives, at a time. */
const RELAY_STREAMS_MAX = 32

/** Relays at which a peer keeps a place: one may go. */
export const RELAYS_WANTED = 2
const ASK_DEADLINE_MS = 10_000
/** Whom a relay serves ask it by this protocol. */
export const HOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/hop"

/** The service that makes this peer a relay, within the limits above. */
export async function relayServer() {
  const { circuitRelayServer } = await import("@libp2p/circuit-relay-v2")
  return circuitRelayServer({
    maxInboundHopStreams: RELAY_STREAMS_MAX,
    maxOutboundStopStreams: RELAY_STREAMS_MAX,
    reservations: {
      maxReservations: RELAY_RESERVATIONS_MAX,
      applyDefaultLimit: true,
      defaultDurationLimit: RELAY_CONNECTION_MS,
      defaultDataLimit: BigInt(RELAY_CONNECTION_BYTES),
    },
  })
}

export const isRelayed = (address: string): boolean => address.includes("/p2p-circuit")

/** The oldest first, but for those over a relay, which last shorter and carry less. */
export const directFirst = (connections: readonly Connection[]): readonly Connection[] =>
  [...connections].sort((a, b) => Number(a.limits !== undefined) - Number(b.limits !== undefined))

type Components = CircuitRelayTransportComponents & PuncherComponents

/** A libp2p service: the other side of a relay, reaching and being reached over it. */
export class RelayClient {
  readonly #components: Components
  #loaded: Promise<Loaded> | undefined
  #puncher: HolePuncher | undefined
  /** Relays at which this peer has listened: the listener stays, and takes up new reservations by itself. */
  readonly #listening = new Set<string>()

  constructor(components: Components) {
    this.#components = components
  }

  /** Before these addresses are dialled, which lead over relays: the peer there may want to make a direct connection of it. */
  async prepare(addresses: readonly string[]): Promise<void> {
    const { puncher } = await this.#load()
    const relays = new Set(addresses.map((address) => address.replace(/\/p2p-circuit.*$/, "")))
    await Promise.all([...relays].map((relay) => puncher.observeFrom(relay)))
  }

  /** Whether this connection comes of two peers calling each other (hole-punch.ts). */
  isPunched(connection: Pick<Connection, "remoteAddr">): boolean {
    return this.#puncher?.isPunched(connection) ?? false
  }

  #load(): Promise<Loaded> {
    return (this.#loaded ??= load(this.#components).then((loaded) => {
      this.#puncher = loaded.puncher
      return loaded
    }))
  }

  /** Asks a connected relay for a place, and tells others of it. `address`: the relay's own. Throws libp2p's errors. */
  async listenAt(relay: string, address: string): Promise<void> {
    const { transport, puncher } = await this.#load()
    const asking = this.#listening.has(relay)
      ? transport.reservationStore.addRelay(peerIdFromString(relay), "configured")
      : this.#components.transportManager.listen([multiaddr(`${address}/p2p-circuit`)])
    await orAborted<unknown>(asking, AbortSignal.timeout(ASK_DEADLINE_MS))
    this.#listening.add(relay)
    await puncher.observeFrom(address)
  }

  async stop(): Promise<void> {
    const loaded = await this.#loaded
    if (loaded !== undefined) await stop(loaded.puncher, loaded.transport)
  }
}

interface Loaded {
  readonly transport: RelayTransport
  readonly puncher: HolePuncher
}

/** As much of it as is used here: the package names the class nowhere. */
interface RelayTransport extends Transport {
  readonly reservationStore: {
    addRelay(peer: PeerId, how: "configured"): Promise<unknown>
  }
}

/** Whom we ask for a place is decided elsewhere (reachability.ts): every peer counts as looked at already. */
const NOBODY = { has: () => true, add: () => undefined, remove: () => undefined }

async function load(components: Components): Promise<Loaded> {
  const [{ circuitRelayTransport }, { HolePuncher }] = await Promise.all([
    import("@libp2p/circuit-relay-v2"),
    import("./hole-punch.ts"),
  ])
  const transport = circuitRelayTransport({ discoveryFilter: NOBODY })(components) as RelayTransport
  const puncher = new HolePuncher(components)
  components.transportManager.add(transport)
  await start(transport, puncher)
  return { transport, puncher }
}
