/**
 * The composition root: one profile's store, vault, and the rooms of its mesh and its person, put together and taken apart in order.
 * Everything that a person or a program asks of it comes through `Api` (api/types.ts); api-methods.ts says what each call does.
 *
 * A node can stand at four stages, and each call says what it needs: no mesh yet → in a mesh, carrying for others → with an identity,
 * locked → open, chatting. Headless relays stay at the second.
 */
import { join } from "node:path"
import type { Address } from "../crypto/address.ts"
import { fromUtf8 } from "../crypto/bytes.ts"
import { ApiError, asApiError } from "./api/errors.ts"
import { serveApi } from "./api/server.ts"
import type { Api, ApiEvent, MembershipView, Method, Params, Result, Status } from "./api/types.ts"
import { callMethod } from "./api-methods.ts"
import type { Blobs } from "./blobs/blobs.ts"
import type { Chat } from "./chat/chat.ts"
import { mustOnlyRead } from "./chat/offline.ts"
import { systemClock } from "./clock.ts"
import { orAborted } from "./deadline.ts"
import type { Files } from "./files/files.ts"
import type { IdentityKeeper } from "./identity/identity-keeper.ts"
import type { MeshLedger } from "./ledger/ledger.ts"
import type { Member } from "./membership/member.ts"
import { keepGenesis, storedGenesis } from "./mesh/genesis.ts"
import type { MeshJoining } from "./mesh/joining.ts"
import { fetchMesh, foundMesh, type Mesh, mustBeOf, meshFrom, readTicket } from "./mesh/mesh.ts"
import { MeshRooms } from "./mesh-rooms.ts"
import { backUp, restoreOwner } from "./backup/backing-up.ts"
import type { Standing } from "./identity/restored.ts"
import type { NodeOptions } from "./node-options.ts"
import { statusOf } from "./node-status.ts"
import { PersonRooms } from "./person-rooms.ts"
import { ProfileIdentity } from "./profile-identity.ts"
import { StatusNews } from "./status-news.ts"
import { openMemoryStore, openStore, type Store } from "./store/store.ts"
import { Turns } from "./turns.ts"
import { firstValidators, type Validator } from "./ledger/validator-keys.ts"

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

const NO_MEMBER: MembershipView = { state: "none", refusal: null, commitment: null, left: null }

