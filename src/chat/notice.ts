/**
 * What the group tells its members of itself, in the transcript: who came, left, was taken out, what the group is called, who runs it.
 * Made by each member from the commit that the ledger ordered, so it stands at one place, with one id and one wording for all; nobody says
 * it, and it never travels. Whoever is new is told nothing of the commit that let them in.
 *
 *   notice: kind 1 · people: count 2 · addresses 64 each · name (length 1)
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, type Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { labelledHash } from "../crypto/kdf.ts"
import type { Change } from "./commits.ts"
import { GROUP_NAME_BYTES_MAX } from "./group.ts"
import { type ChatMessage, PLAIN } from "./message.ts"
import type { MessagePlace } from "./position.ts"
import { MESSAGE_ID_BYTES } from "./said.ts"

/**
 * `returned`: let in anew by whoever of the group was there. `admin`, `no-admin`: they run the group from now on, or not any more.
 * `missed`: we ourselves were let in anew, with epochs in between that we have no keys of.
 */
export const NOTICE_KINDS = [
  "added",
  "returned",
  "left",
  "removed",
  "renamed",
  "admin",
  "no-admin",
  "missed",
] as const
export type NoticeKind = (typeof NOTICE_KINDS)[number]

export interface Notice {
  readonly kind: NoticeKind
  /** Whom it is about, ascending; empty for a new name. */
  readonly who: readonly Address[]
  /** The group's new name; empty for everything else. */
  readonly name: string
}

export interface NoticeBy extends Notice {
  /** Whose doing it is. */
  readonly by: Address
}

/** What a commit that counts tells the members, in the order in which it stands. */
export function noticesOf(change: Change): NoticeBy[] {
  const { by, added, removed, left, name, admins } = change
  const isBack = (who: Address) => removed.includes(who)
  const isGone = (who: Address) => !added.includes(who) && !left.includes(who)
  const about = (kind: NoticeKind, who: readonly Address[]): NoticeBy[] =>
    who.length === 0 ? [] : [{ kind, by, who: [...who].sort(), name: "" }]
  return [
    ...about(
      "added",
      added.filter((who) => !isBack(who)),
    ),
    ...about("returned", added.filter(isBack)),
    ...[...left].sort().map((who) => ({ kind: "left" as const, by: who, who: [who], name: "" })),
    ...about("removed", removed.filter(isGone)),
    ...(name === undefined ? [] : [{ kind: "renamed" as const, by, who: [], name }]),
    ...about("admin", admins.gained),
    ...about("no-admin", admins.lost),
  ]
}

/** Id of a commit's notice: from the commit's envelope (its id, 32 bytes), so that nobody but the commit's author knows it before. */
export const noticeId = (envelope: Bytes, part: number): Bytes =>
  labelledHash("group notice", envelope, new Writer().u16(part).finish()).subarray(
    0,
    MESSAGE_ID_BYTES,
  )

/** As it stands in the transcript. `seenAtMs`: when it was learned here; a commit holds no time. */
export function noticeMessage(
  { by, kind, who, name }: NoticeBy,
  at: { readonly id: Bytes; readonly place: MessagePlace; readonly me: Address },
  seenAtMs: number,
): ChatMessage {
  const { id, place, me } = at
  const mine = by === me
  const own = { mine, delivery: mine ? "ordered" : "delivered", late: false } as const
  const said = { author: by, lamport: 0, sentAtMs: seenAtMs, text: "", audience: 0, awaited: [] }
  return { ...PLAIN, ...said, ...own, id, place, notice: { kind, who, name } }
}

export function writeNotice(out: Writer, { kind, who, name }: Notice): Writer {
  out.u8(NOTICE_KINDS.indexOf(kind)).u16(who.length)
  for (const each of who) out.raw(addressBytes(each))
  return out.text(name, 1)
}

/** Throws CryptoError. */
export function readNotice(read: Reader): Notice {
  const kind = NOTICE_KINDS[read.u8()]
  if (kind === undefined) throw new CryptoError("BAD_ENCODING", "notice of unknown kind")
  const who = Array.from({ length: read.u16() }, () => addressFromBytes(read.raw(64)))
  return { kind, who, name: read.text(1, GROUP_NAME_BYTES_MAX) }
}
