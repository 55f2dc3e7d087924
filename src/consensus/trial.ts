/**
 * A batch under trial: what its items have used up so far, on top of a ledger that does not change. An item of the batch may use nothing
 * that an earlier one of it has used, so that `plan` says what `apply` will do.
 */
import type { ItemKeys } from "./item.ts"
import type { LedgerFields } from "./state.ts"
import type { Item } from "./types.ts"

export interface Trial {
  fields: LedgerFields
  /** Proof-of-work envelopes on top of those that `fields` counts. */
  work: number
  readonly ids: Set<string>
  readonly spends: Set<string>
  /** Nullifier → root. */
  readonly roots: Map<string, string>
}

export const trialOn = (fields: LedgerFields): Trial => ({
  fields,
  work: 0,
  ids: new Set(),
  spends: new Set(),
  roots: new Map(),
})

/** Notes what an item of the trial changes. */
export function use(item: Item, keys: ItemKeys, trial: Trial, fields: LedgerFields): void {
  const { id, spend, nullifier, root } = keys
  trial.fields = fields
  if (item.type === "tick") trial.work = 0
  else if (item.type === "envelope" && root === undefined) trial.work++
  trial.ids.add(id)
  if (spend !== undefined) trial.spends.add(spend)
  if (nullifier !== undefined && root !== undefined) trial.roots.set(nullifier, root)
}
