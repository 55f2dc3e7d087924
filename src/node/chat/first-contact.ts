/**
 * First contact as it arrives: whether an envelope is one costs a decapsulation for each intro key. What somebody made for us is joined;
 * nobody is believed yet. A thread of two is made by whoever writes first; into a group somebody lets us in who runs it. What lets us
 * anew into a group that we know is put aside until its time has come, and what others ask of a group is passed on (returns.ts).
 */
import {
  type Channel,
  type GroupPart,
  NEW_GROUP,
  openChannel,
  peerLeafKey,
} from "../../chat/channel.ts"
import { addressOfMember, groupIn, isAdmin, isIn } from "../../chat/group.ts"
import { GROUP_ID_BYTES } from "../../chat/group-id.ts"
import { isFarHello } from "../../chat/far-hello.ts"
import { decodeHello, type Hello } from "../../chat/hello.ts"
import { decodePlea, isPlea, type Plea } from "../../chat/return.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { openIntro } from "../../crypto/envelope.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { decodeFragment, INTRO_FRAGMENTS_MAX } from "../../crypto/fragment.ts"
import {
  aboutOf,
  epochOf,
  groupIdOf,
  isMember,
  type Joined,
  joinFromWelcome,
  members,
  type SessionState,
  welcomeRecipients,
} from "../../crypto/session.ts"
import type { ChatBook, Step } from "./book.ts"
import type { Batch } from "./inbox-batch.ts"
import { FarWelcomes } from "./far-welcomes.ts"
import { type Partials, STRANGERS } from "./partials.ts"
import type { ChatParts } from "./parts.ts"
import type { Found } from "../identity/key-ring.ts"

/**
 * Channels that wait for their peer's card. One more stranger, and the one who waits longest is dropped: who can be found is found within
 * seconds, and claims that nobody can vouch for must not shut out those that come after them.
 */
export const UNTRUSTED_MAX = 256

type Entered = Extract<Joined, { kind: "joined" }>

/** A Welcome that was fetched came in none; where it counts is said beside it. */
const NO_ENVELOPE = new Uint8Array(32)

export interface FirstContactEvents {
  /** Height up to which the ledger's order was followed. */
  height(): number
  /** A stranger's group was joined; whether they are who they claim must be found out. */
  introduced(channel: Channel): void
  /** Somebody asks to be let anew into a group that we may be in. Within the batch's turn. */
  pleaded(batch: Batch, plea: Plea): Promise<void>
  /** A hello was put aside in the channel of this group. */
  letIn(group: string): void
}

/** What a Welcome is for: a key package of the card's or a one-time one, or one that was given to a group's members. */
interface Meant extends Found {
  /** The group that it was given to the members of, in hexadecimal. */
  readonly returnTo: string | undefined
}

export class FirstContact {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #partials: Partials
  readonly #events: FirstContactEvents
  /** Invitations whose Welcome lies in a blob. */
  readonly far: FarWelcomes

  constructor(parts: ChatParts, book: ChatBook, partials: Partials, events: FirstContactEvents) {
    this.#parts = parts
    this.#book = book
    this.#partials = partials
    this.#events = events
    this.far = new FarWelcomes(parts, book, {
      enter: (batch, hello) => this.#enter(batch, hello, NO_ENVELOPE, events.height()),
      introduced: (channel) => events.introduced(channel),
    })
  }

