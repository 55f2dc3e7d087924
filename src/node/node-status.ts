/** What a node says of itself (`status` of the API): gathered from its rooms at the moment of asking, at every stage of starting. */
import type { Status } from "./api/types.ts"
import { type Mesh, meshView } from "./mesh/mesh.ts"
import type { MeshRooms } from "./mesh-rooms.ts"
import type { NodeOptions } from "./node-options.ts"
import type { PersonRooms } from "./person-rooms.ts"
import type { ProfileIdentity } from "./profile-identity.ts"
import { VERSION } from "./version.ts"

export interface StatusSources {
  readonly options: NodeOptions
  /** Undefined before a mesh was joined. */
  readonly mesh: Mesh | undefined
  /** Undefined before the vault was read. */
  readonly owner: ProfileIdentity | undefined
  readonly rooms: MeshRooms
  readonly person: PersonRooms
}

export function statusOf({ options, mesh, owner, rooms, person }: StatusSources): Status {
  const { network, ledger } = rooms
  const { joining, restored, chat } = person
  const { dataDir, ephemeral = false, profile } = options
  const opened = owner?.opened
  return {
    version: VERSION,
    pid: process.pid,
    profile: profile ?? dataDir.split("/").at(-1) ?? dataDir,
    mesh: mesh === undefined ? null : meshView(mesh),
    identity: owner?.state ?? "none",
    address: opened?.address ?? null,
    name: opened?.identity.name ?? null,
    unprotected: !ephemeral && owner?.unprotected === true,
    ephemeral,
    listen: network?.addresses() ?? [],
    peers: network?.peers() ?? [],
    alone: network?.alone() ?? null,
    sync: network?.sync() ?? { state: "idle", done: 0, total: 0 },
    ledger: network === undefined ? null : (ledger?.status() ?? null),
    membership: joining?.view() ?? null,
    envelopes: network?.mailbox.count ?? 0,
    restored: restored?.view ?? null,
    waiting: chat?.unsent ?? 0,
    damaged: opened?.records.sealed.damaged ?? 0,
  }
}
