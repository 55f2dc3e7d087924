/**
 * Changes of the validator set: which ones the ledger's state lets happen, and when they come into force. One change a term, approved in the set
 * that it changes, at the earliest for the next term: no vote, proof or certificate ever meets two sets.
 */
import { equal } from "../crypto/bytes.ts"
import { termOf } from "./block.ts"
import { APPROVAL_TERMS, VALIDATORS_MAX } from "./limits.ts"
import { keysAreDistinct, seatOf, validatorSet } from "./quorum.ts"
import type { ValidatorSet } from "./quorum.ts"
import type { LedgerFields } from "./state.ts"
import type { ValidatorsItem } from "./types.ts"

/** Approvals name seats, so they count only while the set they were given in is in force, and only for a while. */
export const approvalCounts = (
  { setSince }: LedgerFields,
  term: number,
  approvedIn: number,
): boolean => approvedIn >= setSince && approvedIn <= term && term - approvedIn <= APPROVAL_TERMS

/** The set after a change, or undefined when it does not apply: one change a term, distinct keys, at least one member. */
export function setAfter(
  fields: LedgerFields,
  term: number,
  item: ValidatorsItem,
): ValidatorSet | undefined {
  const { set, nextSet } = fields
  if (nextSet !== set || !approvalCounts(fields, term, item.term)) return undefined
  if (item.add.length + item.remove.length === 0) return undefined
  if (item.remove.some((key) => seatOf(set, key) < 0)) return undefined
  const kept = set.members.filter(
    (member) => !item.remove.some((key) => equal(key, member.ed25519)),
  )
  if (kept.length !== set.size - item.remove.length) return undefined
  const members = [...kept, ...item.add.map(({ keys }) => keys)]
  if (members.length < 1 || members.length > VALIDATORS_MAX) return undefined
  return keysAreDistinct(members) ? validatorSet(members) : undefined
}

/** The set of the next term comes into force in the state of the boundary block itself, so its root covers it. */
export function atBoundary(
  fields: LedgerFields,
  height: number,
  termHeights: number,
): LedgerFields {
  if (height % termHeights !== 0 || fields.nextSet === fields.set) return fields
  return { ...fields, set: fields.nextSet, setSince: termOf(height + 1, termHeights) }
}
