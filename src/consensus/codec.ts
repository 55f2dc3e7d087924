/**
 * The wire: every message in canonical bytes, and the bytes each signature covers. A message is version (1), type (1), body.
 * A signature covers domain ‖ meshId ‖ term ‖ type ‖ body, so no signature means anything in another mesh, term, or role.
 * Decoders are strict and total: a value, or a CryptoError. They check form only; `verify` checks truth.
 */
import { concat, Reader, Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { decodeBatch, decodeItem, encodeItem } from "./item.ts"
import {
  BATCH_MAX_BYTES,
  BLOCKS_PER_ANSWER,
  DIGEST_BYTES,
  ITEM_EVIDENCE_MAX_BYTES,
  MESSAGE_MAX_BYTES,
  REQUEST_ITEMS_MAX,
  SIGNATURE_MAX_BYTES,
  SLH_DSA_SIGNATURE_BYTES,
  TERM_HEIGHTS,
  VALIDATORS_MAX,
} from "./limits.ts"
import type {
  BlockRecord,
  Certificate,
  Message,
  MessageType,
  NewView,
  PreparedProof,
  Seal,
  Signed,
  SlotStatus,
  Status,
  ViewChange,
  Vote,
  VoteType,
} from "./types.ts"

const VERSION = 1
const DOMAIN = new Writer().text("sotto/pbft/1", 1).finish()
const SEAL_DOMAIN = new Writer().text("sotto/seal/1", 1).finish()

const TYPES: readonly MessageType[] = [
  "pre-prepare",
  "prepare",
  "commit",
  "checkpoint",
  "view-change",
  "new-view",
  "seal",
  "status",
  "fetch",
  "batch",
  "blocks",
  "request",
  "evidence",
]
const numberOf = (type: MessageType): number => TYPES.indexOf(type) + 1
/** term, type, view, height, digest, signer */
const VOTE_FIXED_BYTES = 4 + 1 + 4 + 8 + DIGEST_BYTES + 2

// ---- what signatures cover

const voteBody = (
  writer: Writer,
  vote: Pick<Vote, "view" | "height" | "digest" | "signer">,
): Writer => writer.u32(vote.view).u64(vote.height).raw(vote.digest).u16(vote.signer)

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

// ---- parts

const optional = <T>(writer: Writer, value: T | undefined, write: (value: T) => void): void => {
  writer.u8(value === undefined ? 0 : 1)
  if (value !== undefined) write(value)
}

function present(reader: Reader): boolean {
  const flag = reader.u8()
  if (flag > 1) throw new CryptoError("BAD_ENCODING", "a flag is 0 or 1")
  return flag === 1
}

function readCount(reader: Reader, max: number, what: string): number {
  const count = reader.u16()
  if (count > max) throw new CryptoError("TOO_LARGE", `${count} ${what}, at most ${max}`)
  return count
}

const readDigest = (reader: Reader): Bytes => reader.raw(DIGEST_BYTES)
const readSignature = (reader: Reader): Bytes => reader.bytes(2, SIGNATURE_MAX_BYTES)

function readSigner(reader: Reader): number {
  const signer = reader.u16()
  if (signer >= VALIDATORS_MAX) throw new CryptoError("BAD_ENCODING", `no seat ${signer}`)
  return signer
}

function writeSigned(writer: Writer, signatures: readonly Signed[]): void {
  writer.u16(signatures.length)
  for (const { signer, signature } of signatures) writer.u16(signer).bytes(signature, 2)
}

/** Seats strictly ascending: a list that names a signer twice has no encoding. */
function readSigned(reader: Reader): Signed[] {
  const count = readCount(reader, VALIDATORS_MAX, "signatures")
  const signatures: Signed[] = []
  let before = -1
  for (let i = 0; i < count; i++) {
    const signer = readSigner(reader)
    if (signer <= before) throw new CryptoError("BAD_ENCODING", "signers out of order")
    before = signer
    signatures.push({ signer, signature: readSignature(reader) })
  }
  return signatures
}

export function writeCertificate(writer: Writer, certificate: Certificate): Writer {
  writer.u8(certificate.type === "commit" ? 0 : 1)
  writer.u32(certificate.term).u32(certificate.view).u64(certificate.height)
  writer.raw(certificate.digest)
  writeSigned(writer, certificate.signatures)
  return writer
}

export function readCertificate(reader: Reader): Certificate {
  return {
    type: present(reader) ? "checkpoint" : "commit",
    term: reader.u32(),
    view: reader.u32(),
    height: reader.u64(),
    digest: readDigest(reader),
    signatures: readSigned(reader),
  }
}

export function writePrepared(writer: Writer, proof: PreparedProof): Writer {
  writer.u64(proof.height).u32(proof.view).raw(proof.digest).bytes(proof.proposal, 2)
  writeSigned(writer, proof.prepares)
  return writer
}

export const readPrepared = (reader: Reader): PreparedProof => ({
  height: reader.u64(),
  view: reader.u32(),
  digest: readDigest(reader),
  proposal: readSignature(reader),
  prepares: readSigned(reader),
})

function writeViewChangeBody(writer: Writer, change: Omit<ViewChange, "signature">): void {
  writer.u32(change.view).u16(change.signer)
  optional(writer, change.tip, (tip) => writeCertificate(writer, tip))
  writer.u16(change.prepared.length)
  for (const proof of change.prepared) writePrepared(writer, proof)
}

function writeViewChange(writer: Writer, change: ViewChange): void {
  writer.u32(change.term)
  writeViewChangeBody(writer, change)
  writer.bytes(change.signature, 2)
}

function readViewChange(reader: Reader): ViewChange {
  const term = reader.u32()
  const view = reader.u32()
  const signer = readSigner(reader)
  const tip = present(reader) ? readCertificate(reader) : undefined
  const prepared: PreparedProof[] = []
  for (let left = readCount(reader, TERM_HEIGHTS, "proofs"); left > 0; left--)
    prepared.push(readPrepared(reader))
  const signature = readSignature(reader)
  const rest = { term, view, prepared, signer, signature }
  return { type: "view-change", ...rest, ...(tip === undefined ? {} : { tip }) }
}

function writeNewViewBody(writer: Writer, newView: Omit<NewView, "signature">): void {
  writer.u32(newView.view).u16(newView.signer).u16(newView.changes.length)
  for (const change of newView.changes) writeViewChange(writer, change)
  writer.u16(newView.proposals.length)
  for (const { height, digest, signature } of newView.proposals)
    writer.u64(height).raw(digest).bytes(signature, 2)
}

function readNewView(reader: Reader): NewView {
  const term = reader.u32()
  const view = reader.u32()
  const signer = readSigner(reader)
  const changes: ViewChange[] = []
  for (let left = readCount(reader, VALIDATORS_MAX, "view changes"); left > 0; left--)
    changes.push(readViewChange(reader))
  const proposals = Array.from({ length: readCount(reader, TERM_HEIGHTS, "proposals") }, () => ({
    height: reader.u64(),
    digest: readDigest(reader),
    signature: readSignature(reader),
  }))
  const signature = readSignature(reader)
  return { type: "new-view", term, view, changes, proposals, signer, signature }
}

export function writeBlockRecord(writer: Writer, record: BlockRecord): Writer {
  writer.u64(record.height).raw(record.parent).raw(record.stateRoot).bytes(record.batch.bytes, 4)
  return writeCertificate(writer, record.certificate)
}

export function readBlockRecord(reader: Reader): BlockRecord {
  return {
    height: reader.u64(),
    parent: readDigest(reader),
    stateRoot: readDigest(reader),
    batch: decodeBatch(reader.bytes(4, BATCH_MAX_BYTES)),
    certificate: readCertificate(reader),
  }
}

function writeVote(writer: Writer, vote: Vote): Writer {
  return voteBody(writer.u32(vote.term), vote).bytes(vote.signature, 2)
}

function readVote<Type extends VoteType>(reader: Reader, type: Type): Vote<Type> {
  return {
    type,
    term: reader.u32(),
    view: reader.u32(),
    height: reader.u64(),
    digest: readDigest(reader),
    signer: readSigner(reader),
    signature: readSignature(reader),
  }
}

function writeStatus(writer: Writer, status: Status): void {
  writer
    .u32(status.term)
    .u32(status.view)
    .u8(status.changing ? 1 : 0)
    .u64(status.executed)
  writer.u64(status.ask).u64(status.answer)
  writer.bytes(status.changes, 1).bytes(status.checkpoints, 1).u16(status.slots.length)
  for (const slot of status.slots)
    writer
      .u8(slot.proposal ? 1 : 0)
      .bytes(slot.prepares, 1)
      .bytes(slot.commits, 1)
}

function readStatus(reader: Reader): Status {
  const map = () => reader.bytes(1, Math.ceil(VALIDATORS_MAX / 8))
  const head = {
    term: reader.u32(),
    view: reader.u32(),
    changing: present(reader),
    executed: reader.u64(),
    ask: reader.u64(),
    answer: reader.u64(),
    changes: map(),
    checkpoints: map(),
  }
  const slots: SlotStatus[] = []
  for (let left = readCount(reader, TERM_HEIGHTS, "slots"); left > 0; left--)
    slots.push({ proposal: present(reader), prepares: map(), commits: map() })
  return { type: "status", ...head, slots }
}

// ---- messages

const VOTES: readonly VoteType[] = ["pre-prepare", "prepare", "commit", "checkpoint"]

function readVoteType(reader: Reader): VoteType {
  const type = VOTES[reader.u8() - 1]
  if (type === undefined) throw new CryptoError("BAD_ENCODING", "no such vote")
  return type
}

function writeBlocks(writer: Writer, records: readonly Bytes[], checkpoint?: Certificate): Writer {
  writer.u16(records.length)
  for (const record of records) writer.raw(record)
  optional(writer, checkpoint, (proof) => writeCertificate(writer, proof))
  return writer
}

/** A `blocks` message of blocks as they are stored. */
export const encodeBlocks = (records: readonly Bytes[], checkpoint?: Certificate): Bytes =>
  writeBlocks(new Writer().u8(VERSION).u8(numberOf("blocks")), records, checkpoint).finish()

export function encodeMessage(message: Message): Bytes {
  const writer = new Writer().u8(VERSION).u8(numberOf(message.type))
  switch (message.type) {
    case "pre-prepare":
      writeVote(writer, message)
      optional(writer, message.batch, (batch) => writer.bytes(batch.bytes, 4))
      break
    case "prepare":
    case "commit":
    case "checkpoint":
      writeVote(writer, message)
      break
    case "view-change":
      writeViewChange(writer, message)
      break
    case "new-view":
      writer.u32(message.term)
      writeNewViewBody(writer, message)
      writer.bytes(message.signature, 2)
      break
    case "seal":
      writer.u32(message.term).u64(message.height).raw(message.digest).u16(message.signer)
      writer.bytes(message.signature, 2)
      break
    case "status":
      writeStatus(writer, message)
      break
    case "fetch":
      writer.u32(message.term).u64(message.height).raw(message.digest)
      break
    case "batch":
      writer.u32(message.term).u64(message.height).bytes(message.batch.bytes, 4)
      break
    case "blocks":
      writeBlocks(writer, message.records.map(encodeBlockRecord), message.checkpoint)
      break
    case "request":
      writer.u16(message.items.length)
      for (const item of message.items) writer.bytes(encodeItem(item), 4)
      break
    case "evidence":
      for (const vote of [message.first, message.second])
        writeVote(writer.u8(VOTES.indexOf(vote.type) + 1), vote)
  }
  return writer.finish()
}

function readBody(reader: Reader, type: MessageType): Message {
  switch (type) {
    case "pre-prepare": {
      const vote = readVote(reader, type)
      if (!present(reader)) return vote
      return { ...vote, batch: decodeBatch(reader.bytes(4, BATCH_MAX_BYTES)) }
    }
    case "prepare":
    case "commit":
    case "checkpoint":
      return readVote(reader, type)
    case "view-change":
      return readViewChange(reader)
    case "new-view":
      return readNewView(reader)
    case "seal":
      return {
        type,
        term: reader.u32(),
        height: reader.u64(),
        digest: readDigest(reader),
        signer: readSigner(reader),
        signature: reader.bytes(2, SLH_DSA_SIGNATURE_BYTES),
      }
    case "status":
      return readStatus(reader)
    case "fetch":
      return { type, term: reader.u32(), height: reader.u64(), digest: readDigest(reader) }
    case "batch":
      return {
        type,
        term: reader.u32(),
        height: reader.u64(),
        batch: decodeBatch(reader.bytes(4, BATCH_MAX_BYTES)),
      }
    case "blocks": {
      const records: BlockRecord[] = []
      for (let left = readCount(reader, BLOCKS_PER_ANSWER, "blocks"); left > 0; left--)
        records.push(readBlockRecord(reader))
      return present(reader)
        ? { type, records, checkpoint: readCertificate(reader) }
        : { type, records }
    }
    case "request": {
      const count = readCount(reader, REQUEST_ITEMS_MAX, "items")
      const max = ITEM_EVIDENCE_MAX_BYTES + BATCH_MAX_BYTES
      return {
        type,
        items: Array.from({ length: count }, () => decodeItem(reader.bytes(4, max))),
      }
    }
    case "evidence":
      return {
        type,
        first: readVote(reader, readVoteType(reader)),
        second: readVote(reader, readVoteType(reader)),
      }
  }
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeMessage(bytes: Bytes): Message {
  if (bytes.length > MESSAGE_MAX_BYTES)
    throw new CryptoError("TOO_LARGE", "a message over its limit")
  const reader = new Reader(bytes)
  if (reader.u8() !== VERSION)
    throw new CryptoError("BAD_VERSION", "a ledger message of another version")
  const type = TYPES[reader.u8() - 1]
  if (type === undefined) throw new CryptoError("BAD_ENCODING", "no such message")
  const message = readBody(reader, type)
  reader.done()
  return message
}

/** A stored block on its own. */
export const encodeBlockRecord = (record: BlockRecord): Bytes =>
  writeBlockRecord(new Writer(), record).finish()

/** Throws CryptoError. */
export function decodeBlockRecord(bytes: Bytes): BlockRecord {
  const reader = new Reader(bytes)
  const record = readBlockRecord(reader)
  reader.done()
  return record
}

export const encodeCertificate = (certificate: Certificate): Bytes =>
  writeCertificate(new Writer(), certificate).finish()

/** Throws CryptoError. */
export function decodeCertificate(bytes: Bytes): Certificate {
  const reader = new Reader(bytes)
  const certificate = readCertificate(reader)
  reader.done()
  return certificate
}

export const sameBytes = (a: Message, b: Message): boolean => {
  const [x, y] = [encodeMessage(a), encodeMessage(b)]
  return x.length === y.length && concat(x).every((byte, i) => byte === y[i])
}
