/**
 * Proof of knowledge at joining (DESIGN §6.1): the same circuit over a tree that is the commitment alone, bound to the rest of the item
 * that asks for membership. Without it two raw leaves side by side would make an unlisted "ghost" member of their parent node.
 *
 *   nullifier 32 · proof 128
 */
import { type Bytes, concat, exactly } from "../bytes.ts"
import { FIELD_BYTES } from "./field.ts"
import type { Claim } from "./groth16.ts"
import { PROOF_BYTES } from "./proof.ts"
import { joinScope, joinSignal } from "./statement.ts"

export const JOIN_PROOF_BYTES = FIELD_BYTES + PROOF_BYTES

/** 160 bytes. */
export const encodeJoinProof = (nullifier: Bytes, proof: Bytes): Bytes =>
  concat(exactly(nullifier, FIELD_BYTES, "nullifier"), exactly(proof, PROOF_BYTES, "proof"))

/**
 * What a join proof of 160 bytes claims: that its maker knows the secret behind `commitment` and meant `item`, all that the item says
 * besides the proof. Give it to a MembershipVerifier. Throws CryptoError BAD_LENGTH.
 */
export function joinClaim(meshId: Bytes, commitment: Bytes, item: Bytes, joinProof: Bytes): Claim {
  exactly(joinProof, JOIN_PROOF_BYTES, "join proof")
  return {
    statement: {
      root: exactly(commitment, FIELD_BYTES, "commitment"),
      nullifier: joinProof.slice(0, FIELD_BYTES),
      signal: joinSignal(item),
      scope: joinScope(meshId),
    },
    proof: joinProof.slice(FIELD_BYTES),
  }
}
