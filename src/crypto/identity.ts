/**
 * The private side of a person's pseudonym: root keys that only ever sign cards, and the operational keys a card names (DESIGN §4).
 * The encoding is what the vault seals: raw seeds and nothing derived. The keys of earlier cards are kept beside the current ones for
 * KEEP_OLD_MS, so that late mail still opens, and then left out for good. Time is an argument here; the node has the clock.
 */
import { primitives } from "#primitives"
import { type Address, addressOf } from "./address.ts"
import { type Bytes, Reader, Writer } from "./bytes.ts"
import { assert, CryptoError } from "./errors.ts"
import { compositeLeafHash } from "./card.ts"
import { type IntroPrivate, type IntroPublic, importIntroPrivate } from "./envelope.ts"
import { signaturePublicOf, type Signing } from "./session.ts"

const VERSION = 3
const RECORD_BYTES_MAX = 512 * 1024
/** Cards whose keys are kept; one more, and the oldest keys are destroyed before their time. Every foreign envelope is tried with each. */
export const OLD_KEYS_MAX = 8
const DAY_MS = 86_400_000
/** Operational keys are replaced when they are so old. */
export const ROTATE_AFTER_MS = 30 * DAY_MS
/** And their private parts destroyed so long after that. */
export const KEEP_OLD_MS = 90 * DAY_MS

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

/** For groups with composite signatures (session/composite.ts). */
export interface CompositeKeys {
  /** Private key of the MLS leaf, 64 bytes. */
  readonly leaf: Bytes
  readonly lastResort: StoredKeyPackage
}

export interface OldCompositeKeys {
  /** What the card named of the leaf key (card.ts), 32 bytes. */
  readonly leafHash: Bytes
  readonly lastResort: StoredKeyPackage
}

/** What an earlier card named, and until when it opens mail. */
export interface OldKeys {
  readonly intro: IntroSeeds
  /** Ed25519 public key of the MLS leaf, 32 bytes: a first contact made with it may still be on its way. */
  readonly leaf: Bytes
  readonly lastResort: StoredKeyPackage
  /** Null for a card that named no composite leaf key. */
  readonly composite: OldCompositeKeys | null
  /** Milliseconds since 1970. */
  readonly untilMs: number
}

/** What rotation replaces. */
export interface OperationalKeys {
  readonly intro: IntroSeeds
  /** Ed25519 seed of the MLS leaf key, 32 bytes. */
  readonly leaf: Bytes
  readonly lastResort: StoredKeyPackage
  /** Null in an identity that is older than such keys, until its next rotation. */
  readonly composite: CompositeKeys | null
}

export interface Identity extends OperationalKeys {
  readonly roots: RootKeys
  /** Sequence number of the current card. */
  readonly sequence: number
  /** When the current keys were made, in milliseconds since 1970. */
  readonly sinceMs: number
  /** Keys of earlier cards, newest first, at most OLD_KEYS_MAX. */
  readonly old: readonly OldKeys[]
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

/** Ed25519 public key of the current MLS leaf, 32 bytes. */
export const leafPublic = ({ leaf }: Pick<OperationalKeys, "leaf">): Bytes =>
  primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(leaf))

/** The private key of our leaf in groups that sign so; `undefined` while there is none. */
export const leafSeed = (
  { leaf, composite }: Pick<OperationalKeys, "leaf" | "composite">,
  signing: Signing,
): Bytes | undefined => (signing === "composite" ? composite?.leaf : leaf)

/** What a card names of a composite leaf key, 32 bytes; null without one. */
export const compositeLeafOf = ({ composite }: Pick<OperationalKeys, "composite">): Bytes | null =>
  composite && compositeLeafHash(signaturePublicOf(composite.leaf))

export interface Rotation extends OperationalKeys {
  readonly card: Bytes
  readonly sequence: number
  readonly nowMs: number
  /** Keys of earlier cards stop opening mail at once: for whoever fears that they were stolen. */
  readonly forgetOld: boolean
}

/** Keys of earlier cards that still open mail, had the current ones been replaced at `nowMs`. */
export function oldAfter(identity: Identity, nowMs: number, forgetOld: boolean): OldKeys[] {
  if (forgetOld) return []
  const { intro, lastResort } = identity
  const leafHash = compositeLeafOf(identity)
  const composite = identity.composite &&
    leafHash && { leafHash, lastResort: identity.composite.lastResort }
  const leaf = leafPublic(identity)
  const retired = { intro, leaf, lastResort, composite, untilMs: nowMs + KEEP_OLD_MS }
  return [retired, ...identity.old].filter(({ untilMs }) => untilMs > nowMs).slice(0, OLD_KEYS_MAX)
}

