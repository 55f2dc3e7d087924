/**
 * The network room, composed: transport, mailbox, sync, dialer, watchdog and miner of one peer in one mesh, started together and stopped
 * together. The store is passed in open and stays open: who opened it closes it. What it is to the rest says parts.ts, what is
 * admitted admissions.ts, who is dealt with acquaintances.ts.
 */
import type { Libp2pEvents } from "@libp2p/interface"
import type { Bytes } from "../../crypto/bytes.ts"
import { decodeGenesis, type Genesis, meshIdOf, periodMsOf } from "../../crypto/genesis.ts"
import type { WorkPrice } from "../../crypto/pow.ts"
import type { Verdict } from "../../crypto/verdict.ts"
import { Acquaintances } from "./acquaintances.ts"
import { AddressBook } from "./address-book.ts"
import type { PeerInfo, SyncProgress } from "../api/types.ts"
import { systemClock } from "../clock.ts"
import { CoolingOff } from "../transport/cooling-off.ts"
import { type Alone, Dialer } from "./dialer.ts"
import { Mailbox, type Posted } from "../mailbox/mailbox.ts"
import type { MembershipAdmission } from "../membership/membership-admission.ts"
import { keepGenesis } from "../mesh/genesis.ts"
import type { MineOptions } from "../membership/mine.ts"
import { isStale, judgeGrant, type Judges, openJudges, OwnWork } from "./admissions.ts"
import type { Network, NetworkParts } from "./parts.ts"
import { Reachability } from "./reachability.ts"
import { Rejections } from "../transport/rejections.ts"
import { StreamError, Streams } from "../transport/streams.ts"
import { Sync } from "../mailbox/sync.ts"
import { FETCH_MAX } from "../mailbox/sync-messages.ts"
import { SyncError } from "../mailbox/sync-round.ts"
import { addressesOf, startTransport, type Transport } from "../transport/transport.ts"
import type { ProofVerifier } from "../membership/verify.ts"
import { startWatchdog } from "../transport/watchdog.ts"

/** Peers asked for the same missing envelopes. */
const FETCH_PEERS_MAX = 8

/** Throws CryptoError for a genesis that is none, MeshError OTHER_MESH, StoreError, TransportError. */
export async function startNetwork(parts: NetworkParts): Promise<Network> {
  const genesis = decodeGenesis(parts.genesis)
  await keepGenesis(parts.store, parts.genesis)
  const meshId = meshIdOf(parts.genesis)
  const judges = await openJudges(parts, { meshId, powBits: genesis.powBits })
  const mailbox = await Mailbox.open({ ...parts, meshId, admissions: judges.admissions })
  const book = await AddressBook.open(parts.store)
  const rejections = new Rejections()
  const topics = [mailbox.rule(), ...(parts.topics ?? [])].map((rule) => rejections.watching(rule))
  const coolingOff = parts.coolingOff ?? new CoolingOff()
  // whoever calls before there is somebody to answer would take this peer for one of another kind, and leave it alone
  let isReady = false
  const transport = await startTransport({
    ...parts,
    topics,
    isHopeless: (peer) => rejections.isHopeless(peer),
    letsIn: (address) => isReady && coolingOff.letsIn(address),
  })
  try {
    const rooms = { genesis, meshId, judges, mailbox, book, transport, rejections, coolingOff }
    const network = await MeshNetwork.start(parts, rooms)
    isReady = true
    return network
  } catch (error) {
    await transport.stop()
    throw error
  }
}

interface Rooms {
  readonly genesis: Genesis
  readonly meshId: Bytes
  readonly judges: Judges
  readonly mailbox: Mailbox
  readonly book: AddressBook
  readonly transport: Transport
  readonly rejections: Rejections
  readonly coolingOff: CoolingOff
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
  readonly #judges: Judges
  readonly #work: OwnWork
  readonly #book: AddressBook
  readonly #dialer: Dialer
  readonly #reachability: Reachability
  readonly #acquaintances: Acquaintances
  /** What has to be undone at the end, in order. */
  readonly #undo: (() => Promise<void> | void)[] = []
  #sync: Sync | undefined
  #stopping: Promise<void> | undefined

