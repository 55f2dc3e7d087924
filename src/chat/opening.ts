/**
 * What comes under tags that a channel expects. Every member can seal an envelope that opens under the tags of every other, because all
 * know what tags and keys are made of; only what is signed inside tells whose it is. So an envelope that opens uses up nothing: its
 * tag stays expected until a message has come under it that the tag's owner signed, and commits leave theirs expected as long as
 * their epoch lasts. Otherwise a member who is about to be removed could use up the tags of whoever removes them.
 */
import type { Bytes } from "../crypto/bytes.ts"
import { openThread } from "../crypto/envelope.ts"
import { CryptoError } from "../crypto/errors.ts"
import { COMMIT_FRAGMENTS_MAX, decodeFragment, type Fragment } from "../crypto/fragment.ts"
import { threadKey, threadTag } from "../crypto/tags.ts"
import { type Channel, type ChannelEpoch, type Expected, replaceEpoch, sizeOf } from "./channel.ts"
import { isExpected, see, use, type Window } from "./window.ts"

export interface Opened {
  /** Expects what may come next; the tag is not used up yet. */
  readonly channel: Channel
  readonly fragment: Fragment | undefined
  /** What opened this envelope, and opens no other; 32 bytes. */
  readonly key: Bytes
}

/**
 * The fragment inside an envelope that came under an expected tag; `undefined` when it does not open under that tag's key (anybody can copy
 * a tag), or the tag was used by now. Any member can seal an envelope that opens, garbage too: `usedUp` only once its author has signed it.
 */
export function openEnvelope(
  channel: Channel,
  meshId: Bytes,
  at: Expected,
  envelope: Bytes,
): Opened | undefined {
  const epoch = channel.epochs.find((each) => each.epoch === at.epoch)
  const window = epoch?.windows.get(at.leaf)
  if (epoch === undefined || window === undefined) return undefined
  if (!isExpected(window, at.counter, sizeOf(epoch))) return undefined
  const key = threadKey(epoch.keys, at.leaf, at.counter)
  const plaintext = openThread(meshId, key, envelope)
  if (plaintext === undefined) return undefined
  const seen = see(window, at.counter)
  const moved = seen === window ? channel : withWindow(channel, epoch, at.leaf, seen)
  return { channel: moved, fragment: soundFragment(plaintext), key }
}

/** The fragment inside an envelope under a tag of this place, whether it is expected, used or given up. */
export function openAgain(
  channel: Channel,
  meshId: Bytes,
  at: Expected,
  envelope: Bytes,
): Fragment | undefined {
  const epoch = channel.epochs.find((each) => each.epoch === at.epoch)
  const key = epoch && threadKey(epoch.keys, at.leaf, at.counter)
  const plaintext = key && openThread(meshId, key, envelope)
  return plaintext && soundFragment(plaintext)
}

const withWindow = (channel: Channel, epoch: ChannelEpoch, leaf: number, window: Window): Channel =>
  replaceEpoch(channel, { ...epoch, windows: new Map(epoch.windows).set(leaf, window) })

/** The tags of a message are used up: its author, whose tags they are, has signed it. `at` is one of its fragments' place. */
export function usedUp(
  channel: Channel,
  { epoch: number, leaf, counter }: Expected,
  { index, count }: Pick<Fragment, "index" | "count">,
): Channel {
  const epoch = channel.epochs.find((each) => each.epoch === number)
  let window = epoch?.windows.get(leaf)
  if (epoch === undefined || window === undefined) return channel
  for (let each = counter - index; each < counter - index + count; each++)
    if (isExpected(window, each, sizeOf(epoch))) window = use(window, each, sizeOf(epoch))
  return withWindow(channel, epoch, leaf, window)
}

/** Where the other fragments of a payload are, one of which is at `at`, and what opens them: one payload takes counters in a row. */
export function tagsBeside(
  channel: Channel,
  at: Expected,
  { index, count }: Pick<Fragment, "index" | "count">,
): readonly { readonly at: Expected; readonly tag: Bytes }[] {
  const epoch = channel.epochs.find((each) => each.epoch === at.epoch)
  if (epoch === undefined) return []
  return Array.from({ length: count }, (_, i) => at.counter - index + i)
    .filter((counter) => counter >= 0)
    .map((counter) => ({ at: { ...at, counter }, tag: threadTag(epoch.keys, at.leaf, counter) }))
}

function soundFragment(plaintext: Bytes): Fragment | undefined {
  try {
    return decodeFragment(plaintext, COMMIT_FRAGMENTS_MAX)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}
