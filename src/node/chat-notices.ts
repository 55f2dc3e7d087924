/** Writes what a commit changed in a group into its transcript (chat/notice.ts), at the commit's place, unread by nobody. */
import type { Settled } from "../chat/commits.ts"
import type { Place } from "../chat/held.ts"
import { noticeId, noticeMessage, noticesOf } from "../chat/notice.ts"
import { type Bytes, toHex } from "../crypto/bytes.ts"
import type { ChatBook, Step } from "./chat-book.ts"
import type { ChatParts } from "./chat-parts.ts"

/** The commit that this envelope completed counts. Adds to the step what the members are told. Within a turn. */
export async function notice(
  { clock }: Pick<ChatParts, "clock">,
  book: ChatBook,
  step: Step,
  { channel, change }: Extract<Settled, { kind: "entered" }>,
  { envelope, at }: { readonly envelope: Bytes; readonly at: Place | undefined },
): Promise<void> {
  if (channel.group === null || at === undefined) return
  const before = book.threadOf(channel)
  for (const [part, each] of noticesOf(change).entries()) {
    const id = noticeId(envelope, part)
    if (await book.records.wasHere(id)) continue
    const place = { ...at, part }
    const message = noticeMessage(each, { id, place, me: book.me }, clock.nowMs())
    const thread = step.threads.get(toHex(before.id)) ?? before
    step.messages.push({ thread, message, fresh: true })
  }
}
