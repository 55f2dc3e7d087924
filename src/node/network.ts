/**
 * The network room, composed: transport, mailbox, sync, dialer, watchdog and miner of one peer in one mesh, started together and stopped
 * together. Above this line nobody knows libp2p; below it nobody knows people, threads or keys. The store is passed in open and stays
 * open: who opened it closes it.
 */
import type { Libp2pEvents, PrivateKey } from "@libp2p/interface"
import { type Bytes, equal } from "../crypto/bytes.ts"
import { decodeGenesis, type Genesis, meshIdOf } from "../crypto/genesis.ts"
import { anchorOf, POW_KIND, verifyProofOfWork, type WorkPrice } from "../crypto/pow.ts"
import { assert } from "../crypto/errors.ts"
import { reject, type Verdict } from "../crypto/verdict.ts"
import { AddressBook } from "./address-book.ts"
import type { PeerInfo, SyncProgress } from "./api/types.ts"
import { type Alone, Dialer, WANTED_PEERS } from "./dialer.ts"
import { systemClock } from "./clock.ts"
import { GREYLISTED_BELOW, type TopicRule } from "./gossip.ts"
import { type Admission, Mailbox, type Posted } from "./mailbox.ts"
import { MEMBERSHIP_KIND, readMembership } from "../crypto/membership/admission.ts"
import { MembershipAdmission } from "./membership-admission.ts"
import type { MembershipRoots } from "./membership-source.ts"
import { keepGenesis } from "./mesh-genesis.ts"
import { type MineOptions, Miner } from "./mine.ts"
import { Rejections } from "./rejections.ts"
import type { Store } from "./store.ts"
import { type ReachedBy, Reachability } from "./reachability.ts"
import { StreamError, Streams } from "./streams.ts"
import { type Refused, Sync } from "./sync.ts"
import { ADDRESSES_PER_PEER_MAX, FETCH_MAX, PEERS_MAX } from "./sync-messages.ts"
import { SyncError } from "./sync-round.ts"
import { named, startTransport, type Transport, type TransportOptions } from "./transport.ts"
import { ProofVerifier } from "./verify.ts"
import { startWatchdog } from "./watchdog.ts"

/** Where admissions of something else than envelopes come from: whoever brings them, they share one budget. */
const OF_A_GRANT = { from: "sync", peer: "of a grant" } as const
/** Others may hear of a new period a little later than we: so long, own work is still bound to the one before. */
const ANCHOR_SETTLES_MS = 5_000
/** Peers asked for the same missing envelopes. */
const FETCH_PEERS_MAX = 8

export interface NetworkParts extends Pick<
  TransportOptions,
  "listen" | "announce" | "postQuantum" | "mdns" | "relay" | "services" | "ipColocationWeight"
> {
  readonly store: Store
  /** This installation's peer key. */
  readonly key: PrivateKey
  /** Encoded; becomes the store's if it has none. */
  readonly genesis: Bytes
  /** Multiaddrs of peers to call: from the ticket, from the configuration. */
  readonly bootstrap: readonly string[]
  /** How others get to this peer; default `auto`. */
  readonly reachedBy?: ReachedBy
  /** How envelopes may be admitted; by default by proof of work as the genesis asks. */
  readonly admissions?: ReadonlyMap<number, Admission>
  /** Lets members post by proof: periods and roots, as the ledger has them. */
  readonly membership?: MembershipRoots
  /** Work that counts at present, the newest price first; by default the genesis' for the mesh id. */
  readonly prices?: () => readonly WorkPrice[]
  /** Whether the ledger has ordered an envelope: then sync may bring it without admission. */
  readonly vouched?: (id: Bytes) => boolean
  /** Further gossip topics. */
  readonly topics?: readonly TopicRule[]
  /** Most envelopes kept; default SHELF_ENVELOPES_MAX. */
  readonly envelopesMax?: number
  /** Peers, their links, or the reason for being alone have changed. */
  readonly onPeers?: () => void
  readonly onProgress?: (progress: SyncProgress) => void
  /** A peer fetched these envelopes: it has them now, gossiped or not. */
  readonly onServed?: (ids: readonly Bytes[], peer: string) => void
  /** Encoded blocks of the ledger above a height, for peers that ask. */
  readonly blocks?: (after: number, limit: number) => Promise<readonly Bytes[]>
  /** Something failed that no caller waits for, and that no peer is to blame for. */
  readonly onFault: (error: unknown) => void
}

