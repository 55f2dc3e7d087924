/**
 * A channel: one MLS group as a sequence of envelopes. It knows which tags to expect, seals what is said into envelopes, opens what
 * arrives under one of its tags, and moves on an epoch when a commit counts. An immutable record: every function returns the next
 * one, and whoever keeps it stores it before anything made with it leaves (a channel rolled back would use a key twice).
 *
 * Asynchronous because MLS is; no clock, no I/O. A 1:1 thread usually has one channel, two when both sides wrote first at once.
 */
import { type Address, addressBytes, addressFromBytes } from "../crypto/address.ts"
import { type Bytes, equal, Reader, Writer } from "../crypto/bytes.ts"
import { openThread, sealThread, THREAD_PLAINTEXT_BYTES } from "../crypto/envelope.ts"
import { assert, CryptoError } from "../crypto/errors.ts"
import { cut, decodeFragment, type Fragment } from "../crypto/fragment.ts"
import { NAME_BYTES_MAX } from "../crypto/identity.ts"
import {
  decodeState,
  encodeState,
  encrypt,
  epochOf,
  exportSecret,
  groupIdOf,
  type Member,
  members,
  mergeCommit,
  ownLeaf,
  process,
  type SessionState,
} from "../crypto/session.ts"
import { type EpochKeys, epochKeys, EXPORTER_LABEL, threadKey, threadTag } from "../crypto/tags.ts"
import { type Content, decodeContents, encodeContents } from "./content.ts"
import {
  EMPTY_WINDOW,
  expected,
  isExpected,
  readWindow,
  use,
  type Window,
  windowSize,
  writeWindow,
} from "./window.ts"

const VERSION = 1
/** The current epoch and the three before it: late messages of those still open (DESIGN §10). */
export const EPOCHS_KEPT = 4
const LEAVES_MAX = 512
const TRUSTED = 1
const RETIRED = 2

export interface ChannelEpoch {
  readonly epoch: number
  readonly ownLeaf: number
  /** MLS exporter secret, 32 bytes. */
  readonly exporter: Bytes
  readonly keys: EpochKeys
  /** Counter of our next envelope. */
  readonly next: number
  /**
   * From this counter on, what was sealed is in memory only. A channel that is stored goes on here: were it to skip what a crash
   * destroyed, the gap would grow from crash to crash until no window of the other side spans it.
   */
  readonly unsent: number
  /** One for every other member of that epoch. */
  readonly windows: ReadonlyMap<number, Window>
}

export interface Channel {
  readonly groupId: Bytes
  /** Whom the other side claims to be; believed once `trusted`. */
  readonly peer: Address
  readonly theirName: string
  /** The leaf key in the group is the one on the peer's card. */
  readonly trusted: boolean
  /**
   * Came out of a backup, or was joined with a key package that did: another peer may have gone on from the same state. It is read and
   * never written into, not even once.
   */
  readonly retired: boolean
  readonly state: SessionState
  /** Newest first. */
  readonly epochs: readonly ChannelEpoch[]
  /** Commits of the current epoch, ours and others', that were seen and not ordered yet. */
  readonly held: readonly HeldCommit[]
}

export interface HeldCommit {
  /** Envelope that completed it, 32 bytes: when that is ordered, the commit counts. */
  readonly envelope: Bytes
  /** The state after it. */
  readonly next: SessionState
}

/** More commits than this in one epoch, and the oldest held one is dropped: it can be read again from the mailbox. */
export const HELD_MAX = 8

/** An envelope that a channel waits for. */
export interface Expected {
  readonly epoch: number
  readonly leaf: number
  readonly counter: number
}

export async function openChannel(
  state: SessionState,
  about: Pick<Channel, "peer" | "theirName" | "trusted"> & { readonly retired?: boolean },
): Promise<Channel> {
  return {
    retired: false,
    ...about,
    groupId: groupIdOf(state),
    state,
    epochs: [await newEpoch(state)],
    held: [],
  }
}

async function newEpoch(state: SessionState): Promise<ChannelEpoch> {
  const exporter = await exportSecret(state, EXPORTER_LABEL, new Uint8Array(0), 32)
  const own = ownLeaf(state)
  const others = members(state).filter(({ leaf }) => leaf !== own)
  return {
    epoch: Number(epochOf(state)),
    ownLeaf: own,
    exporter,
    keys: epochKeys(exporter),
    next: 0,
    unsent: 0,
    windows: new Map(others.map(({ leaf }) => [leaf, EMPTY_WINDOW])),
  }
}

const sizeOf = (epoch: ChannelEpoch) => windowSize(epoch.windows.size + 1)

/** Every envelope this channel waits for. */
export function expectedOf(channel: Channel): Expected[] {
  return channel.epochs.flatMap((epoch) =>
    Array.from(epoch.windows).flatMap(([leaf, window]) =>
      expected(window, sizeOf(epoch)).map((counter) => ({ epoch: epoch.epoch, leaf, counter })),
    ),
  )
}

