/** A node's backup: what of its store, vault and ledger goes into one (backup.ts). */
import { encodeBlockRecord } from "../consensus/codec.ts"
import { type BackupMade, type BackupOptions, writeBackup } from "./backup.ts"
import { LedgerChain } from "./ledger-chain.ts"
import { ledgerRules } from "./ledger-rules.ts"
import type { Mesh } from "./mesh-membership.ts"
import type { OpenIdentity } from "./profile-identity.ts"
import type { Store } from "./store.ts"

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
