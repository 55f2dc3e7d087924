/**
 * What a member states about its group beside MLS: bytes signed with the key of its leaf, which every member can check with the tree of
 * that epoch alone. No key is used up by it, so whether a statement is one does not depend on what was read before. What is signed
 * begins with "sotto/1"; what MLS signs with the same key begins with the length of "MLS 1.0 ..." (RFC 9420 §5.1.2).
 */
import { type Bytes, concat, Writer } from "../bytes.ts"
import { domain } from "../kdf.ts"
import { assertMember, memberOf, type SessionState, unwrap } from "./state.ts"
import { suiteOf } from "./suite.ts"

/** Signed by our own leaf, of this epoch: 64 bytes, or 4691 in a group of composite signatures. Throws SessionError NOT_A_MEMBER. */
export async function signStatement(
  state: SessionState,
  label: string,
  body: Bytes,
): Promise<Bytes> {
  assertMember(state)
  const mls = unwrap(state)
  const { groupId, epoch } = mls.groupContext
  const signed = signingBytes(label, groupId, epoch, mls.privatePath.leafIndex, body)
  return suiteOf(mls).signature.sign(mls.signaturePrivateKey, signed)
}

/** Whether the member at this leaf in that epoch signed it. False for an epoch that is forgotten, and for a leaf that is none. */
export async function isStatementOf(
  state: SessionState,
  { epoch, leaf }: { readonly epoch: number; readonly leaf: number },
  label: string,
  body: Bytes,
  signature: Bytes,
): Promise<boolean> {
  const mls = unwrap(state)
  const of = BigInt(epoch)
  const isNow = of === mls.groupContext.epoch
  const tree = isNow ? mls.ratchetTree : mls.historicalReceiverData.get(of)?.ratchetTree
  const author = tree && memberOf(tree, leaf)
  if (author === undefined) return false
  const signed = signingBytes(label, mls.groupContext.groupId, of, leaf, body)
  return suiteOf(mls).signature.verify(author.signatureKey, signed, signature)
}

function signingBytes(label: string, groupId: Bytes, epoch: bigint, leaf: number, body: Bytes) {
  const at = new Writer().bytes(groupId, 1).u64(Number(epoch)).u32(leaf)
  return concat(domain(label), at.finish(), body)
}
