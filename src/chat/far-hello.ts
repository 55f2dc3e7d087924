/**
 * A hello whose Welcome is too long for intro envelopes: it names a blob that holds the Welcome, and is signed by the leaf key on the
 * card of whoever invites. Whoever fetches a blob shows their peer's address to those who keep it, so nobody is made to by a stranger, nor
 * by somebody who only says that they are a friend.
 *
 *   version 1 · kind 1 (= 4) · address 64 · name (length 1) · height 8 · ref 73 · Ed25519 signature 64
 *
 * The signature is over domain("invitation") ‖ address of the invited 64 ‖ everything before the signature.
 */
import { primitives } from "#primitives"
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type BlobRef, BLOB_REF_BYTES, decodeBlobRef, encodeBlobRef } from "../crypto/blob.ts"
import { type Bytes, concat, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"
import { domain } from "../crypto/kdf.ts"
import { sessionLimits } from "../crypto/session.ts"

const VERSION = 1
const KIND_FAR = 4
const SIGNATURE_BYTES = 64

export interface FarHello {
  readonly from: Address
  readonly name: string
  /** Height of the block that ordered the commit which added us. */
  readonly since: number
  /** The Welcome, as the one content of a blob. */
  readonly ref: BlobRef
}

/** `seed`: of the inviter's leaf key, 32 bytes. */
export function encodeFarHello(
  { from, name, since, ref }: FarHello,
  to: Address,
  seed: Bytes,
): Bytes {
  const out = new Writer().u8(VERSION).u8(KIND_FAR).raw(addressBytes(from)).text(name, 1)
  const unsigned = out.u64(since).raw(encodeBlobRef(ref)).finish()
  const key = primitives.ed25519.importPrivate(seed)
  return concat(unsigned, primitives.ed25519.sign(key, signingBytes(to, unsigned)))
}

const signingBytes = (to: Address, unsigned: Bytes) =>
  concat(domain("invitation"), addressBytes(to), unsigned)

/** Whether this payload of a first contact is such a hello. */
export const isFarHello = (payload: Bytes): boolean =>
  payload[0] === VERSION && payload[1] === KIND_FAR

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. Whose it is, `isSignedBy` says. */
export function decodeFarHello(bytes: Bytes): FarHello {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `hello of version ${version}`)
  if (read.u8() !== KIND_FAR) throw new CryptoError("BAD_ENCODING", "hello of another kind")
  const from = addressFromBytes(read.raw(64))
  const name = read.text(1, NAME_BYTES_MAX)
  const since = read.u64()
  const ref = decodeBlobRef(read.raw(BLOB_REF_BYTES))
  if (ref.size > sessionLimits.WELCOME_MAX_BYTES)
    throw new CryptoError("TOO_LARGE", `a Welcome of ${ref.size} bytes`)
  read.raw(SIGNATURE_BYTES)
  read.done()
  return { from, name, since, ref }
}

/** Whether the holder of this leaf key (32 bytes) wrote these bytes for `to`. False for what is no key. */
export function isSignedBy(bytes: Bytes, to: Address, leaf: Bytes): boolean {
  const { ed25519 } = primitives
  const end = bytes.length - SIGNATURE_BYTES
  try {
    const signed = signingBytes(to, bytes.subarray(0, end))
    return ed25519.verify(ed25519.importPublic(leaf), signed, bytes.subarray(end))
  } catch (error) {
    if (error instanceof CryptoError) return false
    throw error
  }
}
