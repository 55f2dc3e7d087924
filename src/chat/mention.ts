/**
 * Somebody who is named in a text: the bytes of it that stand for them, and their address. Who reads it shows their own name for that
 * address, so the text cannot call one person by another's name.
 *
 *   count 1 · each: start 2 · length 1 · address 64; ascending, apart, on the borders of characters
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, type Reader, utf8, type Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"

export const MENTIONS_MAX = 16
const MENTION_BYTES = 67

export interface Mention {
  /** In the UTF-8 bytes of the text. */
  readonly start: number
  /** 1 to 255 bytes. */
  readonly length: number
  readonly who: Address
}

export const mentionsBytes = (mentions: readonly Mention[]) => 1 + MENTION_BYTES * mentions.length

export function writeMentions(out: Writer, mentions: readonly Mention[]): Writer {
  out.u8(mentions.length)
  for (const { start, length, who } of mentions) out.u16(start).u8(length).raw(addressBytes(who))
  return out
}

/** What stands there is not compared with a text yet: `checkMentions`. Throws CryptoError. */
export function readMentions(read: Reader): Mention[] {
  const count = read.u8()
  if (count > MENTIONS_MAX) throw new CryptoError("TOO_LARGE", `${count} mentions`)
  return Array.from({ length: count }, () => ({
    start: read.u16(),
    length: read.u8(),
    who: addressFromBytes(read.raw(64)),
  }))
}

/** Throws CryptoError BAD_ENCODING unless each stands for whole characters of the text, and none touches another. */
export function checkMentions(text: Bytes, mentions: readonly Mention[]): void {
  let from = 0
  for (const { start, length } of mentions) {
    const end = start + length
    const sound =
      length > 0 &&
      start >= from &&
      end <= text.length &&
      isBorder(text, start) &&
      isBorder(text, end)
    if (!sound) throw new CryptoError("BAD_ENCODING", "a mention stands for nothing")
    from = end
  }
}

/** No continuation byte stands here. */
const isBorder = (text: Bytes, at: number) => ((text[at] ?? 0) & 0xc0) !== 0x80

/** A name that can be mentioned here. */
export interface Mentionable {
  readonly name: string
  readonly who: Address
}

/**
 * Finds `@name` in a text: the longest name that fits, whatever its case, where no letter or digit goes on behind it. At most
 * MENTIONS_MAX; what is beyond stays plain text. A name that two people bear is nobody's.
 */
export function findMentions(text: string, people: readonly Mentionable[]): Mention[] {
  const named = new Map<string, Address | null>()
  for (const { name, who } of people) {
    const folded = name.toLowerCase()
    const known = named.get(folded)
    if (folded !== "") named.set(folded, known === undefined || known === who ? who : null)
  }
  const names = [...named].sort(([a], [b]) => b.length - a.length)
  const found: Mention[] = []
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    if (found.length === MENTIONS_MAX) break
    if (at > 0 && /[\p{L}\p{N}@]/u.test(text.slice(at - 1, at))) continue
    const rest = text.slice(at + 1)
    const hit = names.find(
      ([name]) => rest.slice(0, name.length).toLowerCase() === name && ends(rest, name.length),
    )
    const length = hit === undefined ? 0 : utf8(text.slice(at, at + 1 + hit[0].length)).length
    const start = utf8(text.slice(0, at)).length
    if (hit?.[1] && length <= 255 && start < 65_536) found.push({ start, length, who: hit[1] })
  }
  return found
}

const ends = (rest: string, at: number) => !/^[\p{L}\p{N}]/u.test(rest.slice(at))
