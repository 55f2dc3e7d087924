/**
 * Which envelope is ours: every tag that any channel waits for, in one map (DESIGN §5). Deciding about a foreign envelope costs one
 * lookup by four bytes of its tag; all sixteen are compared only when those four are known. Tags are pseudo-random, so two that begin
 * alike are an accident, and wait behind one another.
 */
import { type Channel, type ChannelEpoch, type Expected, expectedIn } from "../../chat/channel.ts"
import { pastOf, type Window } from "../../chat/window.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { TAG_AT, TAG_BYTES } from "../../crypto/envelope.ts"
import { type EpochKeys, threadTag } from "../../crypto/tags.ts"

export interface Hit {
  /** Hexadecimal group id. */
  readonly group: string
  readonly at: Expected
}

interface Entry {
  readonly tag: Bytes
  readonly hit: Hit
  /** Another tag of the same first four bytes. */
  readonly next: Entry | undefined
}

/** Tags used up in the present epoch of a group that are remembered; the oldest are forgotten. */
export const PAST_TAGS_MAX = 4_096

/** Of one group, in its present epoch. */
interface Past {
  readonly keys: EpochKeys
  /** Hexadecimal tags. */
  readonly tags: Map<string, Hit>
}

interface Sender {
  readonly window: Window
  readonly keys: EpochKeys
  /** By counter. */
  readonly tags: Map<number, Bytes>
}

/** As a signed integer: V8 keeps those in the map itself. */
const firstFour = (bytes: Bytes, at: number) =>
  ((bytes[at] ?? 0) << 24) |
  ((bytes[at + 1] ?? 0) << 16) |
  ((bytes[at + 2] ?? 0) << 8) |
  (bytes[at + 3] ?? 0)

function isAt(tag: Bytes, bytes: Bytes, at: number): boolean {
  for (let i = 0; i < TAG_BYTES; i++) if (tag[i] !== bytes[at + i]) return false
  return true
}

export class TagMap {
  readonly #entries = new Map<number, Entry>()
  /** For each group, by epoch and leaf, what is expected of a sender: a tag is derived once. */
  readonly #byGroup = new Map<string, Map<string, Sender>>()
  /** By group. */
  readonly #past = new Map<string, Past>()
  #size = 0

  /** Tags expected. */
  get size(): number {
    return this.#size
  }

  /** Whether the tag is expected, 16 bytes at `at` of `bytes`; by default the tag of a whole envelope. */
  find(bytes: Bytes, at = TAG_AT): Hit | undefined {
    let entry = this.#entries.get(firstFour(bytes, at))
    while (entry !== undefined && !isAt(entry.tag, bytes, at)) entry = entry.next
    return entry?.hit
  }

  /** The same of a tag that was used up in the present epoch of a group: whose it is may have sealed under it twice. */
  findPast(bytes: Bytes): Hit | undefined {
    const tag = toHex(bytes.subarray(TAG_AT, TAG_AT + TAG_BYTES))
    for (const { tags } of this.#past.values()) {
      const hit = tags.get(tag)
      if (hit !== undefined) return hit
    }
    return undefined
  }

  /**
   * Makes the map expect exactly what the channel does, and returns the tags that are new. Of senders whose window is the very one of
   * before nothing has changed: in a large group that is all but one.
   */
  follow(channel: Channel): Bytes[] {
    const group = toHex(channel.groupId)
    const before = this.#byGroup.get(group) ?? new Map<string, Sender>()
    const now = new Map<string, Sender>()
    const fresh: Bytes[] = []
    this.#beginPast(group, channel)
    for (const epoch of channel.epochs)
      for (const [leaf, window] of epoch.windows) {
        const name = `${epoch.epoch}/${leaf}`
        const known = before.get(name)
        before.delete(name)
        const isSame = known?.window === window && known.keys === epoch.keys
        now.set(name, isSame ? known : this.#expect(group, epoch, leaf, window, known, fresh))
      }
    for (const { tags } of before.values()) for (const tag of tags.values()) this.#remove(tag)
    this.#byGroup.set(group, now)
    return fresh
  }

  #expect(
    group: string,
    epoch: ChannelEpoch,
    leaf: number,
    window: Window,
    known: Sender | undefined,
    fresh: Bytes[],
  ): Sender {
    const before = known?.tags ?? new Map<number, Bytes>()
    const tags = new Map<number, Bytes>()
    // Of an epoch of the same number with other keys nothing can be kept: the group was joined anew.
    const isKept = known?.keys === epoch.keys
    for (const counter of expectedIn(epoch, window)) {
      const there = isKept ? before.get(counter) : undefined
      if (isKept) before.delete(counter)
      const tag = there ?? threadTag(epoch.keys, leaf, counter)
      tags.set(counter, tag)
      if (there !== undefined) continue
      this.#add(tag, { group, at: { epoch: epoch.epoch, leaf, counter } })
      fresh.push(tag)
    }
    for (const tag of before.values()) this.#remove(tag)
    const past = this.#past.get(group)
    if (past?.keys === epoch.keys) {
      const at = (counter: number) => ({ epoch: epoch.epoch, leaf, counter })
      for (const [counter, tag] of before) remember(past, tag, { group, at: at(counter) })
      if (!isKept)
        for (const counter of pastOf(window))
          remember(past, threadTag(epoch.keys, leaf, counter), { group, at: at(counter) })
    }
    return { window, keys: epoch.keys, tags }
  }

  /** What was used up counts for the present epoch only, and in a thread of two nobody can make a commit that others miss. */
  #beginPast(group: string, channel: Channel): void {
    const [epoch] = channel.epochs
    if (channel.group === null || epoch === undefined) this.#past.delete(group)
    else if (this.#past.get(group)?.keys !== epoch.keys)
      this.#past.set(group, { keys: epoch.keys, tags: new Map() })
  }

  /** All tags expected for a group. */
  tagsOf(group: string): Bytes[] {
    const senders = Array.from(this.#byGroup.get(group)?.values() ?? [])
    return senders.flatMap(({ tags }) => Array.from(tags.values()))
  }

  forget(group: string): void {
    for (const tag of this.tagsOf(group)) this.#remove(tag)
    this.#byGroup.delete(group)
    this.#past.delete(group)
  }

  #add(tag: Bytes, hit: Hit): void {
    const four = firstFour(tag, 0)
    this.#entries.set(four, { tag, hit, next: this.#entries.get(four) })
    this.#size++
  }

  #remove(tag: Bytes): void {
    const four = firstFour(tag, 0)
    const rest = without(this.#entries.get(four), tag)
    if (rest === undefined) this.#entries.delete(four)
    else this.#entries.set(four, rest)
    this.#size--
  }
}

function remember({ tags }: Past, tag: Bytes, hit: Hit): void {
  tags.set(toHex(tag), hit)
  const [oldest] = tags.size > PAST_TAGS_MAX ? tags.keys() : []
  if (oldest !== undefined) tags.delete(oldest)
}

/** The entries but for this tag's. */
function without(entry: Entry | undefined, tag: Bytes): Entry | undefined {
  if (entry === undefined) return undefined
  const next = without(entry.next, tag)
  return isAt(entry.tag, tag, 0) ? next : { ...entry, next }
}