  private constructor(parts: NetworkParts, rooms: Rooms) {
    const { genesis, meshId, judges, mailbox, book, transport, rejections, coolingOff } = rooms
    this.membership = judges.membership
    this.verifier = judges.verifier
    this.#rejections = rejections
    this.#parts = parts
    this.#judges = judges
    this.#work = new OwnWork(meshId, judges.prices, periodMsOf(genesis))
    this.genesis = genesis
    this.meshId = meshId
    this.mailbox = mailbox
    this.transport = transport
    this.#book = book
    this.streams = new Streams(transport.libp2p, parts.onFault)
    mailbox.publishThrough(transport.gossip)
    this.#dialer = new Dialer({
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
    this.#acquaintances = new Acquaintances({
      transport,
      book,
      dialer: this.#dialer,
      reachability: this.#reachability,
      rejections,
      coolingOff,
      sync: () => this.#sync,
      isStopping: () => this.#stopping !== undefined,
      onPeers: () => parts.onPeers?.(),
      onFault: parts.onFault,
    })
  }

  static async start(parts: NetworkParts, rooms: Rooms): Promise<MeshNetwork> {
    const network = new MeshNetwork(parts, rooms)
    const acquaintances = network.#acquaintances
    try {
      network.#listen()
      network.#sync = await Sync.start({
        ...parts,
        meshId: rooms.meshId,
        mailbox: rooms.mailbox,
        streams: network.streams,
        connected: () => rooms.transport.peers(),
        introductions: (asking) => acquaintances.introductions(asking),
        onMember: (peer) => acquaintances.answered(peer),
        onRefused: (peer, why) => acquaintances.refused(peer, why),
        onProgress: (progress) => parts.onProgress?.(progress),
        onServed: (ids, peer) => parts.onServed?.(ids, peer),
      })
      const { transport } = rooms
      const { topic } = rooms.mailbox
      const unwatch = startWatchdog({ transport, topic, onFault: parts.onFault })
      network.#undo.push(unwatch)
      network.#dialer.start()
      // who came while this was being set up
      for (const peer of transport.peers()) acquaintances.connected(peer)
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
    return isStale(this.#judges, envelope)
  }

  pay(envelope: Bytes, options?: MineOptions): Promise<Bytes> {
    return this.#work.pay(envelope, options)
  }

  work(id: Bytes, price: WorkPrice, options?: MineOptions): Promise<Bytes> {
    return this.#work.nonceFor(id, price, options)
  }

  price(): WorkPrice {
    return this.#work.price()
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

  async envelopes(
    peer: string,
    ids: readonly Bytes[],
    signal: AbortSignal,
  ): Promise<readonly (Bytes | undefined)[]> {
    try {
      return (await this.#sync?.envelopes(peer, ids, signal)) ?? ids.map(() => undefined)
    } catch (error) {
      if (error instanceof SyncError) await this.#acquaintances.refuse(peer, error.code)
      throw error
    }
  }

  judgeAgain(envelope: Bytes, peer: string): Promise<Verdict> {
    return judgeGrant(this.#judges, this.#parts.store, envelope, { from: "fetch", peer })
  }

  ledgerMoved(): void {
    this.price()
    this.membership?.tidy(this.mailbox)
    this.#sync?.ledgerMoved(this.#parts.membership?.period())
  }

  distrust(peer: string): Promise<void> {
    return this.#acquaintances.refuse(peer, "SYNC_LIED")
  }

  reach(addresses: readonly string[]): void {
    for (const address of addresses) this.#dialer.found([address])
  }

  judge(envelope: Bytes): Promise<Verdict> {
    return judgeGrant(this.#judges, this.#parts.store, envelope)
  }

  addressesOf(peer: string): readonly string[] {
    return this.#book.addressesOf(peer)
  }

  async connect(addresses: readonly string[], by: string, signal: AbortSignal): Promise<string> {
    return await this.transport.dial(this.#acquaintances.sensible(addresses, by), signal)
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#rejections.stop()
    for (const undo of this.#undo) await undo()
    await this.#dialer.stop()
    await this.#reachability.stop()
    await this.#work.stop()
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
    on("peer:connect", ({ detail }) => this.#acquaintances.connected(detail.toString()))
    on("peer:disconnect", ({ detail }) => this.#acquaintances.disconnected(detail.toString()))
    on("connection:open", ({ detail }) => this.#reachability.connected(detail))
    on("peer:identify", ({ detail }) =>
      this.#acquaintances.identified(detail.peerId.toString(), detail.protocols),
    )
    // not peer:discovery, which tells of each peer once, and not that it is somewhere else by now
    on("peer:update", ({ detail }) => this.#dialer.found(addressesOf(detail.peer)))
  }
}
