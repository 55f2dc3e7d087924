/**
 * The composition root: one profile's store, vault, network, directory and chat, put together and taken apart in order. Everything that
 * a person or a program asks of it comes through `Api` (api/types.ts); api-methods.ts says what each call does.
 *
 * A node can stand at four stages, and each call says what it needs: no mesh yet → in a mesh, carrying for others → with an identity,
 * locked → open, chatting. Headless relays stay at the second.
 */
import type { Socket } from "node:net"
import { join } from "node:path"
import { type Address, addressBytes } from "../crypto/address.ts"
import { type Bytes, equal, fromUtf8, toHex, utf8 } from "../crypto/bytes.ts"
import { type Card, verifyCard } from "../crypto/card.ts"
import { CodedError, CryptoError } from "../crypto/errors.ts"
import type { GenesisValidator } from "../crypto/genesis.ts"
import { addressOfRoots, type Identity } from "../crypto/identity.ts"
import { type Keyfile, openVault, type Vault } from "../crypto/keyfile.ts"
import { ApiError, isApiErrorCode } from "./api/errors.ts"
import { serveApi } from "./api/server.ts"
import type { Api, ApiEvent, Method, Params, Result, Status } from "./api/types.ts"
import { callMethod } from "./api-methods.ts"
import { Chat } from "./chat.ts"
import type { ChatLedger } from "./chat-parts.ts"
import { ChatRecords } from "./chat-records.ts"
import { systemClock } from "./clock.ts"
import {
  createDirectory,
  type Directory,
  type DirectoryLibp2p,
  directoryServices,
} from "./directory.ts"
import { MeshLedger } from "./ledger.ts"
import { listening } from "./listen-ports.ts"
import { IDENTITY_STEPS, makeIdentity } from "./make-identity.ts"
import { fetchGenesis, keepGenesis, MeshError, storedGenesis } from "./mesh-genesis.ts"
import {
  foundMesh,
  type Mesh,
  mustBeOf,
  meshFrom,
  POW_BITS,
  readTicket,
} from "./mesh-membership.ts"
import { type Network, type NetworkParts, startNetwork } from "./network.ts"
import { newPeerKey, peerKeyAt } from "./peer-key.ts"
import { Sealed } from "./sealed.ts"
import { sealedShelf } from "./sealed-store.ts"
import { StatusNews } from "./status-news.ts"
import { openMemoryStore, openStore, type Store } from "./store.ts"
import { Turns } from "./turns.ts"
import {
  newMarkPath,
  ownValidator,
  parsePublicKey,
  storedValidator,
  type Validator,
} from "./validator-keys.ts"
import { newVault, readKeyfile, unlockVault, writeWhole } from "./vault.ts"
import { VERSION } from "./version.ts"

export interface NodeOptions {
  readonly dataDir: string
  /** Where commands and screens find this node; undefined: nowhere. */
  readonly socketPath: string | undefined
  /** A connected socket to serve besides, inherited from whoever started this process. */
  readonly apiSocket?: Socket
  /** For `Status`; the name of the profile's directory when not given. */
  readonly profile?: string
  /** Multiaddrs; default: TCP and WebSockets on every interface, at ports the system picks once (listen-ports.ts). */
  readonly listen?: readonly string[]
  /** Peers to keep a connection to, besides those of the ticket and those met before. */
  readonly bootstrap?: readonly string[]
  /** Joins this mesh when the profile has none. */
  readonly ticket?: string
  /** Many peers on one machine: no penalty for sharing an address, no LAN discovery. */
  readonly testnet?: boolean
  readonly mdns?: boolean
  /** Nothing is written; the identity is gone at the end. */
  readonly ephemeral?: boolean
  /** Most envelopes and most texts kept; the oldest go. Default: SHELF_ENVELOPES_MAX, or EPHEMERAL_MESSAGES_MAX; texts without end on disk. */
  readonly messagesMax?: number
  readonly postQuantum?: "preferred" | "required"
  /** UTF-8. Opens the vault at the start. */
  readonly passphrase?: Uint8Array
  readonly log: (line: string) => void
}

export interface RunningNode {
  readonly api: Api
  stop(): Promise<void>
}

