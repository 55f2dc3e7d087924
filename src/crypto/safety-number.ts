/**
 * The safety number of two people: 60 digits that both see alike and compare by voice, in person, or by scanning (DESIGN §4).
 *
 * The scheme is that of Signal (libsignal, `fingerprint.rs`; "numeric fingerprint", 2016): 30 digits for each person, from a hash
 * iterated 5,200 times over their long-term keys, the smaller 30 first. What is ours: SHA3-256 for SHA-512, and what goes in is the
 * raw address, which is the Ed25519 root key and the hash of the SLH-DSA root key. 30 digits are 99.6 bits, and iterating makes each
 * guess cost 2^12 hashes more: whoever looks for other roots with the same digits has some 2^112 hashes to compute for one person.
 */
import { primitives } from "#primitives"
import { RAW_ADDRESS_BYTES } from "./blinding.ts"
import { type Bytes, exactly } from "./bytes.ts"
import { labelledHash } from "./kdf.ts"

/** Digits of the number of two people. */
export const SAFETY_DIGITS = 60
const ROUNDS = 5_200
/** Groups of one person, each five digits from five bytes. */
const GROUPS = 6
const GROUP_BYTES = 5
const GROUP_LIMIT = 100_000

/** 30 digits that stand for one address (64 bytes, raw form). About 10 ms: not on an event loop. Throws CryptoError BAD_LENGTH. */
export function fingerprintDigits(address: Bytes): string {
  exactly(address, RAW_ADDRESS_BYTES, "address")
  let hash = labelledHash("safety number", address)
  for (let round = 0; round < ROUNDS; round++) hash = primitives.sha3_256(hash, address)
  return Array.from({ length: GROUPS }, (_, i) => groupAt(hash, i * GROUP_BYTES)).join("")
}

/** Five bytes as a number of up to 2^40, and of that the last five digits: biased by less than 2^-23. */
function groupAt(hash: Bytes, at: number): string {
  const wide = hash.subarray(at, at + GROUP_BYTES).reduce((sum, byte) => sum * 256 + byte, 0)
  return (wide % GROUP_LIMIT).toString().padStart(5, "0")
}

/** SAFETY_DIGITS digits, the same whichever of the two asks. Throws CryptoError BAD_LENGTH. */
export function safetyNumber(one: Bytes, other: Bytes): string {
  return [fingerprintDigits(one), fingerprintDigits(other)].sort().join("")
}
