/**
 * A channel: one MLS group as a sequence of envelopes. It knows which tags to expect, seals what is said into envelopes, opens what
 * arrives under one of its tags. How it moves on an epoch stands in commits.ts, how it is stored in channel-record.ts. An immutable record: every function returns the next
 * one, and whoever keeps it stores it before anything made with it leaves (a channel rolled back would use a key twice).
 *
 * Asynchronous because MLS is; no clock, no I/O. A 1:1 thread usually has one channel, two when both sides wrote first at once.
 */
import { type Address, addressBytes } from "../crypto/address.ts"
import { type Bytes, equal } from "../crypto/bytes.ts"
import { openThread, sealThread, THREAD_PLAINTEXT_BYTES } from "../crypto/envelope.ts"
import { assert, CryptoError } from "../crypto/errors.ts"
import {
  COMMIT_FRAGMENTS_MAX,
  COMPOSITE_FRAGMENTS_MAX,
  cut,
  decodeFragment,
  type Fragment,
  FRAGMENTS_MAX,
} from "../crypto/fragment.ts"
import {
  encrypt,
  epochOf,
  exportSecret,
  groupIdOf,
  type KeyPackagePair,
  members,
  type Opening,
  ownLeaf,
  peek,
  process,
  type SessionState,
  signingOf,
} from "../crypto/session.ts"
import { type EpochKeys, epochKeys, EXPORTER_LABEL, threadKey, threadTag } from "../crypto/tags.ts"
import { type Content, decodeContents, encodeContents } from "./content.ts"
import { type FarStatement, isFarStatement, readFarStatement } from "./far-commit.ts"
import { addressOfMember } from "./group.ts"
import {
  BEGINNING,
  type FarPast,
  type HeldCommit,
  type HeldConfirmation,
  type Place,
} from "./held.ts"
import { EMPTY_WINDOW, expected, isExpected, use, type Window, windowSize } from "./window.ts"
import type { Wish } from "./wishes.ts"

/** The current epoch and the three before it: late messages of those still open (DESIGN §10). */
export const EPOCHS_KEPT = 4

export interface ChannelEpoch {
  readonly epoch: number
  readonly ownLeaf: number
  /** Place of the commit that began it; a commit of this epoch counts only behind that. */
  readonly began: Place
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
  /** Whom the other side claims to be, in a group whoever let us in; believed once `trusted`. */
  readonly peer: Address
  readonly theirName: string
  /** The leaf key in the group is the one on the peer's card. */
  readonly trusted: boolean
  /** Null in a thread of two. */
  readonly group: GroupPart | null
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
  /** Confirmations of commits in blobs, ours and others', that were seen in the current epoch (confirmations.ts). */
  readonly confirmations: readonly HeldConfirmation[]
  /** Commits in blobs that counted, newest first, one for each epoch that is kept: whoever is behind may need their bytes. */
  readonly farPast: readonly FarPast[]
  /** The order is to be followed for this channel from above this height; null: it goes along with all others. */
  readonly behindFrom: number | null
  /** Messages of ours since we last made new keys, and when that was. */
  readonly spoken: number
  readonly renewedAtMs: number
}

/** What a group has that a thread of two has not. */
export interface GroupPart {
  readonly people: ReadonlyMap<Address, Acquaintance>
  /** What we want changed and the group has not yet. */
  readonly wishes: readonly Wish[]
  readonly way: WayBack
  /** Who has asked to be taken out, and is in it still. */
  readonly leaving: readonly Address[]
}

/** What it takes to be let into a group anew (return.ts). */
export interface WayBack {
  /** Key packages that members were given for it, oldest first. */
  readonly packages: readonly ReturnPackage[]
  /** Highest number that we are known to have come back with; 0 for none. */
  readonly returned: number
  /** The hello that lets us in anew, until the order has been followed up to where it counts; empty for none. */
  readonly hello: Bytes
}

export interface ReturnPackage extends KeyPackagePair {
  readonly number: number
  /** 32 bytes, by which a Welcome names it. */
  readonly reference: Bytes
}

/** So many: whoever was given one long ago may let us in by it only now. */
export const RETURN_PACKAGES_MAX = 4

export const NO_WAY_BACK: WayBack = { packages: [], returned: 0, hello: new Uint8Array(0) }

