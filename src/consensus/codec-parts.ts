/**
 * What messages and records on disk are made of: votes, certificates, proofs, VIEW-CHANGEs and NEW-VIEWs, blocks, STATUS. Strict readers
 * that throw CryptoError, and writers of the same bytes.
 */
import type { Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { decodeBatch } from "./item.ts"
import {
  BATCH_MAX_BYTES,
  DIGEST_BYTES,
  SIGNATURE_MAX_BYTES,
  TERM_HEIGHTS,
  VALIDATORS_MAX,
} from "./limits.ts"
import type {
  BlockRecord,
  Certificate,
  MessageType,
  NewView,
  PreparedProof,
  Signed,
  SlotStatus,
  Status,
  ViewChange,
  Vote,
  VoteType,
} from "./types.ts"

/** By their number on the wire, from 1. */
export const MESSAGE_TYPES: readonly MessageType[] = [
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
export const numberOf = (type: MessageType): number => MESSAGE_TYPES.indexOf(type) + 1

const voteBody = (
  writer: Writer,
  vote: Pick<Vote, "view" | "height" | "digest" | "signer">,
): Writer => writer.u32(vote.view).u64(vote.height).raw(vote.digest).u16(vote.signer)

export const optional = <T>(
  writer: Writer,
  value: T | undefined,
  write: (value: T) => void,
): void => {
  writer.u8(value === undefined ? 0 : 1)
  if (value !== undefined) write(value)
}

export function present(reader: Reader): boolean {
  const flag = reader.u8()
  if (flag > 1) throw new CryptoError("BAD_ENCODING", "a flag is 0 or 1")
  return flag === 1
}

export function readCount(reader: Reader, max: number, what: string): number {
  const count = reader.u16()
  if (count > max) throw new CryptoError("TOO_LARGE", `${count} ${what}, at most ${max}`)
  return count
}

export const readDigest = (reader: Reader): Bytes => reader.raw(DIGEST_BYTES)
const readSignature = (reader: Reader): Bytes => reader.bytes(2, SIGNATURE_MAX_BYTES)

export function readSigner(reader: Reader): number {
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

export function writeViewChangeBody(writer: Writer, change: Omit<ViewChange, "signature">): void {
  writer.u32(change.view).u16(change.signer)
  optional(writer, change.tip, (tip) => writeCertificate(writer, tip))
  writer.u16(change.prepared.length)
  for (const proof of change.prepared) writePrepared(writer, proof)
}

export function writeViewChange(writer: Writer, change: ViewChange): void {
  writer.u32(change.term)
  writeViewChangeBody(writer, change)
  writer.bytes(change.signature, 2)
}

export function readViewChange(reader: Reader): ViewChange {
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

export function writeNewViewBody(writer: Writer, newView: Omit<NewView, "signature">): void {
  writer.u32(newView.view).u16(newView.signer).u16(newView.changes.length)
  for (const change of newView.changes) writeViewChange(writer, change)
  writer.u16(newView.proposals.length)
  for (const { height, digest, signature } of newView.proposals)
    writer.u64(height).raw(digest).bytes(signature, 2)
}

export function readNewView(reader: Reader): NewView {
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

export function writeVote(writer: Writer, vote: Vote): Writer {
  return voteBody(writer.u32(vote.term), vote).bytes(vote.signature, 2)
}

export function readVote<Type extends VoteType>(reader: Reader, type: Type): Vote<Type> {
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

export function writeStatus(writer: Writer, status: Status): void {
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

export function readStatus(reader: Reader): Status {
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
