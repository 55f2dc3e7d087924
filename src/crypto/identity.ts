/**
 * The private side of a person's pseudonym: root keys that only ever sign cards, and the operational keys a card names (DESIGN §4).
 * The encoding is what the vault seals: raw seeds and nothing derived. Old intro keys are kept beside the current ones so that late
 * mail still opens; destroying them is the node's business, because it has the clock.
 */
import { primitives } from "#primitives"
import { type Address, addressOf } from "./address.ts"
import { type Bytes, Reader, Writer } from "./bytes.ts"
import { CryptoError } from "./errors.ts"
import { type IntroPrivate, type IntroPublic, importIntroPrivate } from "./envelope.ts"

const VERSION = 1
const RECORD_BYTES_MAX = 256 * 1024
export const OLD_INTRO_KEYS_MAX = 8

export interface RootKeys {
  /** Ed25519 seed, 32 bytes. */
  readonly ed25519: Bytes
  /** SLH-DSA-SHAKE-256s private key, 128 bytes. */
  readonly slhDsa: Bytes
}

export interface IntroSeeds {
  /** X25519 private key, 32 bytes. */
  readonly x25519: Bytes
  /** ML-KEM-1024 seed, 64 bytes. */
  readonly mlKem: Bytes
}

/** An MLS key package with its private part, both opaque here. */
export interface StoredKeyPackage {
  readonly public: Bytes
  readonly private: Bytes
}

export interface Identity {
  readonly roots: RootKeys
  /** Sequence number of the current card. */
  readonly sequence: number
  readonly intro: IntroSeeds
  /** Intro keys of earlier cards, newest first, at most OLD_INTRO_KEYS_MAX. */
  readonly oldIntro: readonly IntroSeeds[]
  /** Ed25519 seed of the MLS leaf key, 32 bytes. */
  readonly leaf: Bytes
  readonly lastResort: StoredKeyPackage
  /** The current card, signed. */
  readonly card: Bytes
  /** What this person calls themselves. */
  readonly name: string
}

export const NAME_BYTES_MAX = 64

/** Takes about 80 ms (SLH-DSA): not on an event loop. */
export function generateRoots(): RootKeys {
  return { ed25519: primitives.ed25519.generate(), slhDsa: primitives.slhDsaShake256s.generate() }
}

export function generateIntro(): IntroSeeds {
  return { x25519: primitives.randomBytes(32), mlKem: primitives.randomBytes(64) }
}

export const introPrivate = ({ x25519, mlKem }: IntroSeeds): IntroPrivate =>
  importIntroPrivate(x25519, mlKem)

export const introPublic = (seeds: IntroSeeds): IntroPublic => introPrivate(seeds).public

export interface RootPublic {
  /** 32 bytes. */
  readonly ed25519: Bytes
  /** 64 bytes. */
  readonly slhDsa: Bytes
}

export function rootPublic(roots: RootKeys): RootPublic {
  const { ed25519, slhDsaShake256s } = primitives
  return {
    ed25519: ed25519.publicFromPrivate(ed25519.importPrivate(roots.ed25519)),
    slhDsa: slhDsaShake256s.publicFromPrivate(slhDsaShake256s.importPrivate(roots.slhDsa)),
  }
}

export function addressOfRoots(roots: RootKeys): Address {
  const { ed25519, slhDsa } = rootPublic(roots)
  return addressOf(ed25519, slhDsa)
}

/** For the vault only: these bytes are the person. */
export function encodeIdentity(identity: Identity): Bytes {
  const out = new Writer().u8(VERSION).raw(identity.roots.ed25519).raw(identity.roots.slhDsa)
  out.u64(identity.sequence).raw(identity.intro.x25519).raw(identity.intro.mlKem)
  out.u8(identity.oldIntro.length)
  for (const old of identity.oldIntro) out.raw(old.x25519).raw(old.mlKem)
  out.raw(identity.leaf)
  out.bytes(identity.lastResort.public, 4).bytes(identity.lastResort.private, 4)
  return out.bytes(identity.card, 4).text(identity.name, 1).finish()
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeIdentity(bytes: Bytes): Identity {
  if (bytes.length > RECORD_BYTES_MAX) throw new CryptoError("TOO_LARGE", "identity too large")
  const read = new Reader(bytes)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `identity version ${version}`)
  const readIntro = () => ({ x25519: read.raw(32), mlKem: read.raw(64) })
  const roots = { ed25519: read.raw(32), slhDsa: read.raw(128) }
  const sequence = read.u64()
  const intro = readIntro()
  const olds = read.u8()
  if (olds > OLD_INTRO_KEYS_MAX) throw new CryptoError("TOO_LARGE", `${olds} old intro keys`)
  const oldIntro = Array.from({ length: olds }, readIntro)
  const leaf = read.raw(32)
  const readPart = () => read.bytes(4, RECORD_BYTES_MAX)
  const lastResort = { public: readPart(), private: readPart() }
  const card = readPart()
  const name = read.text(1, NAME_BYTES_MAX)
  read.done()
  return { roots, sequence, intro, oldIntro, leaf, lastResort, card, name }
}
