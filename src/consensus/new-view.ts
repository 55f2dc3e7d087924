/**
 * What a new view must carry on: computed from a quorum of VIEW-CHANGEs by the new primary, and again by everyone else.
 * Section 4.4 of the paper. Pure rules over messages; `view-change` applies them.
 */
import { equal } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { NULL_BATCH } from "./item.ts"
import type { PreparedProof, ViewChange } from "./types.ts"

export interface Carried {
  /** min-s: everything up to here is decided, with a certificate. */
  readonly low: number
  /** max-s: the highest slot that prepared anywhere in V, or min-s. */
  readonly high: number
  /** D for each slot above `low` up to `high`, in order. */
  readonly proposals: readonly { readonly height: number; readonly digest: Bytes }[]
}

/** More than f validators are faulty: two quorums vouch for what excludes each other. */
export interface Contradiction {
  readonly contradiction: "TWO_PREPARED" | "TWO_CERTIFICATES"
  readonly height: number
}

/** Height up to which a VIEW-CHANGE proves that everything is decided. `floor` is the term's low watermark. */
export const provenHeight = (change: ViewChange, floor: number): number =>
  change.tip?.height ?? floor

function contradictionIn(changes: readonly ViewChange[]): Contradiction | undefined {
  const tips = new Map<number, Bytes>()
  const prepared = new Map<string, PreparedProof>()
  for (const { tip, prepared: proofs } of changes) {
    if (tip !== undefined) {
      const other = tips.get(tip.height)
      if (other !== undefined && !equal(other, tip.digest))
        return { contradiction: "TWO_CERTIFICATES", height: tip.height }
      tips.set(tip.height, tip.digest)
    }
    for (const proof of proofs) {
      const slot = `${proof.height} ${proof.view}`
      const other = prepared.get(slot)
      if (other !== undefined && !equal(other.digest, proof.digest))
        return { contradiction: "TWO_PREPARED", height: proof.height }
      prepared.set(slot, proof)
    }
  }
  return undefined
}

/**
 * "The primary determines the sequence number min-s of the latest stable checkpoint in V and the highest sequence number
 * max-s in a prepare message in V." Our min-s is the highest certified block, which is as final as a checkpoint.
 */
export function carriedBy(changes: readonly ViewChange[], floor: number): Carried | Contradiction {
  const contradiction = contradictionIn(changes)
  if (contradiction !== undefined) return contradiction
  const low = Math.max(floor, ...changes.map((change) => provenHeight(change, floor)))
  const newest = new Map<number, PreparedProof>()
  let high = low
  for (const { prepared } of changes)
    for (const proof of prepared) {
      if (proof.height <= low) continue
      high = Math.max(high, proof.height)
      // "... the pre-prepare in V with the highest view number": only that one can have committed.
      const best = newest.get(proof.height)
      if (best === undefined || proof.view > best.view) newest.set(proof.height, proof)
    }
  const proposals: { height: number; digest: Bytes }[] = []
  for (let height = low + 1; height <= high; height++) {
    // "... it creates a new pre-prepare message for the null request": a hole below a carried slot must be filled.
    proposals.push({ height, digest: newest.get(height)?.digest ?? NULL_BATCH.digest })
  }
  return { low, high, proposals }
}
