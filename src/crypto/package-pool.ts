/**
 * Pools of one-time key packages (DESIGN §4, §8): what a person's owner gives to the peers nearest to a key of the day, for them to hand
 * out once each. Every keeper gets packages of its own, so that no two of them can give away the same one, and cannot read them: each is
 * sealed under a key that only the address gives, at one size for all owners. Pure bytes; who keeps them where is the node's.
 *
 *   handful   version 1 · way of signing 1 · blinded key 32 · epoch 4 · order 8 · hash of the token 32 · begins 1 · count 1 · signature 64 ·
 *             sealed packages, 4096 or 16384 bytes each
 *   sealed    nonce 12 · AES-256-GCM of: (length 2) key package, zero-padded
 *
 * The signature is the blinded key's own, over mesh and keeper as well: a handful is worth nothing at another peer. `order` is the owner's
 * sequence plus an offset of that day's, as in a directory record. The token is what a reader shows to take one: another for each keeper,
 * made from the address, so that nobody who does not know the address takes anything, keepers of the same pool included.
 */
import { primitives } from "#primitives"
import {
  BLINDED_KEY_BYTES,
  blindedKey,
  blindedSigner,
  type BlindedSigner,
  type BlindedKind,
} from "./blinding.ts"
import { type Bytes, concat, exactly, Reader, utf8, Writer } from "./bytes.ts"
import { EPOCH_SLACK, SEQUENCE_LIMIT } from "./directory-record.ts"
import { assert, CryptoError } from "./errors.ts"
import { derive, domain, labelledHash } from "./kdf.ts"
import { type Signing, SIGNINGS } from "./session.ts"
import { ignore, reject } from "./verdict.ts"

const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + 1 + BLINDED_KEY_BYTES + 4 + 8 + 32 + 1 + 1
const SIGNATURE_BYTES = 64
export const TOKEN_BYTES = 32

/** A sealed package, by how the groups sign that it is for. */
export const SEALED_BYTES: Readonly<Record<Signing, number>> = {
  ed25519: 4096,
  composite: 16 * 1024,
}
/** Packages that one keeper holds of a pool at a time. */
export const HANDFUL_MAX: Readonly<Record<Signing, number>> = { ed25519: 16, composite: 4 }
export const HANDFUL_BYTES_MAX =
  HEADER_BYTES +
  SIGNATURE_BYTES +
  Math.max(...SIGNINGS.map((signing) => HANDFUL_MAX[signing] * SEALED_BYTES[signing]))

/** 2^51, as in a directory record: offset and sequence together stay a safe integer. */
const OFFSET_LIMIT = 2 ** 51
const ORDER_LIMIT = OFFSET_LIMIT + SEQUENCE_LIMIT

const KIND: Readonly<Record<Signing, BlindedKind>> = {
  ed25519: "packages",
  composite: "composite-packages",
}

/** One pool: a person's, of a day, for one way of signing. Only who knows the address can make one. */
export interface Pool {
  readonly signing: Signing
  readonly epoch: number
  /** What everybody else calls it: 32 bytes. */
  readonly blinded: Bytes
  readonly key: Bytes
  readonly offset: number
  readonly secret: Bytes
}

/** `address` in raw form, 64 bytes. Takes some milliseconds. Throws CryptoError BAD_LENGTH, BAD_KEY. */
export function poolOf(address: Bytes, epoch: number, signing: Signing): Pool {
  const blinded = blindedKey(address, epoch, KIND[signing])
  const info = concat(new Writer().u32(epoch).finish(), blinded)
  const read = new Reader(derive("key package pool", address, info, 72))
  const key = read.raw(32)
  const offset = (read.u32() % (OFFSET_LIMIT / 2 ** 32)) * 2 ** 32 + read.u32()
  return { signing, epoch, blinded, key, offset, secret: read.raw(32) }
}

/** Signs for a pool; holds a secret worth as much as the root. Throws as `blindedSigner` does. */
export const poolSigner = (seed: Bytes, address: Bytes, pool: Pool): BlindedSigner =>
  blindedSigner(seed, address, pool.epoch, KIND[pool.signing])

/** What a reader shows this keeper (its peer id as text) to be given a package: 32 bytes. */
export const tokenFor = ({ secret }: Pool, keeper: string): Bytes =>
  labelledHash("key package token", secret, new Writer().text(keeper, 1).finish())

export const tokenHash = (token: Bytes): Bytes =>
  labelledHash("key package token hash", exactly(token, TOKEN_BYTES, "token"))

/** Where the pool lies in Kademlia's space: a key like a record's, under which nothing is ever put. */
export const poolPlace = (blinded: Bytes): Bytes => concat(utf8("/packages/"), blinded)

const sealedWith = ({ epoch, blinded }: Pool): Bytes =>
  concat(new Writer().u32(epoch).finish(), blinded)

/** Throws CryptoError TOO_LARGE. */
export function sealPackage(pool: Pool, keyPackage: Bytes): Bytes {
  const room = SEALED_BYTES[pool.signing] - NONCE_BYTES - TAG_BYTES
  const left = room - 2 - keyPackage.length
  if (left < 0) throw new CryptoError("TOO_LARGE", `a key package of ${keyPackage.length} bytes`)
  const padded = new Writer().bytes(keyPackage, 2).raw(new Uint8Array(left)).finish()
  const nonce = primitives.randomBytes(NONCE_BYTES)
  return concat(nonce, primitives.aesGcmSeal(pool.key, nonce, padded, sealedWith(pool)))
}

