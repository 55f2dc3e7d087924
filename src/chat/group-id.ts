/**
 * Ids of MLS groups. That of two people begins with a time, so that both sides write into the newest of several: the one that sorts first
 * (preference.ts). It travels only inside the Welcome and the messages of the two.
 */
import { primitives } from "#primitives"
import { type Bytes, Reader, Writer } from "../crypto/bytes.ts"

export const GROUP_ID_BYTES = 16
const TIME_BYTES = 6
/** A pair's id begins with what is left of this many milliseconds: the newest group sorts first. */
const LAST_MS = 2 ** 48 - 1

/** For a group of two, at this moment (milliseconds since 1970), or after `others` of the same two if those are later. */
export function pairGroupId(nowMs: number, others: readonly Bytes[]): Bytes {
  // One made elsewhere, by a clock that is ahead, would sort before the new one.
  const times = others.map((id) => timeIn(id) + 1)
  const left = LAST_MS - Math.min(LAST_MS, Math.max(nowMs, ...times))
  const head = new Writer().u16(Math.floor(left / 2 ** 32)).u32(left % 2 ** 32)
  return head.raw(primitives.randomBytes(GROUP_ID_BYTES - TIME_BYTES)).finish()
}

function timeIn(groupId: Bytes): number {
  if (groupId.length < TIME_BYTES) return 0
  const read = new Reader(groupId)
  return LAST_MS - (read.u16() * 2 ** 32 + read.u32())
}
