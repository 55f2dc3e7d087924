/**
 * Entering a group anew: what lets us in takes the place of what we had of it, once the order has been followed up to there. So everything
 * said before is still read with the old keys, those of its last epochs afterwards as well. Nothing is written with them any more.
 */
import { type Channel, EPOCHS_KEPT, type GroupPart, openChannel } from "../../chat/channel.ts"
import { groupIn, memberIn } from "../../chat/group.ts"
import { decodeHello, type Hello } from "../../chat/hello.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { assert } from "../../crypto/errors.ts"
import { vouchesFor } from "../../crypto/card.ts"
import {
  epochOf,
  isMember,
  type Joined,
  joinFromWelcome,
  rememberEpochs,
} from "../../crypto/session.ts"
import { type ChatBook, Step } from "./book.ts"
import { behindFrom, isAgain, packageFor } from "./first-contact.ts"
import { noticeMissed } from "./notices.ts"
import type { Outbox } from "./outbox.ts"
import type { ChatParts } from "./parts.ts"

const RETRY_MS = 5_000
const NOTHING = new Uint8Array(0)

export interface ReentryEvents {
  /** We are in anew, by one who runs the group and not because we asked: adds to the step what is shown of it. Within a turn. */
  entered(step: Step, channel: Channel): void
  /** After `entered` or a return was written. */
  joined(channel: Channel): void
  /** Envelopes may have come under these tags before they were expected. */
  expectNow(tags: readonly Bytes[]): Promise<void>
  fellBehind(): void
  /** Up to where the order has been followed. */
  height(): number
}

export class Reentry {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #events: ReentryEvents
  readonly #stopping = new AbortController()

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox, events: ReentryEvents) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#events = events
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Enters the group anew, if what lets us in counts by now. Returns after how many ms to try again, if that is worth it. */
  async enter(group: string): Promise<number | undefined> {
    const channel = this.#book.channels.get(group)
    const payload = channel?.group?.way.hello ?? NOTHING
    if (channel === undefined || payload.length === 0) return undefined
    const hello = decodeHello(payload)
    if ((hello.group?.since ?? 0) > this.#events.height()) return undefined
    const isTheirs = await this.#isInviter(channel, hello)
    if (isTheirs === undefined) return RETRY_MS
    const fresh = await this.#book.turns.run(() => this.#goOver(group, hello, payload, isTheirs))
    if (fresh === undefined) return undefined
    await this.#events.expectNow(fresh)
    const entered = this.#book.channels.get(group)
    if (entered === undefined) return undefined
    this.#events.joined(entered)
    if (entered.behindFrom !== null) this.#events.fellBehind()
    return undefined
  }

  /** Whether whoever let us in is who they say, by the key that we know them by or by their card; `undefined` while nobody knows. */
  async #isInviter(channel: Channel, hello: Hello): Promise<boolean | undefined> {
    const joined = await this.#joinedBy(hello)
    if (joined === undefined) return false
    const before = groupIn(channel.state)
    const known = before && memberIn(before, hello.from)
    if (known !== undefined && equal(known.key, joined.inviter.signatureKey)) return true
    const card = await this.#parts.findCard(hello.from, this.#stopping.signal, true)
    return card?.address === hello.from ? vouchesFor(card, joined.inviter.signatureKey) : undefined
  }

  async #joinedBy(hello: Hello): Promise<Extract<Joined, { kind: "joined" }> | undefined> {
    const found = packageFor(this.#parts, this.#book, hello.welcome)
    const joined = found && (await joinFromWelcome(hello.welcome, found.pair))
    return joined?.kind === "joined" ? joined : undefined
  }

  /** From what we had to what we were given. Returns the tags expected from now on. Within a turn. */
  async #goOver(
    group: string,
    hello: Hello,
    payload: Bytes,
    isTheirs: boolean,
  ): Promise<readonly Bytes[] | undefined> {
    const before = this.#book.channels.get(group)
    const part = before?.group ?? null
    if (before === undefined || part === null || !equal(part.way.hello, payload)) return undefined
    const found = packageFor(this.#parts, this.#book, hello.welcome)
    const joined = await this.#joinedBy(hello)
    const isDue = isTheirs && found && joined && isAgain(this.#book, hello, joined, found.returnTo)
    // Nobody who runs the group has taken us out: it goes on as we know it.
    const isOut = before.retired || !isMember(before.state) || found?.returnTo !== undefined
    if (!isDue || !isOut) {
      const step = new Step()
      const way = { ...part.way, hello: NOTHING }
      step.channels.set(group, { ...before, group: { ...part, way } })
      await this.#book.commit(step)
      return undefined
    }
    const next = await this.#entered(before, part, joined, hello)
    const step = new Step()
    step.channels.set(group, next)
    step.ops.push(...found.used())
    if (found.returnTo === undefined) this.#events.entered(step, next)
    else this.#shown(step, next)
    if (epochOf(next.state) - epochOf(before.state) > 1n)
      await noticeMissed(this.#parts, this.#book, step, { channel: next, hello })
    const epoch = Number(epochOf(next.state))
    const since = hello.group?.since ?? 0
    const after = await this.#outbox.again.epochsForgotten(step, next, epoch, since)
    // Not one of the tags stays, not even where an epoch's number does.
    this.#book.tags.forget(group)
    try {
      const fresh = await this.#book.commit(step, { sync: true })
      after()
      return fresh
    } catch (error) {
      this.#book.tags.follow(before)
      throw error
    }
  }

  async #entered(
    before: Channel,
    part: GroupPart,
    joined: Extract<Joined, { kind: "joined" }>,
    hello: Hello,
  ): Promise<Channel> {
    const isLater = epochOf(joined.state) > epochOf(before.state)
    const state = isLater ? rememberEpochs(joined.state, before.state) : joined.state
    const now = groupIn(joined.state)
    const returned = (now && memberIn(now, this.#book.me)?.returned) ?? 0
    const way = {
      // Somebody may let us in anew once more, by one that was given to them later.
      packages: part.way.packages.filter(({ number }) => number > returned),
      returned: Math.max(part.way.returned, returned),
      hello: NOTHING,
    }
    const wishes = before.retired ? [] : part.wishes.filter(({ kind }) => kind !== "return")
    const opened = await openChannel(state, {
      peer: hello.from,
      theirName: hello.name,
      trusted: true,
      group: { people: part.people, wishes, way, leaving: [] },
      behindFrom: behindFrom(this.#parts, hello, NOTHING, this.#events.height()),
      renewedAtMs: this.#parts.clock.nowMs(),
    })
    const past = isLater ? before.epochs : []
    // The epochs before it ended there.
    const began = { height: hello.group?.since ?? 0, index: 0 }
    const [current, ...none] = opened.epochs.map((epoch) => ({ ...epoch, began }))
    assert(current !== undefined && none.length === 0, "a new channel has one epoch")
    return { ...opened, epochs: [current, ...past].slice(0, EPOCHS_KEPT) }
  }

  #shown(step: Step, channel: Channel): void {
    const thread = this.#book.threadOf(channel)
    const name = groupIn(channel.state)?.about.name ?? thread.name
    step.threads.set(toHex(thread.id), { ...thread, name, standing: "open" })
  }
}
