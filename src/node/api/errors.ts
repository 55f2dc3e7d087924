/**
 * The one error that crosses the API, the same on both sides of the socket. `code` is stable and decides what a screen says
 * and how a command exits; `message` is a sentence for people; `hint`, when there is one, is the next step to take.
 */
import { CodedError } from "../../crypto/errors.ts"
import type { ApiErrorCode } from "./types.ts"

export interface ApiErrorOptions extends ErrorOptions {
  readonly hint?: string | undefined
}

export class ApiError extends CodedError<ApiErrorCode> {
  readonly hint: string | undefined

  constructor(code: ApiErrorCode, message: string, options: ApiErrorOptions = {}) {
    super(code, message, options)
    this.hint = options.hint
  }
}

/** Every code there is: total by type, so that a code added to the contract cannot be forgotten here. */
const CODES: Readonly<Record<ApiErrorCode, true>> = {
  NO_MESH: true,
  NO_LEDGER: true,
  NO_POST_QUANTUM_KEY: true,
  NOT_OPERATOR: true,
  UNKNOWN_PROPOSAL: true,
  UNKNOWN_MEMBER: true,
  NOT_INVITED: true,
  VOUCHER_USED: true,
  BAD_VOUCHER: true,
  UNKNOWN_VALIDATOR: true,
  CHANGE_REFUSED: true,
  NO_IDENTITY: true,
  LOCKED: true,
  ALREADY_EXISTS: true,
  WRONG_PASSPHRASE: true,
  WEAK_PASSPHRASE: true,
  BAD_TICKET: true,
  OTHER_MESH: true,
  UNREACHABLE: true,
  BAD_ADDRESS: true,
  UNKNOWN_CONTACT: true,
  AMBIGUOUS_CONTACT: true,
  UNKNOWN_THREAD: true,
  UNKNOWN_MESSAGE: true,
  NOT_YOURS: true,
  TOO_OLD: true,
  NO_WORDS: true,
  BAD_REACTION: true,
  NO_EVIDENCE: true,
  NO_CARD: true,
  ENVELOPE_GONE: true,
  NOT_ORDERED: true,
  OTHERS_INSIDE: true,
  BLOCKED_CONTACT: true,
  NOT_A_GROUP: true,
  NOT_ADMIN: true,
  NOT_A_MEMBER: true,
  LAST_ADMIN: true,
  GROUP_FULL: true,
  IDENTITY_CHANGED: true,
  NUMBER_DIFFERS: true,
  NOT_A_FILE: true,
  NO_FILE: true,
  NO_FOLDER: true,
  FILE_EXISTS: true,
  FILE_CHANGED: true,
  FILE_TOO_LARGE: true,
  FILE_FAILED: true,
  CANCELLED: true,
  BLOB_TOO_LARGE: true,
  BLOB_DAMAGED: true,
  BLOB_MISSING: true,
  BLOBS_FULL: true,
  NOT_AN_IMAGE: true,
  IMAGE_TOO_LARGE: true,
  IMAGE_DAMAGED: true,
  MESSAGE_TOO_LONG: true,
  MESSAGE_EMPTY: true,
  QUEUE_FULL: true,
  BAD_QUERY: true,
  BAD_PARAMS: true,
  UNKNOWN_METHOD: true,
  BUSY: true,
  BAD_FILE: true,
  BAD_BACKUP: true,
  STORE_DAMAGED: true,
  STORE_NEWER: true,
  DISK_FULL: true,
  PROOF_FILES_DAMAGED: true,
  LISTEN_FAILED: true,
  STOPPING: true,
  GONE: true,
  INTERNAL: true,
}

export const API_ERROR_CODES = Object.keys(CODES) as readonly ApiErrorCode[]

export const isApiErrorCode = (value: unknown): value is ApiErrorCode =>
  typeof value === "string" && Object.hasOwn(CODES, value)

/** Whatever the world did, with a code that a screen has a sentence for. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof CodedError && isApiErrorCode(error.code))
    return new ApiError(error.code, error.message, { cause: error })
  const message = error instanceof Error ? error.message : String(error)
  return new ApiError("INTERNAL", message, { cause: error })
}
