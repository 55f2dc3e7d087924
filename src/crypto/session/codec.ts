/**
 * Strict decoding on top of ts-mls, whose decoders stop where their value ends and take several spellings of one value (lengths
 * in more bytes than needed, any byte but 1 for "absent"). Here a value counts only if encoding it again gives the same bytes.
 * Decoded values keep views into their input, so the input is copied first: nobody's later writes reach a state.
 */
import { decodeMlsMessage, encodeMlsMessage, type MLSMessage, type PrivateMessage } from "ts-mls"
import { type Bytes, equal } from "../bytes.ts"

/** The value, or `undefined` unless `bytes` is exactly its one encoding. Never throws. */
export function decodeStrictly<T>(
  decode: (bytes: Bytes, offset: number) => [T, number] | undefined,
  encode: (value: T) => Bytes,
  bytes: Bytes,
): T | undefined {
  const own = bytes.slice()
  try {
    const decoded = decode(own, 0)
    if (decoded === undefined || decoded[1] !== own.length) return undefined
    return equal(encode(decoded[0]), own) ? decoded[0] : undefined
  } catch {
    // ts-mls throws for some malformed inputs and returns for others: all of them are the peer's doing.
    return undefined
  }
}

export const decodeMessage = (bytes: Bytes): MLSMessage | undefined =>
  decodeStrictly(decodeMlsMessage, encodeMlsMessage, bytes)

export const encodeMessage = (message: MLSMessage): Bytes => encodeMlsMessage(message)

export const frame = (privateMessage: PrivateMessage): Bytes =>
  encodeMessage({ version: "mls10", wireformat: "mls_private_message", privateMessage })
