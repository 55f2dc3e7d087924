/**
 * The card: an identity's current public keys, signed by its root keys (DESIGN §4). About 35 KB, of which the SLH-DSA signature is 29,792.
 *
 *   body  version 3 · Ed25519 root 32 · SLH-DSA root 64 · sequence 8 · intro X25519 32 · intro ML-KEM-1024 1568 ·
 *         MLS leaf key Ed25519 32 · last-resort MLS key package (length 2) · former leaf keys (count 1, 32 each) ·
 *         hash of the composite MLS leaf key 32 (zeros: none) · hashes of former ones (count 1, 32 each)
 *   then  Ed25519 signature 64 · SLH-DSA-SHAKE-256s signature 29,792, both over domain("card") ‖ body
 *
 * The composite leaf key (session/composite.ts) has 2,624 bytes and comes with its key packages, so its hash is enough here.
 *
 * Both signatures must verify: forging a card needs the break of elliptic curves and of SHAKE. Making them takes a second (SLH-DSA), so
 * signing is split: `cardSigningBytes` here, the signing itself where it does not stop an event loop, `assembleCard` here again.
 */
import { primitives } from "#primitives"
import { type Address, addressOf } from "./address.ts"
import { type Bytes, concat, equal, exactly, Reader, Writer } from "./bytes.ts"
import type { IntroPublic } from "./envelope.ts"
import { CryptoError } from "./errors.ts"
import { domain, labelledHash } from "./kdf.ts"

const VERSION = 3
const KEY_PACKAGE_BYTES_MAX = 16 * 1024
const NO_LEAF = new Uint8Array(32)
/** Leaf keys of earlier cards that a card may vouch for. */
export const FORMER_LEAVES_MAX = 8
/** Largest card accepted before it is decoded. */
export const CARD_BYTES_MAX = 48 * 1024

export interface CardBody {
  /** Ed25519 root key, 32 bytes. */
  readonly ed25519Root: Bytes
  /** SLH-DSA-SHAKE-256s root key, 64 bytes. */
  readonly slhDsaRoot: Bytes
  /** Grows with every card of this identity; a lower or equal one is refused. */
  readonly sequence: number
  readonly intro: IntroPublic
  /** Ed25519 key of this identity's MLS leaves, 32 bytes. */
  readonly leaf: Bytes
  /** MLS KeyPackage for whoever finds no one-time package. */
  readonly lastResort: Bytes
  /** Leaf keys of earlier cards whose first contacts may be on their way, newest first, 32 bytes each. */
  readonly formers: readonly Bytes[]
  /** `compositeLeafHash` of the key for groups with composite signatures; null in cards of earlier versions. */
  readonly compositeLeaf: Bytes | null
  /** The same of earlier cards, newest first. */
  readonly formerComposites: readonly Bytes[]
}

export interface Card extends CardBody {
  readonly address: Address
  /** SHA3-256 of the encoded card, 32 bytes: two cards of one sequence number are told apart by it. */
  readonly hash: Bytes
  /** As it came, with the signatures of its roots. */
  readonly encoded: Bytes
}

const LEAF_BYTES = primitives.ed25519.publicBytes

/** 32 bytes that stand for a composite leaf key (2,624 bytes) in a card. */
export const compositeLeafHash = (key: Bytes): Bytes => labelledHash("composite leaf key", key)

/** What a card names of the two kinds of leaf key. */
export interface LeafKeys {
  readonly leaf: Bytes
  readonly compositeLeaf: Bytes | null
}

/** Whether this leaf key, of either kind, is the one that the card names now. */
export const isLeafOf = ({ leaf, compositeLeaf }: LeafKeys, key: Bytes): boolean =>
  key.length === LEAF_BYTES
    ? equal(leaf, key)
    : compositeLeaf !== null && equal(compositeLeaf, compositeLeafHash(key))

/** Whether this card says that the leaf key, of either kind, is its owner's. */
export const vouchesFor = (card: CardBody, key: Bytes): boolean => {
  const isFormer =
    key.length === LEAF_BYTES
      ? card.formers.some((each) => equal(each, key))
      : card.formerComposites.some((each) => equal(each, compositeLeafHash(key)))
  return isFormer || isLeafOf(card, key)
}

