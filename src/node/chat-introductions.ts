/**
 * How two people come to share a channel. We write first: find their card, make a group of two with their key package, send the Welcome
 * in intro envelopes. They write first: find the card of whom they claim to be, and believe the group only if its leaf key is the card's.
 * A card that nobody has yet is asked for again, more and more seldom, until it is found or the contact is gone.
 */
import { type Channel, openChannel, peerLeafKey } from "../chat/channel.ts"
import {
  type ChatContact,
  freeName,
  introduced as introducedContact,
  named,
} from "../chat/contact.ts"
import { encodeHello } from "../chat/hello.ts"
import { type Address, addressBytes } from "../crypto/address.ts"
import { type Bytes, equal, toHex } from "../crypto/bytes.ts"
import type { Card } from "../crypto/card.ts"
import { INTRO_PLAINTEXT_BYTES, sealIntro } from "../crypto/envelope.ts"
import { cut } from "../crypto/fragment.ts"
import { primitives } from "#primitives"
import { addMembers, createGroup, inspectKeyPackage, ownLeaf } from "../crypto/session.ts"
import { type ChatBook, Step } from "./chat-book.ts"
import type { Outbox } from "./chat-outbox.ts"
import type { ChatParts } from "./chat-parts.ts"

const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 10 * 60_000
const GROUP_ID_BYTES = 16

export class Introductions {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #expectNow: (tags: readonly Bytes[]) => Promise<void>
  readonly #stopping = new AbortController()
  readonly #searches = new Map<string, Promise<void>>()
  /** Ends the pauses between two searches: somebody new may have the card. */
  readonly #wake = new Set<() => void>()

