/**
 * The inside of a backup: records one after the other, kind 1 · length 4 · body. The first says what it is a backup of; private records
 * follow as they lie in the vault (the blinded key they are stored under, and the plaintext), then peers worth calling.
 *
 *   1 about    version 1 · store schema 4 · genesis (length 4) · naming key 32 · period 4 · block (length 4; none: 0)
 *   2 private  stored key (length 2) · plaintext (rest)
 *   3 peer     peer id (length 1) · addresses 1, each (length 2)
 *
 * The naming key comes along because names are blinded under it and cannot be found anew; the key that seals does not.
 */
import { type Bytes, concat, fromUtf8, Reader, Writer } from "./bytes.ts"
import { CryptoError } from "./errors.ts"
import { GENESIS_BYTES_MAX } from "./genesis.ts"

const VERSION = 1
const KINDS = { about: 1, private: 2, peer: 3 } as const
const HEAD_BYTES = 5
/** A channel of a large group with commits that wait is the largest there is, and far below. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024
const STORED_KEY_BYTES_MAX = 1024
const BLOCK_BYTES_MAX = 1024 * 1024
const PEER_ADDRESSES_MAX = 16
const ADDRESS_BYTES_MAX = 256

export interface AboutBackup {
  readonly kind: "about"
  /** Of the store that the private records come from. */
  readonly schema: number
  readonly genesis: Bytes
  /** 32 bytes. */
  readonly naming: Bytes
  /** The ledger's period when the backup was made. */
  readonly period: number
  /** Encoded block up to which everything ordered was read, with its certificate; empty where nothing is ordered. */
  readonly block: Bytes
}

export interface PrivateRecord {
  readonly kind: "private"
  readonly key: Bytes
  readonly plaintext: Bytes
}

export interface KnownPeer {
  readonly kind: "peer"
  readonly peer: string
  /** Multiaddrs. */
  readonly addresses: readonly string[]
}

export type BackupRecord = AboutBackup | PrivateRecord | KnownPeer

export function encodeBackupRecord(record: BackupRecord): Bytes {
  const body = bodyOf(record)
  return concat(new Writer().u8(KINDS[record.kind]).u32(body.length).finish(), body)
}

function bodyOf(record: BackupRecord): Bytes {
  const out = new Writer()
  switch (record.kind) {
    case "about":
      return out
        .u8(VERSION)
        .u32(record.schema)
        .bytes(record.genesis, 4)
        .raw(record.naming)
        .u32(record.period)
        .bytes(record.block, 4)
        .finish()
    case "private":
      return out.bytes(record.key, 2).raw(record.plaintext).finish()
    case "peer": {
      out.text(record.peer, 1).u8(record.addresses.length)
      for (const address of record.addresses) out.text(address, 2)
      return out.finish()
    }
  }
}

function decodeBody(kind: number, body: Bytes): BackupRecord {
  const read = new Reader(body)
  switch (kind) {
    case KINDS.about: {
      if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "backup contents")
      const about = {
        kind: "about" as const,
        schema: read.u32(),
        genesis: read.bytes(4, GENESIS_BYTES_MAX),
        naming: read.raw(32),
        period: read.u32(),
        block: read.bytes(4, BLOCK_BYTES_MAX),
      }
      read.done()
      return about
    }
    case KINDS.private: {
      const key = read.bytes(2, STORED_KEY_BYTES_MAX)
      return { kind: "private", key, plaintext: read.raw(read.left) }
    }
    case KINDS.peer: {
      const peer = fromUtf8(read.bytes(1, 255))
      const count = read.u8()
      if (count > PEER_ADDRESSES_MAX) throw new CryptoError("TOO_LARGE", "addresses of a peer")
      const addresses = Array.from({ length: count }, () => read.text(2, ADDRESS_BYTES_MAX))
      read.done()
      return { kind: "peer", peer, addresses }
    }
    default:
      throw new CryptoError("BAD_ENCODING", `backup record of kind ${kind}`)
  }
}

/** Puts records together from chunks of any size. The first record is `about`, and only the first. */
export class BackupRecords {
  #rest: Bytes = new Uint8Array(0)
  #parts: Bytes[] = []
  #bytes = 0
  #count = 0

  /** The records that are whole by now. Throws CryptoError for what is none. */
  add(chunk: Bytes): BackupRecord[] {
    this.#parts.push(chunk)
    this.#bytes += chunk.length
    // a record of many chunks is put together once, not for every chunk
    if (this.#rest.length >= HEAD_BYTES && this.#rest.length + this.#bytes < wholeOf(this.#rest))
      return []
    let rest = concat(this.#rest, ...this.#parts)
    this.#parts = []
    this.#bytes = 0
    const records: BackupRecord[] = []
    while (rest.length >= HEAD_BYTES) {
      const whole = wholeOf(rest)
      if (whole - HEAD_BYTES > RECORD_BYTES_MAX) throw new CryptoError("TOO_LARGE", "backup record")
      if (rest.length < whole) break
      records.push(this.#next(decodeBody(rest[0] ?? 0, rest.slice(HEAD_BYTES, whole))))
      rest = rest.subarray(whole)
    }
    this.#rest = rest.slice()
    return records
  }

  /** Throws CryptoError BAD_LENGTH when a record is not whole, or there is none. */
  end(): void {
    if (this.#rest.length + this.#bytes > 0 || this.#count === 0)
      throw new CryptoError("BAD_LENGTH", "the backup ends within a record")
  }

  #next(record: BackupRecord): BackupRecord {
    if ((record.kind === "about") !== (this.#count === 0))
      throw new CryptoError("BAD_ENCODING", "a backup begins with what it is about, once")
    this.#count++
    return record
  }
}

const wholeOf = (bytes: Bytes) => HEAD_BYTES + new Reader(bytes.subarray(1, HEAD_BYTES)).u32()
