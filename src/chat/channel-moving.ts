/**
 * A channel as two records. Every envelope changes a little of it: the keys of the epoch's messages, counters, windows. All else (the tree
 * at 1,600 bytes a member, past epochs, people, key packages to come back by) changes with commits and settings, and is written
 * only then: the *standing* record, an ordinary channel record (channel-record.ts) with nothing of that in it. The *moving* one names
 * the standing record it belongs to by its hash, so that the two are never of different days. A channel record that an earlier program wrote is
 * complete, and has no moving one beside it.
 */
import { primitives } from "#primitives"
import { type Bytes, equal, Reader, toHex, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import {
  isStanding,
  ratchetsOf,
  standingOf,
  standingParts,
  withRatchets,
} from "../crypto/session.ts"
import { type Channel, type ChannelEpoch, EPOCHS_KEPT } from "./channel.ts"
import { decodeChannel, encodeChannel } from "./channel-record.ts"
import { readWindow, type Window, writeWindow } from "./window.ts"

const VERSION = 1
const LINK_BYTES = 16
const LEAVES_MAX = 512
const GROUP_ID_BYTES_MAX = 64

/** Two channels with equal marks have the same standing record. Holds no keys of messages. */
export type StandingMark = readonly unknown[]

export function markOf(channel: Channel): StandingMark {
  const standing = { ...channel, state: null, epochs: null, spoken: null }
  const epochs = channel.epochs.flatMap((each) => [each.epoch, each.ownLeaf, each.began, each.keys])
  return [...Object.values(standing), ...standingParts(channel.state), ...epochs]
}

export const isSameMark = (a: StandingMark, b: StandingMark): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i])

/** The standing record, and by what a moving one names it (16 bytes). Throws SessionError TOO_LARGE. */
export function encodeStanding(channel: Channel): { readonly bytes: Bytes; readonly link: Bytes } {
  const epochs = channel.epochs.map((each): ChannelEpoch => {
    return { ...each, next: 0, unsent: 0, windows: new Map() }
  })
  const bytes = encodeChannel({ ...channel, state: standingOf(channel.state), epochs, spoken: 0 })
  return { bytes, link: linkTo(bytes) }
}

const linkTo = (standing: Bytes): Bytes => primitives.sha3_256(standing).subarray(0, LINK_BYTES)

/** What was sealed and is not `leaving` did not happen for whoever reads this again. */
export function encodeMoving(channel: Channel, link: Bytes): Bytes {
  const out = new Writer().u8(VERSION).bytes(channel.groupId, 1).raw(link).u32(channel.spoken)
  out.bytes(ratchetsOf(channel.state), 4).u8(channel.epochs.length)
  for (const { unsent, windows } of channel.epochs) {
    out.u64(unsent).u16(windows.size)
    for (const [leaf, window] of windows) writeWindow(out.u32(leaf), window)
  }
  return out.finish()
}

/** Hexadecimal id of the group whose moving record this is. Throws CryptoError. */
export const groupOfMoving = (moving: Bytes): string => toHex(opened(moving).groupId)

function opened(moving: Bytes): { readonly read: Reader; readonly groupId: Bytes } {
  const read = new Reader(moving)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "moving channel record")
  return { read, groupId: read.bytes(1, GROUP_ID_BYTES_MAX) }
}

/** A stored channel, and what a moving record names it by: null where none belongs to it, for it is complete. */
export interface Standing {
  readonly channel: Channel
  readonly link: Bytes | null
}

/** Throws a coded error when it is damaged. */
export function decodeStanding(bytes: Bytes): Standing {
  const channel = decodeChannel(bytes)
  return { channel, link: isStanding(channel.state) ? linkTo(bytes) : null }
}

/** Throws a coded error when the two do not belong together, or are damaged. */
export function joined({ channel, link }: Standing, moving: Bytes): Channel {
  const { read, groupId } = opened(moving)
  if (link === null || !equal(groupId, channel.groupId) || !equal(read.raw(LINK_BYTES), link))
    throw new CryptoError("BAD_ENCODING", "moving record of another channel record")
  const spoken = read.u32()
  const state = withRatchets(channel.state, read.bytes(4, moving.length))
  if (read.u8() !== channel.epochs.length || channel.epochs.length > EPOCHS_KEPT)
    throw new CryptoError("BAD_ENCODING", "moving channel record")
  const epochs = channel.epochs.map((epoch) => ({ ...epoch, ...readMoved(read) }))
  read.done()
  return { ...channel, state, epochs, spoken }
}

function readMoved(read: Reader): Pick<ChannelEpoch, "next" | "unsent" | "windows"> {
  const next = read.u64()
  const count = read.u16()
  if (count > LEAVES_MAX) throw new CryptoError("TOO_LARGE", "moving channel record")
  const windows = new Map<number, Window>()
  for (let i = 0; i < count; i++) windows.set(read.u32(), readWindow(read))
  return { next, unsent: next, windows }
}
