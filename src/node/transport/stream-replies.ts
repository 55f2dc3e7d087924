/**
 * What the replies of our request protocols (sync-messages.ts, node/blobs/messages.ts) have in common: a status of one byte, 0 for done, then
 * what was asked for; or the number of a refusal, from 1 on, and nothing more.
 */
import { type Bytes, Reader, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"

/** The beginning of a reply that is no refusal. */
export const done = (): Writer => new Writer().u8(0)

export interface Replies<R extends string> {
  readonly encodeRefusal: (refusal: R) => Bytes
  /** The refusal in place of an answer, or what `body` reads after the status. Throws CryptoError for what is not one whole reply. */
  readonly decode: <T>(bytes: Bytes, body: (read: Reader) => T) => T | R
}

/** `refusals` in the order of their numbers. */
export const repliesOf = <R extends string>(refusals: readonly R[]): Replies<R> => ({
  encodeRefusal: (refusal) => new Writer().u8(refusals.indexOf(refusal) + 1).finish(),
  decode: (bytes, body) => {
    const read = new Reader(bytes)
    const status = read.u8()
    const refusal = refusals[status - 1]
    if (status !== 0 && refusal === undefined)
      throw new CryptoError("BAD_ENCODING", "unknown status")
    const value = refusal ?? body(read)
    read.done()
    return value
  },
})

/** A count that was read. Throws CryptoError TOO_LARGE. */
export function atMost(value: number, max: number): number {
  if (value > max) throw new CryptoError("TOO_LARGE", `${value} where at most ${max} are allowed`)
  return value
}

/** Throws CryptoError BAD_ENCODING for anything but 0 and 1. */
export function flag(value: number): boolean {
  if (value > 1) throw new CryptoError("BAD_ENCODING", "a flag is 0 or 1")
  return value === 1
}