const JOIN_TIMEOUT_MS = 20_000
/** Envelopes, and texts, of a peer that keeps everything in memory: 40 MiB of the one and a few of the other. */
export const EPHEMERAL_MESSAGES_MAX = 10_000

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

/** `work`, or the signal's reason as soon as it aborts. What was begun goes on: half of it done would be worse than all of it. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason as Error)
  signal.addEventListener("abort", onAbort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener("abort", onAbort)
  }
}

/** Whatever the world did, with a code that a screen has a sentence for. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof CodedError && isApiErrorCode(error.code))
    return new ApiError(error.code, error.message, { cause: error })
  const message = error instanceof Error ? error.message : String(error)
  return new ApiError("INTERNAL", message, { cause: error })
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
  #directory: Directory | undefined
  #ledger: MeshLedger | undefined
  #validator: Validator | undefined
  #keyfile: Keyfile | undefined
  #identity: Identity | undefined
  #address: Address | undefined
  #chat: Chat | undefined
  #stopped: Promise<void> | undefined

  constructor(options: NodeOptions) {
    this.options = options
  }

  async start(): Promise<void> {
    const { dataDir, ephemeral = false, socketPath, log } = this.options
    this.#store = ephemeral ? await openMemoryStore() : await openStore(join(dataDir, "store"))
    this.#keyfile = ephemeral ? undefined : await readKeyfile(this.#vaultPath)
    const genesis = await storedGenesis(this.#store)
    this.#mesh = genesis === undefined ? undefined : meshFrom(genesis.slice())
    this.#server = await serveApi({ socketPath, api: this, log })
    if (this.options.apiSocket !== undefined) this.#server.adopt(this.options.apiSocket)
    if (this.#mesh !== undefined) await this.#startNetwork(this.#mesh, [])
    if (this.options.ticket !== undefined) await this.joinMesh({ ticket: this.options.ticket })
    const { passphrase } = this.options
    if (this.#keyfile?.mode === "unprotected") await this.#open(openVault(this.#keyfile.vaultKey))
    else if (this.#keyfile !== undefined && passphrase !== undefined)
      await this.unlock(fromUtf8(passphrase))
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
    await this.#chat?.stop()
    await this.#directory?.stop()
    await this.#ledger?.stop()
    await this.#network?.stop()
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
      identity: this.#identityState(),
      address: this.#address ?? null,
      name: this.#identity?.name ?? null,
      unprotected: !ephemeral && this.#keyfile?.mode === "unprotected",
      ephemeral,
      listen: network?.addresses() ?? [],
      peers: network?.peers() ?? [],
      alone: network?.alone() ?? null,
      sync: network?.sync() ?? { state: "idle", done: 0, total: 0 },
      ledger: network === undefined ? null : (this.#ledger?.status() ?? null),
      envelopes: network?.mailbox.count ?? 0,
      waiting: this.#chat?.unsent ?? 0,
    }
  }

  #identityState(): Status["identity"] {
    if (this.#identity !== undefined) return "open"
    return this.#keyfile === undefined ? "none" : "locked"
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

  /** This peer's validator keys, made at the first call. */
  async ownValidator(): Promise<Validator> {
    const { dataDir, ephemeral } = this.options
    return (this.#validator ??= await ownValidator(
      ephemeral === true ? undefined : dataDir,
      this.#stopping.signal,
    ))
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  get chat(): Chat {
    if (this.#chat !== undefined) return this.#chat
    const state = this.#identityState()
    if (state === "none") throw new ApiError("NO_IDENTITY", "this profile has no identity yet")
    if (state === "locked") throw new ApiError("LOCKED", "the profile is locked")
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  get self(): { address: Address; name: string } {
    if (this.#identity === undefined || this.#address === undefined)
      throw this.#keyfile === undefined
        ? new ApiError("NO_IDENTITY", "this profile has no identity yet")
        : new ApiError("LOCKED", "the profile is locked")
    return { address: this.#address, name: this.#identity.name }
  }

  addresses(): readonly string[] {
    return this.#network?.addresses() ?? []
  }

  get selfOrNull(): { address: Address; name: string } | null {
    return this.#identity === undefined ? null : this.self
  }

  /** With a ticket: the mesh it is for. Without: a new one. Harmless when the profile is in that mesh already. */
  joinMesh(params: Params<"mesh.join">): Promise<Mesh> {
    return this.#changes.run(() => this.#joinMesh(params))
  }

  async #joinMesh({ ticket: ticketText, name, validators }: Params<"mesh.join">): Promise<Mesh> {
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
        ? foundMesh(name ?? "home", POW_BITS, await this.#firstValidators(validators))
        : await this.#fetchMesh(ticket)
    await keepGenesis(store, mesh.bytes)
    this.#mesh = mesh
    await this.#startNetwork(mesh, ticket?.peers ?? [])
    return mesh
  }

  /** Those who were named; if nobody was, this peer alone (DESIGN §11). */
  async #firstValidators(
    named: readonly string[] | undefined,
  ): Promise<readonly GenesisValidator[]> {
    if (named !== undefined) return named.map(parsePublicKey)
    const { ed25519, mlDsa65, slhDsa } = (await this.ownValidator()).keys
    return [{ ed25519, mlDsa65, slhDsaSha2: slhDsa }]
  }

  async #fetchMesh(ticket: { meshId: Bytes; peers: readonly string[] }): Promise<Mesh> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(JOIN_TIMEOUT_MS)])
    const { postQuantum = "preferred" } = this.options
    const { meshId, peers: addresses } = ticket
    try {
      return meshFrom(await fetchGenesis({ meshId, addresses, postQuantum, signal }))
    } catch (cause) {
      if (!(cause instanceof MeshError)) throw cause
      throw new ApiError("UNREACHABLE", "nobody at the ticket's addresses answered", { cause })
    }
  }

  get #openStore(): Store {
    if (this.#store === undefined) throw new ApiError("STOPPING", "the node is not running")
    return this.#store
  }

  get #messagesMax(): number | undefined {
    const { ephemeral = false, messagesMax } = this.options
    return messagesMax ?? (ephemeral ? EPHEMERAL_MESSAGES_MAX : undefined)
  }

  get #vaultPath(): string {
    return join(this.options.dataDir, "vault")
  }

  async #startNetwork(mesh: Mesh, peers: readonly string[]): Promise<void> {
    const { options } = this
    const store = this.#openStore
    const key =
      options.ephemeral === true ? newPeerKey() : peerKeyAt(join(options.dataDir, "peer.key"))
    const ledger = await this.#openLedger(mesh, store)
    const parts: Omit<NetworkParts, "listen"> = {
      store,
      genesis: mesh.bytes,
      key: await key,
      bootstrap: [...(options.bootstrap ?? []), ...peers],
      ...(this.#messagesMax === undefined ? {} : { envelopesMax: this.#messagesMax }),
      mdns: options.mdns ?? options.testnet !== true,
      ...(options.testnet === true ? { ipColocationWeight: 0 } : {}),
      postQuantum: options.postQuantum ?? "preferred",
      // libp2p's types cannot know that what kad-dht needs (ping) is among the transport's own services.
      services: directoryServices({
        meshId: mesh.meshId,
        store: directoryStoreIn(store),
        clock: systemClock,
      }) as unknown as NonNullable<NetworkParts["services"]>,
      onPeers: () => {
        this.#news.changed()
        this.#chat?.peersChanged()
      },
      onProgress: () => this.#news.changed(),
      onServed: (ids) => void this.#served(ids),
      ...(ledger === undefined
        ? {}
        : { topics: ledger.topics(), blocks: (after, limit) => ledger.served(after, limit) }),
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
    await ledger?.join(network)
    this.#ledger = ledger
    ledger?.onBlock(() => this.#chat?.blocksCame())
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
    if (!ephemeral) this.#validator ??= await storedValidator(dataDir)
    return await MeshLedger.open({
      store,
      mesh,
      directory: ephemeral ? undefined : join(dataDir, "ledger"),
      newMark: ephemeral ? undefined : newMarkPath(dataDir),
      validator: this.#validator,
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
    return this.#changes.run(async () => {
      if (this.#keyfile !== undefined || this.#identity !== undefined)
        throw new ApiError("ALREADY_EXISTS", "this profile has an identity already")
      const what = "identity"
      const identity = await makeIdentity({
        name,
        nowMs: systemClock.nowMs(),
        signal: this.#stopping.signal,
        progress: (done) => this.emit({ type: "progress", what, done, total: IDENTITY_STEPS }),
      })
      const { vault, keyfile, bytes } = await newVault(passphrase, this.#stopping.signal)
      const records = this.#recordsIn(vault)
      // The record before the key: a crash in between leaves bytes that nothing opens, not a key without a person.
      await records.write([records.putIdentity(identity)], { sync: true })
      if (this.options.ephemeral !== true) await writeWhole(this.#vaultPath, bytes)
      this.#keyfile = keyfile
      await this.#open(vault)
    })
  }

  #recordsIn(vault: Vault): ChatRecords {
    return new ChatRecords(new Sealed(vault, sealedShelf(this.#openStore)))
  }

  /** Throws ApiError WRONG_PASSPHRASE, NO_IDENTITY. Harmless when it is open. */
  unlock(passphrase: string): Promise<void> {
    return this.#changes.run(async () => {
      if (this.#identity !== undefined) return
      if (this.#keyfile === undefined)
        throw new ApiError("NO_IDENTITY", "this profile has no identity yet")
      await this.#open(await unlockVault(this.#keyfile, passphrase, this.#stopping.signal))
    })
  }

  #records: ChatRecords | undefined

  async #open(vault: Vault): Promise<void> {
    const records = this.#recordsIn(vault)
    const identity = await records.identity().catch((cause: unknown) => {
      throw new ApiError("STORE_DAMAGED", "the identity record does not open", { cause })
    })
    if (identity === undefined)
      throw new ApiError("STORE_DAMAGED", "there is a key file but no identity beside it")
    this.#records = records
    this.#identity = identity
    this.#address = addressOfRoots(identity.roots)
    await this.#startChat()
    this.#news.changed()
  }

  /** Once there are both a network and an identity, in whatever order they came. */
  async #startChat(): Promise<void> {
    const [network, directory, mesh] = [this.#network, this.#directory, this.#mesh]
    const [records, identity, me] = [this.#records, this.#identity, this.#address]
    if (network === undefined || directory === undefined || mesh === undefined) return
    if (records === undefined || identity === undefined || me === undefined) return
    this.#chat = await Chat.open({
      meshId: mesh.meshId,
      me,
      identity,
      records,
      mailbox: network.mailbox,
      findCard: (address, signal) => findCard(directory, address, signal),
      admit: (envelope, signal) => network.pay(envelope, { signal }),
      clock: systemClock,
      emit: (event) => this.emit(event),
      log: this.options.log,
      ...(this.#messagesMax === undefined ? {} : { textsMax: this.#messagesMax }),
      ...(this.#ledger === undefined
        ? { order: "arrival" as const }
        : { order: "ledger" as const, ledger: chatLedger(this.#ledger, network) }),
    })
    const { card, sequence, roots } = identity
    directory
      .publish({ address: me, seed: roots.ed25519, card, sequence })
      .catch((error: unknown) => this.#fault(error))
  }
}

/** The ledger as chat sees it: the order, and the envelopes that it names. */
const chatLedger = (ledger: MeshLedger, network: Network): ChatLedger => ({
  height: () => ledger.height,
  orderedAt: (id) => ledger.orderedAt(id),
  blocksAfter: (height, limit) => ledger.blocksAfter(height, limit),
  bring: (ids) => network.fetch(ids),
})

/** The card, when these bytes are this address's and both its signatures verify. */
function soundCard(address: Address, bytes: Bytes): Card | undefined {
  try {
    const card = verifyCard(bytes)
    return equal(addressBytes(card.address), addressBytes(address)) ? card : undefined
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

async function findCard(
  directory: Directory,
  address: Address,
  signal: AbortSignal,
): Promise<Card | undefined> {
  const found = await directory.lookup(address, { signal })
  return found === "NOT_FOUND" ? undefined : soundCard(address, found.card)
}

/** The directory's records and marks lie in the mesh table: public, like everything there. */
function directoryStoreIn(store: Store) {
  const keyOf = (key: string) => utf8(`directory ${key}`)
  return {
    get: (key: string) => store.get("mesh", keyOf(key)),
    put: (key: string, value: Bytes | undefined) =>
      store.batch([{ table: "mesh", key: keyOf(key), value }]),
  }
}
