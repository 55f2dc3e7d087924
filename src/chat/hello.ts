/**
 * First contact: what travels, in fragments, inside intro envelopes. It says who writes and hands over the MLS Welcome of a thread made
 * for the two. The claim of the address is only believed once the leaf key in that group is the one on the address's card.
 *
 *   version 1 · kind 1 (= 1) · address 64 · name (length 1) · Welcome (length 4)
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"

const VERSION = 1
const KIND_WELCOME = 1
const WELCOME_BYTES_MAX = 64 * 1024

export interface Hello {
  readonly from: Address
  readonly name: string
  readonly welcome: Bytes
}

export function encodeHello({ from, name, welcome }: Hello): Bytes {
  const out = new Writer().u8(VERSION).u8(KIND_WELCOME).raw(addressBytes(from)).text(name, 1)
  return out.bytes(welcome, 4).finish()
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeHello(bytes: Bytes): Hello {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `hello of version ${version}`)
  if (read.u8() !== KIND_WELCOME) throw new CryptoError("BAD_ENCODING", "hello of unknown kind")
  const from = addressFromBytes(read.raw(64))
  const name = read.text(1, NAME_BYTES_MAX)
  const welcome = read.bytes(4, WELCOME_BYTES_MAX)
  read.done()
  return { from, name, welcome }
}
