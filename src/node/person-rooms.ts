/**
 * The rooms of the person who lives at a peer, from the moment when there are both a mesh and an open identity: member and joining where
 * the mesh is ordered, chat, files, what publishes the identity, and what a profile from a backup must not use again; put together and
 * taken apart in order. Hears from the mesh's rooms (mesh-rooms.ts) through `MeshListener`. Opens no identity: node.ts does.
 */
import type { Bytes } from "../crypto/bytes.ts"
import { admitting, granting, openMember } from "./admitting.ts"
import type { ApiEvent } from "./api/types.ts"
import type { Blobs } from "./blobs/blobs.ts"
import { Chat } from "./chat/chat.ts"
import type { ChatShowing } from "./chat/parts.ts"
import { NOBODY_THERE } from "./chat/offline.ts"
import { systemClock } from "./clock.ts"
import type { Directory } from "./directory/directory.ts"
import { findCard, findKeyPackage } from "./directory/cards.ts"
import { FileRecords } from "./files/file-records.ts"
import { Files } from "./files/files.ts"
import type { IdentityKeeper } from "./identity/identity-keeper.ts"
import { keepIdentity, type KeptIdentity } from "./identity/identity-published.ts"
import { openJoining } from "./joining-room.ts"
import type { MeshLedger } from "./ledger/ledger.ts"
import type { LedgerChain } from "./ledger/chain.ts"
import type { Member } from "./membership/member.ts"
import type { MeshJoining } from "./mesh/joining.ts"
import { provePlaces } from "./ledger/place.ts"
import type { Mesh } from "./mesh/mesh.ts"
import type { MeshListener } from "./mesh-rooms.ts"
import type { Network } from "./network/parts.ts"
import { messagesMaxOf, type NodeOptions } from "./node-options.ts"
import type { PackageKeepers } from "./packages/keepers.ts"
import type { OpenIdentity } from "./profile-identity.ts"
import { RestoredProfile } from "./backup/restored-profile.ts"
import type { Store } from "./store/store.ts"

export interface PersonRoomsParts {
  readonly options: NodeOptions
  readonly emit: (event: ApiEvent) => void
  /** The status did. */
  readonly changed: () => void
  readonly onFault: (error: unknown) => void
}

/** What the person's rooms stand on, all of it started. */
export interface Ground {
  readonly store: Store
  readonly mesh: Mesh
  readonly network: Network
  readonly directory: Directory
  readonly blobs: Blobs
  readonly packages: PackageKeepers
  /** Undefined where the mesh has no validators. */
  readonly ledger: MeshLedger | undefined
}

export class PersonRooms implements MeshListener {
  readonly #parts: PersonRoomsParts
  #restored: RestoredProfile | undefined
  #member: Member | undefined
  #joining: MeshJoining | undefined
  #chat: Chat | undefined
  #files: Files | undefined
  #kept: KeptIdentity | undefined

  constructor(parts: PersonRoomsParts) {
    this.#parts = parts
  }

  /** Undefined for a profile that came out of no backup. */
  get restored(): RestoredProfile | undefined {
    return this.#restored
  }

  get member(): Member | undefined {
    return this.#member
  }

  get joining(): MeshJoining | undefined {
    return this.#joining
  }

  get chat(): Chat | undefined {
    return this.#chat
  }

  get files(): Files | undefined {
    return this.#files
  }

  get keeper(): IdentityKeeper | undefined {
    return this.#kept?.keeper
  }

  /** Before `start`, as soon as the identity is open: blocks may come in between. Throws CryptoError when the record was altered. */
  async readRestored({ records }: OpenIdentity): Promise<void> {
    this.#restored = await RestoredProfile.read(records, this.#parts.options.log)
  }

