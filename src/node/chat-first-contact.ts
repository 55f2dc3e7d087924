/**
 * First contact as it arrives: whether an envelope is one costs a decapsulation for each intro key. What somebody made for us is joined;
 * nobody is believed yet. A thread of two is made by whoever writes first; into a group somebody lets us in who runs it.
 */
import { type Channel, openChannel, peerLeafKey } from "../chat/channel.ts"
import { addressOfMember, groupIn, isAdmin } from "../chat/group.ts"
import { isFarHello } from "../chat/far-hello.ts"
import { decodeHello, type Hello } from "../chat/hello.ts"
import { type Bytes, toHex } from "../crypto/bytes.ts"
import { openIntro } from "../crypto/envelope.ts"
import { CryptoError } from "../crypto/errors.ts"
import { decodeFragment, INTRO_FRAGMENTS_MAX } from "../crypto/fragment.ts"
import {
  aboutOf,
  groupIdOf,
  isMember,
  type Joined,
  joinFromWelcome,
  members,
} from "../crypto/session.ts"
import type { ChatBook, Step } from "./chat-book.ts"
import type { Batch } from "./chat-inbox-batch.ts"
import { FarWelcomes } from "./chat-far-welcomes.ts"
import { GROUP_ID_BYTES } from "./chat-introductions.ts"
import { type Partials, STRANGERS } from "./chat-partials.ts"
import type { ChatParts } from "./chat-parts.ts"

/**
 * Channels that wait for their peer's card. One more stranger, and the one who waits longest is dropped: who can be found is found within
 * seconds, and claims that nobody can vouch for must not shut out those that come after them.
 */
export const UNTRUSTED_MAX = 256

type Entered = Extract<Joined, { kind: "joined" }>

export class FirstContact {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #partials: Partials
  /** Invitations whose Welcome lies in a blob. */
  readonly far: FarWelcomes

  constructor(
    parts: ChatParts,
    book: ChatBook,
    partials: Partials,
    events: { height(): number; introduced(channel: Channel): void },
  ) {
    this.#parts = parts
    this.#book = book
    this.#partials = partials
    this.far = new FarWelcomes(parts, book, {
      enter: (step, hello) => this.#enter(step, hello, undefined, events.height()),
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
    if (whole !== undefined && isFarHello(whole.payload)) {
      this.far.take(batch.step, whole.payload)
      batch.later.push(() => this.far.kick())
      return undefined
    }
    const joined = whole && (await this.#join(batch.step, whole.payload, id, height))
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

  async #join(step: Step, payload: Bytes, id: Bytes, height: number): Promise<Channel | undefined> {
    const hello = soundly(() => decodeHello(payload))
    return hello && (await this.#enter(step, hello, id, height))
  }

  /** The channel that this hello's Welcome makes, if it is sound. `id`: of the envelope that brought a Welcome of two. */
  async #enter(
    step: Step,
    hello: Hello,
    id: Bytes | undefined,
    height: number,
  ): Promise<Channel | undefined> {
    if (hello.from === this.#book.me) return undefined
    const found = this.#parts.keys.packageFor(hello.welcome)
    if (found === undefined) {
      this.#parts.log("a first contact is for a key package that is not here, or not any more")
      return undefined
    }
    const joined = await joinFromWelcome(hello.welcome, found.pair)
    if (joined.kind === "ignored") {
      this.#parts.log(`a first contact was ignored: ${joined.code}`)
      return undefined
    }
    const isSound = hello.group === null ? this.#isPair(joined) : this.#isGroup(hello, joined)
    if (!isSound) return undefined
    const channel = await openChannel(joined.state, {
      peer: hello.from,
      theirName: hello.name,
      trusted: false,
      retired: this.#parts.isRetired?.(found.pair.public) ?? false,
      group: hello.group === null ? null : { people: new Map(), wishes: [] },
      behindFrom: this.#behindFrom(hello, id, height),
      renewedAtMs: this.#parts.clock.nowMs(),
    })
    if (peerLeafKey(channel) === undefined) return undefined
    step.ops.push(...found.used())
    return channel
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
      (before === undefined ||
        (before.group !== null && (before.retired || !isMember(before.state))))
    )
  }

  /** From above which height the order matters to a channel that was made somewhere else, and may have gone on since. */
  #behindFrom({ group }: Hello, id: Bytes | undefined, height: number): number | null {
    if (this.#parts.order === "arrival") return null
    const since = group?.since ?? (id && this.#parts.ledger?.orderedAt(id)) ?? height
    return Math.max(0, Math.min(since - 1, height))
  }
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
