/**
 * The composition root: one profile's store, vault, network, directory and chat, put together and taken apart in order. Everything that
 * a person or a program asks of it comes through `Api` (api/types.ts); api-methods.ts says what each call does.
 *
 * A node can stand at four stages, and each call says what it needs: no mesh yet → in a mesh, carrying for others → with an identity,
 * locked → open, chatting. Headless relays stay at the second.
 */
import { join } from "node:path"
import type { Address } from "../crypto/address.ts"
import { type Bytes, fromUtf8, toHex } from "../crypto/bytes.ts"
import { ApiError, asApiError } from "./api/errors.ts"
import { serveApi } from "./api/server.ts"
import type { Api, ApiEvent, MembershipView, Method, Params, Result, Status } from "./api/types.ts"
import { callMethod } from "./api-methods.ts"
import { type BlobRoom, openBlobRoom } from "./blob-room.ts"
import type { Blobs } from "./blobs.ts"
import { admitting, openMember } from "./admitting.ts"
import { Chat } from "./chat.ts"
import { mustOnlyRead, NOBODY_THERE } from "./chat-offline.ts"
import { systemClock } from "./clock.ts"
import { orAborted } from "./deadline.ts"
import { createDirectory, type Directory, type DirectoryLibp2p } from "./directory.ts"
import { directoryServicesIn, findCard, findKeyPackage, soundCard } from "./directory-cards.ts"
import type { IdentityKeeper } from "./identity-keeper.ts"
import { keepIdentity } from "./identity-published.ts"
import { FileRecords } from "./file-records.ts"
import { Files } from "./files.ts"
import { MeshLedger } from "./ledger.ts"
import { listening } from "./listen-ports.ts"
import { openJoining } from "./joining-room.ts"
import type { Member } from "./member.ts"
import type { MeshJoining } from "./mesh-joining.ts"
import { keepGenesis, storedGenesis } from "./mesh-genesis.ts"
import {
  fetchMesh,
  foundMesh,
  type Mesh,
  mustBeOf,
  meshFrom,
  POW_BITS,
  readTicket,
} from "./mesh-membership.ts"
import { messagesMaxOf, type NodeOptions } from "./node-options.ts"
import { type Network, type NetworkParts, startNetwork } from "./network.ts"
import { newPeerKey, peerKeyAt } from "./peer-key.ts"
import { backUp } from "./node-backup.ts"
import { type OpenIdentity, ProfileIdentity } from "./profile-identity.ts"
import { RestoredProfile } from "./restored-profile.ts"
import { StatusNews } from "./status-news.ts"
import { openMemoryStore, openStore, type Store } from "./store.ts"
import { Turns } from "./turns.ts"
import {
  firstValidators,
  newMarkPath,
  ownValidator,
  storedValidator,
  type Validator,
} from "./validator-keys.ts"
import { VERSION } from "./version.ts"

export interface RunningNode {
  readonly api: Api
  stop(): Promise<void>
}