  /** What has started by the time it throws is for `stop`. */
  async start(ground: Ground, opened: OpenIdentity): Promise<void> {
    const { directory, blobs, ledger } = ground
    const { emit, onFault } = this.#parts
    const { records } = opened
    this.#member = await this.#openMember(ground, opened)
    this.#joining = await this.#openJoining(ground, opened)
    // whoever opened the profile is likely to write
    this.#member?.expect()
    if (this.#member !== undefined) blobs.payBy(granting(ground.network, this.#member))
    this.#chat = await this.#openChat(ground, opened)
    this.#files = await Files.open({
      blobs,
      chat: this.#chat,
      records: new FileRecords(records.sealed),
      clock: systemClock,
      onTransfer: (transfer) => emit({ type: "transfer", transfer }),
      onFault,
    })
    await this.#settleRestored(ledger?.chain)
    this.#kept = keepIdentity({
      opened,
      directory,
      packages: ground.packages,
      isRestored: this.#restored !== undefined,
      onCard: () => this.#chat?.keysChanged(),
      onFault,
    })
  }

  /** Chat alone, with nobody to reach: for a command that only reads what is there. */
  async startToRead(mesh: Mesh, opened: OpenIdentity): Promise<void> {
    const { records, identity, keys, address: me } = opened
    this.#chat = await Chat.openToRead({
      ...NOBODY_THERE,
      meshId: mesh.meshId,
      me,
      identity,
      keys,
      records,
      clock: systemClock,
      emit: this.#parts.emit,
      log: this.#parts.options.log,
    })
  }

  /** In the reverse order of starting. */
  async stop(): Promise<void> {
    await this.#kept?.stop()
    await this.#files?.stop()
    await this.#chat?.stop()
    await this.#joining?.stop()
    await this.#member?.stop()
  }

  peersChanged(): void {
    this.#chat?.peersChanged()
    this.#kept?.peersChanged()
  }

  async taken(ids: readonly Bytes[]): Promise<void> {
    await this.#chat?.taken(ids)
  }

  arrived(): void {
    this.#chat?.arrived()
  }

  blocksCame(): void {
    this.#chat?.blocksCame()
  }

  ledgerMoved(chain: LedgerChain): void {
    this.#member?.ledgerMoved()
    this.#joining?.applied()
    this.#settleRestored(chain).catch((error: unknown) => this.#parts.onFault(error))
  }

  async #settleRestored(chain: LedgerChain | undefined): Promise<void> {
    if (await this.#restored?.settle(chain)) this.#parts.changed()
  }

  async #openMember(
    { ledger, network, store }: Ground,
    { records }: OpenIdentity,
  ): Promise<Member | undefined> {
    if (ledger === undefined) return undefined
    const { log } = this.#parts.options
    return await openMember({ network, ledger, records, store, log })
  }

  async #openJoining(
    { ledger, network }: Ground,
    { records }: OpenIdentity,
  ): Promise<MeshJoining | undefined> {
    const { emit, changed, onFault } = this.#parts
    if (ledger === undefined || this.#member === undefined) return undefined
    return await openJoining({
      ledger,
      network,
      member: this.#member,
      records,
      progress: (what, done, total) => emit({ type: "progress", what, done, total }),
      onChange: changed,
      onFault,
    })
  }

  async #openChat(
    { mesh, network, directory, packages, ledger, blobs }: Ground,
    opened: OpenIdentity,
  ): Promise<Chat> {
    const { options, emit } = this.#parts
    const textsMax = messagesMaxOf(options)
    return await Chat.open({
      meshId: mesh.meshId,
      me: opened.address,
      get identity() {
        return opened.identity
      },
      keys: opened.keys,
      records: opened.records,
      mailbox: network.mailbox,
      findCard: (address, signal, fresh = false, recall) =>
        findCard(directory, address, { signal, fresh, ...(recall && { recall }) }),
      findKeyPackage: (card, signing, signal) =>
        findKeyPackage({ directory, packages, clock: systemClock }, card, signing, signal),
      admit: admitting(network, this.#member, (done, total) =>
        emit({ type: "progress", what: "work for a message", done, total }),
      ),
      payloads: blobs,
      showing: showingOf(mesh, network, ledger, (done, total) =>
        emit({ type: "progress", what: "going through the ledger", done, total }),
      ),
      isStale: (envelope) => network.isStale(envelope),
      clock: systemClock,
      emit,
      log: options.log,
      ...(textsMax === undefined ? {} : { textsMax }),
      restoredAt: () => this.#restored?.view.height,
      isRetired: (keyPackage) => this.#restored?.retires(keyPackage) ?? false,
      ...(ledger === undefined
        ? { order: "arrival" as const }
        : { order: "ledger" as const, ledger: ledger.forChat(network) }),
    })
  }
}

function showingOf(
  mesh: Mesh,
  network: Network,
  ledger: MeshLedger | undefined,
  progress: (done: number, total: number) => void,
): ChatShowing {
  const showing = {
    genesis: mesh.bytes,
    envelopes: (ids: readonly Bytes[]) => network.mailbox.getMany(ids),
  }
  if (ledger === undefined) return showing
  const { chain, rules } = ledger
  return {
    ...showing,
    places: (ids, signal) => provePlaces({ chain, rules, progress, signal }, ids),
  }
}
