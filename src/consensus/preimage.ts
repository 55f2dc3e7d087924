/**
 * The bytes each signature covers: domain ‖ meshId ‖ term ‖ type ‖ body, so no signature means anything in another mesh, term, or role.
 */
import { Writer, type Bytes } from "../crypto/bytes.ts"
import { DIGEST_BYTES } from "./limits.ts"
import { numberOf, writeViewChangeBody, writeNewViewBody } from "./codec-parts.ts"
import type { MessageType, NewView, Seal, ViewChange, Vote } from "./types.ts"

const DOMAIN = new Writer().text("sotto/pbft/1", 1).finish()
const SEAL_DOMAIN = new Writer().text("sotto/seal/1", 1).finish()
/** term, type, view, height, digest, signer */
const VOTE_FIXED_BYTES = 4 + 1 + 4 + 8 + DIGEST_BYTES + 2

const preimage = (meshId: Bytes, term: number, type: MessageType): Writer =>
  new Writer().raw(DOMAIN).raw(meshId).u32(term).u8(numberOf(type))

function put32(out: Bytes, at: number, value: number): number {
  out[at] = value >>> 24
  out[at + 1] = value >>> 16
  out[at + 2] = value >>> 8
  out[at + 3] = value
  return at + 4
}

/**
 * What a vote's signature covers: domain ‖ meshId ‖ term (4) ‖ type (1) ‖ view (4) ‖ height (8) ‖ digest (32) ‖ signer (2). Written by
 * hand in one piece, as it is needed for every vote that is made or checked.
 */
export function votePreimage(
  meshId: Bytes,
  vote: Pick<Vote, "type" | "term" | "view" | "height" | "digest" | "signer">,
): Bytes {
  const out = new Uint8Array(DOMAIN.length + meshId.length + VOTE_FIXED_BYTES)
  out.set(DOMAIN)
  out.set(meshId, DOMAIN.length)
  let at = put32(out, DOMAIN.length + meshId.length, vote.term)
  out[at++] = numberOf(vote.type)
  at = put32(out, at, vote.view)
  at = put32(out, at, Math.floor(vote.height / 2 ** 32))
  at = put32(out, at, vote.height)
  out.set(vote.digest, at)
  out[at + DIGEST_BYTES] = vote.signer >>> 8
  out[at + DIGEST_BYTES + 1] = vote.signer
  return out
}

/** What a VIEW-CHANGE's signature covers: all of it, proofs included. */
export function viewChangePreimage(meshId: Bytes, change: Omit<ViewChange, "signature">): Bytes {
  const writer = preimage(meshId, change.term, "view-change")
  writeViewChangeBody(writer, change)
  return writer.finish()
}

/** What a NEW-VIEW's signature covers: all of it. */
export function newViewPreimage(meshId: Bytes, newView: Omit<NewView, "signature">): Bytes {
  const writer = preimage(meshId, newView.term, "new-view")
  writeNewViewBody(writer, newView)
  return writer.finish()
}

/** What a seal's SLH-DSA signature covers. */
export const sealPreimage = (meshId: Bytes, seal: Omit<Seal, "signature" | "type">): Bytes =>
  new Writer()
    .raw(SEAL_DOMAIN)
    .raw(meshId)
    .u32(seal.term)
    .u64(seal.height)
    .raw(seal.digest)
    .finish()
