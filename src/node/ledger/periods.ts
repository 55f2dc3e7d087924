/**
 * What admission asks of the ledger (DESIGN §6): which period it is, under which root its membership proofs are made and by which way a
 * member gets there, and which work counts. A period and the one before it are good at a time, so what was made just before a tick
 * still gets in. All of it is ledger state; nobody's clock has a say.
 */
import type { Ledger } from "../../consensus/ledger.ts"
import { type MemberPath, MemberTree } from "../../consensus/member-tree.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { isZero } from "../../crypto/membership/field.ts"
import type { WorkPrice } from "../../crypto/pow.ts"

export class LedgerPeriods {
  readonly #ledger: () => Ledger

  constructor(ledger: () => Ledger) {
    this.#ledger = ledger
  }

  period(): number {
    return this.#ledger().now.period
  }

  /** 32 bytes; undefined when it is not known (any more, or yet), or nobody was a member then. */
  rootFor(period: number): Bytes | undefined {
    const root = this.#treeFor(period)?.root
    return root === undefined || isZero(root) ? undefined : root
  }

  /** A member's way to `rootFor(period)`; undefined when this commitment (32 bytes) was no member's then. */
  pathFor(commitment: Bytes, period: number): MemberPath | undefined {
    return this.#treeFor(period)?.pathOf(commitment)
  }

  /** The newest first: of this period, and of the one before. */
  prices(): readonly WorkPrice[] {
    return this.#ledger()
      .fields.periods.slice(0, 2)
      .map(({ anchor, powBits }) => ({ anchor, bits: powBits }))
  }

  /** The tree when the period before began: the same for everybody, so that no root tells how far somebody has read. */
  #treeFor(period: number): MemberTree | undefined {
    const members = this.#ledger().periodStart(period - 1)?.members
    return members instanceof MemberTree ? members : undefined
  }
}
