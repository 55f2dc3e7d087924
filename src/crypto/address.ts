/**
 * The address of an identity: `bech32m("sotto", A ‖ F)`, where A is the Ed25519 root key (32 bytes; the directory derives its blinded
 * keys from it) and F = SHA3-256 of the SLH-DSA root key (32 bytes). 64 bytes, 115 characters. One identity has one address: upper
 * case, mixed case and non-canonical padding are not addresses. Encoding: BIP 350 (bech32m), without its 90-character limit.
 */
import { bech32m } from "@scure/base"
import { primitives } from "#primitives"
import { type Bytes, concat, exactly } from "./bytes.ts"
import { CryptoError } from "./errors.ts"

declare const brand: unique symbol
export type Address = string & { readonly [brand]: "Address" }

export const ADDRESS_PREFIX = "sotto"
export const ADDRESS_CHARACTERS = 115

export interface AddressParts {
  /** Ed25519 root key, 32 bytes. */
  readonly ed25519Root: Bytes
  /** SHA3-256 of the SLH-DSA-SHAKE-256s root key, 32 bytes. */
  readonly slhDsaRootHash: Bytes
}

export function encodeAddress({ ed25519Root, slhDsaRootHash }: AddressParts): Address {
  exactly(ed25519Root, 32, "Ed25519 root key")
  exactly(slhDsaRootHash, 32, "SLH-DSA root hash")
  const words = bech32m.toWords(concat(ed25519Root, slhDsaRootHash))
  return bech32m.encode(ADDRESS_PREFIX, words, false) as Address
}

/** Address of two root public keys: Ed25519 (32 bytes) and SLH-DSA-SHAKE-256s (64 bytes). */
export function addressOf(ed25519Root: Bytes, slhDsaRoot: Bytes): Address {
  exactly(slhDsaRoot, primitives.slhDsaShake256s.publicBytes, "SLH-DSA root key")
  return encodeAddress({ ed25519Root, slhDsaRootHash: primitives.sha3_256(slhDsaRoot) })
}

/** Throws CryptoError BAD_ENCODING unless `text` is exactly an address. */
export function parseAddress(text: string): AddressParts & { readonly address: Address } {
  if (text.length !== ADDRESS_CHARACTERS || !text.startsWith(`${ADDRESS_PREFIX}1`))
    throw new CryptoError("BAD_ENCODING", "not an address")
  let bytes: Bytes
  try {
    const { words } = bech32m.decode(text as `${string}1${string}`, false)
    bytes = bech32m.fromWords(words)
  } catch (cause) {
    throw new CryptoError("BAD_ENCODING", "not an address: mistyped or cut off", { cause })
  }
  exactly(bytes, 64, "address")
  const parts = { ed25519Root: bytes.slice(0, 32), slhDsaRootHash: bytes.slice(32) }
  const address = encodeAddress(parts)
  if (address !== text)
    throw new CryptoError("BAD_ENCODING", "not the canonical form of an address")
  return { ...parts, address }
}

/** The people one writes with are few, and every record of theirs names them. At the limit it starts over. */
const KNOWN_MAX = 1024
const known = new Map<Address, Bytes>()
/** The same the other way, by the bytes as characters: every record that is read names somebody. */
const spelled = new Map<string, Address>()

/** The 64 bytes behind an address: what protocols hash and carry. A copy. */
export function addressBytes(address: Address): Bytes {
  const before = known.get(address)
  if (before !== undefined) return before.slice()
  const { ed25519Root, slhDsaRootHash } = parseAddress(address)
  const bytes = concat(ed25519Root, slhDsaRootHash)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(address, bytes)
  return bytes.slice()
}

/** Address from its 64 bytes. Throws CryptoError BAD_LENGTH. */
export function addressFromBytes(bytes: Bytes): Address {
  const name = String.fromCharCode(...exactly(bytes, 64, "address"))
  const before = spelled.get(name)
  if (before !== undefined) return before
  const address = encodeAddress({
    ed25519Root: bytes.slice(0, 32),
    slhDsaRootHash: bytes.slice(32),
  })
  if (spelled.size >= KNOWN_MAX) spelled.clear()
  spelled.set(name, address)
  return address
}
