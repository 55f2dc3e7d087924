/**
 * A direct connection between two peers behind routers that let nobody in (libp2p specs, relay/DCUtR.md; TCP simultaneous open, RFC 9293
 * §3.5 and RFC 5382 §4.2). Both call each other at the same moment from the port that a relay has seen them call from: each router takes the
 * other's call for an answer. The agreement over the relay is `@libp2p/dcutr`'s. What it leaves to libp2p is done here, because libp2p's
 * connection manager loses both the port to call from and who of the two is to be the server (ARCHITECTURE.md, Relays on demand).
 * Routers that give each connection another port cannot be passed; those two stay with the relay.
 */
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"
import { setTimeout as pause } from "node:timers/promises"
import { dcutr, type DCUtRServiceComponents } from "@libp2p/dcutr"
import {
  type Connection,
  type IdentifyResult,
  type Libp2pEvents,
  type MultiaddrConnection,
  type PeerId,
  start,
  stop,
  type TypedEventTarget,
  type Upgrader,
  type UpgraderOptions,
} from "@libp2p/interface"
import { isPrivate } from "@libp2p/utils"
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr"
import { assert } from "../../crypto/errors.ts"
import { orAborted } from "../deadline.ts"

/** Relays that are asked how they see this peer; each costs one further connection to it. */
export const OBSERVERS_MAX = 4
/** Addresses of the other side that are called, and how often each within the few seconds that one try has. */
export const PUNCHED_MAX = 2
const CALLS_MAX = 64
const OBSERVE_DEADLINE_MS = 3_000
/** Between two calls that were refused; irregular, or two sides could go on missing each other. */
const PAUSE_MIN_MS = 10
const PAUSE_MAX_MS = 60

/** Plain TCP to a peer that is named: what is called must not be whoever happens to live there. */
const CALLABLE = /^\/ip[46]\/[^/]+\/tcp\/\d+\/p2p\/[^/]+$/

export interface PuncherComponents extends DCUtRServiceComponents {
  readonly peerId: PeerId
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly upgrader: Upgrader
}

type Open = PuncherComponents["connectionManager"]["openConnection"]

export class HolePuncher {
  readonly #components: PuncherComponents
  readonly #agreeing: unknown
  /** The port of this peer that calls come from. Nothing listens there. */
  #port: Promise<number> | undefined
  /** How relays see that port, by relay; undefined while one is being asked. */
  readonly #seen = new Map<string, Multiaddr | undefined>()
  /** Addresses that are being called. */
  readonly #calling = new Set<string>()

  constructor(components: PuncherComponents) {
    this.#components = components
    const { addressManager, connectionManager } = components
    this.#agreeing = dcutr()({
      ...components,
      registrar: components.registrar,
      peerStore: components.peerStore,
      transportManager: components.transportManager,
      logger: components.logger,
      addressManager: instead(addressManager, { getAddresses: () => this.#addresses() }),
      connectionManager: instead(connectionManager, {
        openConnection: (to: Parameters<Open>[0], options: Parameters<Open>[1] = {}) =>
          // A call with priority is one of two; without, it goes to a peer that can be called anyway.
          options.priority === undefined || !Array.isArray(to)
            ? connectionManager.openConnection(to, options)
            : this.#punch(to, options),
      }),
    })
  }