/** The key package, unjudged; `undefined` for anything that was not sealed for this pool. Never throws. */
export function openPackage(pool: Pool, sealed: Bytes): Bytes | undefined {
  if (sealed.length !== SEALED_BYTES[pool.signing]) return undefined
  const [nonce, body] = [sealed.slice(0, NONCE_BYTES), sealed.slice(NONCE_BYTES)]
  const padded = primitives.aesGcmOpen(pool.key, nonce, body, sealedWith(pool))
  if (padded === undefined) return undefined
  try {
    const read = new Reader(padded)
    const keyPackage = read.bytes(2, padded.length)
    read.zeros()
    return keyPackage
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

export interface HandfulParts {
  readonly pool: Pool
  readonly signer: BlindedSigner
  /** 32 bytes. */
  readonly meshId: Bytes
  /** Peer id of the keeper, as text. */
  readonly keeper: string
  /** Below SEQUENCE_LIMIT; above that of every handful of this pool that the keeper was given before. */
  readonly sequence: number
  /** What the keeper has of this pool is void: it is to drop it. */
  readonly begins: boolean
  /** Sealed; none to ask only how many are left. At most HANDFUL_MAX. */
  readonly packages: readonly Bytes[]
}

export function makeHandful(parts: HandfulParts): Bytes {
  const { pool, signer, meshId, keeper, sequence, begins, packages } = parts
  assert(packages.length <= HANDFUL_MAX[pool.signing], "a handful is bounded")
  const header = new Writer()
    .u8(VERSION)
    .u8(SIGNINGS.indexOf(pool.signing) + 1)
    .raw(pool.blinded)
    .u32(pool.epoch)
    .u64(pool.offset + sequence)
    .raw(tokenHash(tokenFor(pool, keeper)))
    .u8(begins ? 1 : 0)
    .u8(packages.length)
    .finish()
  const body = concat(...packages)
  return concat(header, signer.sign(toSign(meshId, keeper, header, body)), body)
}

function toSign(meshId: Bytes, keeper: string, header: Bytes, packages: Bytes): Bytes {
  const to = new Writer()
    .raw(exactly(meshId, 32, "mesh id"))
    .text(keeper, 1)
    .finish()
  return concat(domain("key packages given"), to, header, primitives.sha3_256(packages))
}

/** What a keeper needs to know of a handful. */
export interface Handful {
  readonly signing: Signing
  readonly blinded: Bytes
  readonly epoch: number
  readonly order: number
  readonly tokenHash: Bytes
  readonly begins: boolean
  readonly packages: readonly Bytes[]
}

export type HandfulCode =
  /** Not as long as its header says, or no header. */
  | "HANDFUL_SIZE"
  | "HANDFUL_VERSION"
  /** Not today, yesterday or tomorrow. */
  | "HANDFUL_EPOCH"
  /** For another keeper or mesh, or not by this pool's owner. */
  | "HANDFUL_SIGNATURE"

export interface HandfulRefused {
  readonly verdict: "ignore" | "reject"
  readonly code: HandfulCode
}

/** All a keeper can know of a handful that it cannot read; the signature last, because it costs the most. Never throws. */
export function checkHandful(
  bytes: Bytes,
  { meshId, keeper, epoch }: { meshId: Bytes; keeper: string; epoch: number },
): { readonly verdict: "accept"; readonly handful: Handful } | HandfulRefused {
  if (bytes[0] !== VERSION) return ignore("HANDFUL_VERSION")
  const handful = readHandful(bytes)
  if (handful === undefined) return reject("HANDFUL_SIZE")
  if (Math.abs(handful.epoch - epoch) > EPOCH_SLACK) return ignore("HANDFUL_EPOCH")
  const header = bytes.slice(0, HEADER_BYTES)
  const signature = bytes.slice(HEADER_BYTES, HEADER_BYTES + SIGNATURE_BYTES)
  const signed = toSign(meshId, keeper, header, bytes.slice(HEADER_BYTES + SIGNATURE_BYTES))
  return isSigned(handful.blinded, signed, signature)
    ? { verdict: "accept", handful }
    : reject("HANDFUL_SIGNATURE")
}

function readHandful(bytes: Bytes): Handful | undefined {
  try {
    const read = new Reader(bytes)
    read.u8()
    const signing = SIGNINGS[read.u8() - 1]
    const [blinded, epoch, order] = [read.raw(BLINDED_KEY_BYTES), read.u32(), read.u64()]
    const [hash, begins, count] = [read.raw(32), read.u8(), read.u8()]
    if (signing === undefined || begins > 1 || order >= ORDER_LIMIT) return undefined
    if (count > HANDFUL_MAX[signing]) return undefined
    read.raw(SIGNATURE_BYTES)
    const packages = Array.from({ length: count }, () => read.raw(SEALED_BYTES[signing]))
    read.done()
    return { signing, blinded, epoch, order, tokenHash: hash, begins: begins === 1, packages }
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

function isSigned(blinded: Bytes, signed: Bytes, signature: Bytes): boolean {
  try {
    return primitives.ed25519.verify(primitives.ed25519.importPublic(blinded), signed, signature)
  } catch (error) {
    if (error instanceof CryptoError) return false
    throw error
  }
}
