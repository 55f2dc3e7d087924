/**
 * The wire: every message in canonical bytes: version (1), type (1), body. Decoders are strict and total: a value, or a CryptoError.
 * They check form only; `verify` checks truth.
 */
import { concat, Reader, Writer, type Bytes } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import type { BlockClaim } from "./certificate.ts"
import { batchDigest, decodeBatch, decodeItem, encodeItem } from "./item.ts"
import {
  BATCH_MAX_BYTES,
  BLOCKS_PER_ANSWER,
  DIGEST_BYTES,
  ITEM_EVIDENCE_MAX_BYTES,
  MESSAGE_MAX_BYTES,
  REQUEST_ITEMS_MAX,
  SLH_DSA_SIGNATURE_BYTES,
} from "./limits.ts"
import {
  MESSAGE_TYPES,
  numberOf,
  optional,
  present,
  readCount,
  readDigest,
  readSigner,
  writeCertificate,
  readCertificate,
  writeViewChange,
  readViewChange,
  writeNewViewBody,
  readNewView,
  writeBlockRecord,
  readBlockRecord,
  writeVote,
  readVote,
  writeStatus,
  readStatus,
} from "./codec-parts.ts"
import type { BlockRecord, Certificate, Message, MessageType, VoteType } from "./types.ts"

const VERSION = 1
/** Version, type, count of blocks, and that there is no checkpoint. */
const BLOCKS_FIXED_BYTES = 1 + 1 + 2 + 1
/** Version, type, term, view, height, digest, signer, and the signature's length. */
const VOTE_FIXED_BYTES = 1 + 1 + 4 + 4 + 8 + DIGEST_BYTES + 2 + 2

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
export function encodeBlocks(records: readonly Bytes[], checkpoint?: Certificate): Bytes {
  const bytes = records.reduce((sum, { length }) => sum + length, BLOCKS_FIXED_BYTES)
  const writer = new Writer(bytes).u8(VERSION).u8(numberOf("blocks"))
  return writeBlocks(writer, records, checkpoint).finish()
}

/** How long a vote is, as votes are most of what is encoded; room for other messages grows. */
function capacityFor(message: Message): number | undefined {
  const { type } = message
  if (type === "prepare" || type === "commit" || type === "checkpoint")
    return VOTE_FIXED_BYTES + message.signature.length
  if (type !== "pre-prepare") return undefined
  const { signature, batch } = message
  return VOTE_FIXED_BYTES + signature.length + 1 + (batch ? 4 + batch.bytes.length : 0)
}

export function encodeMessage(message: Message): Bytes {
  const writer = new Writer(capacityFor(message)).u8(VERSION).u8(numberOf(message.type))
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
  const type = MESSAGE_TYPES[reader.u8() - 1]
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

/** A stored block without its items, for who only wants to know whether it is proven. Throws CryptoError. */
export function decodeBlockClaim(bytes: Bytes): BlockClaim {
  const reader = new Reader(bytes)
  const height = reader.u64()
  const parent = readDigest(reader)
  const stateRoot = readDigest(reader)
  const digest = batchDigest(reader.bytes(4, BATCH_MAX_BYTES))
  const certificate = readCertificate(reader)
  reader.done()
  return { height, parent, stateRoot, digest, certificate }
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
