/**
 * How two people come to share a channel. We write first: find their card, make a group of two with their key package, send the Welcome
 * in intro envelopes. They write first: find the card of whom they claim to be, and believe the group only if its leaf key is the card's.
 * A card that nobody has yet is asked for again, more and more seldom, until it is found or the contact is gone.
 */
import { type Channel, openChannel, peerLeafKey } from "../../chat/channel.ts"
import {
  type ChatContact,
  CONTACTS_MAX,
  freeName,
  introduced as introducedContact,
  named,
} from "../../chat/contact.ts"
import type { ChatThread } from "../../chat/thread.ts"
import { pairGroupId } from "../../chat/group-id.ts"
import { withClaim } from "../../chat/names.ts"
import { encodeHello } from "../../chat/hello.ts"
import { type Address, addressBytes } from "../../crypto/address.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { type Card, isLeafOf, vouchesFor } from "../../crypto/card.ts"
import { INTRO_PLAINTEXT_BYTES, sealIntro } from "../../crypto/envelope.ts"
import { cut, INTRO_FRAGMENTS_MAX } from "../../crypto/fragment.ts"
import { leafSeed } from "../../crypto/identity.ts"
import { addMembers, createGroup, ownLeaf, signingOf } from "../../crypto/session.ts"
import { type ChatBook, Step } from "./book.ts"
import { CardSearches } from "./card-search.ts"
import { keyPackageOf } from "./key-package.ts"
import { lackedAbove } from "./beside.ts"
import { newLeafOf } from "./leaf-key.ts"
import type { Outbox } from "./outbox.ts"
import type { ChatParts } from "./parts.ts"

/** Channels kept with one person; one more, and the oldest is dropped. More than two there are only when somebody starts over. */
export const CHANNELS_PER_PEER_MAX = 8
/** People who wrote first and were neither accepted nor removed; whoever comes after them is not let in. */
export const REQUESTS_MAX = 1_000
/** Cards looked at that do not name a peer's new key before it is taken for somebody else's: some eight minutes. */
const VOUCH_TRIES = 8
/** The same for a stranger's key. */
const JUDGE_TRIES = 2
const withCard = (contact: ChatContact, card: Card): ChatContact => {
  const { sequence, hash, leaf, compositeLeaf } = card
  return { ...contact, card: { sequence, hash, leaf, compositeLeaf } }
}

/** Whoever signs with composite signatures once is not taken for themselves with less. */
const signingAs = (contact: ChatContact, { state }: Channel): ChatContact =>
  signingOf(state) === "composite" ? { ...contact, signing: "composite" } : contact

export interface IntroductionEvents {
  /** Envelopes may have come under these tags before they were expected. */
  expectNow(tags: readonly Bytes[]): Promise<void>
  /** A group's inviter is who they say. Adds to the step what is shown of it. */
  groupEntered(step: Step, channel: Channel): void
  groupJoined(channel: Channel): void
  /** A channel was made somewhere else, and what was ordered since matters to it. */
  fellBehind(): void
}