export interface Network {
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly genesis: Genesis
  readonly mailbox: Mailbox
  readonly transport: Transport
  /** For further protocols. */
  readonly streams: Streams
  /** How members' envelopes are judged; undefined where there is no membership. */
  readonly membership: MembershipAdmission | undefined
  readonly verifier: ProofVerifier
  peers(): readonly PeerInfo[]
  /** Why there are no peers; null while there are some. */
  alone(): Alone | null
  sync(): SyncProgress
  /** Multiaddrs for a ticket. */
  addresses(): readonly string[]
  /** A copy of the envelope, paid for by proof of work. Throws MineError, or the signal's reason. */
  pay(envelope: Bytes, options?: MineOptions): Promise<Bytes>
  /** The nonce (8 bytes) for other work than an envelope's, at a price. Throws MineError, or the signal's reason. */
  work(id: Bytes, price: WorkPrice, options?: MineOptions): Promise<Bytes>
  /** What own work is bound to now, and how much is asked. */
  price(): WorkPrice
  /** Whether this envelope's proof or work is of a period that nobody takes any more: then it has to be admitted anew. */
  isStale(envelope: Bytes): boolean
  /** Stores, then publishes. Throws MailboxError NOT_ADMITTED, StoreError. */
  post(envelope: Bytes): Promise<Posted>
  /** Reads every connected peer's store now. */
  catchUp(): void
  /** Blocks of the ledger above a height, from one peer: unjudged. Throws StreamError, SyncError. */
  blocksFrom(peer: string, after: number, limit: number): Promise<readonly Bytes[]>
  /** A peer that sent what no honest one would have: hung up, and left alone for ten minutes. */
  distrust(peer: string): Promise<void>
  /** Looks for envelopes by id at one peer after the other until all are here, or nobody is left to ask. */
  fetch(ids: readonly Bytes[]): Promise<void>
  /** The ledger has another block: looks again at what it knew too little for, and forgets what its periods have left behind. */
  ledgerMoved(): void
  /** Further peers to connect to: from another ticket. */
  reach(addresses: readonly string[]): void
  /** Judges an admission: 4096 bytes that it stands in front of, whatever they are otherwise. */
  judge(envelope: Bytes): Promise<Verdict>
  /** Where others can reach a peer that answered for this mesh, as far as this one knows. */
  addressesOf(peer: string): readonly string[]
  /**
   * Connects to a peer that the peer `by` has named, and resolves to its id. Loopback addresses count only from who is on loopback.
   * Throws TransportError.
   */
  connect(addresses: readonly string[], by: string, signal: AbortSignal): Promise<string>
  /** Ends everything that was started. Harmless when repeated. */
  stop(): Promise<void>
}

/** Throws CryptoError for a genesis that is none, MeshError OTHER_MESH, StoreError, TransportError. */
export async function startNetwork(parts: NetworkParts): Promise<Network> {
  const genesis = decodeGenesis(parts.genesis)
  await keepGenesis(parts.store, parts.genesis)
  const meshId = meshIdOf(parts.genesis)
  const verifier = new ProofVerifier()
  const membership = await membershipOf(parts, meshId, verifier)
  const fixed = [{ anchor: meshId, bits: genesis.powBits }]
  const prices = parts.prices ?? (() => fixed)
  const admissions = new Map(parts.admissions ?? admissionsOf(meshId, prices))
  if (membership !== undefined)
    admissions.set(MEMBERSHIP_KIND, (envelope, origin) => membership.judge(envelope, origin))
  const mailbox = await Mailbox.open({ ...parts, meshId, admissions })
  const book = await AddressBook.open(parts.store)
  const rejections = new Rejections()
  const topics = [mailbox.rule(), ...(parts.topics ?? [])].map((rule) => rejections.watching(rule))
  const transport = await startTransport({ ...parts, topics })
  try {
    const admitting = { admissions, membership, verifier, rejections }
    const rooms = { genesis, meshId, prices, mailbox, book, transport, ...admitting }
    return await MeshNetwork.start(parts, rooms)
  } catch (error) {
    await transport.stop()
    throw error
  }
}

