/**
 * Certificates: a quorum's signatures over one COMMIT (a block is decided) or one CHECKPOINT (a term has ended). What a
 * follower believes. Every signature in a certificate is checked, never only the first quorum of them, and the members are
 * distinct by construction: seats strictly ascending.
 */
import { equal } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { blockHash, type BlockHeader } from "./block.ts"
import { votePreimage } from "./preimage.ts"
import type { Scheme } from "./hybrid.ts"
import type { ValidatorSet } from "./quorum.ts"
import type { Certificate, PreparedProof, Signed, Vote } from "./types.ts"
import { primaryOf } from "./quorum.ts"

/** Binds votes that agree in everything but the signer. Callers give at least a quorum, one of each signer. */
export function certificateOf(votes: readonly Vote<"commit" | "checkpoint">[]): Certificate {
  const [first] = votes
  if (first === undefined) throw new Error("assertion failed: a certificate holds votes")
  const { type, term, view, height, digest } = first
  const signatures = votes
    .map(({ signer, signature }) => ({ signer, signature }))
    .sort((a, b) => a.signer - b.signer)
  return { type, term, view, height, digest, signatures }
}

/** Each signer has a seat, no signer appears twice. */
export function signersAreDistinct(signatures: readonly Signed[], size: number): boolean {
  let before = -1
  for (const { signer } of signatures) {
    if (signer <= before || signer >= size) return false
    before = signer
  }
  return true
}

/**
 * Why a certificate is not one, or undefined. The caller has checked that it speaks of the right height and hash; `set` is
 * the set of its own term.
 */
export function certificateFault(
  certificate: Certificate,
  meshId: Bytes,
  set: ValidatorSet,
  scheme: Scheme,
): string | undefined {
  const { type, term, view, height, digest, signatures } = certificate
  if (!signersAreDistinct(signatures, set.size)) return "BAD_SIGNERS"
  if (signatures.length < set.quorum) return "NO_QUORUM"
  for (const { signer, signature } of signatures) {
    const keys = set.members[signer]
    const signed = votePreimage(meshId, { type, term, view, height, digest, signer })
    if (keys === undefined || !scheme.verify(keys, signed, signature)) return "BAD_SIGNATURE"
  }
  return undefined
}

/** What a certificate is shown for. */
export interface BlockClaim extends BlockHeader {
  readonly certificate: Certificate
}

/** Why a certificate does not prove this very block, or undefined. `set` is the set of the certificate's term. */
export function blockFault(
  { certificate, ...header }: BlockClaim,
  meshId: Bytes,
  set: ValidatorSet,
  scheme: Scheme,
): string | undefined {
  if (certificate.type !== "commit" || certificate.height !== header.height) return "WRONG_BLOCK"
  if (!equal(blockHash(meshId, header), certificate.digest)) return "WRONG_BLOCK"
  return certificateFault(certificate, meshId, set, scheme)
}

/**
 * Why a P entry proves nothing, or undefined. Section 4.2: "The predicate prepared(m, v, n, i) is true if and only if replica i
 * has inserted in its log: the request m, a pre-prepare for m in view v with sequence number n, and 2f prepares from
 * different backups that match the pre-prepare."
 */
export function preparedFault(
  proof: PreparedProof,
  term: number,
  meshId: Bytes,
  set: ValidatorSet,
  scheme: Scheme,
): string | undefined {
  const { height, view, digest, prepares } = proof
  const primary = primaryOf(term, view, set.size)
  if (!signersAreDistinct(prepares, set.size)) return "BAD_SIGNERS"
  // The primary speaks through its PRE-PREPARE; a PREPARE of its own would count it twice.
  if (prepares.some(({ signer }) => signer === primary)) return "PRIMARY_PREPARED"
  if (prepares.length < set.quorum - 1) return "NO_QUORUM"
  const signedBy = (type: "pre-prepare" | "prepare", signer: number, signature: Bytes): boolean => {
    const keys = set.members[signer]
    const signed = votePreimage(meshId, { type, term, view, height, digest, signer })
    return keys !== undefined && scheme.verify(keys, signed, signature)
  }
  if (!signedBy("pre-prepare", primary, proof.proposal)) return "BAD_SIGNATURE"
  for (const { signer, signature } of prepares)
    if (!signedBy("prepare", signer, signature)) return "BAD_SIGNATURE"
  return undefined
}
