/**
 * How a command ends when it cannot do what it was asked: a stable code, a sentence, a next step, and an exit code a script
 * can branch on. Exit codes: 0 done, 1 a bug, 2 usage, 3 no usable identity yet, 4 not found, 5 busy, 6 offline or timed out,
 * 7 refused for trust, 8 damaged store or full disk, 9 refused by the network's rules, 130 and 143 signals.
 */
import { CodedError } from "../crypto/errors.ts"
import { ApiError } from "../node/api/errors.ts"
import type { ApiErrorCode } from "../node/api/types.ts"
import { PathError, type PathErrorCode } from "../node/paths.ts"
import { nextStep } from "./sentences.ts"

export type CliErrorCode =
  /** The command line is not one. */
  | "USAGE"
  /** Something would have to be asked, and nobody may be asked. */
  | "NO_INPUT"
  /** A file named on the command line cannot be read. */
  | "NO_FILE"
  /** No node runs for this profile, and this command does not start one. */
  | "OFFLINE"
  /** It did not happen in the time given. */
  | "TIMEOUT"
  /** The network did not take the message. */
  | "REFUSED"
  /** The node that was started did not come up. */
  | "NO_START"
  /** A check of `doctor` is red. */
  | "UNWELL"
  /** A block of the stored chain is wrong. */
  | "BAD_LEDGER"
  /** An exported message does not show what it should. */
  | "BAD_EXPORT"
  | "SIGINT"
  | "SIGTERM"

export class CliError extends CodedError<CliErrorCode> {
  readonly hint: string | undefined

  constructor(code: CliErrorCode, message: string, hint?: string) {
    super(code, message)
    this.hint = hint
  }
}

export const usage = (message: string, hint?: string) => new CliError("USAGE", message, hint)

const EXIT: Readonly<Record<ApiErrorCode | CliErrorCode | PathErrorCode, number>> = {
  INTERNAL: 1,
  UNKNOWN_METHOD: 1,
  USAGE: 2,
  NO_INPUT: 2,
  NO_FILE: 2,
  BAD_PROFILE: 2,
  NO_PLACE: 2,
  BAD_QUERY: 2,
  BAD_PARAMS: 2,
  BAD_TICKET: 2,
  BAD_ADDRESS: 2,
  WEAK_PASSPHRASE: 2,
  ALREADY_EXISTS: 2,
  AMBIGUOUS_CONTACT: 2,
  MESSAGE_EMPTY: 2,
  MESSAGE_TOO_LONG: 2,
  NOT_A_FILE: 4,
  NO_FOLDER: 2,
  FILE_EXISTS: 2,
  FILE_CHANGED: 5,
  FILE_TOO_LARGE: 2,
  FILE_FAILED: 8,
  CANCELLED: 5,
  BLOB_TOO_LARGE: 2,
  BLOB_DAMAGED: 7,
  BLOB_MISSING: 6,
  BLOBS_FULL: 8,
  NOT_AN_IMAGE: 2,
  IMAGE_TOO_LARGE: 9,
  IMAGE_DAMAGED: 7,
  NO_MESH: 3,
  NO_LEDGER: 3,
  NO_IDENTITY: 3,
  LOCKED: 3,
  NOT_OPERATOR: 7,
  UNKNOWN_PROPOSAL: 4,
  UNKNOWN_MEMBER: 4,
  NOT_INVITED: 7,
  VOUCHER_USED: 9,
  BAD_VOUCHER: 9,
  UNKNOWN_VALIDATOR: 4,
  CHANGE_REFUSED: 9,
  UNKNOWN_CONTACT: 4,
  UNKNOWN_THREAD: 4,
  UNKNOWN_MESSAGE: 4,
  NOT_YOURS: 7,
  TOO_OLD: 9,
  NO_WORDS: 9,
  BAD_REACTION: 2,
  NO_EVIDENCE: 4,
  NO_CARD: 6,
  ENVELOPE_GONE: 4,
  NOT_ORDERED: 9,
  OTHERS_INSIDE: 7,
  BAD_EXPORT: 7,
  BUSY: 5,
  PROOF_FILES_DAMAGED: 8,
  LISTEN_FAILED: 6,
  STOPPING: 5,
  GONE: 6,
  UNREACHABLE: 6,
  OFFLINE: 6,
  TIMEOUT: 6,
  NO_START: 6,
  UNWELL: 6,
  BAD_LEDGER: 1,
  WRONG_PASSPHRASE: 7,
  BLOCKED_CONTACT: 7,
  NOT_ADMIN: 7,
  NOT_A_MEMBER: 7,
  LAST_ADMIN: 7,
  NOT_A_GROUP: 4,
  GROUP_FULL: 9,
  NO_POST_QUANTUM_KEY: 9,
  IDENTITY_CHANGED: 7,
  NUMBER_DIFFERS: 7,
  OTHER_MESH: 7,
  BAD_FILE: 2,
  BAD_BACKUP: 8,
  STORE_DAMAGED: 8,
  STORE_NEWER: 8,
  DISK_FULL: 8,
  QUEUE_FULL: 9,
  REFUSED: 9,
  SIGINT: 130,
  SIGTERM: 143,
}

export interface Failure {
  readonly exit: number
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
}

export function failureOf(error: unknown): Failure {
  if (error instanceof ApiError)
    return {
      exit: EXIT[error.code],
      code: error.code,
      message: error.message,
      hint: error.hint ?? nextStep(error.code),
    }
  if (error instanceof CliError || error instanceof PathError)
    return {
      exit: EXIT[error.code],
      code: error.code,
      message: error.message,
      hint: error instanceof CliError ? error.hint : undefined,
    }
  return {
    exit: 1,
    code: "INTERNAL",
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    hint: "this is a bug in sotto: please report it with the lines above",
  }
}