export class SottoNode implements Api {
  readonly options: NodeOptions
  readonly #listeners = new Set<(event: ApiEvent) => void>()
  readonly #closedListeners = new Set<(reason: string) => void>()
  readonly #changes = new Turns()
  readonly #stopping = new AbortController()
  readonly #news = new StatusNews(systemClock, () => {
    if (this.#listeners.size > 0) this.emit({ type: "status", status: this.status() })
  })
  #store: Store | undefined
  #server: Awaited<ReturnType<typeof serveApi>> | undefined
  #owner: ProfileIdentity | undefined
  #mesh: Mesh | undefined
  readonly #rooms: MeshRooms
  readonly #person: PersonRooms
  #stopped: Promise<void> | undefined

  constructor(options: NodeOptions) {
    this.options = options
    const changed = (): void => this.#news.changed()
    const onFault = (error: unknown): void => this.#fault(error)
    const emit = (event: ApiEvent): void => this.emit(event)
    this.#person = new PersonRooms({ options, emit, changed, onFault })
    this.#rooms = new MeshRooms({
      options,
      listener: this.#person,
      changed,
      onFault,
      signal: this.#stopping.signal,
    })
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
      log: this.options.log,
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
    await this.#person.stop()
    await this.#rooms.stop()
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
    const { options } = this
    return statusOf({
      options,
      mesh: this.#mesh,
      owner: this.#owner,
      rooms: this.#rooms,
      person: this.#person,
    })
  }

  /** Throws ApiError NO_MESH. */
  get mesh(): Mesh {
    if (this.#mesh === undefined) throw new ApiError("NO_MESH", "this profile is in no mesh yet")
    return this.#mesh
  }

  /** Throws ApiError NO_MESH or NO_LEDGER. */
  get ledger(): MeshLedger {
    if (this.#rooms.ledger !== undefined) return this.#rooms.ledger
    throw this.mesh.genesis.validators.length === 0
      ? new ApiError("NO_LEDGER", "this mesh has no validators: nothing is ordered")
      : new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** Throws ApiError NO_MESH. */
  get blobs(): Blobs {
    const { blobRoom } = this.#rooms
    if (blobRoom === undefined) throw new ApiError("NO_MESH", "this profile is in no mesh yet")
    return blobRoom.blobs
  }

  /** This peer's validator keys, made at the first call. */
  ownValidator(): Promise<Validator> {
    return this.#rooms.ownValidator()
  }

  /** This installation as a member of its mesh, joined or not. Throws ApiError NO_MESH, NO_LEDGER, NO_IDENTITY or LOCKED. */
  get member(): Member {
    if (this.#person.member !== undefined) return this.#person.member
    // says what is missing, if it is one of these
    this.#ownerOrThrow.mustBeOpen()
    if (this.mesh.genesis.validators.length === 0)
      throw new ApiError("NO_LEDGER", "this mesh has no validators: it has no members either")
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** This installation's way to membership. Throws ApiError NO_MESH, NO_LEDGER, NO_IDENTITY or LOCKED. */
  get joining(): MeshJoining {
    if (this.#person.joining !== undefined) return this.#person.joining
    throw this.member.known === undefined
      ? new ApiError("NO_MESH", "this profile is in no mesh yet")
      : new ApiError("STOPPING", "the node is not running")
  }

  /** How it stands with membership, also where nothing can be joined yet. */
  membership(): MembershipView {
    return this.#person.joining?.view() ?? NO_MEMBER
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  get chat(): Chat {
    if (this.#person.chat !== undefined) return this.#person.chat
    this.#ownerOrThrow.mustBeOpen()
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  get files(): Files {
    if (this.#person.files !== undefined) return this.#person.files
    this.#ownerOrThrow.mustBeOpen()
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** Throws ApiError NO_IDENTITY, LOCKED or NO_MESH. */
  get keeper(): IdentityKeeper {
    this.#ownerOrThrow.mustBeOpen()
    if (this.#person.keeper !== undefined) return this.#person.keeper
    throw new ApiError("NO_MESH", "this profile is in no mesh yet")
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  get self(): { address: Address; name: string } {
    const { address, identity } = this.#ownerOrThrow.mustBeOpen()
    return { address, name: identity.name }
  }

  addresses(): readonly string[] {
    return this.#rooms.network?.addresses() ?? []
  }

  get selfOrNull(): { address: Address; name: string } | null {
    return this.#owner?.state === "open" ? this.self : null
  }

  /** With a ticket: the mesh it is for. Without: a new one. Harmless when the profile is in that mesh already. */
  joinMesh(params: Params<"mesh.join">): Promise<Mesh> {
    return this.#changes.run(() => this.#joinMesh(params))
  }

  async #joinMesh(params: Params<"mesh.join">): Promise<Mesh> {
    const { ticket: ticketText, name, validators, open = false, ...founding } = params
    const ticket = ticketText === undefined ? undefined : readTicket(ticketText)
    if (this.#mesh !== undefined) {
      if (ticket !== undefined) {
        mustBeOf(this.#mesh, ticket)
        this.#rooms.network?.reach(ticket.peers)
      }
      return this.#mesh
    }
    const store = this.#openStore
    const mesh =
      ticket === undefined
        ? foundMesh(name ?? "home", {
            ...founding,
            validators: await firstValidators(validators, () => this.ownValidator()),
            policy: open ? "open" : "invited",
          })
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
    await this.#rooms.start(this.#openStore, mesh, peers)
    await this.#startChat()
    this.#news.changed()
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
    await this.#person.readRestored(owner.opened)
    // whichever starts the network starts the chat with it, once
    if (!(await this.#joinRestored())) await this.#startChat()
    this.#news.changed()
  }

  /** Throws ApiError ALREADY_EXISTS, and as `openBackupFile` in restore.ts does. */
  restore(params: Params<"profile.restore">): Promise<Result<"profile.restore">> {
    return this.#changes.run(async () => {
      const parts = { mesh: this.#mesh, emit: (event: ApiEvent) => this.emit(event) }
      const about = { height: 0, standing: "certified" as Standing }
      await this.#open(async (owner) => {
        Object.assign(about, await restoreOwner(owner, params, parts))
      })
      return { ...this.self, ...about }
    })
  }

  /** The mesh of a backup that was opened just now; false where there is none to join. */
  async #joinRestored(): Promise<boolean> {
    const genesis = await storedGenesis(this.#openStore)
    if (this.#mesh !== undefined || genesis === undefined) return false
    this.#mesh = meshFrom(genesis.slice())
    await this.#startNetwork(this.#mesh, [])
    return true
  }

  /** Throws ApiError NO_IDENTITY, LOCKED, NO_MESH and as `backUp` in node/backup/backing-up.ts does. */
  async backUp(params: Params<"backup.write">): Promise<Result<"backup.write">> {
    const opened = this.#ownerOrThrow.mustBeOpen()
    const { mesh } = this
    const made = await backUp(
      { store: this.#openStore, mesh, opened, period: this.#rooms.ledger?.period },
      {
        ...params,
        replace: params.replace ?? false,
        signal: this.#stopping.signal,
        progress: (done) => this.emit({ type: "progress", what: "backup", done, total: 0 }),
      },
    )
    return { ...made, validator: await this.#rooms.hasValidator() }
  }

  /** Once there are both a network and an identity, in whatever order they came. */
  async #startChat(): Promise<void> {
    const { network, directory, packages, ledger } = this.#rooms
    const [mesh, opened] = [this.#mesh, this.#owner?.opened]
    if (this.#isOffline && opened !== undefined) return this.#person.startToRead(this.mesh, opened)
    if (network === undefined || directory === undefined || packages === undefined) return
    if (mesh === undefined || opened === undefined) return
    const { blobs } = this
    const store = this.#openStore
    await this.#person.start({ store, mesh, network, directory, packages, blobs, ledger }, opened)
  }
}
