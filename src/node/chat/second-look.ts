/**
 * A second look at what the ledger orders and the inbox did not take when it came. Every member can fill what is kept of another: seal
 * payloads under their tags, begin some and never end them, put other fragments into one that was begun, and seal twice under one of their
 * own. What counts for all must not depend on who was quicker where. So when its place has come, it is put together anew from the
 * envelopes that are here, each choice of those that were sealed under the same tags.
 */
import { type Channel, type Expected } from "../../chat/channel.ts"
import { openAgain, tagsBeside } from "../../chat/opening.ts"
import { type Bytes, concat, equal } from "../../crypto/bytes.ts"
import type { Fragment } from "../../crypto/fragment.ts"
import type { ChatMailbox } from "./parts.ts"

/** Choices of fragments that are tried for one payload; a member who forges more of them than that keeps it from being read. */
export const CHOICES_MAX = 64

export interface Look {
  readonly channel: Channel
  readonly meshId: Bytes
  /** Of the payload's last fragment, which was ordered now. */
  readonly at: Expected
  readonly fragment: Fragment
}

/** The payloads that this fragment may be the last of, most often none or one. */
export async function* wholesOf(
  mailbox: Pick<ChatMailbox, "byTag">,
  { channel, meshId, at, fragment }: Look,
): AsyncGenerator<Bytes> {
  if (fragment.count === 1) {
    yield fragment.data
    return
  }
  const pieces: (readonly Bytes[])[] = []
  for (const beside of tagsBeside(channel, at, fragment).slice(0, -1)) {
    const found: Bytes[] = []
    for (const { bytes } of await mailbox.byTag(beside.tag)) {
      const other = openAgain(channel, meshId, beside.at, bytes)
      if (other === undefined || !isBeside(other, fragment, pieces.length)) continue
      if (!found.some((each) => equal(each, other.data))) found.push(other.data)
    }
    if (found.length === 0) return
    pieces.push(found)
  }
  if (pieces.length < fragment.count - 1) return
  pieces.push([fragment.data])
  const choices = Math.min(
    CHOICES_MAX,
    pieces.reduce((all, { length }) => all * length, 1),
  )
  for (let choice = 0; choice < choices; choice++) {
    let rest = choice
    yield concat(
      ...pieces.map((some) => {
        const piece = some[rest % some.length] ?? new Uint8Array(0)
        rest = Math.floor(rest / some.length)
        return piece
      }),
    )
  }
}

const isBeside = (other: Fragment, { transfer, count }: Fragment, index: number): boolean =>
  other.count === count && other.index === index && equal(other.transfer, transfer)
