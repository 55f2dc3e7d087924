/**
 * Every signature that a big message rests on, without judging any: so that whoever drives the core can have them checked elsewhere,
 * many at once, and `verify` then finds them remembered. What is listed wrongly or not at all is only checked later, and slower.
 */
import type { Bytes } from "../crypto/bytes.ts"
import { newViewPreimage, viewChangePreimage, votePreimage } from "./preimage.ts"
import { primaryOf } from "./quorum.ts"
import type { ValidatorSet } from "./quorum.ts"
import type {
  Certificate,
  Message,
  NewView,
  PreparedProof,
  ValidatorKeys,
  ViewChange,
} from "./types.ts"

/** Somebody is said to have signed this. */
export interface Claim {
  readonly keys: ValidatorKeys
  readonly preimage: Bytes
  readonly signature: Bytes
}

export interface ClaimsCourt {
  readonly meshId: Bytes
  /** The set of a term, as far as it is known. */
  readonly setOf: (term: number) => ValidatorSet | undefined
}

/** Of a block's certificate, or a checkpoint's. */
export function claimsOfCertificate(certificate: Certificate, court: ClaimsCourt): Claim[] {
  const { type, term, view, height, digest, signatures } = certificate
  const set = court.setOf(term)
  return signatures.flatMap(({ signer, signature }) => {
    const keys = set?.members[signer]
    if (keys === undefined) return []
    const fields = { type, term, view, height, digest, signer }
    return [{ keys, preimage: votePreimage(court.meshId, fields), signature }]
  })
}

function claimsOfPrepared(proof: PreparedProof, term: number, court: ClaimsCourt): Claim[] {
  const set = court.setOf(term)
  if (set === undefined) return []
  const { height, view, digest, proposal, prepares } = proof
  const claim = (type: "pre-prepare" | "prepare", signer: number, signature: Bytes): Claim[] => {
    const keys = set.members[signer]
    if (keys === undefined) return []
    const fields = { type, term, view, height, digest, signer }
    return [{ keys, preimage: votePreimage(court.meshId, fields), signature }]
  }
  return [
    ...claim("pre-prepare", primaryOf(term, view, set.size), proposal),
    ...prepares.flatMap(({ signer, signature }) => claim("prepare", signer, signature)),
  ]
}

function claimsOfViewChange(change: ViewChange, court: ClaimsCourt): Claim[] {
  const { term, signer, signature, tip, prepared } = change
  const keys = court.setOf(term)?.members[signer]
  const own = keys && { keys, preimage: viewChangePreimage(court.meshId, change), signature }
  return [
    ...(own === undefined ? [] : [own]),
    ...(tip === undefined ? [] : claimsOfCertificate(tip, court)),
    ...prepared.flatMap((proof) => claimsOfPrepared(proof, term, court)),
  ]
}

function claimsOfNewView(message: NewView, court: ClaimsCourt): Claim[] {
  const { term, view, signer, signature, changes, proposals } = message
  const keys = court.setOf(term)?.members[signer]
  if (keys === undefined) return []
  const proposed = proposals.map(({ height, digest, signature: proposal }) => {
    const fields = { type: "pre-prepare" as const, term, view, height, digest, signer }
    return { keys, preimage: votePreimage(court.meshId, fields), signature: proposal }
  })
  return [
    { keys, preimage: newViewPreimage(court.meshId, message), signature },
    ...proposed,
    ...changes.flatMap((change) => claimsOfViewChange(change, court)),
  ]
}

/** Empty for messages that rest on one signature or none. */
export function claimsOf(message: Message, court: ClaimsCourt): Claim[] {
  if (message.type === "blocks")
    return message.records.flatMap(({ certificate }) => claimsOfCertificate(certificate, court))
  if (message.type === "view-change") return claimsOfViewChange(message, court)
  return message.type === "new-view" ? claimsOfNewView(message, court) : []
}

/** Blocks one by one, so that none of them holds up the event loop for long; everything else is one part. */
export function partsOf(message: Message): Message[] {
  if (message.type !== "blocks" || message.records.length < 2) return [message]
  const { records, ...rest } = message
  return records.map((record, i) =>
    i === records.length - 1
      ? { ...rest, records: [record] }
      : { type: "blocks", records: [record], isPart: true },
  )
}