/** A group that we are new in. */
export const NEW_GROUP: GroupPart = { people: new Map(), wishes: [], way: NO_WAY_BACK, leaving: [] }

/** A member as we know them from the group. */
export interface Acquaintance {
  /** What they call themselves; empty until they said so. */
  readonly name: string
  /** The leaf key that their card vouches for; empty while no card was found that does. */
  readonly key: Bytes
}

/** An envelope that a channel waits for. */
export interface Expected {
  readonly epoch: number
  readonly leaf: number
  readonly counter: number
}

export async function openChannel(
  state: SessionState,
  about: Pick<Channel, "peer" | "theirName" | "trusted"> &
    Partial<Pick<Channel, "group" | "renewedAtMs" | "behindFrom" | "retired">>,
): Promise<Channel> {
  const epochs = [await newEpoch(state, BEGINNING)]
  const groupId = groupIdOf(state)
  const waiting = { held: [], confirmations: [], farPast: [] }
  const fresh = { group: null, behindFrom: null, renewedAtMs: 0, spoken: 0, ...waiting }
  return { retired: false, ...fresh, ...about, groupId, state, epochs }
}

export async function newEpoch(state: SessionState, began: Place): Promise<ChannelEpoch> {
  const exporter = await exportSecret(state, EXPORTER_LABEL, new Uint8Array(0), 32)
  const own = ownLeaf(state)
  const others = members(state).filter(({ leaf }) => leaf !== own)
  return {
    epoch: Number(epochOf(state)),
    ownLeaf: own,
    began,
    exporter,
    keys: epochKeys(exporter),
    next: 0,
    unsent: 0,
    windows: new Map(others.map(({ leaf }) => [leaf, EMPTY_WINDOW])),
  }
}

const sizeOf = (epoch: ChannelEpoch) => windowSize(epoch.windows.size + 1)

/** Counters of the envelopes that are expected of one sender. */
export const expectedIn = (epoch: ChannelEpoch, window: Window): number[] =>
  expected(window, sizeOf(epoch))

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
  /** The key that opens each of them and no other, 32 bytes, in their order. */
  readonly keys: readonly Bytes[]
  /** For `leaving`: the epoch of these envelopes, and the counter after the last. */
  readonly until: Until
}

export interface Until {
  readonly epoch: number
  readonly counter: number
}

/** What shows a payload to somebody else. */
export interface Signed {
  readonly opening: Opening
  /** The leaf key that signed it. */
  readonly signedBy: Bytes
}

/** Envelopes of one message, signatures included. */
const saidFragmentsMax = ({ state }: Pick<Channel, "state">): number =>
  signingOf(state) === "composite" ? COMPOSITE_FRAGMENTS_MAX : FRAGMENTS_MAX

/** Contents as one MLS message, cut into envelopes. Throws CryptoError TOO_LARGE when they do not fit so many. */
export async function sealContents(
  channel: Channel,
  meshId: Bytes,
  contents: readonly Content[],
): Promise<Sealed & Signed> {
  assert(!channel.retired, "nothing is encrypted with a state that may have moved on elsewhere")
  const { message, opening, signedBy, next } = await encrypt(
    channel.state,
    encodeContents(contents),
  )
  const spoken = channel.spoken + 1
  const fragmentsMax = saidFragmentsMax(channel)
  const sealed = sealMessage({ ...channel, state: next, spoken }, meshId, message, fragmentsMax)
  return { ...sealed, opening, signedBy }
}