/** The tag of an expected envelope, 16 bytes. Costs an HMAC: derive once, keep. */
export function tagAt(channel: Channel, at: Expected): Bytes {
  const epoch = channel.epochs.find((each) => each.epoch === at.epoch)
  assert(epoch !== undefined, "expected in an epoch that is kept")
  return threadTag(epoch.keys, at.leaf, at.counter)
}

const replaceEpoch = (channel: Channel, epoch: ChannelEpoch): Channel => ({
  ...channel,
  epochs: channel.epochs.map((each) => (each.epoch === epoch.epoch ? epoch : each)),
})

export interface Sealed {
  /** One or more, admission still zero; in the order of their counters. */
  readonly envelopes: readonly Bytes[]
  readonly channel: Channel
  /** For `leaving`: the epoch of these envelopes, and the counter after the last. */
  readonly until: Until
}

export interface Until {
  readonly epoch: number
  readonly counter: number
}

/** Contents as one MLS message, cut into envelopes. Throws CryptoError TOO_LARGE when they do not fit eight. */
export async function sealContents(
  channel: Channel,
  meshId: Bytes,
  contents: readonly Content[],
): Promise<Sealed> {
  assert(!channel.retired, "nothing is encrypted with a state that may have moved on elsewhere")
  const { message, next } = await encrypt(channel.state, encodeContents(contents))
  return sealMessage({ ...channel, state: next }, meshId, message)
}

/** An MLS message of this epoch (a commit, or what `encrypt` gave), cut into envelopes. */
export function sealMessage(channel: Channel, meshId: Bytes, message: Bytes): Sealed {
  const [epoch] = channel.epochs
  assert(epoch !== undefined, "a channel has an epoch")
  assert(!channel.retired, "no counter is used that may have been used elsewhere")
  const plaintexts = cut(message, THREAD_PLAINTEXT_BYTES)
  const envelopes = plaintexts.map((plaintext, i) => {
    const counter = epoch.next + i
    const tag = threadTag(epoch.keys, epoch.ownLeaf, counter)
    return sealThread(meshId, tag, threadKey(epoch.keys, epoch.ownLeaf, counter), plaintext)
  })
  const next = epoch.next + envelopes.length
  return {
    envelopes,
    channel: replaceEpoch(channel, { ...epoch, next }),
    until: { epoch: epoch.epoch, counter: next },
  }
}

/** Envelopes sealed up to here are stored together with this channel, and may leave then: their counters are never used again. */
export function leaving(channel: Channel, until: Until): Channel {
  const epoch = channel.epochs.find((each) => each.epoch === until.epoch)
  if (epoch === undefined || epoch.unsent >= until.counter) return channel
  return replaceEpoch(channel, { ...epoch, unsent: until.counter })
}

/**
 * The fragment inside an envelope that came under an expected tag; `undefined` when it does not open under that tag's key (then the tag
 * is not used up: anybody can copy a tag), or was used by now. A member who seals garbage uses up the tag and gives no fragment.
 */
export function openEnvelope(
  channel: Channel,
  meshId: Bytes,
  at: Expected,
  envelope: Bytes,
): { readonly channel: Channel; readonly fragment: Fragment | undefined } | undefined {
  const epoch = channel.epochs.find((each) => each.epoch === at.epoch)
  const window = epoch?.windows.get(at.leaf)
  if (epoch === undefined || window === undefined) return undefined
  if (!isExpected(window, at.counter, sizeOf(epoch))) return undefined
  const plaintext = openThread(meshId, threadKey(epoch.keys, at.leaf, at.counter), envelope)
  if (plaintext === undefined) return undefined
  const windows = new Map(epoch.windows).set(at.leaf, use(window, at.counter, sizeOf(epoch)))
  return {
    channel: replaceEpoch(channel, { ...epoch, windows }),
    fragment: soundFragment(plaintext),
  }
}

