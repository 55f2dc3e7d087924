/**
 * What members state about a commit that is too long for a few envelopes and lies in a blob (DESIGN §9, §10): where it lies, that they
 * have it and found it sound, or that they cannot get it. Each travels as a payload of a thread, under the tags of its epoch, signed by
 * its author's leaf key. No MLS messages: opening one of those uses up a key, so one key used twice would be read by some members and
 * not by others; everybody finds the same answer for a statement, whatever they read before. When such a commit counts:
 * confirmations.ts.
 *
 *   version 1 (= 1) · kind 1 · body · signature (length 2)
 *    1 far commit     ref 73
 *    2 confirmation   envelope 32: the one that completed the far commit
 *    3 missing        envelope 32: the author cannot get the bytes of that far commit
 *
 * The first byte of an MLSMessage is 0.
 */
import { type BlobRef, BLOB_REF_BYTES, decodeBlobRef, encodeBlobRef } from "../crypto/blob.ts"
import { type Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { THREAD_PLAINTEXT_BYTES } from "../crypto/envelope.ts"
import { CryptoError } from "../crypto/errors.ts"
import { COMMIT_FRAGMENTS_MAX, payloadBytesMax } from "../crypto/fragment.ts"
import { isStatementOf, type SessionState, signStatement } from "../crypto/session.ts"

const VERSION = 1
const LABEL = "far commit"
const ENVELOPE_ID_BYTES = 32
/** Composite: 4691. */
const SIGNATURE_BYTES_MAX = 8192
const KINDS = { commit: 1, confirmation: 2, missing: 3 } as const

/** Of a commit in a blob, 535,245: it has to fit envelopes as well, for when there is nobody who keeps it. */
export const FAR_COMMIT_BYTES_MAX = payloadBytesMax(THREAD_PLAINTEXT_BYTES, COMMIT_FRAGMENTS_MAX)

export type FarStatement =
  | { readonly kind: "commit"; readonly ref: BlobRef }
  /** `commit`: the envelope that completed the statement which names the commit's blob, 32 bytes. */
  | { readonly kind: "confirmation"; readonly commit: Bytes }
  | { readonly kind: "missing"; readonly commit: Bytes }

/** Whether a payload of a thread is such a statement, and no MLS message. */
export const isFarStatement = (payload: Bytes): boolean => payload[0] === VERSION

/** Signed by our leaf in the epoch of `state`. Throws SessionError NOT_A_MEMBER. */
export async function encodeFarStatement(
  state: SessionState,
  statement: FarStatement,
): Promise<Bytes> {
  const body = bodyOf(statement)
  const signature = await signStatement(state, LABEL, body)
  return new Writer().raw(body).bytes(signature, 2).finish()
}

function bodyOf(statement: FarStatement): Bytes {
  const out = new Writer().u8(VERSION).u8(KINDS[statement.kind])
  const named = statement.kind === "commit" ? encodeBlobRef(statement.ref) : statement.commit
  return out.raw(named).finish()
}

/** `undefined` for what the member at this leaf of that epoch did not state. Never throws for what a member sent. */
export async function readFarStatement(
  state: SessionState,
  by: { readonly epoch: number; readonly leaf: number },
  payload: Bytes,
): Promise<FarStatement | undefined> {
  const found = soundly(payload)
  if (found === undefined) return undefined
  const { statement, signature } = found
  const isTheirs = await isStatementOf(state, by, LABEL, bodyOf(statement), signature)
  return isTheirs ? statement : undefined
}

function soundly(payload: Bytes) {
  try {
    return decodeFarStatement(payload)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

/** Says nothing about who signed it. Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeFarStatement(payload: Bytes): {
  readonly statement: FarStatement
  readonly signature: Bytes
} {
  const read = new Reader(payload)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `statement of version ${version}`)
  const statement = readBody(read.u8(), read)
  const signature = read.bytes(2, SIGNATURE_BYTES_MAX)
  read.done()
  return { statement, signature }
}

function readBody(kind: number, read: Reader): FarStatement {
  switch (kind) {
    case KINDS.commit: {
      const ref = decodeBlobRef(read.raw(BLOB_REF_BYTES))
      if (ref.size === 0) throw new CryptoError("BAD_ENCODING", "an empty commit")
      if (ref.size > FAR_COMMIT_BYTES_MAX)
        throw new CryptoError("TOO_LARGE", `a commit of ${ref.size} bytes`)
      return { kind: "commit", ref }
    }
    case KINDS.confirmation:
      return { kind: "confirmation", commit: read.raw(ENVELOPE_ID_BYTES) }
    case KINDS.missing:
      return { kind: "missing", commit: read.raw(ENVELOPE_ID_BYTES) }
    default:
      throw new CryptoError("BAD_ENCODING", `statement of unknown kind ${kind}`)
  }
}
