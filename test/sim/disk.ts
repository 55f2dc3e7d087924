/**
 * A validator's disk: what is synced, and what is written but not synced yet. A crash keeps a prefix of the unsynced writes,
 * from all of it to none, and may tear the last. Contents are kept as records and turned into bytes when someone looks:
 * recovery always reads bytes.
 */
import { concat } from "../../src/crypto/bytes.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import {
  decodeBlockRecord,
  decodeCertificate,
  encodeBlockRecord,
  encodeCertificate,
} from "../../src/consensus/codec.ts"
import {
  appendRecord,
  decodeGuard,
  encodeGuard,
  encodeLogRecord,
  guardVerdict,
  logStart,
  readLog,
} from "../../src/consensus/log.ts"
import type { LogEnd } from "../../src/consensus/log.ts"
import { openTermOf } from "../../src/consensus/recovery.ts"
import type { Memory } from "../../src/consensus/recovery.ts"
import type { LedgerSnapshot } from "../../src/consensus/ledger.ts"
import type { BlockRecord, Certificate, LogRecord } from "../../src/consensus/types.ts"
import type { Random } from "./random.ts"

export type CrashKind = "keep" | "torn" | "lose-unsynced" | "wiped"

export type Write =
  | { readonly kind: "log"; readonly term: number; readonly record: LogRecord }
  | { readonly kind: "block"; readonly record: BlockRecord }
  /** A boundary checkpoint, with the ledger as it was there. */
  | {
      readonly kind: "stable"
      readonly certificate: Certificate
      readonly ledger: LedgerSnapshot | undefined
    }

export class Disk {
  readonly #meshId: Bytes
  blocks: BlockRecord[] = []
  stable: Certificate | undefined
  ledger: LedgerSnapshot | undefined
  /** Records of each term's log that are synced. */
  #logs = new Map<number, LogRecord[]>()
  /** Bytes of a torn last record, by term. */
  #torn = new Map<number, Bytes>()
  /** Term and number of records that the guard vouches for; none on a disk that was never set up or was wiped. */
  #guard: { term: number; records: number } | undefined = { term: 0, records: 0 }
  unsynced: Write[] = []
  wiped = false
  writes = 0

  constructor(meshId: Bytes) {
    this.#meshId = meshId
  }

  write(write: Write): void {
    this.unsynced.push(write)
    this.writes++
  }

  /** The first `count` writes reach the disk, and the guard after them. */
  sync(count: number): void {
    for (const write of this.unsynced.splice(0, count)) this.#keep(write)
    for (const [term, records] of this.#logs)
      if (this.#guard === undefined || term >= this.#guard.term)
        this.#guard = { term, records: records.length }
  }

  crash(kind: CrashKind, random: Random, kept?: number): void {
    const { unsynced } = this
    this.unsynced = []
    if (kind === "wiped") {
      this.blocks = []
      this.stable = undefined
      this.ledger = undefined
      this.#logs = new Map()
      this.#torn = new Map()
      this.#guard = undefined
      this.wiped = true
      return
    }
    if (kind === "lose-unsynced") return
    const count =
      kind === "keep"
        ? unsynced.length
        : Math.min(unsynced.length, kept ?? random.between(0, unsynced.length))
    for (const write of unsynced.slice(0, count)) this.#keep(write)
    const next = unsynced[count]
    if (kind !== "torn" || next?.kind !== "log") return
    const { end } = this.#logOf(next.term)
    const { bytes } = appendRecord(end, encodeLogRecord(next.record))
    this.#torn.set(next.term, bytes.subarray(0, random.between(1, bytes.length - 1)))
  }

  #keep(write: Write): void {
    if (write.kind === "block") this.blocks.push(write.record)
    else if (write.kind === "stable") {
      this.stable = write.certificate
      this.ledger = write.ledger ?? this.ledger
      for (const term of this.#logs.keys())
        if (term <= write.certificate.term) this.#logs.delete(term)
    } else {
      const log = this.#logs.get(write.term)
      if (log === undefined) this.#logs.set(write.term, [write.record])
      else log.push(write.record)
    }
  }

  #logOf(term: number, records = Infinity): { bytes: Bytes; end: LogEnd } {
    let end = logStart(this.#meshId, term)
    const parts: Bytes[] = []
    for (const record of (this.#logs.get(term) ?? []).slice(0, records)) {
      const appended = appendRecord(end, encodeLogRecord(record))
      parts.push(appended.bytes)
      end = appended.end
    }
    return { bytes: concat(...parts), end }
  }

  /** Every synced byte of a term's log, and a torn tail if there is one. */
  logBytes(term: number): Bytes {
    const torn = this.#torn.get(term) ?? new Uint8Array(0)
    return concat(this.#logOf(term).bytes, torn)
  }

  /** What a restart finds: everything goes through bytes. */
  recover(termHeights: number): { memory: Memory; chain: readonly BlockRecord[]; cut: number } {
    const chain = this.blocks.map((block) => decodeBlockRecord(encodeBlockRecord(block)))
    this.blocks = chain.slice()
    const boundary = this.stable && decodeCertificate(encodeCertificate(this.stable))
    const term = openTermOf(chain.length, termHeights, boundary)
    const start = logStart(this.#meshId, term)
    const bytes = this.logBytes(term)
    const contents = readLog(bytes, start)
    const guard =
      this.#guard &&
      decodeGuard(
        encodeGuard({
          term: this.#guard.term,
          end: this.#logOf(this.#guard.term, this.#guard.records).end,
        }),
      )
    const verdict = guardVerdict(guard, term, contents, bytes, start)
    this.#torn.delete(term)
    this.#logs.set(term, [...contents.records])
    const past = guard === undefined ? "unknown" : verdict
    const memory: Memory = {
      blocks: chain.filter((block) => block.height > term * termHeights),
      records: contents.records,
      past,
      ...(boundary === undefined ? {} : { boundary }),
      ...(guard === undefined ? {} : { guardTerm: guard.term }),
    }
    return { memory, chain, cut: bytes.length - contents.goodBytes }
  }
}
