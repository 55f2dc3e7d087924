/** What can go wrong with a store, in terms a person can act on. The database's own codes stay inside, as the cause. */
import { CodedError } from "../../crypto/errors.ts"

export type StoreErrorCode =
  /** Another process (or another part of this one) has the store open. */
  | "BUSY"
  /** Bytes on the disk are not what was written: restore a backup, or start over and sync. */
  | "STORE_DAMAGED"
  /** Written by a newer program than this one. */
  | "STORE_NEWER"
  /** No space, or a quota is used up. What was stored before is intact. */
  | "DISK_FULL"
  /** Used after it was closed. */
  | "STORE_CLOSED"
  /** The system refused: no permission, a failing disk. The cause says more. */
  | "STORE_FAILED"

export class StoreError extends CodedError<StoreErrorCode> {}

interface Told {
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
}

/** Any failure of the database as a StoreError; a StoreError is passed on as it is. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const code = codeOf(chain(error))
  return new StoreError(code, SENTENCES[code], { cause: error })
}

/** LevelDB reports the system's refusals as text only, so the words of strerror(3) have to do. */
const FULL = /No space left on device|Disk quota exceeded|File too large|ENOSPC|EDQUOT|EFBIG/

function codeOf(causes: readonly Told[]): StoreErrorCode {
  const has = (code: string) => causes.some((cause) => cause.code === code)
  const says = (pattern: RegExp) =>
    causes.some(({ message }) => typeof message === "string" && pattern.test(message))
  if (has("LEVEL_LOCKED")) return "BUSY"
  if (says(FULL) || has("ENOSPC") || has("EDQUOT")) return "DISK_FULL"
  if (has("LEVEL_CORRUPTION")) return "STORE_DAMAGED"
  if (causes.length === 1 && has("LEVEL_DATABASE_NOT_OPEN")) return "STORE_CLOSED"
  if (has("LEVEL_ITERATOR_NOT_OPEN")) return "STORE_CLOSED"
  return "STORE_FAILED"
}

const SENTENCES: Readonly<Record<StoreErrorCode, string>> = {
  BUSY: "the store is open in another process",
  STORE_DAMAGED: "the store is damaged",
  STORE_NEWER: "the store was written by a newer version",
  DISK_FULL: "there is no space left on the disk",
  STORE_CLOSED: "the store is closed",
  STORE_FAILED: "the system refused to read or write the store",
}

/** An error and its causes, outermost first; at most eight. */
function chain(error: unknown): readonly Told[] {
  const out: Told[] = []
  for (let at = error; typeof at === "object" && at !== null && out.length < 8;) {
    const told: Told = at
    out.push(told)
    at = told.cause
  }
  return out
}
