/**
 * A validator's memory of what it signed: one log file a term and the guard file, in the profile's `ledger` directory (DESIGN §7,
 * Durability). Records are appended in memory; `sync` makes all of them durable together, the log first, then the guard that says how
 * far the log reached before anything was sent. What is found after a crash is judged by consensus/log.ts: a torn tail is cut, anything
 * worse makes an observer.
 */
import { constants, mkdir, open, readdir, rm, type FileHandle } from "node:fs/promises"
import { join } from "node:path"
import {
  appendRecord,
  decodeGuard,
  encodeGuard,
  encodeLogRecord,
  type Guard,
  guardVerdict,
  type LogEnd,
  logStart,
  readLog,
} from "../../consensus/log.ts"
import type { Memory } from "../../consensus/recovery.ts"
import type { LogRecord } from "../../consensus/types.ts"
import { type Bytes, concat } from "../../crypto/bytes.ts"
import { readIfThere, writeWhole } from "../store/whole-file.ts"

export interface LedgerLogPlace {
  /** The `ledger` directory; undefined keeps nothing, for a node that is gone at its end anyway. */
  readonly directory: string | undefined
  /** The file that stands beside keys that never signed. */
  readonly newMark: string | undefined
  /** 32 bytes. */
  readonly meshId: Bytes
}

export interface Recalled {
  readonly records: readonly LogRecord[]
  /** "unknown" without a guard: the disk was wiped, or the guard is none. */
  readonly past: Memory["past"]
  /** Term that the guard names; later than the chain's when that was rolled back. */
  readonly guardTerm?: number
  /** Bytes of a torn tail that were cut off. */
  readonly cutBytes: number
}

export interface Appended {
  readonly term: number
  readonly record: LogRecord
}

interface TermLog {
  readonly term: number
  readonly file: FileHandle | undefined
  end: LogEnd
  pending: Bytes[]
}

/** Written and on the disk in one call: a write and then a sync would be two trips through the thread pool. */
const APPEND_SYNCED =
  constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_DSYNC
const LOG_NAME = /^log-(\d{1,10})$/

export class LedgerLog {
  readonly #place: LedgerLogPlace
  #logs: TermLog[] = []
  #guardFile: FileHandle | undefined
  #appended: Appended[] = []

  constructor(place: LedgerLogPlace) {
    this.#place = place
  }

  /** What a restart finds for the open term. To be called once, before anything is appended. */
  async recall(term: number): Promise<Recalled> {
    const { directory, meshId } = this.#place
    if (directory === undefined) return { records: [], past: "intact", cutBytes: 0 }
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const guard = await this.#guard(directory)
    const bytes = (await readIfThere(this.#path(term))) ?? new Uint8Array(0)
    const start = logStart(meshId, term)
    const contents = readLog(bytes, start)
    const cutBytes = bytes.length - contents.goodBytes
    if (cutBytes > 0) await this.#cut(term, contents.goodBytes)
    const log = await this.#open(term)
    log.end = contents.end
    const { records } = contents
    if (guard === undefined) return { records, past: "unknown", cutBytes }
    const past = guardVerdict(guard, term, contents, bytes, start)
    return { records, past, cutBytes, guardTerm: guard.term }
  }

  /** In memory until the next `sync`. */
  append(term: number, record: LogRecord): void {
    this.#appended.push({ term, record })
  }

  /** What was appended since the last call, to be given to `sync`. */
  take(): readonly Appended[] {
    const taken = this.#appended
    this.#appended = []
    return taken
  }

  /** On disk when it resolves: these records, and then the guard. One at a time. */
  async sync(records: readonly Appended[]): Promise<void> {
    if (records.length === 0 || this.#place.directory === undefined) return
    const touched = new Set<TermLog>()
    for (const { term, record } of records) {
      const log = this.#logs.find((each) => each.term === term) ?? (await this.#open(term))
      const { bytes, end } = appendRecord(log.end, encodeLogRecord(record))
      log.pending.push(bytes)
      log.end = end
      touched.add(log)
    }
    for (const log of touched) {
      const bytes = concat(...log.pending)
      log.pending = []
      if (log.file !== undefined) await writeAll(log.file, bytes, undefined)
    }
    const newest = this.#logs.reduce((a, b) => (b.term > a.term ? b : a))
    await this.#writeGuard({ term: newest.term, end: newest.end })
  }

  /** A term has ended for good: its log, and those before, are not needed any more. */
  async forget(upToTerm: number): Promise<void> {
    const { directory } = this.#place
    if (directory === undefined) return
    for (const log of this.#logs) if (log.term <= upToTerm) await log.file?.close()
    this.#logs = this.#logs.filter(({ term }) => term > upToTerm)
    for (const name of await readdir(directory)) {
      const term = LOG_NAME.exec(name)?.[1]
      if (term !== undefined && Number(term) <= upToTerm) await rm(join(directory, name))
    }
  }

  /** Without a sync: what was appended since the last one was never acted on. */
  async close(): Promise<void> {
    for (const { file } of this.#logs) await file?.close()
    this.#logs = []
    await this.#guardFile?.close()
    this.#guardFile = undefined
  }

  #path(term: number): string {
    return join(this.#place.directory ?? "", `log-${term}`)
  }

  /** The guard as it lies there; the first one is made beside keys that never signed. */
  async #guard(directory: string): Promise<Guard | undefined> {
    const path = join(directory, "guard")
    const { newMark, meshId } = this.#place
    let bytes = await readIfThere(path)
    const unused = newMark !== undefined && (await readIfThere(newMark)) !== undefined
    if (bytes === undefined && unused) {
      bytes = encodeGuard({ term: 0, end: logStart(meshId, 0) })
      await writeWhole(path, bytes)
    }
    if (unused) await rm(newMark, { force: true })
    return bytes === undefined ? undefined : decodeGuard(bytes)
  }

  async #writeGuard(guard: Guard): Promise<void> {
    const path = join(this.#place.directory ?? "", "guard")
    if (this.#guardFile === undefined) {
      // Whole the first time; then in place: its 48 bytes lie in one sector, and a checksum tells if they do not.
      await writeWhole(path, encodeGuard(guard))
      this.#guardFile = await open(path, constants.O_WRONLY | constants.O_DSYNC)
      return
    }
    await writeAll(this.#guardFile, encodeGuard(guard), 0)
  }

  async #open(term: number): Promise<TermLog> {
    const { directory, meshId } = this.#place
    const file = await open(this.#path(term), APPEND_SYNCED, 0o600)
    const log: TermLog = { term, file, end: logStart(meshId, term), pending: [] }
    this.#logs.push(log)
    const folder = await open(directory ?? "", "r")
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
    return log
  }

  async #cut(term: number, length: number): Promise<void> {
    const file = await open(this.#path(term), "r+")
    try {
      await file.truncate(length)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** Nothing less than all of it; at its end without a position. */
async function writeAll(file: FileHandle, bytes: Bytes, position: number | undefined) {
  for (let done = 0; done < bytes.length;) {
    const at = position === undefined ? null : position + done
    done += (await file.write(bytes, done, bytes.length - done, at)).bytesWritten
  }
}
