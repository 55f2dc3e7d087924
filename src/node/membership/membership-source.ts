/**
 * What membership proofs need from the ledger, and no more: which period it is, the root of the membership tree that a period's proofs
 * are made under, and a member's own way to that root. Who keeps the tree is somebody else's business.
 */
import type { Bytes } from "../../crypto/bytes.ts"
import type { TreePath } from "../../crypto/membership/tree-path.ts"

export interface MembershipRoots {
  /** The ledger's present period. */
  period(): number
  /**
   * Root of the tree at the last block before the period before this one began: the same for everybody, so that nobody's root tells how
   * far they have read. 32 bytes; undefined when this peer does not know it (yet), or no tree had leaves then.
   */
  rootFor(period: number): Bytes | undefined
}

/** A member's path to `rootFor(period)`; undefined when this commitment was not in that tree. */
export type MembershipPath = (commitment: Bytes, period: number) => TreePath | undefined
