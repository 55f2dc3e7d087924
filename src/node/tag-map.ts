/**
 * Which envelope is ours: every tag that any channel waits for, in one map (DESIGN §5). Deciding about a foreign envelope costs one
 * lookup by a string of 32 hex digits.
 */
import { type Channel, type Expected, expectedOf, tagAt } from "../chat/channel.ts"
import { type Bytes, fromHex, toHex } from "../crypto/bytes.ts"

export interface Hit {
  /** Hexadecimal group id. */
  readonly group: string
  readonly at: Expected
}

const placeOf = ({ epoch, leaf, counter }: Expected) => `${epoch}/${leaf}/${counter}`

export class TagMap {
  readonly #hits = new Map<string, Hit>()
  /** For each group, the tag of every place expected in it: a tag is derived once. */
  readonly #byGroup = new Map<string, Map<string, string>>()

  get size(): number {
    return this.#hits.size
  }

  find(tag: string): Hit | undefined {
    return this.#hits.get(tag)
  }

  /** Makes the map expect exactly what the channel does, and returns the tags that are new. */
  follow(channel: Channel): Bytes[] {
    const group = toHex(channel.groupId)
    const before = this.#byGroup.get(group) ?? new Map<string, string>()
    const now = new Map<string, string>()
    const fresh: Bytes[] = []
    for (const at of expectedOf(channel)) {
      const place = placeOf(at)
      const known = before.get(place)
      if (known !== undefined) {
        now.set(place, known)
        before.delete(place)
        continue
      }
      const tag = tagAt(channel, at)
      now.set(place, toHex(tag))
      this.#hits.set(toHex(tag), { group, at })
      fresh.push(tag)
    }
    for (const tag of before.values()) this.#hits.delete(tag)
    this.#byGroup.set(group, now)
    return fresh
  }

  /** All tags expected for a group. */
  tagsOf(group: string): Bytes[] {
    return Array.from(this.#byGroup.get(group)?.values() ?? [], fromHex)
  }

  forget(group: string): void {
    for (const tag of this.#byGroup.get(group)?.values() ?? []) this.#hits.delete(tag)
    this.#byGroup.delete(group)
  }
}