/** Starts a node and serves it on its socket. Throws ApiError BUSY when another process has the profile, and others by their code. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const node = new SottoNode(options)
  try {
    await node.start()
  } catch (error) {
    await node.stop()
    throw asApiError(error)
  }
  return { api: node, stop: () => node.stop() }
}

export class SottoNode implements Api {
  readonly options: NodeOptions
  readonly #listeners = new Set<(event: ApiEvent) => void>()
  readonly #closedListeners = new Set<(reason: string) => void>()
  readonly #changes = new Turns()
  readonly #stopping = new AbortController()
  readonly #news = new StatusNews(systemClock, () =>
    this.emit({ type: "status", status: this.status() }),
  )
  #store: Store | undefined
  #server: Awaited<ReturnType<typeof serveApi>> | undefined
  #mesh: Mesh | undefined
  #network: Network | undefined
  #blobRoom: BlobRoom | undefined
  #directory: Directory | undefined
  #ledger: MeshLedger | undefined
  #validator: Validator | undefined
  #owner: ProfileIdentity | undefined
  #chat: Chat | undefined
  #keeper: IdentityKeeper | undefined
  #files: Files | undefined
  #member: Member | undefined
  #joining: MeshJoining | undefined
  #restored: RestoredProfile | undefined
  #stopped: Promise<void> | undefined

  constructor(options: NodeOptions) {
    this.options = options
  }

  async start(): Promise<void> {
    const { dataDir, ephemeral = false, socketPath, log } = this.options
    this.#store = ephemeral ? await openMemoryStore() : await openStore(join(dataDir, "store"))
    this.#owner = await ProfileIdentity.read({
      store: this.#store,
      path: ephemeral ? undefined : join(dataDir, "vault"),
      backup: ephemeral ? this.options.backup : undefined,
      progress: (done, total) => this.emit({ type: "progress", what: "identity", done, total }),
      signal: this.#stopping.signal,
    })
    const genesis = await storedGenesis(this.#store)
    this.#mesh = genesis === undefined ? undefined : meshFrom(genesis.slice())
    const socket = this.#isOffline ? undefined : socketPath
    this.#server = await serveApi({ socketPath: socket, api: this, log })
    if (this.options.apiSocket !== undefined) this.#server.adopt(this.options.apiSocket)
    if (this.#mesh !== undefined && !this.#isOffline) await this.#startNetwork(this.#mesh, [])
    if (this.options.ticket !== undefined) await this.joinMesh({ ticket: this.options.ticket })
    const { passphrase } = this.options
    if (this.#owner.unprotected) await this.#open((owner) => owner.openUnprotected())
    else if (this.#owner.state === "locked" && passphrase !== undefined)
      await this.unlock(fromUtf8(passphrase))
  }

  get #isOffline(): boolean {
    return this.options.offline === true
  }

  /** Stops everything, in the reverse order of starting. Harmless when repeated. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop())
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new ApiError("STOPPING", "the node is stopping"))
    for (const listener of [...this.#closedListeners]) listener("STOPPING")
    this.#closedListeners.clear()
    await this.#server?.stop()
    await this.#changes.idle()
    this.#news.stop()
    await this.#keeper?.stop()
    await this.#files?.stop()
    await this.#chat?.stop()
    await this.#joining?.stop()
    await this.#member?.stop()
    await this.#directory?.stop()
    await this.#ledger?.stop()
    await this.#network?.stop()
    await this.#blobRoom?.close()
    await this.#store?.close()
    this.#listeners.clear()
  }

  async call<M extends Method>(
    method: M,
    params: Params<M>,
    options: { signal?: AbortSignal } = {},
  ): Promise<Result<M>> {
    if (this.#stopping.signal.aborted) throw new ApiError("STOPPING", "the node is stopping")
    const { signal } = options
    signal?.throwIfAborted()
    try {
      if (this.#isOffline) mustOnlyRead(method)
      const done = callMethod(this, method, params)
      return await (signal === undefined ? done : orAborted(done, signal))
    } catch (error) {
      if (signal?.aborted === true) throw error
      throw asApiError(error)
    }
  }

  events(listener: (event: ApiEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  closed(listener: (reason: string) => void): () => void {
    this.#closedListeners.add(listener)
    return () => void this.#closedListeners.delete(listener)
  }

  close(): Promise<void> {
    return this.stop()
  }

  emit(event: ApiEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
    if (event.type === "delivery" || event.type === "message") this.#news.changed()
  }

  status(): Status {
    const mesh = this.#mesh
    const network = this.#network
    const opened = this.#owner?.opened
    const { dataDir, ephemeral = false, profile } = this.options
    return {
      version: VERSION,
      pid: process.pid,
      profile: profile ?? dataDir.split("/").at(-1) ?? dataDir,
      mesh:
        mesh === undefined
          ? null
          : {
              name: mesh.genesis.name,
              meshId: toHex(mesh.meshId),
              validators: mesh.genesis.validators.length,
            },
      identity: this.#owner?.state ?? "none",
      address: opened?.address ?? null,
      name: opened?.identity.name ?? null,
      unprotected: !ephemeral && this.#owner?.unprotected === true,
      ephemeral,
      listen: network?.addresses() ?? [],
      peers: network?.peers() ?? [],
      alone: network?.alone() ?? null,
      sync: network?.sync() ?? { state: "idle", done: 0, total: 0 },
      ledger: network === undefined ? null : (this.#ledger?.status() ?? null),
      membership: this.#joining?.view() ?? null,
      envelopes: network?.mailbox.count ?? 0,
      restored: this.#restored?.view ?? null,
      waiting: this.#chat?.unsent ?? 0,
    }
  }

  /** Throws ApiError NO_MESH. */
  get mesh(): Mesh {
    if (this.#mesh === undefined) throw new ApiError("NO_MESH", "this profile is in no mesh yet")
    return this.#mesh
  }

  /** Throws ApiError NO_MESH or NO_LEDGER. */
  get ledger(): MeshLedger {
    if (this.#ledger !== undefined) return this.#ledger
    throw this.mesh.genesis.validators.length === 0
      ? new ApiError("NO_LEDGER", "this mesh has no validators: nothing is ordered")
      : new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** Throws ApiError NO_MESH. */
  get blobs(): Blobs {
    if (this.#blobRoom === undefined)
      throw new ApiError("NO_MESH", "this profile is in no mesh yet")
    return this.#blobRoom.blobs
  }

  /** This peer's validator keys, made at the first call. */
  async ownValidator(): Promise<Validator> {
    const { dataDir, ephemeral } = this.options
    return (this.#validator ??= await ownValidator(
      ephemeral === true ? undefined : dataDir,
      this.#stopping.signal,
    ))
  }

  /** This installation as a member of its mesh, joined or not. Throws ApiError NO_MESH, NO_LEDGER, NO_IDENTITY or LOCKED. */
  get member(): Member {
    if (this.#member !== undefined) return this.#member
    // says what is missing, if it is one of these
    this.#ownerOrThrow.mustBeOpen()
    if (this.mesh.genesis.validators.length === 0)
      throw new ApiError("NO_LEDGER", "this mesh has no validators: it has no members either")
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** This installation's way to membership. Throws ApiError NO_MESH, NO_LEDGER, NO_IDENTITY or LOCKED. */
  get joining(): MeshJoining {
    if (this.#joining !== undefined) return this.#joining
    throw this.member.known === undefined
      ? new ApiError("NO_MESH", "this profile is in no mesh yet")
      : new ApiError("STOPPING", "the node is not running")
  }

  /** How it stands with membership, also where nothing can be joined yet. */
  membership(): MembershipView {
    return this.#joining?.view() ?? { state: "none", refusal: null, commitment: null }
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  get chat(): Chat {
    if (this.#chat !== undefined) return this.#chat
    this.#ownerOrThrow.mustBeOpen()
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  get files(): Files {
    if (this.#files !== undefined) return this.#files
    this.#ownerOrThrow.mustBeOpen()
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  get self(): { address: Address; name: string } {
    const { address, identity } = this.#ownerOrThrow.mustBeOpen()
    return { address, name: identity.name }
  }

  addresses(): readonly string[] {
    return this.#network?.addresses() ?? []
  }

  get selfOrNull(): { address: Address; name: string } | null {
    return this.#owner?.state === "open" ? this.self : null
  }

  /** With a ticket: the mesh it is for. Without: a new one. Harmless when the profile is in that mesh already. */
  joinMesh(params: Params<"mesh.join">): Promise<Mesh> {
    return this.#changes.run(() => this.#joinMesh(params))
  }

  async #joinMesh(params: Params<"mesh.join">): Promise<Mesh> {
    const { ticket: ticketText, name, validators, open = false, powBits = POW_BITS } = params
    const ticket = ticketText === undefined ? undefined : readTicket(ticketText)
    if (this.#mesh !== undefined) {
      if (ticket !== undefined) {
        mustBeOf(this.#mesh, ticket)
        this.#network?.reach(ticket.peers)
      }
      return this.#mesh
    }
    const store = this.#openStore
    const mesh =
      ticket === undefined
        ? foundMesh(
            name ?? "home",
            powBits,
            await firstValidators(validators, () => this.ownValidator()),
            open ? "open" : "invited",
          )
        : await fetchMesh(ticket, {
            postQuantum: this.options.postQuantum ?? "preferred",
            signal: this.#stopping.signal,
          })
    await keepGenesis(store, mesh.bytes)
    this.#mesh = mesh
    await this.#startNetwork(mesh, ticket?.peers ?? [])
    return mesh
  }

  get #openStore(): Store {
    if (this.#store === undefined) throw new ApiError("STOPPING", "the node is not running")
    return this.#store
  }

  get #ownerOrThrow(): ProfileIdentity {
    if (this.#owner === undefined) throw new ApiError("STOPPING", "the node is not running")
    return this.#owner
  }

  async #startNetwork(mesh: Mesh, peers: readonly string[]): Promise<void> {
    const { options } = this
    const store = this.#openStore
    const key =
      options.ephemeral === true ? newPeerKey() : peerKeyAt(join(options.dataDir, "peer.key"))
    const ledger = await this.#openLedger(mesh, store)
    const messagesMax = messagesMaxOf(options)
    const parts: Omit<NetworkParts, "listen"> = {
      store,
      genesis: mesh.bytes,
      key: await key,
      bootstrap: [...(options.bootstrap ?? []), ...peers],
      ...(messagesMax === undefined ? {} : { envelopesMax: messagesMax }),
      mdns: options.mdns ?? options.testnet !== true,
      ...(options.testnet === true ? { ipColocationWeight: 0 } : {}),
      postQuantum: options.postQuantum ?? "preferred",
      relay: options.relay ?? false,
      reachedBy: options.reachedBy ?? "auto",
      services: directoryServicesIn(store, mesh.meshId),
      onPeers: () => {
        this.#news.changed()
        this.#chat?.peersChanged()
        this.#blobRoom?.blobs.peersChanged()
      },
      onProgress: () => this.#news.changed(),
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
      onFault: (error) => this.#fault(error),
    }
    const network = await listening(store, options.listen, (listen) =>
      startNetwork({ ...parts, listen }),
    )
    this.#network = network
    network.mailbox.onStored(() => {
      this.#chat?.arrived()
      this.#news.changed()
    })
    this.#blobRoom = await openBlobRoom({
      store,
      network,
      directory: options.ephemeral === true ? undefined : options.dataDir,
      role: options.keeper ?? "casual",
      chunksMax: options.chunksMax,
      daysMax: options.chunkDays,
      clock: systemClock,
      onFault: (error) => this.#fault(error),
    })
    await ledger?.join(network)
    this.#ledger = ledger
    ledger?.onBlock(() => {
      this.#chat?.blocksCame()
      network.ledgerMoved()
      this.#member?.ledgerMoved()
      this.#joining?.applied()
      this.#settleRestored().catch((error: unknown) => this.#fault(error))
    })
    network.ledgerMoved()
    this.#directory = createDirectory({
      // with the services given above
      libp2p: network.transport.libp2p as unknown as DirectoryLibp2p,
      verifyCard: (address, card) => soundCard(address, card)?.sequence,
    })
    await this.#startChat()
    this.#news.changed()
  }

  async #openLedger(mesh: Mesh, store: Store): Promise<MeshLedger | undefined> {
    const { dataDir, ephemeral = false, log } = this.options
    this.#validator ??= await this.#storedValidator()
    return await MeshLedger.open({
      store,
      mesh,
      directory: ephemeral ? undefined : join(dataDir, "ledger"),
      newMark: ephemeral ? undefined : newMarkPath(dataDir),
      validator: () => this.#validator,
      onChange: () => this.#news.changed(),
      note: log,
      onFault: (error) => this.#fault(error),
    })
  }

  async #served(ids: readonly Bytes[]): Promise<void> {
    try {
      await this.#chat?.taken(ids)
    } catch (error) {
      this.#fault(error)
    }
  }

  #fault(error: unknown): void {
    this.options.log(`fault: ${asApiError(error).code} ${asApiError(error).message}`)
  }

  /** Makes the identity and its vault. Throws ApiError ALREADY_EXISTS, WEAK_PASSPHRASE, BAD_PARAMS. */
  createIdentity(name: string, passphrase: string | null): Promise<void> {
    return this.#changes.run(() => this.#open((owner) => owner.create(name, passphrase)))
  }

  /** Throws ApiError WRONG_PASSPHRASE, NO_IDENTITY. Harmless when it is open. */
  unlock(passphrase: string): Promise<void> {
    return this.#changes.run(() => this.#open((owner) => owner.unlock(passphrase)))
  }

  async #open(how: (owner: ProfileIdentity) => Promise<void>): Promise<void> {
    const owner = this.#ownerOrThrow
    const before = owner.opened
    await how(owner)
    if (owner.opened === before || owner.opened === undefined) return
    this.#restored = await RestoredProfile.read(owner.opened.records, this.options.log)
    await this.#joinRestored()
    await this.#startChat()
    this.#news.changed()
  }

  /** The mesh of a backup that was opened just now. */
  async #joinRestored(): Promise<void> {
    const genesis = await storedGenesis(this.#openStore)
    if (this.#mesh !== undefined || genesis === undefined) return
    this.#mesh = meshFrom(genesis.slice())
    await this.#startNetwork(this.#mesh, [])
  }

  async #settleRestored(): Promise<void> {
    if (await this.#restored?.settle(this.#ledger?.chain)) this.#news.changed()
  }

  /** Throws ApiError NO_IDENTITY, LOCKED, NO_MESH and as `backUp` in node-backup.ts does. */
  async backUp(params: Params<"backup.write">): Promise<Result<"backup.write">> {
    const opened = this.#ownerOrThrow.mustBeOpen()
    const { mesh } = this
    const made = await backUp(
      { store: this.#openStore, mesh, opened, period: this.#ledger?.period },
      {
        ...params,
        replace: params.replace ?? false,
        signal: this.#stopping.signal,
        progress: (done) => this.emit({ type: "progress", what: "backup", done, total: 0 }),
      },
    )
    const validator = (this.#validator ?? (await this.#storedValidator())) !== undefined
    return { ...made, validator }
  }

  async #storedValidator(): Promise<Validator | undefined> {
    const { dataDir, ephemeral = false } = this.options
    return ephemeral ? undefined : await storedValidator(dataDir)
  }

  /** Once there are both a network and an identity, in whatever order they came. */
  async #startChat(): Promise<void> {
    const [network, directory, mesh] = [this.#network, this.#directory, this.#mesh]
    const opened = this.#owner?.opened
    if (this.#isOffline && opened !== undefined) return this.#openToRead(opened)
    if (network === undefined || directory === undefined || mesh === undefined) return
    if (opened === undefined) return
    const { records, keys, address: me } = opened
    const textsMax = messagesMaxOf(this.options)
    const { log } = this.options
    this.#member =
      this.#ledger === undefined
        ? undefined
        : await openMember({
            network,
            periods: this.#ledger.periods,
            records,
            store: this.#openStore,
            log,
          })
    this.#joining =
      this.#ledger === undefined || this.#member === undefined
        ? undefined
        : await openJoining({
            ledger: this.#ledger,
            network,
            member: this.#member,
            records,
            progress: (what, done, total) => this.emit({ type: "progress", what, done, total }),
            onChange: () => this.#news.changed(),
            onFault: (error) => this.#fault(error),
          })
    // whoever opened the profile is likely to write
    this.#member?.expect()
    this.#chat = await Chat.open({
      meshId: mesh.meshId,
      me,
      get identity() {
        return opened.identity
      },
      keys,
      records,
      mailbox: network.mailbox,
      findCard: (address, signal, fresh = false) => findCard(directory, address, { signal, fresh }),
      findKeyPackage: (card, signal) =>
        findKeyPackage(directory, card, Math.floor(systemClock.nowMs() / 1000), signal),
      admit: admitting(network, this.#member, (done, total) =>
        this.emit({ type: "progress", what: "work for a message", done, total }),
      ),
      isStale: (envelope) => network.isStale(envelope),
      clock: systemClock,
      emit: (event) => this.emit(event),
      log: this.options.log,
      ...(textsMax === undefined ? {} : { textsMax }),
      isRetired: (keyPackage) => this.#restored?.retires(keyPackage) ?? false,
      ...(this.#ledger === undefined
        ? { order: "arrival" as const }
        : { order: "ledger" as const, ledger: this.#ledger.forChat(network) }),
    })
    this.#files = await Files.open({
      blobs: this.blobs,
      chat: this.#chat,
      records: new FileRecords(records.sealed),
      clock: systemClock,
      onTransfer: (transfer) => this.emit({ type: "transfer", transfer }),
      onFault: (error) => this.#fault(error),
    })
    await this.#settleRestored()
    this.#keeper = keepIdentity({
      opened,
      directory,
      isRestored: this.#restored !== undefined,
      onCard: () => this.#chat?.keysChanged(),
      onFault: (error) => this.#fault(error),
    })
  }

  /** Throws ApiError NO_IDENTITY, LOCKED or NO_MESH. */
  get keeper(): IdentityKeeper {
    this.#ownerOrThrow.mustBeOpen()
    if (this.#keeper !== undefined) return this.#keeper
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  async #openToRead({ records, identity, keys, address: me }: OpenIdentity): Promise<void> {
    this.#chat = await Chat.openToRead({
      ...NOBODY_THERE,
      meshId: this.mesh.meshId,
      me,
      identity,
      keys,
      records,
      clock: systemClock,
      emit: (event) => this.emit(event),
      log: this.options.log,
    })
  }
}
