/**
 * First contact: what travels, in fragments, inside intro envelopes. It says who writes and hands over the MLS Welcome of a thread made
 * for the two, or of a group that we were added to. The claim of the address is only believed once the leaf key in that group is the
 * one on the address's card.
 *
 *   version 1 · kind 1 (= 1) · address 64 · name (length 1) · Welcome (length 4)
 *   version 1 · kind 1 (= 2) · address 64 · name (length 1) · height 8 · Welcome (length 4)
 *
 * The height is that of the block which ordered the commit that added us: from there on the order matters to us.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"
import { sessionLimits } from "../crypto/session.ts"

const VERSION = 1
const KIND_WELCOME = 1
const KIND_GROUP = 2

export interface Hello {
  readonly from: Address
  readonly name: string
  readonly welcome: Bytes
  /** Null for a thread of two. */
  readonly group: { readonly since: number } | null
}

export function encodeHello({ from, name, welcome, group }: Hello): Bytes {
  const kind = group === null ? KIND_WELCOME : KIND_GROUP
  const out = new Writer().u8(VERSION).u8(kind).raw(addressBytes(from)).text(name, 1)
  if (group !== null) out.u64(group.since)
  return out.bytes(welcome, 4).finish()
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeHello(bytes: Bytes): Hello {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `hello of version ${version}`)
  const kind = read.u8()
  if (kind !== KIND_WELCOME && kind !== KIND_GROUP)
    throw new CryptoError("BAD_ENCODING", "hello of unknown kind")
  const from = addressFromBytes(read.raw(64))
  const name = read.text(1, NAME_BYTES_MAX)
  const group = kind === KIND_GROUP ? { since: read.u64() } : null
  const welcome = read.bytes(4, sessionLimits.WELCOME_MAX_BYTES)
  read.done()
  return { from, name, welcome, group }
}
