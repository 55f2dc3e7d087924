/** Writes what a commit changed in a group into its transcript (chat/notice.ts), at the commit's place, unread by nobody. */
import type { Settled } from "../../chat/commits.ts"
import type { Channel } from "../../chat/channel.ts"
import type { Place } from "../../chat/held.ts"
import type { Hello } from "../../chat/hello.ts"
import { noticeId, noticeMessage, noticesOf } from "../../chat/notice.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { labelledHash } from "../../crypto/kdf.ts"
import type { ChatBook, Step } from "./book.ts"
import type { ChatParts } from "./parts.ts"

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

/**
 * We are in a group anew by this hello, and have no keys of epochs before it: says so where what is read goes on. Adds it to the step.
 * Within a turn.
 */
export async function noticeMissed(
  { clock }: Pick<ChatParts, "clock">,
  book: ChatBook,
  step: Step,
  { channel, hello }: { readonly channel: Channel; readonly hello: Hello },
): Promise<void> {
  const id = noticeId(labelledHash("missed", hello.welcome), 0)
  if (hello.group === null || (await book.records.wasHere(id))) return
  const before = book.threadOf(channel)
  const thread = step.threads.get(toHex(before.id)) ?? before
  const place = { height: hello.group.since, index: 0, part: 0 }
  const said = { kind: "missed", by: hello.from, who: [book.me], name: "" } as const
  const message = noticeMessage(said, { id, place, me: book.me }, clock.nowMs())
  step.messages.push({ thread, message, fresh: true })
}
