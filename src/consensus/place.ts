/**
 * The place of an envelope in the order, shown to somebody who follows no chain: the block that orders it with its certificate, and how its
 * validators came to be the ones, from the genesis on. A set begins with the term behind a boundary block whose state names it, and that
 * block is certified by the set before it: so one block for each change is enough (a link), however long the chain is.
 *
 * A block may name an item that the ledger's state then forbids, and everybody skips. Which items counted is in the history that the
 * state runs over, so each block comes with the history before it and one bit for each of its items.
 *
 *   proof  links 2, each: height 8 · parent 32 · batch digest 32 · state (length 2) · certificate · validators 1, their keys 2016 each ·
 *          blocks 1 (1 to PLACES_MAX), each: block · state (length 2) · history before 32 · applied (length 1)
 *
 * Nothing is trusted but the genesis, and one thing: that of no set which ever validated so many members are false, or have lost their keys
 * since, that they could certify another chain.
 */
import { type Bytes, equal, type Reader, type Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { blockHash, type BlockHeader, highMark, termOf } from "./block.ts"
import { certificateFault } from "./certificate.ts"
import {
  readBlockRecord,
  readCertificate,
  writeBlockRecord,
  writeCertificate,
} from "./codec-parts.ts"
import type { Scheme } from "./hybrid.ts"
import type { LedgerRules } from "./ledger.ts"
import {
  BLOCK_ITEMS_MAX,
  DIGEST_BYTES,
  ED25519_PUBLIC_BYTES,
  ML_DSA_65_PUBLIC_BYTES,
  SLH_DSA_PUBLIC_BYTES,
  VALIDATORS_MAX,
} from "./limits.ts"
import { bitOf, keysAreDistinct, validatorSet, type ValidatorSet, writeKeys } from "./quorum.ts"
import { historyAfter, readState, rootOfState, STATE_BYTES_MAX } from "./state.ts"
import type { BlockRecord, Certificate, ValidatorKeys } from "./types.ts"

/** Changes of the validators that a proof may lead over; there is one in a term at most. */
export const LINKS_MAX = 4096
/** Blocks of a proof: as many as what is said has envelopes. */
export const PLACES_MAX = 11

/** The last block of a term behind which another set begins. */
export interface Link {
  readonly height: number
  readonly parent: Bytes
  /** D of its batch. */
  readonly digest: Bytes
  /** The state that it left, encoded (state.ts). */
  readonly state: Bytes
  readonly certificate: Certificate
  /** Who validates from there on. */
  readonly validators: readonly ValidatorKeys[]
}

export interface ShownBlock {
  readonly record: BlockRecord
  /** The state that it left, encoded. */
  readonly state: Bytes
  /** The history before it, 32 bytes. */
  readonly before: Bytes
  /** Which of its items counted, one bit each. */
  readonly applied: Bytes
}

export interface PlaceProof {
  /** Oldest first. */
  readonly links: readonly Link[]
  /** In order of height. */
  readonly blocks: readonly ShownBlock[]
}

export type PlaceFault =
  /** A certificate is not this block's. */
  | "WRONG_BLOCK"
  /** A state is not the one that the block names. */
  | "WRONG_STATE"
  /** Validators who are not those that the chain named. */
  | "WRONG_SET"
  /** A link that no change of the validators stands behind, or out of order. */
  | "WRONG_LINK"
  | "BAD_SIGNERS"
  | "NO_QUORUM"
  | "BAD_SIGNATURE"
  /** None of the blocks orders this envelope. */
  | "NOT_ORDERED"

export interface Placed {
  readonly height: number
  /** Among the envelopes that the block ordered. */
  readonly index: number
}

export interface PlacesShown {
  readonly ok: true
  /** Of each envelope asked for, in that order. */
  readonly places: readonly Placed[]
  /** Who certified the last of these blocks: how many of how many. */
  readonly signatures: number
  readonly validators: number
  readonly quorum: number
}

type Faulty = { readonly ok: false; readonly code: PlaceFault }
const no = (code: PlaceFault): Faulty => ({ ok: false, code })

type Rules = Pick<LedgerRules, "meshId" | "validators" | "termHeights">

interface InForce {
  readonly set: ValidatorSet
  readonly since: number
}

/** Where these envelopes (ids of 32 bytes) stand, if the proof shows it of all of them. Checks every signature. */
export function judgePlaces(
  rules: Rules,
  { links, blocks }: PlaceProof,
  envelopes: readonly Bytes[],
  scheme: Scheme,
): PlacesShown | Faulty {
  // Nobody has vouched for the genesis' own list yet.
  if (rules.validators.length === 0 || !keysAreDistinct(rules.validators)) return no("WRONG_SET")
  const sets: InForce[] = [{ set: validatorSet(rules.validators), since: 0 }]
  for (const link of links) {
    const next = judgeLink(rules, link, sets.at(-1), scheme)
    if ("code" in next) return next
    sets.push(next)
  }
  let last: { certificate: Certificate; set: ValidatorSet } | undefined
  for (const block of blocks) {
    const { certificate } = block.record
    const inForce = sets.findLast(({ since }) => since <= certificate.term)
    if (inForce === undefined) return no("WRONG_SET")
    const code = faultOfBlock(rules, block, inForce, scheme)
    if (code !== undefined) return no(code)
    last = { certificate, set: inForce.set }
  }
  const places = envelopes.flatMap((id) => placeIn(blocks, id) ?? [])
  if (last === undefined || places.length < envelopes.length) return no("NOT_ORDERED")
  const { size: validators, quorum } = last.set
  return { ok: true, places, signatures: last.certificate.signatures.length, validators, quorum }
}

function judgeLink(
  { meshId, termHeights }: Rules,
  link: Link,
  before: InForce | undefined,
  scheme: Scheme,
): InForce | Faulty {
  const { height, parent, digest, state, certificate, validators } = link
  const term = termOf(height, termHeights)
  if (before === undefined || height !== highMark(term, termHeights) || term < before.since)
    return no("WRONG_LINK")
  const header = { height, parent, digest, stateRoot: rootOfState(state) }
  const code = certified(meshId, header, term, certificate, before.set, scheme)
  if (code !== undefined) return no(code)
  const said = readState(state)
  if (said.setSince !== term + 1) return no("WRONG_LINK")
  if (validators.length === 0 || !keysAreDistinct(validators)) return no("WRONG_SET")
  const set = validatorSet(validators)
  if (!equal(said.set, set.digest)) return no("WRONG_SET")
  return { set, since: said.setSince }
}

function faultOfBlock(
  { meshId, termHeights }: Rules,
  { record, state, before, applied }: ShownBlock,
  { set, since }: InForce,
  scheme: Scheme,
): PlaceFault | undefined {
  const { height, parent, stateRoot, batch, certificate } = record
  const term = termOf(height, termHeights)
  const header = { height, parent, digest: batch.digest, stateRoot }
  const code = certified(meshId, header, term, certificate, set, scheme)
  if (code !== undefined) return code
  if (!equal(rootOfState(state), stateRoot)) return "WRONG_STATE"
  const said = readState(state)
  // The last block of a term may leave the next set in force already.
  const isBoundary = height === highMark(term, termHeights)
  if (!isBoundary && (!equal(said.set, set.digest) || said.setSince !== since)) return "WRONG_SET"
  const isWhole = applied.length === Math.ceil(batch.items.length / 8)
  if (!isWhole || !equal(historyAfter(before, batch.digest, applied), said.history))
    return "WRONG_STATE"
  return undefined
}

function certified(
  meshId: Bytes,
  header: BlockHeader,
  term: number,
  certificate: Certificate,
  set: ValidatorSet,
  scheme: Scheme,
): PlaceFault | undefined {
  const isItsOwn =
    certificate.type === "commit" &&
    certificate.height === header.height &&
    certificate.term === term &&
    equal(certificate.digest, blockHash(meshId, header))
  if (!isItsOwn) return "WRONG_BLOCK"
  return certificateFault(certificate, meshId, set, scheme) as PlaceFault | undefined
}

/** Where these blocks have an envelope (32 bytes). Whether they are blocks of the mesh is not looked at. */
export function placeIn(blocks: readonly ShownBlock[], id: Bytes): Placed | undefined {
  for (const block of blocks) {
    const index = envelopesApplied(block).findIndex((each) => equal(each, id))
    if (index >= 0) return { height: block.record.height, index }
  }
  return undefined
}

const envelopesApplied = ({ record, applied }: ShownBlock): Bytes[] =>
  record.batch.items.flatMap((item, i) =>
    item.type === "envelope" && bitOf(applied, i) ? [item.id] : [],
  )

export function writePlaces(out: Writer, { links, blocks }: PlaceProof): Writer {
  out.u16(links.length)
  for (const { height, parent, digest, state, certificate, validators } of links) {
    out.u64(height).raw(parent).raw(digest).bytes(state, 2)
    writeCertificate(out, certificate).u8(validators.length)
    for (const keys of validators) writeKeys(out, keys)
  }
  out.u8(blocks.length)
  for (const { record, state, before, applied } of blocks)
    writeBlockRecord(out, record).bytes(state, 2).raw(before).bytes(applied, 1)
  return out
}

/** Form alone. Throws CryptoError BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function readPlaces(read: Reader): PlaceProof {
  const linkCount = read.u16()
  if (linkCount > LINKS_MAX) throw new CryptoError("TOO_LARGE", `${linkCount} links`)
  const links: Link[] = []
  while (links.length < linkCount) links.push(readLink(read))
  const blockCount = read.u8()
  if (blockCount < 1 || blockCount > PLACES_MAX)
    throw new CryptoError("BAD_ENCODING", `${blockCount} blocks`)
  const blocks: ShownBlock[] = []
  while (blocks.length < blockCount)
    blocks.push({
      record: readBlockRecord(read),
      state: readEncodedState(read),
      before: read.raw(DIGEST_BYTES),
      applied: read.bytes(1, Math.ceil(BLOCK_ITEMS_MAX / 8)),
    })
  return { links, blocks }
}

const readEncodedState = (read: Reader): Bytes => {
  const state = read.bytes(2, STATE_BYTES_MAX)
  // What `readState` reads is there; the root vouches for the rest.
  readState(state)
  return state
}

function readLink(read: Reader): Link {
  const [height, parent, digest] = [read.u64(), read.raw(DIGEST_BYTES), read.raw(DIGEST_BYTES)]
  const [state, certificate] = [readEncodedState(read), readCertificate(read)]
  const count = read.u8()
  if (count < 1 || count > VALIDATORS_MAX) throw new CryptoError("BAD_ENCODING", "validators")
  const validators = Array.from({ length: count }, () => ({
    ed25519: read.raw(ED25519_PUBLIC_BYTES),
    mlDsa65: read.raw(ML_DSA_65_PUBLIC_BYTES),
    slhDsa: read.raw(SLH_DSA_PUBLIC_BYTES),
  }))
  return { height, parent, digest, state, certificate, validators }
}
