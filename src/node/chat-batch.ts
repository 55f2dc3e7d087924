/**
 * What goes together into one payload of a thread: receipts, what was read, what we call ourselves, and as many texts and acts from the
 * line as fit one envelope beside them.
 */
import {
  type Content,
  contentBytes,
  isPosted,
  RECEIPT_IDS_MAX,
  type Saying,
  takeFitting,
} from "../chat/content.ts"
import type { Until } from "../chat/channel.ts"
import type { ChatContact } from "../chat/contact.ts"
import type { ChatThread } from "../chat/thread.ts"
import { type Bytes, toHex } from "../crypto/bytes.ts"
import type { Signing } from "../crypto/session.ts"
import type { Waiting } from "./chat-records.ts"

/**
 * Contents that surely fit, beside the MLS message around them, one envelope; or the four that a message with a composite signature takes
 * when it is worth its 4,691 bytes (alone, a short text takes three).
 */
const ROOM_BYTES: Readonly<Record<Signing, number>> = { ed25519: 1_900, composite: 3_600 }
/** Texts looked at for one envelope; no more would fit. */
export const TOGETHER_MAX = 64

export interface Batch {
  readonly group: string
  readonly until: Until
  readonly envelopes: readonly Bytes[]
  readonly waiting: readonly Waiting[]
  readonly receipts: readonly Bytes[]
  /** Texts whose authors hear with it that they were read. */
  readonly reads: readonly Bytes[]
}

/** Sealed together and on their way to the disk, before this one. */
type Before = readonly { readonly batch: Batch }[]

/** Those owed that are not on their way. To strangers nothing is confirmed: they would learn that somebody is there. */
export function receiptsFor(
  thread: ChatThread,
  contact: ChatContact | undefined,
  ahead: Before,
): readonly Bytes[] {
  if (thread.peer !== null && contact?.standing !== "accepted") return []
  const under = new Set(ahead.flatMap(({ batch }) => batch.receipts.map(toHex)))
  const owed = under.size === 0 ? thread.owed : thread.owed.filter((id) => !under.has(toHex(id)))
  return owed.slice(0, RECEIPT_IDS_MAX)
}

/** The same of what was read, as much as fits beside. */
export function readsFor(
  thread: ChatThread,
  contact: ChatContact | undefined,
  ahead: Before,
  beside: number,
): readonly Bytes[] {
  if (!thread.tellsRead || (thread.peer !== null && contact?.standing !== "accepted")) return []
  const under = new Set(ahead.flatMap(({ batch }) => batch.reads.map(toHex)))
  const owed = thread.owedRead.filter((id) => !under.has(toHex(id)))
  return owed.slice(0, Math.max(0, RECEIPT_IDS_MAX - beside))
}

export const textsOf = ({ waiting }: Batch) => waiting.map(({ content }) => content.id)

/** What of these goes along with `used` bytes of other contents: a text of several envelopes only alone, or it might not fit them. */
export function fittingBeside(
  used: number,
  next: readonly Saying[],
  signing: Signing,
): readonly Content[] {
  const room = ROOM_BYTES[signing] - used
  const [first] = next
  return used > 0 && first !== undefined && contentBytes(first) + 1 > room
    ? []
    : takeFitting(next, room)
}

export const postedIn = ({ waiting }: Batch) =>
  waiting.flatMap(({ content }) => (isPosted(content) ? [content.id] : []))
