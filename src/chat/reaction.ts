/**
 * What somebody says to a message with a sign or two. A reaction states all that one person says to one message; a later one takes its
 * place, an empty one takes it back. What a sign may be is a matter of bytes alone, because members run different programs and have to
 * agree; that one's own signs are emoji is asked where they are chosen.
 *
 *   count 1 · each: length 1 · UTF-8
 */
import { fromUtf8, type Reader, utf8, type Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"

/** Signs of one person to one message. */
export const SIGNS_MAX = 3
export const SIGN_BYTES_MAX = 32

export function writeSigns(out: Writer, signs: readonly string[]): Writer {
  out.u8(signs.length)
  for (const sign of signs) out.bytes(utf8(sign), 1)
  return out
}

/** Throws CryptoError. */
export function readSigns(read: Reader): string[] {
  const count = read.u8()
  if (count > SIGNS_MAX) throw new CryptoError("TOO_LARGE", `${count} signs`)
  const signs = Array.from({ length: count }, () => fromUtf8(read.bytes(1, SIGN_BYTES_MAX)))
  const sound = signs.every((sign) => sign !== "" && !/[\p{Cc}\p{Z}]/u.test(sign))
  if (!sound || new Set(signs).size < count)
    throw new CryptoError("BAD_ENCODING", "signs of a reaction")
  return signs
}

/** One emoji, as this program knows them. */
export const isEmoji = (sign: string): boolean =>
  utf8(sign).length <= SIGN_BYTES_MAX && /^\p{RGI_Emoji}$/v.test(sign)