/** An MLS message of this epoch (a commit, or what `encrypt` gave), cut into envelopes. Throws CryptoError TOO_LARGE. */
export function sealMessage(
  channel: Channel,
  meshId: Bytes,
  message: Bytes,
  fragmentsMax = COMMIT_FRAGMENTS_MAX,
): Sealed {
  const [epoch] = channel.epochs
  assert(epoch !== undefined, "a channel has an epoch")
  assert(!channel.retired, "no counter is used that may have been used elsewhere")
  const plaintexts = cut(message, THREAD_PLAINTEXT_BYTES, fragmentsMax)
  const sealed = plaintexts.map((plaintext, i) => {
    const counter = epoch.next + i
    const tag = threadTag(epoch.keys, epoch.ownLeaf, counter)
    const key = threadKey(epoch.keys, epoch.ownLeaf, counter)
    return { key, envelope: sealThread(meshId, tag, key, plaintext) }
  })
  const next = epoch.next + sealed.length
  return {
    envelopes: sealed.map(({ envelope }) => envelope),
    keys: sealed.map(({ key }) => key),
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

export interface Opened {
  readonly channel: Channel
  readonly fragment: Fragment | undefined
  /** What opened this envelope, and opens no other; 32 bytes. */
  readonly key: Bytes
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
): Opened | undefined {
  const epoch = channel.epochs.find((each) => each.epoch === at.epoch)
  const window = epoch?.windows.get(at.leaf)
  if (epoch === undefined || window === undefined) return undefined
  if (!isExpected(window, at.counter, sizeOf(epoch))) return undefined
  const key = threadKey(epoch.keys, at.leaf, at.counter)
  const plaintext = openThread(meshId, key, envelope)
  if (plaintext === undefined) return undefined
  const windows = new Map(epoch.windows).set(at.leaf, use(window, at.counter, sizeOf(epoch)))
  return {
    channel: replaceEpoch(channel, { ...epoch, windows }),
    fragment: soundFragment(plaintext),
    key,
  }
}

function soundFragment(plaintext: Bytes): Fragment | undefined {
  try {
    return decodeFragment(plaintext, COMMIT_FRAGMENTS_MAX)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

export type Read =
  | {
      readonly kind: "contents"
      readonly channel: Channel
      readonly from: Address
      readonly contents: readonly Content[]
      readonly signed: Signed
    }
  /** Worth nothing until it is ordered: `hold` it (commits.ts). */
  | { readonly kind: "commit" }
  /** About a commit in a blob: statements.ts. */
  | { readonly kind: "statement"; readonly statement: FarStatement }
  | { readonly kind: "ignored"; readonly code: string }

/** Reads a whole payload that came under tags of `at`'s leaf and epoch. Never throws for what a member sent. */
export async function readPayload(
  channel: Channel,
  at: Pick<Expected, "leaf" | "epoch">,
  payload: Bytes,
): Promise<Read> {
  if (isFarStatement(payload)) {
    const statement = await readFarStatement(channel.state, at, payload)
    if (statement === undefined) return { kind: "ignored", code: "NOT_AUTHENTIC" }
    return { kind: "statement", statement }
  }
  const shown = peek(payload)
  // Whoever is still in an earlier epoch would see what they cannot read: a message belongs under its own epoch's tags.
  if (shown !== undefined && shown.epoch !== BigInt(at.epoch))
    return { kind: "ignored", code: "OTHER_EPOCH" }
  if (shown?.contentType === "commit")
    return shown.epoch === epochOf(channel.state)
      ? { kind: "commit" }
      : { kind: "ignored", code: "STALE_HANDSHAKE" }
  const read = await process(channel.state, payload)
  if (read.kind === "ignored") return read
  assert(read.kind === "application", "a message whose header says so")
  const next = { ...channel, state: read.next }
  const from = addressOfMember(read.sender)
  // Under whose tags it came and who signed it inside must be one person.
  if (read.sender.leaf !== at.leaf || from === undefined)
    return { kind: "ignored", code: "OTHER_SENDER" }
  const contents = soundContents(read.plaintext)
  const signed = { opening: read.opening, signedBy: read.sender.signatureKey }
  return { kind: "contents", channel: next, from, contents, signed }
}

function soundContents(plaintext: Bytes): Content[] {
  try {
    return decodeContents(plaintext)
  } catch (error) {
    if (error instanceof CryptoError) return []
    throw error
  }
}

/** The signature key of our own leaf. */
export function ownLeafKey(channel: Channel): Bytes | undefined {
  const own = ownLeaf(channel.state)
  return members(channel.state).find(({ leaf }) => leaf === own)?.signatureKey
}

/** The signature key of the leaf that claims to be the peer's; `undefined` when the group holds no such leaf. */
export function peerLeafKey(channel: Channel): Bytes | undefined {
  const identity = addressBytes(channel.peer)
  const own = ownLeaf(channel.state)
  return members(channel.state).find((each) => each.leaf !== own && equal(each.identity, identity))
    ?.signatureKey
}
