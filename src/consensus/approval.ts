/**
 * Operators' approval of mesh changes: whoever holds a validator's key is an operator, and a quorum of them decides who is a
 * member or a validator. Checked when an item is admitted; the ledger itself only asks whether the approval's term still counts.
 */
import type { Bytes } from "../crypto/bytes.ts"
import { signersAreDistinct } from "./certificate.ts"
import type { Scheme } from "./hybrid.ts"
import { subjectOf } from "./item.ts"
import type { ValidatorSet } from "./quorum.ts"
import type { MemberRemoveItem, ValidatorsItem } from "./types.ts"

/**
 * True when a quorum of the set has signed the item's subject, every signature given is good, and each new validator has proved
 * that it holds its keys. `set` is the set of the term that the item names.
 */
export function hasQuorum(
  item: MemberRemoveItem | ValidatorsItem,
  meshId: Bytes,
  set: ValidatorSet,
  scheme: Scheme,
): boolean {
  const { approvals } = item
  if (!signersAreDistinct(approvals, set.size) || approvals.length < set.quorum) return false
  const subject = subjectOf(item, meshId, set.digest)
  const approved = approvals.every(({ signer, signature }) => {
    const keys = set.members[signer]
    return keys !== undefined && scheme.verify(keys, subject, signature)
  })
  if (!approved || item.type === "member-remove") return approved
  return item.add.every(({ keys, possession }) => scheme.verify(keys, subject, possession))
}