  constructor(
    parts: ChatParts,
    book: ChatBook,
    outbox: Outbox,
    expectNow: (tags: readonly Bytes[]) => Promise<void>,
  ) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#expectNow = expectNow
  }

  start(): void {
    for (const contact of this.#book.contacts.values())
      if (contact.standing === "pending") this.reachOut(contact.address)
    for (const channel of this.#book.channels.values()) {
      if (channel.trusted) this.join(channel)
      else this.verify(channel)
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#awaken()
    await Promise.allSettled(this.#searches.values())
  }

  #isOver(): boolean {
    return this.#stopping.signal.aborted
  }

  /** Peers changed: searches that pause go on at once. */
  retryNow(): void {
    this.#awaken()
  }

  #awaken(): void {
    for (const wake of [...this.#wake]) wake()
  }

  /** We added them: makes the channel once their card is found. */
  reachOut(peer: Address): void {
    this.#search(`out ${peer}`, peer, {
      wanted: () => {
        const standing = this.#book.contacts.get(peer)?.standing
        const open = standing === "pending" || standing === "accepted"
        return open && this.#book.sendingChannel(peer) === undefined
      },
      found: (card) => this.#invite(card),
    })
  }

  /** They wrote: believes them once their card vouches for the leaf key. */
  verify(channel: Channel): void {
    const group = toHex(channel.groupId)
    this.#search(`in ${group}`, channel.peer, {
      wanted: () => this.#book.channels.get(group)?.trusted === false,
      found: (card) => this.#judge(group, card),
    })
  }

  #search(
    name: string,
    peer: Address,
    what: { wanted: () => boolean; found: (card: Card) => Promise<void> },
  ): void {
    if (this.#searches.has(name) || this.#isOver()) return
    const search = this.#searchOn(peer, what).finally(() => this.#searches.delete(name))
    this.#searches.set(name, search)
  }

  async #searchOn(
    peer: Address,
    { wanted, found }: { wanted: () => boolean; found: (card: Card) => Promise<void> },
  ): Promise<void> {
    let pauseMs = FIRST_RETRY_MS
    while (wanted() && !this.#isOver()) {
      try {
        const card = await this.#parts.findCard(peer, this.#stopping.signal)
        if (card !== undefined && wanted()) {
          await found(card)
          return
        }
      } catch (error) {
        if (this.#isOver()) return
        this.#parts.log(`looking for a card failed: ${String(error)}`)
      }
      await this.#pause(pauseMs)
      pauseMs = Math.min(2 * pauseMs, LAST_RETRY_MS)
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isOver()) return
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const wake = () => resolve(undefined)
    const cancel = this.#parts.clock.after(ms, wake)
    this.#wake.add(wake)
    await promise
    this.#wake.delete(wake)
    cancel()
  }

  async #invite(card: Card): Promise<void> {
    const made = await this.#groupWith(card)
    if (made === undefined) return
    const { channel, envelopes } = made
    const thread = this.#book.threadWith(card.address)
    const step = new Step()
    step.channels.set(toHex(channel.groupId), channel)
    step.threads.set(toHex(thread.id), thread)
    const contact = this.#book.contacts.get(card.address)
    if (contact?.standing === "pending")
      step.contacts.set(card.address, { ...contact, standing: "accepted" })
    await this.#outbox.sendSealed(thread, envelopes, step)
    this.#outbox.kick(thread)
  }

  /** A group of the two of us. The first commit needs no order: nobody else is in the group to make another. */
  async #groupWith(card: Card): Promise<{ channel: Channel; envelopes: Bytes[] } | undefined> {
    const { me, identity, meshId, clock } = this.#parts
    const nowSeconds = Math.floor(clock.nowMs() / 1000)
    const verdict = await inspectKeyPackage(card.lastResort, nowSeconds)
    const theirs =
      verdict.verdict === "accept" &&
      equal(verdict.signatureKey, card.leaf) &&
      equal(verdict.identity, addressBytes(card.address))
    if (!theirs) {
      this.#parts.log("a card names a key package that is not its owner's or has expired")
      return undefined
    }
    const own = { identity: addressBytes(me), signatureSeed: identity.leaf }
    const group = await createGroup({ groupId: primitives.randomBytes(GROUP_ID_BYTES), ...own })
    const { next, welcome } = await addMembers(group, [card.lastResort], nowSeconds)
    const about = { peer: card.address, theirName: "", trusted: true }
    const hello = encodeHello({ from: me, name: identity.name, welcome })
    const plaintexts = cut(hello, INTRO_PLAINTEXT_BYTES)
    return {
      channel: await openChannel(next, about),
      envelopes: plaintexts.map((plaintext) => sealIntro(meshId, card.intro, plaintext)),
    }
  }

  async #judge(group: string, card: Card): Promise<void> {
    const fresh = await this.#book.turns.run(() => this.#settle(group, card))
    if (fresh === undefined) return
    await this.#expectNow(fresh)
    const channel = this.#book.channels.get(group)
    if (channel !== undefined) this.join(channel)
  }

  async #settle(group: string, card: Card): Promise<Bytes[] | undefined> {
    const channel = this.#book.channels.get(group)
    if (channel === undefined || channel.trusted) return undefined
    const step = new Step()
    const key = peerLeafKey(channel)
    const before = this.#book.contacts.get(channel.peer)
    if (key === undefined || !equal(key, card.leaf) || before?.standing === "blocked") {
      // Somebody said they were someone else, or is not wanted here: nothing of it is kept.
      step.channels.set(group, null)
      await this.#book.commit(step)
      return undefined
    }
    step.channels.set(group, { ...channel, trusted: true })
    const contact = introducedContact(before, channel.peer, channel.theirName)
    step.contacts.set(channel.peer, this.#petnamed(before, contact))
    const thread = this.#book.threadWith(channel.peer)
    step.threads.set(toHex(thread.id), thread)
    return this.#book.commit(step, { sync: true })
  }

  #petnamed(before: ChatContact | undefined, contact: ChatContact): ChatContact {
    const taken = this.#book.namesBut(contact.address)
    if (before === undefined) return { ...contact, name: freeName(contact.name, taken) }
    return named(contact, contact.theirName ?? "", taken)
  }

  /** Once someone we were invited by is accepted: leaves the key package behind (post-compromise), and writes. */
  join(channel: Channel): void {
    const contact = this.#book.contacts.get(channel.peer)
    if (contact?.standing !== "accepted" || !channel.trusted) return
    const thread = this.#book.threadWith(channel.peer)
    const untouched = channel.epochs.length === 1 && ownLeaf(channel.state) !== 0
    if (untouched) this.#outbox.greet(thread)
    this.#outbox.kick(thread)
    if (untouched)
      this.#outbox
        .update(toHex(channel.groupId), thread)
        .catch((error: unknown) => this.#parts.log(`key update failed: ${String(error)}`))
  }
}