async function membershipOf(
  { membership: roots, store, onFault }: NetworkParts,
  meshId: Bytes,
  verifier: ProofVerifier,
): Promise<MembershipAdmission | undefined> {
  if (roots === undefined) return undefined
  return await MembershipAdmission.open({ store, meshId, roots, verifier, onFault })
}

function admissionsOf(meshId: Bytes, prices: () => readonly WorkPrice[]) {
  const judge = (envelope: Bytes) => verifyProofOfWork({ meshId, prices: prices() }, envelope)
  return new Map<number, Admission>([[POW_KIND, judge]])
}

interface Rooms {
  readonly genesis: Genesis
  readonly meshId: Bytes
  readonly prices: () => readonly WorkPrice[]
  readonly mailbox: Mailbox
  readonly admissions: ReadonlyMap<number, Admission>
  readonly book: AddressBook
  readonly transport: Transport
  readonly membership: MembershipAdmission | undefined
  readonly verifier: ProofVerifier
  readonly rejections: Rejections
}

class MeshNetwork implements Network {
  readonly meshId: Bytes
  readonly genesis: Genesis
  readonly mailbox: Mailbox
  readonly transport: Transport
  readonly streams: Streams
  readonly membership: MembershipAdmission | undefined
  readonly verifier: ProofVerifier
  readonly #rejections: Rejections
  readonly #parts: NetworkParts
  readonly #admissions: ReadonlyMap<number, Admission>
  readonly #book: AddressBook
  readonly #dialer: Dialer
  readonly #reachability: Reachability
  readonly #miner = new Miner()
  readonly #prices: () => readonly WorkPrice[]
  /** What the newest price is bound to, and since when as far as we saw; what was there at the start is not new. */
  #anchor: { readonly hash: Bytes; readonly sinceMs: number }
  readonly #members = new Set<string>()
  /** What has to be undone at the end, in order. */
  readonly #undo: (() => Promise<void> | void)[] = []
  #sync: Sync | undefined
  #stopping: Promise<void> | undefined