export class Introductions {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #events: IntroductionEvents
  readonly #stopping = new AbortController()
  readonly #searches: CardSearches

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox, events: IntroductionEvents) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#events = events
    this.#searches = new CardSearches(parts, book, this.#stopping.signal)
  }

  start(): void {
    // Accepted and nothing to write into: the channels came out of a backup.
    for (const { standing, address } of this.#book.contacts.values())
      if (standing === "pending" || standing === "accepted") this.reachOut(address)
    for (const channel of this.#book.channels.values()) {
      if (!channel.trusted) this.verify(channel)
      else if (channel.group === null) {
        // A crash may have come before it was asked for.
        const hasLeft = channel.epochs.some(({ unsent }) => unsent > 0)
        if (!hasLeft && this.#isOpen(channel)) this.#askFor(this.#book.threadWith(channel.peer))
        this.join(channel)
        this.#vouch(channel)
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#searches.stop()
  }

  #isOver(): boolean {
    return this.#stopping.signal.aborted
  }

  /** Peers changed: searches that pause go on at once. */
  retryNow(): void {
    this.#searches.awaken()
  }

  /** We added them: makes the channel once their card is found. */
  reachOut(peer: Address): void {
    if (this.#book.sendingChannel(peer) !== undefined) return
    this.#searches.begin(`out ${peer}`, peer, {
      wanted: () => {
        const contact = this.#book.contacts.get(peer)
        const open = contact?.standing === "pending" || contact?.standing === "accepted"
        return open && contact.claims === null && this.#book.sendingChannel(peer) === undefined
      },
      found: (card) => this.#invite(card),
    })
  }

  /** They wrote: believes them once their card vouches for the leaf key. */
  verify(channel: Channel): void {
    const group = toHex(channel.groupId)
    let tries = 0
    this.#searches.begin(`in ${group}`, channel.peer, {
      wanted: () => this.#book.channels.get(group)?.trusted === false,
      found: async (card) => {
        const channel = this.#book.channels.get(group)
        const key = channel && peerLeafKey(channel)
        // The first card may be one of some minutes ago, and they have rotated since.
        if (key !== undefined && !vouchesFor(card, key) && ++tries < JUDGE_TRIES) return false
        await this.#judge(group, card)
        return true
      },
      inTurn: true,
    })
  }

  async #invite(card: Card): Promise<boolean> {
    const made = await this.#groupWith(card)
    if (made === undefined) return false
    const { channel, envelopes } = made
    const thread = this.#book.threadWith(card.address)
    this.#askFor(thread)
    const isOver = this.#hasWeaker(channel)
    await this.#outbox.posting.sendSealed(thread, envelopes, (step) => {
      // As they are by then: admission takes a while, in which texts are said and contacts change.
      const now = this.#book.threadWith(card.address)
      step.channels.set(toHex(channel.groupId), channel)
      step.threads.set(toHex(now.id), now)
      const contact = this.#book.contacts.get(card.address)
      if (contact === undefined) return
      const standing = contact.standing === "pending" ? "accepted" : contact.standing
      step.contacts.set(card.address, withCard({ ...contact, standing }, card))
    })
    this.#outbox.kick(thread)
    if (isOver) await this.#outbox.again.unconfirmed(thread)
    return true
  }

  /** We go on from a backup: what they have said since, and we have no keys of, they can say again. */
  #askFor({ id, peer }: ChatThread): void {
    const above = lackedAbove(this.#book, peer, this.#parts.restoredAt?.() ?? 0)
    if (above !== undefined) this.#outbox.beside.lack(toHex(id), above)
  }

  /** Whether the two begin to sign with more by this channel: what is on its way in the others may not be taken any more. */
  #hasWeaker({ state, peer }: Channel): boolean {
    const others = this.#book.channelsWith(peer).map((channel) => signingOf(channel.state))
    const isFirst = !others.includes("composite")
    return signingOf(state) === "composite" && isFirst && others.length > 0
  }

  /** A group of the two of us. The first commit needs no order: nobody else is in the group to make another. */
  async #groupWith(card: Card): Promise<{ channel: Channel; envelopes: Bytes[] } | undefined> {
    const { me, identity, meshId, clock } = this.#parts
    const nowSeconds = Math.floor(clock.nowMs() / 1000)
    const signing = this.#book.contacts.get(card.address)?.signing ?? "ed25519"
    const signatureSeed = leafSeed(identity, signing)
    const theirPackage = await this.#parts.findKeyPackage(card, signing, this.#stopping.signal)
    const isTheirs = theirPackage && (await keyPackageOf(card, theirPackage, nowSeconds))
    if (signing === "composite") this.#book.noteKey(card.address, isTheirs !== undefined)
    if (!isTheirs || signatureSeed === undefined) {
      this.#parts.log("no key package was found that is its owner's and good today")
      return undefined
    }
    const own = { identity: addressBytes(me), signatureSeed }
    const others = this.#book.channelsWith(card.address).map((channel) => channel.groupId)
    const groupId = pairGroupId(clock.nowMs(), others)
    const group = await createGroup({ groupId, ...own })
    const { next, welcome } = await addMembers(group, [theirPackage], nowSeconds)
    const renewedAtMs = clock.nowMs()
    const about = { peer: card.address, theirName: "", trusted: true, renewedAtMs }
    const hello = encodeHello({ from: me, name: identity.name, welcome, group: null })
    const plaintexts = cut(hello, INTRO_PLAINTEXT_BYTES, INTRO_FRAGMENTS_MAX)
    return {
      channel: await openChannel(next, about),
      envelopes: plaintexts.map((plaintext) => sealIntro(meshId, card.intro, plaintext)),
    }
  }

  async #judge(group: string, card: Card): Promise<void> {
    const before = this.#book.contacts.get(card.address)?.signing
    const fresh = await this.#book.turns.run(() => this.#settle(group, card))
    if (fresh === undefined) return
    await this.#events.expectNow(fresh)
    const channel = this.#book.channels.get(group)
    if (channel === undefined) return
    if (channel.group !== null) this.#events.groupJoined(channel)
    else if (channel.retired) this.reachOut(channel.peer)
    else this.join(channel)
    if (channel.behindFrom !== null) this.#events.fellBehind()
    const now = this.#book.contacts.get(card.address)
    // They chose so, and take nothing less from us any more.
    if (before === "ed25519" && now?.signing === "composite" && now.standing === "accepted")
      await this.#outbox.again.unconfirmed(this.#book.threadWith(card.address))
  }

  async #settle(group: string, card: Card): Promise<Bytes[] | undefined> {
    const channel = this.#book.channels.get(group)
    if (channel === undefined || channel.trusted) return undefined
    const step = new Step()
    const key = peerLeafKey(channel)
    const before = this.#book.contacts.get(channel.peer)
    const isTheirs = key !== undefined && vouchesFor(card, key)
    // Less than what was agreed on is not taken, however it came about.
    const isLess = before?.signing === "composite" && signingOf(channel.state) !== "composite"
    const sound = isTheirs && (channel.group !== null || !isLess)
    if (channel.group !== null) return this.#settleGroup(group, channel, sound)
    if (!sound || (before === undefined && this.#isFull())) {
      // Somebody said they were someone else, or there is no room: nothing of it is kept.
      step.channels.set(group, null)
      await this.#book.commit(step)
      return undefined
    }
    step.channels.set(group, { ...channel, trusted: true })
    for (const oldest of this.#surplusWith(channel.peer)) step.channels.set(oldest, null)
    // Of who is blocked only the channel is kept: they write into it for good, also once they are let in again.
    if (before?.standing === "blocked") {
      step.contacts.set(channel.peer, signingAs(before, channel))
      return this.#book.commit(step, { sync: true })
    }
    const contact = introducedContact(before, channel.peer, channel.theirName)
    const called = this.#petnamed(before, contact)
    const others = this.#book.contacts.values()
    const claimed = withClaim(before, called, channel.theirName, others)
    step.contacts.set(channel.peer, signingAs(withCard(claimed, card), channel))
    const thread = this.#book.threadWith(channel.peer)
    step.threads.set(toHex(thread.id), thread)
    return this.#book.commit(step, { sync: true })
  }

  /** Into a group nobody lets us whom we blocked, and no more strangers than there is room for. */
  async #settleGroup(
    group: string,
    channel: Channel,
    sound: boolean,
  ): Promise<Bytes[] | undefined> {
    const step = new Step()
    const standing = this.#book.contacts.get(channel.peer)?.standing
    const unwanted = standing === "blocked" || (standing !== "accepted" && this.#isFullOfGroups())
    if (!sound || unwanted) {
      step.channels.set(group, null)
      await this.#book.commit(step)
      return undefined
    }
    const trusted = { ...channel, trusted: true }
    step.channels.set(group, trusted)
    this.#events.groupEntered(step, trusted)
    return this.#book.commit(step, { sync: true })
  }

  #isFullOfGroups(): boolean {
    const threads = Array.from(this.#book.threads.values())
    return threads.filter(({ standing }) => standing === "request").length >= REQUESTS_MAX
  }

  /** No room for another stranger. */
  #isFull(): boolean {
    const { contacts } = this.#book
    const requests = Array.from(contacts.values()).filter(({ standing }) => standing === "request")
    return requests.length >= REQUESTS_MAX || contacts.size >= CONTACTS_MAX
  }

  /** Channels that have to go for one more with this person to be kept. */
  #surplusWith(peer: Address): string[] {
    const trusted = this.#book.channelsWith(peer).filter((channel) => channel.trusted)
    const newestFirst = trusted.map(({ groupId }) => toHex(groupId)).sort()
    return newestFirst.slice(CHANNELS_PER_PEER_MAX - 1)
  }

  #petnamed(before: ChatContact | undefined, contact: ChatContact): ChatContact {
    const taken = this.#book.namesBut(contact.address)
    if (before === undefined) return { ...contact, name: freeName(contact.name, taken) }
    return named(contact, contact.theirName ?? "", taken)
  }

  /** The own leaf key is another one: every thread takes it on. */
  keysChanged(): void {
    for (const channel of this.#book.channels.values())
      if (channel.group === null && this.#isOpen(channel)) this.#renewKeys(channel)
  }

  /** Keys in this channel may be others now, the peer's or our own. */
  advanced(channel: Channel): void {
    if (!channel.trusted) return
    if (this.#isOpen(channel)) this.#renewKeys(channel)
    this.#vouch(channel)
  }

  /**
   * Another leaf key than the one that was looked up: a rotation, which their new card names, or somebody who has stolen their state of
   * this thread and goes on in it. Reading goes on meanwhile, since the key before has signed for this one. When no card of theirs
   * comes to name it the channel ends, and another is made with the keys of the card.
   */
  #vouch({ groupId, peer }: Channel): void {
    const group = toHex(groupId)
    let tries = 0
    this.#searches.begin(`vouch ${group}`, peer, {
      wanted: () => this.#isUnvouched(group),
      found: (card) => this.#keepOrEnd(group, card, ++tries),
    })
  }

  #isUnvouched(group: string): boolean {
    const channel = this.#book.channels.get(group)
    const contact = channel && this.#book.contacts.get(channel.peer)
    const key = channel && peerLeafKey(channel)
    if (channel?.trusted !== true || key === undefined) return false
    return contact?.standing === "accepted" && !(contact.card && isLeafOf(contact.card, key))
  }

  async #keepOrEnd(group: string, card: Card, tries: number): Promise<boolean> {
    const isDone = await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      const contact = this.#book.contacts.get(card.address)
      const key = channel && peerLeafKey(channel)
      if (channel === undefined || contact === undefined || key === undefined) return true
      const isTheirs = vouchesFor(card, key)
      if (!isTheirs && tries < VOUCH_TRIES) return false
      const step = new Step()
      step.contacts.set(card.address, withCard(contact, card))
      if (!isTheirs) step.channels.set(group, null)
      await this.#book.commit(step, { sync: true })
      if (!isTheirs) this.#parts.log("a thread has ended: no card names the key its peer took")
      return true
    })
    if (isDone && this.#book.sendingChannel(card.address) === undefined) this.reachOut(card.address)
    return isDone
  }

  /** Once someone we were invited by is accepted: leaves the key package behind (post-compromise), and writes. */
  join(channel: Channel): void {
    if (!this.#isOpen(channel)) return
    const thread = this.#book.threadWith(channel.peer)
    const invited = ownLeaf(channel.state) !== 0
    const untouched = invited && channel.epochs.length === 1
    // Once more when nothing left since the update: a crash may have destroyed the first greeting.
    if (untouched || (invited && channel.epochs[0]?.unsent === 0))
      this.#outbox.beside.greet(toHex(thread.id))
    this.#outbox.kick(thread)
    this.#renewKeys(channel)
  }

  /** Whether we take part in this channel. */
  #isOpen({ peer, trusted, retired }: Channel): boolean {
    const contact = this.#book.contacts.get(peer)
    return contact?.standing === "accepted" && contact.claims === null && trusted && !retired
  }

  /** Commits keys of our own where those of a key package or of a former card still stand. */
  #renewKeys(channel: Channel): void {
    if (this.#hasOldKeys(channel)) void this.#update(channel, (now) => this.#hasOldKeys(now))
  }

  #hasOldKeys(channel: Channel): boolean {
    const untouched = ownLeaf(channel.state) !== 0 && channel.epochs.length === 1
    return untouched || newLeafOf(channel, this.#parts) !== undefined
  }

  /** Commits keys of our own because it is time to, if we take part in this channel and `may` still holds of it then. */
  async renew(group: string, may: (channel: Channel) => boolean): Promise<void> {
    const channel = this.#book.channels.get(group)
    if (channel !== undefined && this.#isOpen(channel)) await this.#update(channel, may)
  }

  async #update({ groupId }: Channel, may: (channel: Channel) => boolean): Promise<void> {
    try {
      await this.#outbox.commits.update(toHex(groupId), may)
    } catch (error) {
      if (!this.#isOver()) this.#parts.log(`key update failed: ${String(error)}`)
    }
  }
}
