/** A channel as the vault keeps it. What was sealed and is not `leaving` did not happen for whoever reads this again. */
import { addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"
import {
  decodeState,
  encodeState,
  groupIdOf,
  sessionLimits,
  SIGNATURE_KEY_BYTES,
} from "../crypto/session.ts"
import { epochKeys } from "../crypto/tags.ts"
import {
  type Acquaintance,
  type Channel,
  type ChannelEpoch,
  EPOCHS_KEPT,
  type GroupPart,
  NO_WAY_BACK,
  RETURN_PACKAGES_MAX,
  type WayBack,
} from "./channel.ts"
import { readConfirmations, readHeld, writeConfirmations, writeHeld } from "./held-record.ts"
import { readWindow, type Window, writeWindow } from "./window.ts"
import { readWish, writeWish } from "./wishes.ts"

const VERSION = 6
/** Before commits could lie in blobs. */
const VERSION_WITHOUT_FAR = 5
/** Before it was kept who is leaving. */
const VERSION_WITHOUT_LEAVING = 4
/** Before members could have keys of more than 255 bytes. */
const VERSION_OF_SHORT_KEYS = 3
/** Before there was a way back into a group. */
const VERSION_WITHOUT_WAY = 2
const LEAVES_MAX = 512
const KEY_BYTES_MAX = SIGNATURE_KEY_BYTES.composite
const TRUSTED = 1
const RETIRED = 2
const FOLLOWING = 2 ** 53 - 1

export function encodeChannel(channel: Channel): Bytes {
  const out = new Writer().u8(VERSION).raw(addressBytes(channel.peer)).text(channel.theirName, 1)
  out
    .u8((channel.trusted ? TRUSTED : 0) | (channel.retired ? RETIRED : 0))
    .bytes(encodeState(channel.state), 4)
    .u64(channel.behindFrom ?? FOLLOWING)
    .u32(channel.spoken)
    .u64(channel.renewedAtMs)
    .u8(channel.epochs.length)
  for (const epoch of channel.epochs) writeEpoch(out, epoch)
  out.u16(channel.held.length)
  for (const commit of channel.held) writeHeld(out, commit)
  out.u8(channel.group === null ? 0 : 1)
  if (channel.group !== null) writeGroup(out, channel.group)
  writeConfirmations(out, channel)
  return out.finish()
}

/** From our own sealed store. Throws a coded error when that is damaged. */
export function decodeChannel(bytes: Bytes): Channel {
  const read = new Reader(bytes)
  const version = read.u8()
  if (version < VERSION_WITHOUT_WAY || version > VERSION)
    throw new CryptoError("BAD_VERSION", "channel record")
  const peer = addressFromBytes(read.raw(64))
  const theirName = read.text(1, NAME_BYTES_MAX)
  const flags = read.u8()
  const state = decodeState(read.bytes(4, bytes.length))
  const behind = read.u64()
  const spoken = read.u32()
  const renewedAtMs = read.u64()
  const count = read.u8()
  if (flags > (TRUSTED | RETIRED) || count < 1 || count > EPOCHS_KEPT)
    throw new CryptoError("BAD_ENCODING", "channel record")
  const epochs = Array.from({ length: count }, () => readEpoch(read))
  const held = Array.from({ length: read.u16() }, () =>
    readHeld(read, bytes.length, version > VERSION_WITHOUT_FAR),
  )
  const group = read.u8() === 0 ? null : readGroup(read, version)
  const isOld = version <= VERSION_WITHOUT_FAR
  const far = isOld ? { confirmations: [], farPast: [] } : readConfirmations(read)
  read.done()
  return {
    groupId: groupIdOf(state),
    peer,
    theirName,
    trusted: (flags & TRUSTED) !== 0,
    retired: (flags & RETIRED) !== 0,
    group,
    state,
    epochs,
    held,
    ...far,
    behindFrom: behind === FOLLOWING ? null : behind,
    spoken,
    renewedAtMs,
  }
}

function writeEpoch(out: Writer, epoch: ChannelEpoch): void {
  const { began, windows } = epoch
  out.u64(epoch.epoch).u32(epoch.ownLeaf).u64(began.height).u32(began.index).raw(epoch.exporter)
  out.u64(epoch.unsent).u16(windows.size)
  for (const [leaf, window] of windows) writeWindow(out.u32(leaf), window)
}

function readEpoch(read: Reader): ChannelEpoch {
  const epoch = read.u64()
  const ownLeaf = read.u32()
  const began = { height: read.u64(), index: read.u32() }
  const exporter = read.raw(32)
  const next = read.u64()
  const count = read.u16()
  if (count > LEAVES_MAX) throw new CryptoError("TOO_LARGE", "channel record")
  const windows = new Map<number, Window>()
  for (let i = 0; i < count; i++) windows.set(read.u32(), readWindow(read))
  return { epoch, ownLeaf, began, exporter, keys: epochKeys(exporter), next, unsent: next, windows }
}

function writeGroup(out: Writer, { people, wishes, way, leaving }: GroupPart): void {
  out.u16(people.size)
  for (const [address, { name, key }] of people)
    out.raw(addressBytes(address)).text(name, 1).bytes(key, 2)
  out.u16(wishes.length)
  for (const wish of wishes) writeWish(out, wish)
  out.u64(way.returned).bytes(way.hello, 4).u8(way.packages.length)
  for (const each of way.packages)
    out.u64(each.number).raw(each.reference).bytes(each.public, 4).bytes(each.private, 4)
  out.u16(leaving.length)
  for (const who of leaving) out.raw(addressBytes(who))
}

function readGroup(read: Reader, version: number): GroupPart {
  const lengthBytes = version > VERSION_OF_SHORT_KEYS ? 2 : 1
  const people = new Map(
    Array.from({ length: read.u16() }, (): [Channel["peer"], Acquaintance] => {
      const address = addressFromBytes(read.raw(64))
      return [
        address,
        { name: read.text(1, NAME_BYTES_MAX), key: read.bytes(lengthBytes, KEY_BYTES_MAX) },
      ]
    }),
  )
  const wishes = Array.from({ length: read.u16() }, () => readWish(read))
  const way = version > VERSION_WITHOUT_WAY ? readWay(read) : NO_WAY_BACK
  const count = version > VERSION_WITHOUT_LEAVING ? read.u16() : 0
  const leaving = Array.from({ length: count }, () => addressFromBytes(read.raw(64)))
  return { people, wishes, way, leaving }
}

function readWay(read: Reader): WayBack {
  const returned = read.u64()
  const hello = read.bytes(4, sessionLimits.MESSAGE_MAX_BYTES)
  const count = read.u8()
  if (count > RETURN_PACKAGES_MAX) throw new CryptoError("TOO_LARGE", "channel record")
  const max = sessionLimits.KEY_PACKAGE_MAX_BYTES
  const packages = Array.from({ length: count }, () => ({
    number: read.u64(),
    reference: read.raw(32),
    public: read.bytes(4, max),
    private: read.bytes(4, max),
  }))
  return { packages, returned, hello }
}
