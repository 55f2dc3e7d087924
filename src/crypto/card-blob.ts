/**
 * The card's blob (DESIGN §8): what a directory record points to. It holds the card and, because a card has no room for it, the
 * last-resort key package with composite signatures that goes with it. Sealed anew for each day and of one size:
 *
 *   content   version 1 (= 1) · (length 4) card · (length 4) composite last-resort key package, empty for none · zeros to 53,232 bytes
 *   digest    labelledHash("card blob", content)
 *   blob key  derive("card blob key", raw address, day 4 ‖ digest, 32)
 *   blob      GCM(blob key, nonce of zeros, content), 53,248 bytes;   id = BLAKE3(blob)
 *
 * The digest lies sealed in the record. It makes the key one for each day and content, so that the nonce never serves twice; and
 * because nothing in it is random, an owner who starts again on the same day makes the same blob, which its keepers have already. Whoever
 * keeps it checks size and id and reads nothing; ids and bytes of two days have nothing in common. Nothing here looks into the card.
 */
import { primitives } from "#primitives"
import { blake3, BLAKE3_BYTES } from "./blake3.ts"
import { RAW_ADDRESS_BYTES } from "./blinding.ts"
import { type Bytes, concat, equal, exactly, Reader, Writer } from "./bytes.ts"
import { CARD_BYTES_MAX } from "./card.ts"
import { CryptoError } from "./errors.ts"
import { derive, labelledHash } from "./kdf.ts"

/** Ciphertext of any card's blob. */
export const CARD_BLOB_BYTES = 52 * 1024
export const CARD_BLOB_ID_BYTES = BLAKE3_BYTES
export const CARD_BLOB_DIGEST_BYTES = 32
const CONTENT_BYTES = CARD_BLOB_BYTES - 16
const PACKAGE_BYTES_MAX = 20 * 1024
const KEY_BYTES = 32
const VERSION = 1
/** Each key seals one content. */
const NONCE = new Uint8Array(12)

export interface CardBlobContent {
  /** Encoded, at most CARD_BYTES_MAX. */
  readonly card: Bytes
  /** The key package (RFC 9420 §10) for whoever finds no other one with composite signatures; null when its owner has none. */
  readonly composite: Bytes | null
}

/** Whose blob it is, and of which day since 1970. */
export interface CardBlobPlace {
  /** Raw address, 64 bytes. */
  readonly address: Bytes
  readonly epoch: number
}

export interface SealedCardBlob {
  /** 32 bytes, public: the record names it in clear. */
  readonly id: Bytes
  /** 32 bytes, secret: opens the blob for who knows the address. */
  readonly digest: Bytes
  /** CARD_BLOB_BYTES. */
  readonly bytes: Bytes
}

const blobKey = ({ address, epoch }: CardBlobPlace, digest: Bytes): Bytes => {
  exactly(address, RAW_ADDRESS_BYTES, "address")
  const info = concat(new Writer().u32(epoch).finish(), digest)
  return derive("card blob key", address, info, KEY_BYTES)
}

const digestOf = (content: Bytes): Bytes => labelledHash("card blob", content)

/** Throws CryptoError TOO_LARGE where card and package do not fit, BAD_LENGTH for what is no address. */
export function sealCardBlob(
  place: CardBlobPlace,
  { card, composite }: CardBlobContent,
): SealedCardBlob {
  const written = new Writer()
    .u8(VERSION)
    .bytes(card, 4)
    .bytes(composite ?? new Uint8Array(0), 4)
    .finish()
  if (written.length > CONTENT_BYTES || card.length > CARD_BYTES_MAX)
    throw new CryptoError("TOO_LARGE", `${written.length} bytes do not fit a card's blob`)
  const content = concat(written, new Uint8Array(CONTENT_BYTES - written.length))
  const digest = digestOf(content)
  const bytes = primitives.aesGcmSeal(blobKey(place, digest), NONCE, content)
  return { id: blake3(bytes), digest, bytes }
}

/** Whether these bytes are the blob of this id: what a keeper can tell, and a reader asks first. */
export const isCardBlob = (id: Bytes, bytes: Bytes): boolean =>
  bytes.length === CARD_BLOB_BYTES && equal(blake3(bytes), id)

/** What is in a blob whose id was compared; `undefined` when it is not this place's, or its owner sealed what is not canonical. */
export function openCardBlob(
  place: CardBlobPlace,
  digest: Bytes,
  blob: Bytes,
): CardBlobContent | undefined {
  if (blob.length !== CARD_BLOB_BYTES || digest.length !== CARD_BLOB_DIGEST_BYTES) return undefined
  const content = primitives.aesGcmOpen(blobKey(place, digest), NONCE, blob)
  if (content === undefined || !equal(digestOf(content), digest)) return undefined
  try {
    return readContent(content)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

function readContent(content: Bytes): CardBlobContent {
  const read = new Reader(content)
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `card blob version ${version}`)
  const card = read.bytes(4, CARD_BYTES_MAX)
  const composite = read.bytes(4, PACKAGE_BYTES_MAX)
  read.zeros()
  return { card, composite: composite.length === 0 ? null : composite }
}
