/**
 * Who wrote a message, shown to somebody who was never in the thread: the author's card, signed by their roots, which names the leaf key;
 * that key's signature inside MLS, over the message and its group; and the envelopes that carried it, each with the one key that opens it.
 * So what is checked is a chain from an address to words, and from the words to envelope ids, which the ledger may have ordered.
 *
 *   card (length 4) · signed by (length 2) · leaf 4 · key 32 · nonce 12 · group context (length 2) · content id 16 ·
 *   envelopes 1, each: key 32 · envelope without its admission part 3712
 *
 * What is not shown by it: that these envelopes are the ones which the author posted. A member of the thread has all it takes to put what
 * was said into another envelope, later. AES-GCM commits to no key: an author who prepared for it can make one envelope that opens to
 * one signed message or another. Nobody but the author can make a message that the author's key has signed.
 */
import type { Address } from "../crypto/address.ts"
import { type Bytes, concat, equal, type Reader, type Writer } from "../crypto/bytes.ts"
import { type Card, CARD_BYTES_MAX, verifyCard, vouchesFor } from "../crypto/card.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES, envelopeId, openThread } from "../crypto/envelope.ts"
import { CryptoError } from "../crypto/errors.ts"
import { COMPOSITE_FRAGMENTS_MAX, decodeFragment } from "../crypto/fragment.ts"
import { type Opening, readShown, type ShownFault } from "../crypto/session.ts"
import type { Edit } from "./act.ts"
import { type Content, decodeContents, encodeContents } from "./content.ts"
import { LEAF_KEY_BYTES_MAX, readCarriers, readOpening, writeOpening } from "./evidence.ts"
import { decodeAbout } from "./group.ts"
import { MESSAGE_ID_BYTES, type Text } from "./said.ts"

/** An envelope's bytes that its id covers. */
export const SEALED_BYTES = ENVELOPE_BYTES - ADMISSION_BYTES

export interface ShownCarrier {
  /** 32 bytes. */
  readonly key: Bytes
  /** SEALED_BYTES. */
  readonly sealed: Bytes
}

export interface Authorship {
  /** As its owner published it, with the signatures of the roots. */
  readonly card: Bytes
  /** The leaf key that signed the message. */
  readonly signedBy: Bytes
  readonly opening: Opening
  /** Which of the contents is shown, 16 bytes. */
  readonly content: Bytes
  readonly carriers: readonly ShownCarrier[]
}

export type AuthorshipFault =
  /** No card, or one that its roots have not signed. */
  | "BAD_CARD"
  /** The card does not name the key that signed. */
  | "OTHER_CARD"
  /** An envelope does not open: altered, of another mesh, or under another key. */
  | "BAD_ENVELOPE"
  /** What is in the envelopes is not one whole payload. */
  | "BAD_PAYLOAD"
  | ShownFault
  /** What was signed holds no such message. */
  | "NO_SUCH_MESSAGE"

export interface Attributed {
  readonly ok: true
  readonly author: Address
  readonly card: Card
  readonly said: Text | Edit
  /** What else the same signature covers, so that it cannot be left out. */
  readonly beside: readonly Content[]
  /** There is something in it that this program does not know. */
  readonly hasUnknown: boolean
  readonly groupId: Bytes
  /** What the group is called; null in a thread of two. */
  readonly groupName: string | null
  /** The author's leaf in it. */
  readonly leaf: number
  /** Envelope ids, 32 bytes each, in the order of their fragments. */
  readonly envelopes: readonly Bytes[]
}

export function writeAuthorship(out: Writer, shown: Authorship): Writer {
  const { card, signedBy, opening, content, carriers } = shown
  writeOpening(out.bytes(card, 4).bytes(signedBy, 2), opening).raw(content).u8(carriers.length)
  for (const { key, sealed } of carriers) out.raw(key).raw(sealed)
  return out
}

/** Form alone. Throws CryptoError BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function readAuthorship(read: Reader): Authorship {
  const card = read.bytes(4, CARD_BYTES_MAX)
  const signedBy = read.bytes(2, LEAF_KEY_BYTES_MAX)
  const opening = readOpening(read)
  const content = read.raw(MESSAGE_ID_BYTES)
  const carriers = Array.from({ length: readCarriers(read) }, () => ({
    key: read.raw(32),
    sealed: read.raw(SEALED_BYTES),
  }))
  return { card, signedBy, opening, content, carriers }
}

/** An envelope as a file shows it: without what admitted it. */
export const withoutAdmission = (envelope: Bytes): Bytes => envelope.slice(ADMISSION_BYTES)

/** Checks all of it, in a mesh of this id. Never throws for what it is given. About 2 ms. */
export async function judgeAuthorship(
  meshId: Bytes,
  { card: cardBytes, signedBy, opening, content: id, carriers }: Authorship,
): Promise<Attributed | { readonly ok: false; readonly code: AuthorshipFault }> {
  const no = (code: AuthorshipFault) => ({ ok: false, code }) as const
  const card = soundly(() => verifyCard(cardBytes))
  if (card === undefined) return no("BAD_CARD")
  if (!vouchesFor(card, signedBy)) return no("OTHER_CARD")
  const opened = carriers.map(({ key, sealed }) => {
    const envelope = concat(new Uint8Array(ADMISSION_BYTES), sealed)
    return { id: envelopeId(envelope), plaintext: openThread(meshId, key, envelope) }
  })
  const plaintexts = opened.flatMap(({ plaintext }) => plaintext ?? [])
  if (plaintexts.length !== carriers.length) return no("BAD_ENVELOPE")
  const payload = soundly(() => whole(plaintexts))
  if (payload === undefined) return no("BAD_PAYLOAD")
  const shown = await readShown(payload, opening, signedBy)
  if (typeof shown === "string") return no(shown)
  const contents = soundly(() => decodeContents(shown.plaintext)) ?? []
  const said = contents.find((each) => isShowable(each) && equal(each.id, id))
  if (said === undefined || !isShowable(said)) return no("NO_SUCH_MESSAGE")
  const about = shown.about.length === 0 ? null : soundly(() => decodeAbout(shown.about))
  if (about === undefined) return no("OTHER_GROUP")
  return {
    ok: true,
    author: card.address,
    card,
    said,
    beside: contents.filter((each) => each !== said),
    hasUnknown: !equal(encodeContents(contents), shown.plaintext),
    groupId: shown.groupId,
    groupName: about?.name ?? null,
    leaf: opening.leaf,
    envelopes: opened.map(({ id: envelope }) => envelope),
  }
}

/** What has words that somebody may want to show. */
export const isShowable = (content: Content): content is Text | Edit =>
  content.kind === "text" || content.kind === "edit"

/** The payload of these plaintexts, which must be its fragments, in order, and all of them. */
function whole(plaintexts: readonly Bytes[]): Bytes | undefined {
  const fragments = plaintexts.map((plaintext) =>
    decodeFragment(plaintext, COMPOSITE_FRAGMENTS_MAX),
  )
  const [first] = fragments
  if (first === undefined || first.count !== fragments.length) return undefined
  const isOne = fragments.every(
    ({ index, transfer }, i) => index === i && equal(transfer, first.transfer),
  )
  if (!isOne) return undefined
  return concat(...fragments.map(({ data }) => data))
}

/** Undefined for what is malformed. */
function soundly<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}
