/**
 * The rooms that a peer has because it is in a mesh, whoever it carries for: the network with its mailbox, the room for chunks, the
 * ledger and the directory; put together and taken apart in order. What comes in is told to the rooms of the person who lives here
 * (`MeshListener`; person-rooms.ts). A relay has these rooms and no others. Says nothing about which mesh it is: node.ts does.
 */
import { join } from "node:path"
import type { Bytes } from "../crypto/bytes.ts"
import { type BlobRoom, openBlobRoom } from "./blob-room.ts"
import { systemClock } from "./clock.ts"
import { type Directory, type DirectoryLibp2p, startDirectory } from "./directory/directory.ts"
import { directoryServicesIn, soundCard } from "./directory/cards.ts"
import { MeshLedger } from "./ledger/ledger.ts"
import type { LedgerChain } from "./ledger/chain.ts"
import { listening } from "./transport/listen-ports.ts"
import type { Mesh } from "./mesh/mesh.ts"
import { startNetwork } from "./network/network.ts"
import type { Network, NetworkParts } from "./network/parts.ts"
import { messagesMaxOf, type NodeOptions } from "./node-options.ts"
import type { PackageKeepers } from "./packages/keepers.ts"
import { openPackageRoom } from "./packages/room.ts"
import { newPeerKey, peerKeyAt } from "./transport/peer-key.ts"
import type { Store } from "./store/store.ts"
import {
  newMarkPath,
  ownValidator,
  storedValidator,
  type Validator,
} from "./ledger/validator-keys.ts"

/** Whoever lives in this mesh hears from it here, also before there is anybody. */
export interface MeshListener {
  /** A peer came or went. */
  peersChanged(): void
  /** Others took the envelopes with these ids from the mailbox. */
  taken(ids: readonly Bytes[]): Promise<void>
  /** The mailbox keeps an envelope more. */
  arrived(): void
  /** A block was applied; comes before the network judges by it. */
  blocksCame(): void
  /** The same block, once the network judges by it. */
  ledgerMoved(chain: LedgerChain): void
}

export interface MeshRoomsParts {
  readonly options: NodeOptions
  readonly listener: MeshListener
  /** The status did. */
  readonly changed: () => void
  readonly onFault: (error: unknown) => void
  /** Aborted when the node stops. */
  readonly signal: AbortSignal
}

export class MeshRooms {
  readonly #parts: MeshRoomsParts
  #network: Network | undefined
  #blobRoom: BlobRoom | undefined
  #directory: Directory | undefined
  #packages: PackageKeepers | undefined
  #ledger: MeshLedger | undefined
  #validator: Validator | undefined

  constructor(parts: MeshRoomsParts) {
    this.#parts = parts
  }

  get network(): Network | undefined {
    return this.#network
  }

  get blobRoom(): BlobRoom | undefined {
    return this.#blobRoom
  }

  get directory(): Directory | undefined {
    return this.#directory
  }

  get packages(): PackageKeepers | undefined {
    return this.#packages
  }

  /** Undefined as well where the mesh has no validators. */
  get ledger(): MeshLedger | undefined {
    return this.#ledger
  }