  private constructor(parts: NetworkParts, rooms: Rooms) {
    const { genesis, meshId, mailbox, admissions, book, transport } = rooms
    this.membership = rooms.membership
    this.verifier = rooms.verifier
    this.#rejections = rooms.rejections
    rooms.rejections.onLook = (peer) => this.#cutOff(peer)
    this.#parts = parts
    this.#admissions = admissions
    this.#prices = rooms.prices
    this.#anchor = { hash: rooms.prices()[0]?.anchor ?? meshId, sinceMs: -Infinity }
    this.genesis = genesis
    this.meshId = meshId
    this.mailbox = mailbox
    this.transport = transport
    this.#book = book
    this.streams = new Streams(transport.libp2p, parts.onFault)
    mailbox.publishThrough(transport.gossip)
    this.#dialer = Dialer.start({
      transport,
      book,
      bootstrap: parts.bootstrap,
      onChange: () => parts.onPeers?.(),
    })
    this.#reachability = new Reachability({
      transport,
      by: parts.reachedBy ?? "auto",
      clock: systemClock,
      onChange: () => parts.onPeers?.(),
      onFault: parts.onFault,
    })
  }

  static async start(parts: NetworkParts, rooms: Rooms): Promise<MeshNetwork> {
    const network = new MeshNetwork(parts, rooms)
    try {
      network.#listen()
      network.#sync = await Sync.start({
        ...parts,
        meshId: rooms.meshId,
        mailbox: rooms.mailbox,
        streams: network.streams,
        connected: () => rooms.transport.peers(),
        introductions: (asking) => network.#introductions(asking),
        onMember: (peer) => network.#background(network.#welcome(peer)),
        onRefused: (peer, why) => network.#background(network.#refuse(peer, why)),
        onProgress: (progress) => parts.onProgress?.(progress),
        onServed: (ids, peer) => parts.onServed?.(ids, peer),
      })
      const { transport } = rooms
      const { topic } = rooms.mailbox
      const unwatch = startWatchdog({ transport, topic, onFault: parts.onFault })
      network.#undo.push(unwatch)
      // who came while this was being set up
      for (const peer of transport.peers()) network.#connected(peer)
      return network
    } catch (error) {
      await network.stop()
      throw error
    }
  }

  peers(): readonly PeerInfo[] {
    const { gossip } = this.transport
    return this.transport.links().map(({ peer, ...link }) => ({
      peerId: peer,
      ...link,
      gossip: gossip.linkUp(peer),
    }))
  }

  alone(): Alone | null {
    return this.#dialer.alone()
  }

  sync(): SyncProgress {
    return this.#sync?.progress ?? { state: "idle", done: 0, total: 0 }
  }

  addresses(): readonly string[] {
    return this.transport.addresses()
  }

  isStale(envelope: Bytes): boolean {
    const anchor = anchorOf(envelope)
    if (anchor !== undefined) return !this.#prices().some((price) => equal(price.anchor, anchor))
    const read = readMembership(envelope)
    return "fields" in read && this.membership?.isTaken(read.fields.period) === false
  }

  async pay(envelope: Bytes, options?: MineOptions): Promise<Bytes> {
    return await this.#miner.mine(envelope, { meshId: this.meshId, ...this.price() }, options)
  }

  async work(id: Bytes, price: WorkPrice, options?: MineOptions): Promise<Bytes> {
    return await this.#miner.nonceFor(id, { meshId: this.meshId, ...price }, options)
  }

  price(): WorkPrice {
    const [now, before] = this.#prices()
    assert(now !== undefined, "work has a price")
    if (!equal(now.anchor, this.#anchor.hash))
      this.#anchor = { hash: now.anchor, sinceMs: performance.now() }
    const isNew = performance.now() - this.#anchor.sinceMs < ANCHOR_SETTLES_MS
    return isNew && before !== undefined ? before : now
  }

  async post(envelope: Bytes): Promise<Posted> {
    return await this.mailbox.post(envelope)
  }

  catchUp(): void {
    for (const peer of this.transport.peers()) this.#sync?.read(peer)
  }

  async blocksFrom(peer: string, after: number, limit: number): Promise<readonly Bytes[]> {
    return (await this.#sync?.blocks(peer, after, limit)) ?? []
  }

  async fetch(ids: readonly Bytes[]): Promise<void> {
    let missing = ids
    for (const peer of this.transport.peers().slice(0, FETCH_PEERS_MAX)) {
      missing = missing.filter((id) => !this.mailbox.knows(id))
      if (missing.length === 0) return
      try {
        for (let at = 0; at < missing.length; at += FETCH_MAX)
          await this.#sync?.fetch(peer, missing.slice(at, at + FETCH_MAX))
      } catch (error) {
        if (!(error instanceof StreamError || error instanceof SyncError)) throw error
      }
    }
  }

  ledgerMoved(): void {
    this.price()
    this.membership?.tidy(this.mailbox)
    this.#sync?.ledgerMoved(this.#parts.membership?.period())
  }

  distrust(peer: string): Promise<void> {
    return this.#refuse(peer, "SYNC_LIED")
  }

  reach(addresses: readonly string[]): void {
    for (const address of addresses) this.#dialer.found([address])
  }

  async judge(envelope: Bytes): Promise<Verdict> {
    const admission = this.#admissions.get(envelope[0] ?? 0)
    if (admission === undefined) return reject("UNKNOWN_ADMISSION")
    const verdict = await admission(envelope, OF_A_GRANT)
    // what it used up stays used up, though no envelope is kept
    if ("writes" in verdict) await this.#parts.store.batch(verdict.writes)
    return verdict
  }

  addressesOf(peer: string): readonly string[] {
    return this.#book.addressesOf(peer)
  }

  async connect(addresses: readonly string[], by: string, signal: AbortSignal): Promise<string> {
    const local = isLoopback(this.#connectionTo(by)?.remoteAddr.toString() ?? "")
    const sensible = addresses.filter((address) => local || !isLoopback(address))
    return await this.transport.dial(sensible, signal)
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#rejections.stop()
    for (const undo of this.#undo) await undo()
    await this.#dialer.stop()
    await this.#reachability.stop()
    await this.#miner.stop()
    await this.#sync?.stop()
    await this.streams.stop()
    await this.verifier.stop()
    await this.membership?.stop()
    await this.mailbox.stop()
    await this.transport.stop()
  }

  #listen(): void {
    const { libp2p } = this.transport
    const on = <Name extends keyof Libp2pEvents>(
      name: Name,
      listener: (event: Libp2pEvents[Name]) => void,
    ) => {
      libp2p.addEventListener(name, listener)
      this.#undo.push(() => libp2p.removeEventListener(name, listener))
    }
    const { gossip } = this.transport
    this.#undo.push(gossip.onSubscribed(this.mailbox.topic, (peer) => this.#sync?.greet(peer)))
    on("peer:connect", ({ detail }) => this.#connected(detail.toString()))
    on("peer:disconnect", ({ detail }) => this.#disconnected(detail.toString()))
    on("connection:open", ({ detail }) => this.#reachability.connected(detail))
    on("peer:identify", ({ detail }) => {
      const peer = detail.peerId.toString()
      if (this.#members.has(peer)) this.#background(this.#remember(peer))
      this.#reachability.identified(peer, detail.protocols)
      this.#parts.onPeers?.()
    })
    on("peer:discovery", ({ detail: { id, multiaddrs } }) =>
      this.#dialer.found(multiaddrs.map((address) => named(address.toString(), id.toString()))),
    )
  }

  #connected(peer: string): void {
    if (!this.#dialer.connected(peer)) {
      this.#background(this.transport.hangUp(peer))
      return
    }
    this.#sync?.read(peer)
    this.#parts.onPeers?.()
  }

  #disconnected(peer: string): void {
    this.#rejections.forget(peer)
    this.#members.delete(peer)
    this.#dialer.disconnected(peer)
    this.#reachability.disconnected(peer)
    this.#parts.onPeers?.()
  }

  /** It answered for this mesh: remember it, and ask whom else it knows while there are too few. */
  async #welcome(peer: string): Promise<void> {
    if (this.#members.has(peer)) return
    this.#members.add(peer)
    await this.#remember(peer)
    if (this.transport.peers().length >= WANTED_PEERS) return
    const introduced = (await this.#sync?.introductions(peer)) ?? []
    const local = isLoopback(this.#connectionTo(peer)?.remoteAddr.toString() ?? "")
    for (const addresses of introduced)
      this.#dialer.found(addresses.filter((address) => local || !isLoopback(address)))
  }

  async #remember(peer: string): Promise<void> {
    await this.#dialer.remember(peer, await this.#reachable(peer))
  }

  /** Who has had so much rejected that gossip reads nothing more of it is sent away, without being asked to close first. */
  #cutOff(peer: string): void {
    if (this.#stopping !== undefined || !this.transport.peers().includes(peer)) return
    const isHeard = this.transport.gossip.scoreOf(peer) >= GREYLISTED_BELOW
    if (isHeard && !this.#rejections.isHopeless(peer)) return
    this.#background(this.#dialer.shun(peer))
    this.transport.cut(peer)
  }

  async #refuse(peer: string, why: Refused): Promise<void> {
    await this.#dialer.shun(peer)
    // somebody who came for the genesis gets the time to ask for it; the watchdog hangs up who stays without gossip
    if (why !== "NO_SYNC") await this.transport.hangUp(peer)
  }

  /** Where a connected peer says it can be reached. Loopback counts only for who is reached over loopback. */
  async #reachable(peer: string): Promise<readonly string[]> {
    const connection = this.#connectionTo(peer)
    if (connection === undefined) return []
    const local = isLoopback(connection.remoteAddr.toString())
    const known = await this.transport.libp2p.peerStore.get(connection.remotePeer)
    const said = known.addresses.map(({ multiaddr }) => named(multiaddr.toString(), peer))
    const dialed = connection.direction === "outbound" ? [connection.remoteAddr.toString()] : []
    const all = new Set([...dialed, ...said])
    return [...all]
      .filter((address) => local || !isLoopback(address))
      .slice(0, ADDRESSES_PER_PEER_MAX)
  }

  #connectionTo(peer: string) {
    return this.transport.libp2p.getConnections().find((c) => c.remotePeer.toString() === peer)
  }

  #introductions(asking: string): readonly (readonly string[])[] {
    return [...this.#members]
      .filter((peer) => peer !== asking)
      .map((peer) => this.#book.addressesOf(peer))
      .filter((addresses) => addresses.length > 0)
      .slice(0, PEERS_MAX)
  }

  /** Work that nobody waits for: a peer that goes away meanwhile is no fault. */
  #background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (this.#stopping !== undefined) return
      if (!(error instanceof StreamError || error instanceof SyncError)) this.#parts.onFault(error)
    })
  }
}

const isLoopback = (address: string) => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address)