export function encodeCardBody(body: CardBody): Bytes {
  if (body.formers.length > FORMER_LEAVES_MAX)
    throw new CryptoError("TOO_LARGE", `${body.formers.length} former leaf keys`)
  const out = new Writer()
    .u8(VERSION)
    .raw(exactly(body.ed25519Root, 32, "Ed25519 root key"))
    .raw(exactly(body.slhDsaRoot, 64, "SLH-DSA root key"))
    .u64(body.sequence)
    .raw(exactly(body.intro.x25519, 32, "intro X25519 key"))
    .raw(exactly(body.intro.mlKem, 1568, "intro ML-KEM key"))
    .raw(exactly(body.leaf, 32, "leaf key"))
    .bytes(body.lastResort, 2)
    .u8(body.formers.length)
  for (const former of body.formers) out.raw(exactly(former, 32, "former leaf key"))
  if (body.formerComposites.length > FORMER_LEAVES_MAX)
    throw new CryptoError("TOO_LARGE", `${body.formerComposites.length} former composite keys`)
  out.raw(exactly(body.compositeLeaf ?? NO_LEAF, 32, "composite leaf key hash"))
  out.u8(body.formerComposites.length)
  for (const former of body.formerComposites)
    out.raw(exactly(former, 32, "former composite leaf key hash"))
  return out.finish()
}

/** What both root keys sign. */
export function cardSigningBytes(body: Bytes): Bytes {
  return concat(domain("card"), body)
}

/** `ed25519`: 64 bytes, `slhDsa`: 29,792 bytes, both over `cardSigningBytes(body)`. */
export function assembleCard(body: Bytes, signatures: { ed25519: Bytes; slhDsa: Bytes }): Bytes {
  return concat(
    body,
    exactly(signatures.ed25519, primitives.ed25519.signatureBytes, "Ed25519 signature"),
    exactly(signatures.slhDsa, primitives.slhDsaShake256s.signatureBytes, "SLH-DSA signature"),
  )
}

/**
 * Decodes a card and verifies both signatures: 1.3 ms. Whether it is the card one looked for (address, sequence) is the caller's to
 * ask. Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING, BAD_KEY, TOO_LARGE or BAD_SIGNATURE.
 */
export function verifyCard(bytes: Bytes): Card {
  if (bytes.length > CARD_BYTES_MAX) throw new CryptoError("TOO_LARGE", "card too large")
  const read = new Reader(bytes)
  const body = readBody(read)
  const bodyBytes = bytes.subarray(0, bytes.length - read.left)
  const ed25519Signature = read.raw(primitives.ed25519.signatureBytes)
  const slhDsaSignature = read.raw(primitives.slhDsaShake256s.signatureBytes)
  read.done()
  const signed = cardSigningBytes(bodyBytes)
  const { ed25519, slhDsaShake256s } = primitives
  if (!ed25519.verify(ed25519.importPublic(body.ed25519Root), signed, ed25519Signature))
    throw new CryptoError("BAD_SIGNATURE", "the card's Ed25519 signature does not verify")
  const slhDsaRoot = slhDsaShake256s.importPublic(body.slhDsaRoot)
  if (!slhDsaShake256s.verify(slhDsaRoot, signed, slhDsaSignature))
    throw new CryptoError("BAD_SIGNATURE", "the card's SLH-DSA signature does not verify")
  const address = addressOf(body.ed25519Root, body.slhDsaRoot)
  return { ...body, address, hash: primitives.sha3_256(bytes), encoded: bytes }
}

function readBody(read: Reader): CardBody {
  const version = read.u8()
  if (version < 1 || version > VERSION)
    throw new CryptoError("BAD_VERSION", `card version ${version}`)
  const body = {
    ed25519Root: read.raw(32),
    slhDsaRoot: read.raw(64),
    sequence: read.u64(),
    intro: { x25519: read.raw(32), mlKem: read.raw(1568) },
    leaf: read.raw(32),
    lastResort: read.bytes(2, KEY_PACKAGE_BYTES_MAX),
  }
  // Version 1 ended here, and version 2 after the former leaf keys.
  const formers = version === 1 ? [] : readFormers(read)
  if (version < 3) return { ...body, formers, compositeLeaf: null, formerComposites: [] }
  const hash = read.raw(32)
  const compositeLeaf = equal(hash, NO_LEAF) ? null : hash
  return { ...body, formers, compositeLeaf, formerComposites: readFormers(read) }
}

function readFormers(read: Reader): Bytes[] {
  const count = read.u8()
  if (count > FORMER_LEAVES_MAX) throw new CryptoError("TOO_LARGE", `${count} former leaf keys`)
  return Array.from({ length: count }, () => read.raw(32))
}
