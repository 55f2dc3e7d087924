/**
 * The receiving window of one sender in one epoch (DESIGN §5): which counters are expected next. Tags are kept for the counters in
 * [base, base + size), and beyond what was seen or used. A counter is used up by a message that its sender signed, and by nothing else:
 * every member of a thread can seal an envelope under the tags of every other. So an envelope that opens only shows how far the sender
 * may have come. The window slides so that its base is the lowest unused counter, but lags at most `16 * size` behind the highest used:
 * what is older by then is given up. That is long enough for sync to bring what gossip lost in the middle of a burst.
 */
import type { Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"

/** Tags kept for each sender; 8 in threads of more than 100 members, where a map of all would grow too large. */
export const WINDOW_SIZE = 32
export const WINDOW_SIZE_LARGE_THREAD = 8
export const LARGE_THREAD_MEMBERS = 100
/** How far the base may lag behind the highest counter used, in windows. */
const WINDOWS_KEPT = 16
/** How far what was only seen moves the window ahead of its base: room for the longest commit, and what comes behind it. */
export const SEEN_AHEAD_MAX = 512
const HEX_DIGITS_MAX = (WINDOWS_KEPT * WINDOW_SIZE) / 4

export const windowSize = (members: number) =>
  members > LARGE_THREAD_MEMBERS ? WINDOW_SIZE_LARGE_THREAD : WINDOW_SIZE

export interface Window {
  /** Lowest counter still expected. */
  readonly base: number
  /** Bit i set: counter base + i was used. Bit 0 is never set. */
  readonly used: bigint
  /** One more than the highest counter that an envelope opened under. Not kept on the disk: whoever starts looks at them again. */
  readonly seen: number
}

export const EMPTY_WINDOW: Window = { base: 0, used: 0n, seen: 0 }

export function isExpected(window: Window, counter: number, size: number): boolean {
  const offset = counter - window.base
  return (
    offset >= 0 && offset < reach(window, size) && (window.used & (1n << BigInt(offset))) === 0n
  )
}

const bitsOf = (used: bigint) => (used === 0n ? "" : used.toString(2))

/** Counters beyond the highest one used or seen stay reachable by `size`, also while earlier ones are missing. */
function reach({ base, used, seen }: Window, size: number): number {
  const ahead = Math.min(seen - base, SEEN_AHEAD_MAX)
  return Math.max(bitsOf(used).length, ahead) + size
}

/** Every counter whose tag should be in the map. */
export function expected(window: Window, size: number): number[] {
  const bits = bitsOf(window.used)
  const counters: number[] = []
  for (let offset = 0; offset < reach(window, size); offset++)
    if (bits[bits.length - 1 - offset] !== "1") counters.push(window.base + offset)
  return counters
}

/** Counters that were used up, or given up, as far back as a window goes. */
export function pastOf({ base, used }: Window): number[] {
  const counters: number[] = []
  for (let counter = Math.max(0, base - SEEN_AHEAD_MAX); counter < base; counter++)
    counters.push(counter)
  const bits = bitsOf(used)
  for (let offset = 0; offset < bits.length; offset++)
    if (bits[bits.length - 1 - offset] === "1") counters.push(base + offset)
  return counters
}

/** The window after an envelope opened under `counter`; the same one when that tells nothing new. */
export const see = (window: Window, counter: number): Window =>
  counter < window.seen ? window : { ...window, seen: counter + 1 }

/** The window after `counter` was used. Gaps older than sixteen windows are given up, so it stays bounded. */
export function use(window: Window, counter: number, size: number): Window {
  let base = window.base
  let used = window.used | (1n << BigInt(counter - base))
  const lag = used.toString(2).length - WINDOWS_KEPT * size
  if (lag > 0) {
    base += lag
    used >>= BigInt(lag)
  }
  while ((used & 1n) === 1n) {
    base++
    used >>= 1n
  }
  return { base, used, seen: window.seen }
}

export function writeWindow(out: Writer, { base, used }: Window): void {
  const hex = used.toString(16)
  out.u64(base).text(hex, 1)
}

export function readWindow(read: Reader): Window {
  const base = read.u64()
  const hex = read.text(1, HEX_DIGITS_MAX)
  if (!/^(0|[1-9a-f][0-9a-f]*)$/.test(hex)) throw new CryptoError("BAD_ENCODING", "window")
  const used = BigInt(`0x${hex}`)
  if ((used & 1n) === 1n) throw new CryptoError("BAD_ENCODING", "window base was used")
  return { base, used, seen: 0 }
}