  /** The channel of a stranger who wrote to us, when that is what this envelope completes. `height`: of the order followed so far. */
  async read(
    batch: Batch,
    id: Bytes,
    envelope: Bytes,
    height: number,
  ): Promise<Channel | undefined> {
    const plaintext = this.#tryIntro(envelope)
    const fragment = plaintext && soundly(() => decodeFragment(plaintext, INTRO_FRAGMENTS_MAX))
    const whole = fragment && (await this.#partials.add(batch, STRANGERS, "", fragment, id))
    return whole && (await this.#enter(batch, whole.payload, id, height))
  }

  async #enter(
    batch: Batch,
    payload: Bytes,
    id: Bytes,
    height: number,
  ): Promise<Channel | undefined> {
    const joined = await this.#join(batch, payload, id, height)
    if (joined === undefined) return undefined
    this.#makeRoom(batch.step)
    batch.step.channels.set(toHex(joined.groupId), joined)
    return joined
  }

  #tryIntro(envelope: Bytes): Bytes | undefined {
    for (const key of this.#parts.keys.intro()) {
      const plaintext = openIntro(this.#parts.meshId, key, envelope)
      if (plaintext !== undefined) return plaintext
    }
    return undefined
  }

  /** For one more channel that nobody has vouched for. */
  #makeRoom(step: Step): void {
    const waiting = Array.from(this.#book.channels).filter(([, { trusted }]) => !trusted)
    const surplus = waiting.slice(0, Math.max(0, waiting.length + 1 - UNTRUSTED_MAX))
    for (const [group] of surplus) step.channels.set(group, null)
  }

  async #join(
    batch: Batch,
    payload: Bytes,
    id: Bytes,
    height: number,
  ): Promise<Channel | undefined> {
    if (isPlea(payload)) {
      const plea = soundly(() => decodePlea(payload))
      if (plea !== undefined) await this.#events.pleaded(batch, plea)
      return undefined
    }
    if (isFarHello(payload)) {
      this.far.take(batch.step, payload)
      batch.later.push(() => this.far.kick())
      return undefined
    }
    const hello = soundly(() => decodeHello(payload))
    if (hello === undefined || hello.from === this.#book.me) return undefined
    const found = packageFor(this.#parts, this.#book, hello.welcome)
    if (found === undefined) {
      this.#parts.log("a first contact is for a key package that is not here, or not any more")
      return undefined
    }
    const joined = await joinFromWelcome(hello.welcome, found.pair)
    if (joined.kind === "ignored") {
      this.#parts.log(`a first contact was ignored: ${joined.code}`)
      return undefined
    }
    const retired = this.#parts.isRetired?.(found.pair.public) ?? false
    if (!retired && isAgain(this.#book, hello, joined, found.returnTo)) {
      this.#putAside(batch, toHex(groupIdOf(joined.state)), payload)
      return undefined
    }
    if (found.returnTo !== undefined) return undefined
    const isSound = hello.group === null ? this.#isPair(joined) : this.#isGroup(hello, joined)
    if (!isSound) return undefined
    const channel = await openChannel(joined.state, {
      peer: hello.from,
      theirName: hello.name,
      trusted: false,
      retired,
      group: hello.group === null ? null : this.#partOf(joined),
      behindFrom: behindFrom(this.#parts, hello, id, height),
      renewedAtMs: this.#parts.clock.nowMs(),
    })
    if (peerLeafKey(channel) === undefined) return undefined
    batch.step.ops.push(...found.used())
    return channel
  }

  /** It counts once the order was followed up to there: what is said until then is read with what we have. */
  #putAside({ step, later }: Batch, group: string, hello: Bytes): void {
    const channel = step.channels.get(group) ?? this.#book.channels.get(group)
    if (channel === undefined || channel.group === null) return
    const way = { ...channel.group.way, hello }
    step.channels.set(group, { ...channel, group: { ...channel.group, way } })
    later.push(() => this.#events.letIn(group))
  }

  #isPair({ state }: Entered): boolean {
    const known = this.#book.channels.has(toHex(groupIdOf(state)))
    return members(state).length === 2 && aboutOf(state).length === 0 && !known
  }

  /**
   * Whoever lets us in says so themselves, and runs the group. A group that we are in stays the one that we know, unless it came out of
   * a backup: anybody who was ever in it knows its id. Without a ledger there are no groups.
   */
  #isGroup(hello: Hello, { state, inviter }: Entered): boolean {
    const group = groupIn(state)
    const groupId = groupIdOf(state)
    const before = this.#book.channels.get(toHex(groupId))
    return (
      this.#parts.order === "ledger" &&
      group !== undefined &&
      groupId.length === GROUP_ID_BYTES &&
      addressOfMember(inviter) === hello.from &&
      isAdmin(group, hello.from) &&
      (before === undefined || (before.group !== null && isEnded(before, state)))
    )
  }

  /** What is known of the group by now, if anything is. */
  #partOf({ state }: Entered): GroupPart {
    const before = this.#book.channels.get(toHex(groupIdOf(state)))?.group
    return before === undefined || before === null ? NEW_GROUP : { ...before, wishes: [] }
  }
}

/** We were taken out of it; or it came out of a backup, and this is not how we had come into it. */
const isEnded = (before: Channel, state: SessionState) =>
  !isMember(before.state) || (before.retired && epochOf(state) > epochOf(before.state))

/** From above which height the order matters to a channel that was made somewhere else, and may have gone on since. */
export function behindFrom(
  { order, ledger }: ChatParts,
  { group }: Hello,
  id: Bytes,
  height: number,
): number | null {
  if (order === "arrival") return null
  const since = group?.since ?? ledger?.orderedAt(id) ?? height
  return Math.max(0, Math.min(since - 1, height))
}

export function packageFor(
  { keys }: ChatParts,
  { channels }: ChatBook,
  welcome: Bytes,
): Meant | undefined {
  const found = keys.packageFor(welcome)
  if (found !== undefined) return { ...found, returnTo: undefined }
  const names = new Set(welcomeRecipients(welcome).map(toHex))
  for (const [returnTo, { group }] of channels) {
    const pair = group?.way.packages.find(({ reference }) => names.has(toHex(reference)))
    if (pair !== undefined) return { pair, used: () => [], returnTo }
  }
  return undefined
}

/**
 * Whether this lets us anew into a group that we know: as we asked a member for it, or as somebody who runs it thought right, when ours
 * came out of a backup or was never taken out of it yet.
 */
export function isAgain(
  { channels }: ChatBook,
  hello: Hello,
  { state, inviter }: Entered,
  returnTo: string | undefined,
): boolean {
  const id = toHex(groupIdOf(state))
  const before = channels.get(id)
  const [then, now] = [before && groupIn(before.state), groupIn(state)]
  const isSound = hello.group !== null && addressOfMember(inviter) === hello.from
  if (before === undefined || then === undefined || now === undefined || !isSound) return false
  if (!isIn(then, hello.from)) return false
  if (returnTo !== undefined) return returnTo === id
  return before.trusted && (before.retired || isMember(before.state)) && isAdmin(now, hello.from)
}

/** What a stranger sent decodes, or it does not exist. */
function soundly<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}
