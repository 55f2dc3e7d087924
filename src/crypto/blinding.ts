/**
 * Ed25519 key blinding for the directory (DESIGN §8), in the manner of Tor's version 3 onion services (rend-spec-v3, A.2),
 * with labels of our own: `A' = h·A`, `a' = h·a mod L`, `h` a scalar that only those who know the address can compute.
 *
 * Why it holds. `h` comes from 64 bytes of HKDF-SHA3-256 keyed by the whole address, reduced mod L: the bias is below 2^-250,
 * and h = 0 does not happen (asserted). `A` must be canonical and of prime order, so `A'` has no part of small order that
 * would survive from day to day and mark its owner; reducing `a'` mod L is exact for the same reason. To everybody without the
 * address, `A'` is a random point, and two days of one address are two random points, even for who can take discrete
 * logarithms. Signatures are plain RFC 8032 under the key pair (a', A'), so any Ed25519 verifier checks them. The challenge
 * hashes A', so no signature moves to another day; the nonce key is derived from the root's own and from A', so no nonce ever
 * serves two keys. A blinded secret together with the address gives the root secret back (a = a'/h): it must be kept as the
 * root is, and never be handed to another device as something weaker. Scalars are BigInts inside noble: not constant-time
 * to the last cycle and not erasable, so this runs where nobody can time it closely: once a day, on the owner's peer.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { type Bytes, concat, equal, exactly, Writer } from "./bytes.ts"
import { assert, CryptoError } from "./errors.ts"
import { derive } from "./kdf.ts"

/** An address in raw form (`addressBytes`): Ed25519 root key (32 bytes) ‖ SHA3-256 of the SLH-DSA root key (32 bytes). */
export const RAW_ADDRESS_BYTES = 64
export const BLINDED_KEY_BYTES = 32

/**
 * What an address has in the mesh on a day: its record in the directory, and what it has given others to hand out, for each way of signing
 * (package-pool.ts). Each has a blinded key of its own, so that nobody without the address can tell that two of them belong together.
 */
export const BLINDED_KINDS = ["card", "packages", "composite-packages"] as const
export type BlindedKind = (typeof BLINDED_KINDS)[number]
const LABEL: Readonly<Record<BlindedKind, string>> = {
  card: "blind",
  packages: "blind packages",
  "composite-packages": "blind composite packages",
}

const SEED_BYTES = 32
const WIDE_BYTES = 64
const Point = ed25519.Point
const scalars = Point.Fn

const wideScalar = (bytes: Bytes): bigint => scalars.create(bytesToNumberLE(bytes))

/** `h` for one address, day and kind of record. */
function blindingFactor(address: Bytes, epoch: number, kind: BlindedKind): bigint {
  const info = new Writer().u32(epoch).finish()
  const factor = wideScalar(derive(LABEL[kind], address, info, WIDE_BYTES))
  assert(factor !== 0n, "a blinding factor is never zero")
  return factor
}

/** The root key of an address as a point. Refuses what is not canonical, not on the curve or not of prime order. */
function rootPoint(address: Bytes) {
  exactly(address, RAW_ADDRESS_BYTES, "address")
  try {
    const point = Point.fromBytes(address.slice(0, 32), false)
    if (!point.isSmallOrder() && point.isTorsionFree()) return point
  } catch (cause) {
    throw new CryptoError("BAD_KEY", "the root key is not an Ed25519 point", { cause })
  }
  throw new CryptoError("BAD_KEY", "the root key is not of prime order")
}

/**
 * What the directory calls an address on a day: 32 bytes, an ordinary Ed25519 public key. `address` is 64 bytes (raw form),
 * `epoch` the number of the day since 1970 (below 2^32). Throws CryptoError BAD_LENGTH, BAD_KEY.
 */
export function blindedKey(address: Bytes, epoch: number, kind: BlindedKind = "card"): Bytes {
  return rootPoint(address)
    .multiply(blindingFactor(address, epoch, kind))
    .toBytes()
}

/** Signs as an address's blinded key of one day. Holds a secret worth as much as the root: let go of it soon. */
export interface BlindedSigner {
  /** The same 32 bytes that `blindedKey` gives to whoever knows the address. */
  readonly publicKey: Bytes
  /** 64 bytes, deterministic, an ordinary RFC 8032 signature. */
  sign(message: Bytes): Bytes
}

/** `seed` is the 32-byte Ed25519 root seed. Throws CryptoError BAD_LENGTH, BAD_KEY when it is not the address's. */
export function blindedSigner(
  seed: Bytes,
  address: Bytes,
  epoch: number,
  kind: BlindedKind = "card",
): BlindedSigner {
  exactly(seed, SEED_BYTES, "root seed")
  exactly(address, RAW_ADDRESS_BYTES, "address")
  const root = ed25519.utils.getExtendedPublicKey(seed)
  if (!equal(root.pointBytes, address.subarray(0, 32)))
    throw new CryptoError("BAD_KEY", "the seed is not this address's")
  const secret = scalars.mul(root.scalar, blindingFactor(address, epoch, kind))
  const publicKey = Point.BASE.multiply(secret).toBytes()
  const nonceKey = derive("blind nonce", root.prefix, publicKey, 32)
  return {
    publicKey,
    sign(message) {
      const nonce = wideScalar(sha512(concat(nonceKey, message)))
      const commitment = Point.BASE.multiply(nonce).toBytes()
      const challenge = wideScalar(sha512(concat(commitment, publicKey, message)))
      const response = scalars.add(nonce, scalars.mul(challenge, secret))
      return concat(commitment, numberToBytesLE(response, 32))
    },
  }
}
