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
} from "../../chat/content.ts"
import type { Signed, Until } from "../../chat/channel.ts"
import type { ChatContact } from "../../chat/contact.ts"
import type { ChatThread } from "../../chat/thread.ts"
import { type Bytes, fromHex, toHex } from "../../crypto/bytes.ts"
import type { Signing } from "../../crypto/session.ts"
import type { SignedPayload } from "./evidence.ts"
import type { Unplaced } from "./marks.ts"
import type { Waiting } from "./records.ts"

/**
 * Contents that surely fit, beside the MLS message around them, one envelope; or the four that a message with a composite signature takes
 * when it is worth its 4,691 bytes (alone, a short text takes three).
 */
const ROOM_BYTES: Readonly<Record<Signing, number>> = { ed25519: 1_900, composite: 3_600 }
/** Texts looked at for one envelope; no more would fit. */
const TOGETHER_MAX = 64

export interface Batch {
  readonly group: string
  readonly until: Until
  readonly envelopes: readonly Bytes[]
  /** What opens each of them, in their order. */
  readonly keys: readonly Bytes[]
  readonly contents: readonly Content[]
  readonly signed: Signed
  readonly waiting: readonly Waiting[]
  readonly receipts: readonly Bytes[]
  /** Texts whose authors hear with it that they were read. */
  readonly reads: readonly Bytes[]
}

/** Sealed together and on their way to the disk, before this one. */
type Before = readonly { readonly batch: Batch }[]

/** Those owed that are not on their way. To strangers nothing is confirmed: they would learn that somebody is there. */
function receiptsFor(
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
function readsFor(
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
function fittingBeside(
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

/** What the next payload of a thread says, and which of those in line, behind what is `ahead`, go with it; `beside` goes in any case. */
export function nextContents(
  thread: ChatThread,
  contact: ChatContact | undefined,
  {
    ahead,
    line: all,
    beside,
    signing,
  }: {
    ahead: Before
    line: readonly Waiting[]
    beside: readonly Content[]
    signing: Signing
  },
): Pick<Batch, "contents" | "receipts" | "reads" | "waiting"> {
  const sealed = ahead.reduce((sum, { batch }) => sum + batch.waiting.length, 0)
  const line = all.slice(sealed, sealed + TOGETHER_MAX)
  const receipts = receiptsFor(thread, contact, ahead)
  const reads = readsFor(thread, contact, ahead, receipts.length)
  const first: Content[] = receipts.length === 0 ? [] : [{ kind: "receipt", ids: receipts }]
  if (reads.length > 0) first.push({ kind: "read", ids: reads })
  first.push(...beside)
  const used = first.reduce((sum, each) => sum + contentBytes(each), 0)
  const next = line.map(({ content }) => content)
  const texts = fittingBeside(used, next, signing)
  return { contents: [...first, ...texts], receipts, reads, waiting: line.slice(0, texts.length) }
}

/** What leaves, and what is kept of it to show it to others. */
export interface Leaving {
  readonly unplaced: Omit<Unplaced, "deferred">
  readonly trace: Omit<SignedPayload, "by">
}

/** The envelopes that this batch leaves in: the last one's place counts. */
export function leavingIn(
  { group, until, contents, keys, signed, waiting }: Batch,
  outgoing: readonly { readonly id: Bytes }[],
): Leaving[] {
  const last = outgoing.at(-1)
  if (last === undefined) return []
  const carriers = outgoing.flatMap(({ id }, i) => {
    const key = keys[i]
    return key === undefined ? [] : [{ id, key }]
  })
  const messages = waiting.flatMap(({ content }) => (isPosted(content) ? [content.id] : []))
  const under = { group: fromHex(group), epoch: until.epoch, leaf: signed.opening.leaf }
  const unplaced = { envelope: last.id, ...under, messages }
  return [{ unplaced, trace: { contents, carriers, ...signed } }]
}