  /** `peers`: multiaddrs to reach first, besides those of the options. What has started by the time it throws is for `stop`. */
  async start(store: Store, mesh: Mesh, peers: readonly string[]): Promise<void> {
    const { options, listener, changed } = this.#parts
    const key =
      options.ephemeral === true ? newPeerKey() : peerKeyAt(join(options.dataDir, "peer.key"))
    const ledger = await this.#openLedger(store, mesh)
    const parts = this.#networkParts({ store, mesh, peers, key: await key, ledger })
    const network = await listening(store, options.listen, (listen) =>
      startNetwork({ ...parts, listen }),
    )
    this.#network = network
    network.mailbox.onStored(() => {
      listener.arrived()
      changed()
    })
    this.#blobRoom = await this.#openBlobRoom(store, network)
    await ledger?.join(network)
    this.#ledger = ledger
    ledger?.onBlock(() => {
      listener.blocksCame()
      network.ledgerMoved()
      listener.ledgerMoved(ledger.chain)
    })
    network.ledgerMoved()
    this.#directory = await startDirectory({
      // with the services given in #networkParts
      libp2p: network.transport.libp2p as unknown as DirectoryLibp2p,
      streams: network.streams,
      meshId: mesh.meshId,
      verifyCard: (address, card) => soundCard(address, card)?.sequence,
    })
    const { onFault } = this.#parts
    this.#packages = await openPackageRoom({ store, network, clock: systemClock, onFault })
  }

  /** In the reverse order of starting. */
  async stop(): Promise<void> {
    await this.#packages?.stop()
    await this.#directory?.stop()
    await this.#ledger?.stop()
    await this.#network?.stop()
    await this.#blobRoom?.close()
  }

  /** This peer's validator keys, made at the first call. */
  async ownValidator(): Promise<Validator> {
    const { dataDir, ephemeral } = this.#parts.options
    return (this.#validator ??= await ownValidator(
      ephemeral === true ? undefined : dataDir,
      this.#parts.signal,
    ))
  }

  /** Makes none. */
  async hasValidator(): Promise<boolean> {
    return (this.#validator ?? (await this.#storedValidator())) !== undefined
  }

  async #storedValidator(): Promise<Validator | undefined> {
    const { dataDir, ephemeral = false } = this.#parts.options
    return ephemeral ? undefined : await storedValidator(dataDir)
  }

  #networkParts(given: {
    store: Store
    mesh: Mesh
    peers: readonly string[]
    key: NetworkParts["key"]
    ledger: MeshLedger | undefined
  }): Omit<NetworkParts, "listen"> {
    const { store, mesh, peers, key, ledger } = given
    const { options, listener, changed, onFault } = this.#parts
    const messagesMax = messagesMaxOf(options)
    return {
      store,
      genesis: mesh.bytes,
      key,
      bootstrap: [...(options.bootstrap ?? []), ...peers],
      ...(messagesMax === undefined ? {} : { envelopesMax: messagesMax }),
      mdns: options.mdns ?? options.testnet !== true,
      ...(options.testnet === true ? { ipColocationWeight: 0 } : {}),
      postQuantum: options.postQuantum ?? "preferred",
      relay: options.relay ?? false,
      announce: options.announce ?? [],
      reachedBy: options.reachedBy ?? "auto",
      services: directoryServicesIn(store, mesh.meshId),
      onPeers: () => {
        changed()
        listener.peersChanged()
        this.#blobRoom?.blobs.peersChanged()
      },
      onProgress: changed,
      onServed: (ids) => void this.#served(ids),
      ...(ledger === undefined
        ? {}
        : {
            topics: ledger.topics(),
            blocks: (after, limit) => ledger.served(after, limit),
            membership: ledger.periods,
            prices: () => ledger.periods.prices(),
            vouched: (id) => ledger.orderedAt(id) !== undefined,
          }),
      onFault,
    }
  }

  async #openLedger(store: Store, mesh: Mesh): Promise<MeshLedger | undefined> {
    const { options, changed, onFault } = this.#parts
    const { dataDir, ephemeral = false, log } = options
    this.#validator ??= await this.#storedValidator()
    return await MeshLedger.open({
      store,
      mesh,
      directory: ephemeral ? undefined : join(dataDir, "ledger"),
      newMark: ephemeral ? undefined : newMarkPath(dataDir),
      validator: () => this.#validator,
      onChange: changed,
      note: log,
      onFault,
    })
  }

  async #openBlobRoom(store: Store, network: Network): Promise<BlobRoom> {
    const { options, onFault } = this.#parts
    return await openBlobRoom({
      store,
      network,
      directory: options.ephemeral === true ? undefined : options.dataDir,
      role: options.keeper ?? "casual",
      chunksMax: options.chunksMax,
      daysMax: options.chunkDays,
      clock: systemClock,
      onFault,
    })
  }

  async #served(ids: readonly Bytes[]): Promise<void> {
    try {
      await this.#parts.listener.taken(ids)
    } catch (error) {
      this.#parts.onFault(error)
    }
  }
}
