/** What the system says about a file that a person named, as an error with a sentence. */
import { CodedError } from "../../crypto/errors.ts"
import { ApiError } from "../api/errors.ts"

const SENTENCES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "this user may not read or write there",
  EPERM: "this user may not read or write there",
  EROFS: "the disk is read-only",
  EISDIR: "that is a folder",
  ENOTDIR: "a part of the path is no folder",
  EEXIST: "there is something of that name already",
  ENOTEMPTY: "there is something of that name already",
}

/** Errors of ours are passed on as they are. */
export function fileError(error: unknown): Error {
  if (error instanceof CodedError) return error
  const code = error instanceof Error && "code" in error ? error.code : undefined
  if (code === "ENOSPC" || code === "EDQUOT")
    return new ApiError("DISK_FULL", "there is no space left on the disk", { cause: error })
  const sentence = typeof code === "string" ? SENTENCES[code] : undefined
  if (sentence !== undefined) return new ApiError("BAD_FILE", sentence, { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}
