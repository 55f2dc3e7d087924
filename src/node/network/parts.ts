/**
 * What the network room (network.ts) is given, and what it is to the rest of the node. Above this line nobody knows libp2p; below it nobody
 * knows people, threads or keys.
 */
import type { PrivateKey } from "@libp2p/interface"
import type { Bytes } from "../../crypto/bytes.ts"
import type { Genesis } from "../../crypto/genesis.ts"
import type { WorkPrice } from "../../crypto/pow.ts"
import type { Verdict } from "../../crypto/verdict.ts"
import type { PeerInfo, SyncProgress } from "../api/types.ts"
import type { CoolingOff } from "../transport/cooling-off.ts"
import type { Alone } from "./dialer.ts"
import type { TopicRule } from "../transport/gossip.ts"
import type { Admission, Mailbox, Posted } from "../mailbox/mailbox.ts"
import type { MembershipAdmission } from "../membership/membership-admission.ts"
import type { MembershipRoots } from "../membership/membership-source.ts"
import type { MineOptions } from "../membership/mine.ts"
import type { ReachedBy } from "./reachability.ts"
import type { Store } from "../store/store.ts"
import type { Streams } from "../transport/streams.ts"
import type { Transport, TransportOptions } from "../transport/transport.ts"
import type { ProofVerifier } from "../membership/verify.ts"

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
  /** From which hosts somebody was cut off; its own, by the time of this process, unless given. */
  readonly coolingOff?: CoolingOff
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
  /** What a peer keeps under these ids, at most FETCH_MAX: unjudged. A peer that lies is hung up. Throws StreamError, SyncError. */
  envelopes(
    peer: string,
    ids: readonly Bytes[],
    signal: AbortSignal,
  ): Promise<readonly (Bytes | undefined)[]>
  /** Judges the admission of an envelope that is here under another one, for the ledger's sake. Throws StoreError. */
  judgeAgain(envelope: Bytes, peer: string): Promise<Verdict>
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