/** The identity with new operational keys, under a sequence number that grows. */
export function rotated(identity: Identity, rotation: Rotation): Identity {
  const { intro, leaf, lastResort, composite, card, sequence, nowMs, forgetOld } = rotation
  assert(sequence > identity.sequence, "a new card has a higher sequence number")
  const old = oldAfter(identity, nowMs, forgetOld)
  return { ...identity, intro, leaf, lastResort, composite, card, sequence, sinceMs: nowMs, old }
}

/** Without the keys whose time is over; the very same value when there are none. */
export function withoutExpired(identity: Identity, nowMs: number): Identity {
  const old = identity.old.filter(({ untilMs }) => untilMs > nowMs)
  return old.length === identity.old.length ? identity : { ...identity, old }
}

/** For the vault only: these bytes are the person. */
export function encodeIdentity(identity: Identity): Bytes {
  const out = new Writer().u8(VERSION).raw(identity.roots.ed25519).raw(identity.roots.slhDsa)
  const { sequence, sinceMs, intro, leaf, lastResort, composite, old } = identity
  out.u64(sequence).u64(sinceMs).raw(intro.x25519).raw(intro.mlKem).raw(leaf)
  writePackage(out, lastResort)
  out.u8(composite === null ? 0 : 1)
  if (composite !== null) writePackage(out.raw(composite.leaf), composite.lastResort)
  out.u8(old.length)
  for (const each of old) {
    out.raw(each.intro.x25519).raw(each.intro.mlKem).raw(each.leaf).u64(each.untilMs)
    writePackage(out, each.lastResort).u8(each.composite === null ? 0 : 1)
    if (each.composite !== null)
      writePackage(out.raw(each.composite.leafHash), each.composite.lastResort)
  }
  return out.bytes(identity.card, 4).text(identity.name, 1).finish()
}

const writePackage = (out: Writer, each: StoredKeyPackage): Writer =>
  out.bytes(each.public, 4).bytes(each.private, 4)

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeIdentity(bytes: Bytes): Identity {
  if (bytes.length > RECORD_BYTES_MAX) throw new CryptoError("TOO_LARGE", "identity too large")
  const read = new Reader(bytes)
  const version = read.u8()
  if (version < 1 || version > VERSION)
    throw new CryptoError("BAD_VERSION", `identity version ${version}`)
  const roots = { ed25519: read.raw(32), slhDsa: read.raw(128) }
  const keys = version === 1 ? readFirstVersion(read) : readKeys(read, version > 2)
  const card = read.bytes(4, RECORD_BYTES_MAX)
  const name = read.text(1, NAME_BYTES_MAX)
  read.done()
  return { roots, ...keys, card, name }
}

const readIntro = (read: Reader): IntroSeeds => ({ x25519: read.raw(32), mlKem: read.raw(64) })

const readPackage = (read: Reader): StoredKeyPackage => ({
  public: read.bytes(4, RECORD_BYTES_MAX),
  private: read.bytes(4, RECORD_BYTES_MAX),
})

function readKeys(read: Reader, hasComposite: boolean) {
  const [sequence, sinceMs] = [read.u64(), read.u64()]
  const [intro, leaf, lastResort] = [readIntro(read), read.raw(32), readPackage(read)]
  const composite = hasComposite && readFlag(read) ? readComposite(read) : null
  const olds = read.u8()
  if (olds > OLD_KEYS_MAX) throw new CryptoError("TOO_LARGE", `keys of ${olds} old cards`)
  const old = Array.from({ length: olds }, (): OldKeys => {
    const [oldIntro, oldLeaf, untilMs] = [readIntro(read), read.raw(32), read.u64()]
    const kept = { intro: oldIntro, leaf: oldLeaf, lastResort: readPackage(read), untilMs }
    return { ...kept, composite: hasComposite && readFlag(read) ? readOldComposite(read) : null }
  })
  return { sequence, sinceMs, intro, leaf, lastResort, composite, old }
}

function readFlag(read: Reader): boolean {
  const flag = read.u8()
  if (flag > 1) throw new CryptoError("BAD_ENCODING", "identity")
  return flag === 1
}

const readComposite = (read: Reader): CompositeKeys => ({
  leaf: read.raw(64),
  lastResort: readPackage(read),
})

const readOldComposite = (read: Reader): OldCompositeKeys => ({
  leafHash: read.raw(32),
  lastResort: readPackage(read),
})

/** Version 1 never rotated and did not know how old its keys were: they count as old enough to be replaced. */
function readFirstVersion(read: Reader) {
  const sequence = read.u64()
  const intro = readIntro(read)
  if (read.u8() !== 0) throw new CryptoError("BAD_ENCODING", "old keys in an identity of version 1")
  const [leaf, lastResort] = [read.raw(32), readPackage(read)]
  return { sequence, sinceMs: 0, intro, leaf, lastResort, composite: null, old: [] }
}
