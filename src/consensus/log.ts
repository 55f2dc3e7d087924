/**
 * The log on disk, as bytes: what a validator must not forget lest it sign twice. Records are framed by length and CRC-32 and
 * chained by hash. After a crash the tail may be torn; that is cut. Anything worse, or a log shorter than what the guard says
 * was once synced, means that signed votes may be lost: then the validator must not vote (see `guardVerdict`).
 *
 * Record: length (4) ‖ CRC-32 of the rest (4) ‖ sequence (8) ‖ first 16 bytes of the previous record's hash ‖ payload.
 * Guard: term (4) ‖ sequence of the last synced record (8) ‖ its hash (32) ‖ CRC-32 (4). Rewritten after each sync of the
 * log and before anything is sent.
 */
import { concat, equal, Reader, utf8, Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { primitives } from "#primitives"
import { decodeMessage, encodeMessage } from "./codec.ts"
import { readPrepared, writePrepared } from "./codec-parts.ts"
import { DIGEST_BYTES, MESSAGE_MAX_BYTES } from "./limits.ts"
import { HALT_CODES } from "./types.ts"
import type { LogRecord } from "./types.ts"

const HEAD_BYTES = 8
const CRC_AT = 4
const GUARD_BYTES = 48
const CHAIN_BYTES = 16
const FRAME_BYTES = HEAD_BYTES + 8 + CHAIN_BYTES
const LOG_DOMAIN = new Writer().text("sotto/log/1", 1).finish()

/** Row k: what a byte does to the CRC when k zero bytes follow it. */
const row = () => new Uint32Array(256)
const [ROW_0, ROW_1, ROW_2, ROW_3] = [row(), row(), row(), row()] as const
for (let n = 0; n < 256; n++) {
  let c = n
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  ROW_0[n] = c
}
for (let n = 0; n < 256; n++) {
  let c = ROW_0[n] ?? 0
  for (const next of [ROW_1, ROW_2, ROW_3]) next[n] = c = (ROW_0[c & 255] ?? 0) ^ (c >>> 8)
}

/** CRC-32 (ISO-HDLC), four bytes at a time; for accidents: the hash chain is what tells a log from another. */
export function crc32(bytes: Bytes): number {
  let crc = 0xffffffff
  let i = 0
  for (; i + 4 <= bytes.length; i += 4) {
    const low = crc ^ (bytes[i] ?? 0) ^ ((bytes[i + 1] ?? 0) << 8)
    const x = low ^ ((bytes[i + 2] ?? 0) << 16) ^ ((bytes[i + 3] ?? 0) << 24)
    crc =
      (ROW_3[x & 255] ?? 0) ^
      (ROW_2[(x >>> 8) & 255] ?? 0) ^
      (ROW_1[(x >>> 16) & 255] ?? 0) ^
      (ROW_0[x >>> 24] ?? 0)
  }
  for (; i < bytes.length; i++) crc = (ROW_0[(crc ^ (bytes[i] ?? 0)) & 255] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

const UNKNOWN_TERM = 0xffffffff
const KINDS = [
  "proposal",
  "vote",
  "prepared",
  "view-change",
  "new-view",
  "observer",
  "halted",
  "resumed",
] as const
/** Why a validator halted, in words of ours. */
const DETAIL_MAX_BYTES = 1024

/** A record's payload: kind (1), then the message, proof or number. */
export function encodeLogRecord(record: LogRecord): Bytes {
  const kind = KINDS.indexOf(record.kind) + 1
  const writer = new Writer().u8(kind)
  switch (record.kind) {
    case "prepared":
      return writePrepared(writer, record.proof).finish()
    case "observer":
      return writer.u32(Math.min(record.voteFromTerm, UNKNOWN_TERM)).finish()
    case "halted":
      writer.u8(HALT_CODES.indexOf(record.code))
      return writer.bytes(utf8(record.detail).subarray(0, DETAIL_MAX_BYTES), 2).finish()
    case "resumed":
      return writer.finish()
    case "proposal":
    case "vote":
    case "view-change":
    case "new-view": {
      const message = encodeMessage(record.message)
      return new Writer(1 + message.length).u8(kind).raw(message).finish()
    }
  }
}

/** Throws CryptoError. */
export function decodeLogRecord(payload: Bytes): LogRecord {
  const reader = new Reader(payload)
  const kind = KINDS[reader.u8() - 1]
  if (kind === undefined) throw new CryptoError("BAD_ENCODING", "no such record")
  if (kind === "prepared") {
    const proof = readPrepared(reader)
    reader.done()
    return { kind, proof }
  }
  if (kind === "observer") {
    const voteFromTerm = reader.u32()
    reader.done()
    return { kind, voteFromTerm: voteFromTerm === UNKNOWN_TERM ? Infinity : voteFromTerm }
  }
  if (kind === "halted") {
    const code = HALT_CODES[reader.u8()]
    if (code === undefined) throw new CryptoError("BAD_ENCODING", "no such reason to halt")
    const detail = reader.text(2, DETAIL_MAX_BYTES)
    reader.done()
    return { kind, code, detail }
  }
  if (kind === "resumed") {
    reader.done()
    return { kind }
  }
  const message = decodeMessage(reader.raw(reader.left))
  const fits =
    kind === "vote"
      ? message.type === "prepare" || message.type === "commit" || message.type === "checkpoint"
      : message.type === (kind === "proposal" ? "pre-prepare" : kind)
  if (!fits) throw new CryptoError("BAD_ENCODING", `a ${kind} record holds a ${message.type}`)
  return { kind, message } as LogRecord
}

/** Where a log ends: what the next record is chained to. */
export interface LogEnd {
  /** Sequence number of the last record, 0 for none. */
  readonly sequence: number
  /** Hash of the last record, 32 bytes. */
  readonly hash: Bytes
}

/** A log begins with its term, so that records of another term's log are not taken for its own. */
export const logStart = (meshId: Bytes, term: number): LogEnd => ({
  sequence: 0,
  hash: primitives.sha3_256(new Writer().raw(LOG_DOMAIN).raw(meshId).u32(term).finish()),
})

/** One framed record, and the end of the log after it. */
export function appendRecord(end: LogEnd, payload: Bytes): { bytes: Bytes; end: LogEnd } {
  const sequence = end.sequence + 1
  const writer = new Writer(FRAME_BYTES + payload.length).u32(payload.length).u32(0).u64(sequence)
  const bytes = writer.raw(end.hash.subarray(0, CHAIN_BYTES)).raw(payload).finish()
  const rest = bytes.subarray(HEAD_BYTES)
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(CRC_AT, crc32(rest))
  return { bytes, end: { sequence, hash: primitives.sha3_256(LOG_DOMAIN, rest) } }
}

export interface LogContents {
  readonly records: readonly LogRecord[]
  readonly end: LogEnd
  /** Bytes that are good; the rest is to be cut. */
  readonly goodBytes: number
}

/** Reads as far as the records are whole and chained. Total: whatever the bytes, a value. */
export function readLog(bytes: Bytes, start: LogEnd): LogContents {
  const records: LogRecord[] = []
  let end = start
  let at = 0
  while (bytes.length - at >= FRAME_BYTES) {
    const head = new Reader(bytes.subarray(at, at + FRAME_BYTES))
    const length = head.u32()
    const crc = head.u32()
    if (length > MESSAGE_MAX_BYTES || bytes.length - at < FRAME_BYTES + length) break
    const rest = bytes.subarray(at + HEAD_BYTES, at + FRAME_BYTES + length)
    if (crc32(rest) !== crc || head.u64() !== end.sequence + 1) break
    if (!equal(head.raw(CHAIN_BYTES), end.hash.subarray(0, CHAIN_BYTES))) break
    try {
      records.push(decodeLogRecord(rest.slice(FRAME_BYTES - HEAD_BYTES)))
    } catch (error) {
      if (error instanceof CryptoError) break
      throw error
    }
    end = { sequence: end.sequence + 1, hash: primitives.sha3_256(LOG_DOMAIN, rest) }
    at += FRAME_BYTES + length
  }
  return { records, end, goodBytes: at }
}

/** What the guard file says was synced before anything was sent. */
export interface Guard {
  readonly term: number
  readonly end: LogEnd
}

export function encodeGuard(guard: Guard): Bytes {
  const body = new Writer().u32(guard.term).u64(guard.end.sequence).raw(guard.end.hash).finish()
  return concat(body, new Writer().u32(crc32(body)).finish())
}

/** Undefined when the bytes are no guard. */
export function decodeGuard(bytes: Bytes): Guard | undefined {
  if (bytes.length !== GUARD_BYTES) return undefined
  const crc = new Reader(bytes.subarray(GUARD_BYTES - 4)).u32()
  if (crc32(bytes.subarray(0, GUARD_BYTES - 4)) !== crc) return undefined
  const reader = new Reader(bytes)
  return { term: reader.u32(), end: { sequence: reader.u64(), hash: reader.raw(DIGEST_BYTES) } }
}

/**
 * May the owner of this log vote in this term? "intact": the log holds all that was ever synced before sending; a torn tail
 * beyond that was never acted on. "damaged": votes may have left that the log does not show.
 */
export function guardVerdict(
  guard: Guard | undefined,
  term: number,
  contents: LogContents,
  bytes: Bytes,
  start: LogEnd,
): "intact" | "damaged" {
  if (guard === undefined || guard.term > term) return "damaged"
  // Before any vote of a term leaves, the guard names that term: with an older guard, this log was never acted on.
  if (guard.term < term) return "intact"
  if (guard.end.sequence > contents.end.sequence) return "damaged"
  const covered = readLogTo(bytes, start, guard.end.sequence)
  return equal(covered, guard.end.hash) ? "intact" : "damaged"
}

/** Hash at a record that is known to be whole. */
function readLogTo(bytes: Bytes, start: LogEnd, sequence: number): Bytes {
  let hash = start.hash
  let at = 0
  for (let i = 0; i < sequence; i++) {
    const length = new Reader(bytes.subarray(at, at + 4)).u32()
    hash = primitives.sha3_256(
      LOG_DOMAIN,
      bytes.subarray(at + HEAD_BYTES, at + FRAME_BYTES + length),
    )
    at += FRAME_BYTES + length
  }
  return hash
}
