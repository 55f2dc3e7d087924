/** A node's backup: what of its store, vault and ledger goes into one (backup.ts), and a node that becomes what one holds (restore.ts). */
import { encodeBlockRecord } from "../../consensus/codec.ts"
import { equal } from "../../crypto/bytes.ts"
import { ApiError } from "../api/errors.ts"
import type { ApiEvent, Params } from "../api/types.ts"
import { type BackupMade, type BackupOptions, writeBackup } from "./backup.ts"
import { LedgerChain } from "../ledger/chain.ts"
import { ledgerRules } from "../ledger/rules.ts"
import type { Mesh } from "../mesh/mesh.ts"
import type { OpenIdentity, ProfileIdentity } from "../profile-identity.ts"
import type { Restored } from "../identity/restored.ts"
import type { Store } from "../store/store.ts"

export interface NodeBackupParts {
  readonly store: Store
  readonly mesh: Mesh
  readonly opened: OpenIdentity
  /** The ledger's period, when the ledger runs; otherwise the chain is read for it. */
  readonly period: number | undefined
}

export interface NodeBackupMade extends BackupMade {
  readonly height: number | null
}

/** Throws as `writeBackup` does. */
export async function backUp(
  { store, mesh, opened, period }: NodeBackupParts,
  options: BackupOptions,
): Promise<NodeBackupMade> {
  const isOrdered = mesh.genesis.validators.length > 0
  const chain = isOrdered ? await LedgerChain.open(store) : undefined
  // Read before the records are: what they hold is at least this complete.
  const height = (await opened.records.orderedUpTo()) ?? 0
  const block = height === 0 ? undefined : await chain?.block(height)
  const made = await writeBackup(
    {
      store,
      vault: opened.vault,
      genesis: mesh.bytes,
      block: block && encodeBlockRecord(block),
      period:
        period ?? (await chain?.replay(ledgerRules(mesh)))?.ledger.fields.periods[0].period ?? 0,
    },
    options,
  )
  return { ...made, height: isOrdered ? (block?.height ?? 0) : null }
}

export interface NodeRestoreParts {
  /** Of the profile, if it is in one already. */
  readonly mesh: Mesh | undefined
  readonly emit: (event: ApiEvent) => void
}

/** Makes of a profile that holds nobody whom a backup is of. Throws ApiError ALREADY_EXISTS and as `ProfileIdentity.restore` does. */
export async function restoreOwner(
  owner: ProfileIdentity,
  params: Params<"profile.restore">,
  { mesh, emit }: NodeRestoreParts,
): Promise<Pick<Restored, "height" | "standing">> {
  const fits = ({ meshId }: Mesh) => {
    if (mesh !== undefined && !equal(mesh.meshId, meshId))
      throw new ApiError("ALREADY_EXISTS", "this profile is in another mesh already")
  }
  const told = (what: string) =>
    emit({ type: "progress", what: `${what} the backup`, done: 0, total: 0 })
  const { height, standing } = await owner.restore(params, fits, told)
  return { height, standing }
}
