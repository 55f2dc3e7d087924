/**
 * The peers that this one has to do with: who answered for this mesh is remembered, asked whom else it knows, and named to who asks; who
 * lied is sent away. Loopback addresses are believed only of who is on loopback. Does not decide whom to call (dialer.ts), nor what a peer
 * did wrong (sync.ts, rejections.ts).
 */
import { type AddressBook, BOOK_PEERS_MAX } from "./address-book.ts"
import type { CoolingOff } from "../transport/cooling-off.ts"
import { type Dialer, WANTED_PEERS } from "./dialer.ts"
import { GREYLISTED_BELOW } from "../transport/gossip.ts"
import type { Reachability } from "./reachability.ts"
import type { Rejections } from "../transport/rejections.ts"
import { StreamError } from "../transport/streams.ts"
import type { Refused, Sync } from "../mailbox/sync.ts"
import { ADDRESSES_PER_PEER_MAX, PEERS_MAX } from "../mailbox/sync-messages.ts"
import { SyncError } from "../mailbox/sync-round.ts"
import { named, type Transport } from "../transport/transport.ts"

/** So often in a row a peer that answered before may not be ready; then it is left alone like others. */
const STARTING_MAX = 5

export interface AcquaintancesParts {
  readonly transport: Transport
  readonly book: AddressBook
  readonly dialer: Dialer
  readonly reachability: Reachability
  readonly rejections: Rejections
  readonly coolingOff: CoolingOff
  /** Undefined until it has started. */
  readonly sync: () => Sync | undefined
  readonly isStopping: () => boolean
  /** Somebody came, went, or said more of itself. */
  readonly onPeers: () => void
  readonly onFault: (error: unknown) => void
}

export class Acquaintances {
  readonly #parts: AcquaintancesParts
  /** Connected, and of this mesh. */
  readonly #members = new Set<string>()
  /** How often peers of this mesh, as many as the book holds, were found not to be ready. */
  readonly #starting = new Map<string, number>()
  /** Of who is connected, the multiaddr of the first connection. */
  readonly #addresses = new Map<string, string>()

  constructor(parts: AcquaintancesParts) {
    this.#parts = parts
    parts.rejections.onLook = (peer) => this.#cutOff(peer)
  }

  connected(peer: string): void {
    const { dialer, transport, sync, onPeers } = this.#parts
    if (!dialer.connected(peer)) {
      this.#background(transport.hangUp(peer))
      return
    }
    this.#addresses.set(peer, this.#connectionTo(peer)?.remoteAddr.toString() ?? "")
    sync()?.read(peer)
    onPeers()
  }

  disconnected(peer: string): void {
    const { rejections, coolingOff, dialer, reachability, onPeers } = this.#parts
    // whoever hangs up before they are cut off gains nothing by it
    if (rejections.isHopeless(peer)) coolingOff.offended(this.#addresses.get(peer) ?? "")
    this.#addresses.delete(peer)
    rejections.forget(peer)
    this.#members.delete(peer)
    dialer.disconnected(peer)
    reachability.disconnected(peer)
    onPeers()
  }

  identified(peer: string, protocols: readonly string[]): void {
    if (this.#members.has(peer)) this.#background(this.#remember(peer))
    this.#parts.reachability.identified(peer, protocols)
    this.#parts.onPeers()
  }

  /** It answered for this mesh. */
  answered(peer: string): void {
    this.#background(this.#welcome(peer))
  }

  /** It did not answer as a peer of this mesh does. */
  refused(peer: string, why: Refused): void {
    this.#background(this.refuse(peer, why))
  }

  async refuse(peer: string, why: Refused): Promise<void> {
    const { dialer, transport } = this.#parts
    if (why === "NO_SYNC" && this.#mayBeStarting(peer)) {
      await transport.hangUp(peer)
      return
    }
    await dialer.shun(peer)
    // somebody who came for the genesis gets the time to ask for it; the watchdog hangs up who stays without gossip
    if (why !== "NO_SYNC") await transport.hangUp(peer)
  }

  /** Who answered before and does not now listens already and is not ready yet: it is called again in a moment, a few times. */
  #mayBeStarting(peer: string): boolean {
    const times = this.#starting.get(peer) ?? 0
    if (times >= STARTING_MAX || this.#parts.book.addressesOf(peer).length === 0) return false
    this.#starting.set(peer, times + 1)
    for (const first of this.#starting.keys()) {
      if (this.#starting.size <= BOOK_PEERS_MAX) break
      this.#starting.delete(first)
    }
    return true
  }

  /** Those of the addresses that are worth calling when this peer names them. */
  sensible(addresses: readonly string[], by: string): readonly string[] {
    const local = isLoopback(this.#connectionTo(by)?.remoteAddr.toString() ?? "")
    return addresses.filter((address) => local || !isLoopback(address))
  }

  /** Multiaddrs of others, for a peer that asks. */
  introductions(asking: string): readonly (readonly string[])[] {
    return [...this.#members]
      .filter((peer) => peer !== asking)
      .map((peer) => this.#parts.book.addressesOf(peer))
      .filter((addresses) => addresses.length > 0)
      .slice(0, PEERS_MAX)
  }

  /** Remembers it, and asks whom else it knows while there are too few. */
  async #welcome(peer: string): Promise<void> {
    const { transport, dialer, sync } = this.#parts
    this.#starting.delete(peer)
    if (this.#members.has(peer)) return
    this.#members.add(peer)
    await this.#remember(peer)
    if (transport.peers().length >= WANTED_PEERS) return
    const introduced = (await sync()?.introductions(peer)) ?? []
    for (const addresses of introduced) dialer.found(this.sensible(addresses, peer))
  }

  async #remember(peer: string): Promise<void> {
    await this.#parts.dialer.remember(peer, await this.#reachable(peer))
  }

  /** Who has had so much rejected that gossip reads nothing more of it is sent away, without being asked to close first. */
  #cutOff(peer: string): void {
    const { transport, rejections, coolingOff, dialer, isStopping } = this.#parts
    if (isStopping() || !transport.peers().includes(peer)) return
    const isHeard = transport.gossip.scoreOf(peer) >= GREYLISTED_BELOW
    if (isHeard && !rejections.isHopeless(peer)) return
    this.#background(dialer.shun(peer))
    coolingOff.offended(this.#addresses.get(peer) ?? "")
    transport.cut(peer)
  }

  /** Where a connected peer says it can be reached. Loopback counts only for who is reached over loopback. */
  async #reachable(peer: string): Promise<readonly string[]> {
    const connection = this.#connectionTo(peer)
    if (connection === undefined) return []
    const local = isLoopback(connection.remoteAddr.toString())
    const { peerStore } = this.#parts.transport.libp2p
    const known = await peerStore.get(connection.remotePeer)
    const said = known.addresses.map(({ multiaddr }) => named(multiaddr.toString(), peer))
    const dialed = connection.direction === "outbound" ? [connection.remoteAddr.toString()] : []
    const all = new Set([...dialed, ...said])
    return [...all]
      .filter((address) => local || !isLoopback(address))
      .slice(0, ADDRESSES_PER_PEER_MAX)
  }

  #connectionTo(peer: string) {
    const { libp2p } = this.#parts.transport
    return libp2p.getConnections().find((c) => c.remotePeer.toString() === peer)
  }

  /** Work that nobody waits for: a peer that goes away meanwhile is no fault. */
  #background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (this.#parts.isStopping()) return
      if (!(error instanceof StreamError || error instanceof SyncError)) this.#parts.onFault(error)
    })
  }
}

const isLoopback = (address: string) => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address)
