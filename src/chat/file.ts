/**
 * A file as it is spoken of in a message: what its author calls it, what they say it is, and where its bytes are. Name and type are
 * claims: the name is made safe before it is shown or used, the type is found in the bytes once they are there (file-type.ts).
 *
 *   ref 73 (crypto/blob.ts) · name of length 1, UTF-8 · type of length 1, UTF-8
 */
import { BLOB_REF_BYTES, type BlobRef, decodeBlobRef, encodeBlobRef } from "../crypto/blob.ts"
import { type Reader, utf8, Writer } from "../crypto/bytes.ts"

/** Longest name and type that travel, in bytes. */
export const FILE_NAME_BYTES_MAX = 255
export const FILE_TYPE_BYTES_MAX = 100
/** Longest name that a file is given here; with what a half-written one adds it fits every file system. */
export const SAFE_NAME_BYTES_MAX = 180
const EXTENSION_LENGTH_MAX = 16

export interface FileNote {
  /** As the author wrote it: not to be shown or used as it is. */
  readonly name: string
  /** A media type, as the author claims it. */
  readonly type: string
  readonly ref: BlobRef
}

export const writeFileNote = (out: Writer, { name, type, ref }: FileNote): Writer =>
  out.raw(encodeBlobRef(ref)).text(name, 1).text(type, 1)

/** Throws CryptoError. */
export function readFileNote(read: Reader): FileNote {
  const ref = decodeBlobRef(read.raw(BLOB_REF_BYTES))
  const name = read.text(1, FILE_NAME_BYTES_MAX)
  return { ref, name, type: read.text(1, FILE_TYPE_BYTES_MAX) }
}

/** Names that mean a device or a rule to some system, with or without an extension. */
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i
const RULES = /^(desktop\.ini|autorun\.inf|thumbs\.db|folder\.htt)$/i

/**
 * A name for one file in one folder, whatever was claimed: no path, no control, format or bidi character, nothing that a shell or a
 * system takes for something else, not hidden, not empty, at most SAFE_NAME_BYTES_MAX bytes. A name that is fine stays as it is.
 */
export function safeName(claimed: string): string {
  const last = claimed.toWellFormed().normalize("NFC").split(/[/\\]/).at(-1) ?? ""
  const plain = last
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\u2800\u034f]/gu, "")
    .replace(/[<>:"|?*]/g, "_")
    .replace(/\s+/gu, " ")
    .replace(/^[. ]+/, "")
  const short = shortened(plain).replace(/[. ]+$/, "")
  const named = short === "" ? "file" : short
  return RESERVED.test(named) || RULES.test(named) || /^[-~]/.test(named) ? `_${named}` : named
}

/** Cut in front of its extension, between two characters. */
function shortened(name: string): string {
  if (utf8(name).length <= SAFE_NAME_BYTES_MAX) return name
  const dot = name.lastIndexOf(".")
  const keeps = dot > 0 && name.length - dot <= EXTENSION_LENGTH_MAX
  const extension = keeps ? name.slice(dot) : ""
  const room = SAFE_NAME_BYTES_MAX - utf8(extension).length
  let stem = ""
  let used = 0
  for (const character of keeps ? name.slice(0, dot) : name) {
    used += utf8(character).length
    if (used > room) break
    stem += character
  }
  return stem + extension
}