  async start(): Promise<void> {
    await start(this.#agreeing)
  }

  async stop(): Promise<void> {
    await stop(this.#agreeing)
  }

  /** Whether this connection comes of calling each other. It shows nothing about who could call without. */
  isPunched({ remoteAddr }: Pick<Connection, "remoteAddr">): boolean {
    return this.#calling.has(remoteAddr.toString())
  }

  /**
   * Connects to a relay once more, from the port that calls will come from, and learns how the relay sees it. That connection stays, and
   * keeps the way through the router open. Never throws: without it, the relay is what is left. `relay`: a multiaddr that ends in its id.
   */
  async observeFrom(relay: string): Promise<void> {
    const address = multiaddr(relay)
    const peer = address.getComponents().at(-1)?.value ?? ""
    if (callable([address]).length === 0) return
    if (this.#seen.has(peer) || this.#seen.size >= OBSERVERS_MAX) return
    this.#seen.set(peer, undefined)
    try {
      const connection = await this.#dial(address, AbortSignal.timeout(OBSERVE_DEADLINE_MS))
      connection.addEventListener("close", () => this.#seen.delete(peer), { once: true })
      const seen = await this.#observed(connection)
      if (connection.status === "open") this.#seen.set(peer, seen)
    } catch {
      this.#seen.delete(peer)
    }
  }

  /** What the other side says about where the connection comes from. */
  async #observed(connection: Connection): Promise<Multiaddr | undefined> {
    const { events } = this.#components
    const told = Promise.withResolvers<Multiaddr | undefined>()
    const onIdentify = ({ detail }: CustomEvent<IdentifyResult>) => {
      if (detail.connection === connection) told.resolve(detail.observedAddr)
    }
    events.addEventListener("peer:identify", onIdentify)
    try {
      return await orAborted(told.promise, AbortSignal.timeout(OBSERVE_DEADLINE_MS))
    } finally {
      events.removeEventListener("peer:identify", onIdentify)
    }
  }

  #addresses(): Multiaddr[] {
    const own = [...this.#seen.values()].flatMap((seen) =>
      seen === undefined || isPrivate(seen) ? [] : [this.#named(seen)],
    )
    return [...new Map(own.map((address) => [address.toString(), address])).values()]
  }

  #named(seen: Multiaddr): Multiaddr {
    const id = `/p2p/${this.#components.peerId.toString()}`
    return seen.toString().endsWith(id) ? seen : seen.encapsulate(id)
  }

  /** Calls until one call comes through or time is up. `initiator: false`: the other side is TLS' client. */
  async #punch(
    addresses: readonly Multiaddr[],
    { signal, initiator = true }: { signal?: AbortSignal; initiator?: boolean },
  ): Promise<Connection> {
    const targets = callable(addresses)
    const done = new AbortController()
    const until = AbortSignal.any([done.signal, ...(signal === undefined ? [] : [signal])])
    try {
      return await Promise.any(targets.map((address) => this.#call(address, until, initiator)))
    } finally {
      done.abort()
    }
  }

  async #call(address: Multiaddr, signal: AbortSignal, initiator: boolean): Promise<Connection> {
    const name = address.toString()
    this.#calling.add(name)
    try {
      for (let calls = 1; ; calls += 1) {
        try {
          return await this.#dial(address, signal, initiator)
        } catch (error) {
          if (signal.aborted || calls >= CALLS_MAX) throw error
          const irregular = Math.random() * (PAUSE_MAX_MS - PAUSE_MIN_MS)
          await pause(PAUSE_MIN_MS + irregular, undefined, { signal })
        }
      }
    } finally {
      this.#calling.delete(name)
    }
  }

  /** Past the connection manager, whose queue forgets all options but a few. */
  async #dial(address: Multiaddr, signal: AbortSignal, initiator = true): Promise<Connection> {
    const localPort = await (this.#port ??= freePort())
    // The socket goes on listening to the signal that it was made with, long after the call.
    const call = new AbortController()
    const onAbort = () => call.abort(signal.reason)
    signal.throwIfAborted()
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      const transport = this.#components.transportManager.dialTransportForMultiaddr(address)
      assert(transport !== undefined, "TCP addresses have a transport")
      const upgrader = initiator ? this.#components.upgrader : asServer(this.#components.upgrader)
      const how = { signal: call.signal, initiator, localPort, upgrader }
      return await transport.dial(address, how)
    } finally {
      signal.removeEventListener("abort", onAbort)
    }
  }
}

/** What is called of the addresses that another peer named: it must not have us call at hosts of its choice, or many. */
export const callable = (addresses: readonly Multiaddr[]): readonly Multiaddr[] =>
  addresses
    .filter((address) => CALLABLE.test(address.toString()) && !isPrivate(address))
    .slice(0, PUNCHED_MAX)

/** A socket that called counts as one that was called: yamux goes by that, and not by `initiator` as TLS does. */
const asServer = (upgrader: Upgrader): Upgrader =>
  instead(upgrader, {
    upgradeOutbound: (raw: MultiaddrConnection, options: UpgraderOptions) =>
      upgrader.upgradeOutbound(Object.assign(raw, { direction: "inbound" }), options),
  })

/** `of`, with some of its methods replaced. */
const instead = <T extends object>(of: T, methods: Partial<T>): T =>
  new Proxy(of, {
    get(target, name) {
      if (name in methods) return methods[name as keyof T]
      const value: unknown = Reflect.get(target, name)
      return typeof value === "function" ? (value.bind(target) as unknown) : value
    },
  })

/** One that nobody uses. The system gives none twice in a row, so that it is still free a moment later. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}
