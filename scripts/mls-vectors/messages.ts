/**
 * Vectors of the wire format: the headers that variable-length vectors start with (RFC 9420 §2.1.2), and messages (§6, §12), each of
 * which decodes, and encodes to the same bytes again.
 */
import { decodeMlsMessage, encodeMlsMessage } from "ts-mls"
import type { Decoder } from "ts-mls/codec/tlsDecoder.js"
import type { Encoder } from "ts-mls/codec/tlsEncoder.js"
import { determineLength, lengthEncoder } from "ts-mls/codec/variableLength.js"
import { decodeCommit, encodeCommit } from "ts-mls/commit.js"
import { decodeGroupSecrets, encodeGroupSecrets } from "ts-mls/groupSecrets.js"
import {
  decodeAdd,
  decodeExternalInit,
  decodeGroupContextExtensions,
  decodePSK,
  decodeReinit,
  decodeRemove,
  decodeUpdate,
  encodeAdd,
  encodeExternalInit,
  encodeGroupContextExtensions,
  encodePSK,
  encodeReinit,
  encodeRemove,
  encodeUpdate,
} from "ts-mls/proposal.js"
import { decodeRatchetTree, encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { decodeWhole, type Fields, holds, same } from "./fields.ts"

type RoundTrip = (vector: Fields, name: string) => void

const roundTrip =
  <T>(decode: Decoder<T>, encode: Encoder<T>): RoundTrip =>
  (vector, name) => {
    const bytes = vector.bytes(name)
    same(name, encode(decodeWhole(name, decode, bytes)), bytes)
  }

const message = roundTrip(decodeMlsMessage, encodeMlsMessage)

const FIELDS: Readonly<Record<string, RoundTrip>> = {
  mls_welcome: message,
  mls_group_info: message,
  mls_key_package: message,
  public_message_application: message,
  public_message_proposal: message,
  public_message_commit: message,
  private_message: message,
  ratchet_tree: roundTrip(decodeRatchetTree, encodeRatchetTree),
  group_secrets: roundTrip(decodeGroupSecrets, encodeGroupSecrets),
  add_proposal: roundTrip(decodeAdd, encodeAdd),
  update_proposal: roundTrip(decodeUpdate, encodeUpdate),
  remove_proposal: roundTrip(decodeRemove, encodeRemove),
  pre_shared_key_proposal: roundTrip(decodePSK, encodePSK),
  re_init_proposal: roundTrip(decodeReinit, encodeReinit),
  external_init_proposal: roundTrip(decodeExternalInit, encodeExternalInit),
  group_context_extensions_proposal: roundTrip(
    decodeGroupContextExtensions,
    encodeGroupContextExtensions,
  ),
  commit: roundTrip(decodeCommit, encodeCommit),
}

export function messages(vector: Fields): void {
  for (const [name, check] of Object.entries(FIELDS)) check(vector, name)
}

/** A header gives the published length, is read to its last byte, and is what that length is written as. */
export function vectorLengths(vector: Fields): void {
  const header = vector.bytes("vlbytes_header")
  const { length, lengthFieldSize } = determineLength(header)
  holds("length", length === vector.number("length"))
  holds("size of the header", lengthFieldSize === header.length)
  const [size, write] = lengthEncoder(length)
  const buffer = new ArrayBuffer(size)
  write(0, buffer)
  same("header", new Uint8Array(buffer), header)
}