function soundFragment(plaintext: Bytes): Fragment | undefined {
  try {
    return decodeFragment(plaintext)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

export type Read =
  | { readonly kind: "contents"; readonly channel: Channel; readonly contents: readonly Content[] }
  /** Worth nothing until it is ordered: `hold` it, then `advance`. */
  | { readonly kind: "commit"; readonly next: SessionState }
  | { readonly kind: "ignored"; readonly code: string }

/** Reads a whole payload that came under tags of `leaf`. Never throws for what a member sent. */
export async function readPayload(channel: Channel, leaf: number, payload: Bytes): Promise<Read> {
  const read = await process(channel.state, payload)
  switch (read.kind) {
    case "ignored":
      return read
    case "commit": {
      if (read.sender.leaf !== leaf) return { kind: "ignored", code: "OTHER_SENDER" }
      // A thread of two stays one, and a leaf keeps the key that its owner's card vouched for.
      const alien = read.added.length + read.removed.length > 0 || !keepsKeys(channel, read.updated)
      return alien ? { kind: "ignored", code: "ALIEN_COMMIT" } : { kind: "commit", next: read.next }
    }
    case "application": {
      const next = { ...channel, state: read.next }
      // Under whose tags it came and who signed it inside must be one person.
      if (read.sender.leaf !== leaf) return { kind: "ignored", code: "OTHER_SENDER" }
      try {
        return { kind: "contents", channel: next, contents: decodeContents(read.plaintext) }
      } catch (error) {
        if (error instanceof CryptoError) return { kind: "contents", channel: next, contents: [] }
        throw error
      }
    }
  }
}

function keepsKeys(channel: Channel, updated: readonly Member[]): boolean {
  const before = members(channel.state)
  return updated.every(({ leaf, signatureKey }) =>
    before.some((each) => each.leaf === leaf && equal(each.signatureKey, signatureKey)),
  )
}

export function hold(channel: Channel, commit: HeldCommit): Channel {
  return { ...channel, held: [...channel.held, commit].slice(-HELD_MAX) }
}

/**
 * An envelope was ordered. If it completed a held commit, that is the first of its epoch: the channel enters the next epoch, the other
 * commits of this one have lost, and the oldest epoch is forgotten. `undefined` when nothing changes.
 */
export async function advance(channel: Channel, ordered: Bytes): Promise<Channel | undefined> {
  const winner = channel.held.find(({ envelope }) => equal(envelope, ordered))
  if (winner === undefined) return undefined
  const state = mergeCommit(channel.state, winner.next)
  const epochs = [await newEpoch(state), ...channel.epochs].slice(0, EPOCHS_KEPT)
  return { ...channel, state, epochs, held: [] }
}

/** The signature key of the leaf that claims to be the peer's, 32 bytes; `undefined` when the group holds no such leaf. */
export function peerLeafKey(channel: Channel): Bytes | undefined {
  const identity = addressBytes(channel.peer)
  const own = ownLeaf(channel.state)
  return members(channel.state).find((each) => each.leaf !== own && equal(each.identity, identity))
    ?.signatureKey
}

/** For the vault only. What was sealed and is not `leaving` did not happen for whoever reads this again. */
export function encodeChannel(channel: Channel): Bytes {
  const out = new Writer().u8(VERSION).raw(addressBytes(channel.peer)).text(channel.theirName, 1)
  out
    .u8((channel.trusted ? TRUSTED : 0) | (channel.retired ? RETIRED : 0))
    .bytes(encodeState(channel.state), 4)
    .u8(channel.epochs.length)
  for (const { epoch, ownLeaf: own, exporter, unsent, windows } of channel.epochs) {
    out.u64(epoch).u32(own).raw(exporter).u64(unsent).u16(windows.size)
    for (const [leaf, window] of windows) writeWindow(out.u32(leaf), window)
  }
  out.u8(channel.held.length)
  for (const { envelope, next } of channel.held) out.raw(envelope).bytes(encodeState(next), 4)
  return out.finish()
}

/** From our own sealed store. Throws a coded error when that is damaged. */
export function decodeChannel(bytes: Bytes): Channel {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "channel record")
  const peer = addressFromBytes(read.raw(64))
  const theirName = read.text(1, NAME_BYTES_MAX)
  const flags = read.u8()
  const state = decodeState(read.bytes(4, bytes.length))
  const count = read.u8()
  if (flags > (TRUSTED | RETIRED) || count < 1 || count > EPOCHS_KEPT)
    throw new CryptoError("BAD_ENCODING", "channel record")
  const epochs = Array.from({ length: count }, () => readEpoch(read))
  const heldCount = read.u8()
  if (heldCount > HELD_MAX) throw new CryptoError("TOO_LARGE", "channel record")
  const held = Array.from({ length: heldCount }, () => ({
    envelope: read.raw(32),
    next: decodeState(read.bytes(4, bytes.length)),
  }))
  read.done()
  const trusted = (flags & TRUSTED) !== 0
  const retired = (flags & RETIRED) !== 0
  return { groupId: groupIdOf(state), peer, theirName, trusted, retired, state, epochs, held }
}

function readEpoch(read: Reader): ChannelEpoch {
  const epoch = read.u64()
  const own = read.u32()
  const exporter = read.raw(32)
  const next = read.u64()
  const count = read.u16()
  if (count > LEAVES_MAX) throw new CryptoError("TOO_LARGE", "channel record")
  const windows = new Map<number, Window>()
  for (let i = 0; i < count; i++) windows.set(read.u32(), readWindow(read))
  return { epoch, ownLeaf: own, exporter, keys: epochKeys(exporter), next, unsent: next, windows }
}
