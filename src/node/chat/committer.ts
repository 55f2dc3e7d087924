/**
 * Turns wishes into commits (DESIGN §10): one at a time in each group, made from the group as it is, held until the ledger has ordered
 * it. Whatever comes first in the order wins; if that was somebody else's, what is left to wish is committed again by itself. While a
 * commit of somebody else's is on its way ours waits for it, so that a crowd does not make a commit each for every epoch.
 */
import type { Channel } from "../../chat/channel.ts"
import { isBeingConfirmed } from "../../chat/confirmations.ts"
import { encodeAbout, groupIn } from "../../chat/group.ts"
import { canLeave, isGranted, plan, type Wish, wishing } from "../../chat/wishes.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import {
  changeGroup,
  isMember,
  SessionError,
  type Signing,
  signingOf,
  updateSelf,
} from "../../crypto/session.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Outbox } from "./outbox.ts"
import { keyPackageOf } from "./key-package.ts"
import type { MadeCommit } from "./own-commits.ts"
import { newLeafOf } from "./leaf-key.ts"
import type { ChatParts } from "./parts.ts"
import { KickedWork } from "../kicked-work.ts"

/** How long a commit of somebody else's is waited for: it may never be ordered. */
const PATIENCE_MS = 5_000
/** The same where it lies in a blob and some have confirmed it already. */
const FAR_PATIENCE_MS = 30_000
const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 10 * 60_000
/** A key package is looked up again after this long. */
const PACKAGE_FRESH_MS = 10 * 60_000
const NOTHING = new Uint8Array(0)

export interface CommitterEvents {
  /** Somebody else runs the group, or nobody is left: we can be gone. */
  canLeave(channel: Channel): Promise<void>
}

export class Committer {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #events: CommitterEvents
  readonly #work: KickedWork
  readonly #pauses = new Map<string, number>()
  /** Since when others' commits are waited for, by group and epoch. */
  readonly #waitingSince = new Map<string, { readonly epoch: number; readonly sinceMs: number }>()
  /** Whose key packages could not be used, and when that was. */
  readonly #refused = new Map<Address, number>()
  /** Key packages to add people with, by how the group signs and who it is. */
  readonly #packages = new Map<string, { readonly bytes: Bytes; readonly foundAtMs: number }>()

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox, events: CommitterEvents) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#events = events
    this.#work = new KickedWork({
      clock: parts.clock,
      run: (group) => this.#commit(group),
      onFailed: (group, error) => {
        parts.log(`changing a group failed: ${String(error)}`)
        this.#retryLater(group)
      },
    })
  }

  stop(): Promise<void> {
    return this.#work.stop()
  }

  /** Wishes for something, durably. Within a turn. */
  wish(step: Step, channel: Channel, ...wishes: readonly Wish[]): Channel {
    if (channel.group === null) return channel
    const group = { ...channel.group, wishes: wishes.reduce(wishing, channel.group.wishes) }
    const next = { ...channel, group }
    step.channels.set(toHex(channel.groupId), next)
    return next
  }

  /** Somebody may have appeared who has the cards that are missing. */
  retryNow(): void {
    this.#pauses.clear()
    for (const channel of this.#book.channels.values())
      if ((channel.group?.wishes.length ?? 0) > 0) this.kick(toHex(channel.groupId))
  }

  /** There may be something to commit in this group. */
  kick(group: string): void {
    this.#work.kick(group)
  }

  #retryLater(group: string): void {
    this.#work.kickLater(group, this.#nextPause(group))
  }

  #nextPause(group: string): number {
    const pause = this.#pauses.get(group) ?? FIRST_RETRY_MS
    this.#pauses.set(group, Math.min(2 * pause, LAST_RETRY_MS))
    return pause
  }

  async #commit(group: string): Promise<void> {
    const channel = await this.#book.turns.run(() => this.#tidied(group))
    const wishes = channel?.group?.wishes ?? []
    if (channel === undefined || wishes.length === 0) return
    const now = groupIn(channel.state)
    const alone = now?.members.length === 1
    if (
      now &&
      wishes.some(({ kind }) => kind === "leave") &&
      (alone || canLeave(now, this.#book.me))
    )
      return this.#events.canLeave(channel)
    // Ours is on its way; whatever becomes of it, we are called again.
    if (channel.held.some(({ own }) => own !== null)) return
    const waitMs = this.#waitFor(group, channel)
    if (waitMs > 0) {
      this.#work.kickLater(group, waitMs)
      return
    }
    const wanted = wishes.flatMap((wish) => (wish.kind === "add" ? [wish.who] : []))
    const isWhole = await this.#findAll(wanted, signingOf(channel.state))
    const made = await this.#outbox.commits.commit(group, (current) => this.#make(current))
    if (made) this.#pauses.delete(group)
    if (!isWhole) this.#retryLater(group)
  }

  /** The channel, if it is one to commit in, without the wishes that have come true. */
  async #tidied(group: string): Promise<Channel | undefined> {
    const channel = this.#book.channels.get(group)
    if (channel === undefined || channel.group === null || !channel.trusted) return undefined
    if (!isMember(channel.state) || channel.retired || channel.behindFrom !== null) return undefined
    const now = groupIn(channel.state)
    if (now === undefined || this.#book.threadOf(channel).standing !== "open") return undefined
    const wishes = channel.group.wishes.filter((wish) => !isGranted(now, this.#book.me, wish))
    if (wishes.length === channel.group.wishes.length) return channel
    const step = new Step()
    const next = { ...channel, group: { ...channel.group, wishes } }
    step.channels.set(group, next)
    await this.#book.commit(step)
    return next
  }

  /** How long to wait for what others have committed in this epoch, in ms. */
  #waitFor(group: string, channel: Channel): number {
    const epoch = channel.epochs[0]?.epoch ?? 0
    const nowMs = this.#parts.clock.nowMs()
    if (channel.held.length === 0) {
      this.#waitingSince.delete(group)
      return 0
    }
    const known = this.#waitingSince.get(group)
    const since = known?.epoch === epoch ? known : { epoch, sinceMs: nowMs }
    this.#waitingSince.set(group, since)
    const isNear = isBeingConfirmed(channel)
    return since.sinceMs + (isNear ? FAR_PATIENCE_MS : PATIENCE_MS) - nowMs
  }

  /** Whether the key packages of all of them are at hand. */
  async #findAll(wanted: readonly Address[], signing: Signing): Promise<boolean> {
    const nowMs = this.#parts.clock.nowMs()
    const missing = wanted.filter((who) => {
      const known = this.#packages.get(nameOf(who, signing))
      return known === undefined || known.foundAtMs + PACKAGE_FRESH_MS < nowMs
    })
    const found = await Promise.all(missing.map((who) => this.#find(who, signing)))
    return found.every((isFound) => isFound)
  }

  async #find(who: Address, signing: Signing): Promise<boolean> {
    try {
      const { signal } = this.#work
      const card = await this.#parts.findCard(who, signal)
      if (card?.address !== who) return false
      const bytes = await this.#parts.findKeyPackage(card, signing, signal)
      const nowMs = this.#parts.clock.nowMs()
      const theirs = bytes && (await keyPackageOf(card, bytes, Math.floor(nowMs / 1000)))
      if (signing === "composite") this.#book.noteKey(who, theirs !== undefined)
      if (bytes === undefined || theirs === undefined) return false
      this.#packages.set(nameOf(who, signing), { bytes, foundAtMs: nowMs })
      return true
    } catch (error) {
      if (!this.#work.signal.aborted)
        this.#parts.log(`looking for a key package failed: ${String(error)}`)
      return false
    }
  }

  #isReady(who: Address, signing: Signing): boolean {
    const refusedAtMs = this.#refused.get(who) ?? Number.NEGATIVE_INFINITY
    return (
      this.#packages.has(nameOf(who, signing)) &&
      refusedAtMs + PACKAGE_FRESH_MS < this.#parts.clock.nowMs()
    )
  }

  /** The next commit of this group, if it needs one. */
  async #make(channel: Channel): Promise<MadeCommit | undefined> {
    const now = groupIn(channel.state)
    const wishes = channel.group?.wishes ?? []
    const signing = signingOf(channel.state)
    const next = now && plan(now, this.#book.me, wishes, (who) => this.#isReady(who, signing))
    if (next === undefined) return undefined
    const { add, readmit, remove, about } = next
    const hasNewLeaf = newLeafOf(channel, this.#parts) !== undefined
    // Such a commit makes new keys, but not under the leaf key that our card names by now.
    const grants = next.grants.filter(({ kind }) => next.renew || kind !== "renew" || !hasNewLeaf)
    if (next.renew) {
      const { commit, next: state } = await updateSelf(
        channel.state,
        newLeafOf(channel, this.#parts),
      )
      const shared = { madeAtMs: this.#parts.clock.nowMs(), grants, renews: true }
      return { commit, own: { ...shared, next: state, welcome: NOTHING, invited: [] } }
    }
    const keyPackages = add.flatMap((who) => this.#packages.get(nameOf(who, signing))?.bytes ?? [])
    const changes = {
      add: [...keyPackages, ...readmit.map(({ keyPackage }) => keyPackage)],
      remove,
      ...(about === undefined ? {} : { about: encodeAbout(about) }),
    }
    const nowSeconds = Math.floor(this.#parts.clock.nowMs() / 1000)
    const made = await changeGroup(channel.state, changes, nowSeconds).catch((error: unknown) => {
      if (!(error instanceof SessionError)) throw error
      this.#parts.log(`nobody was let in: ${error.code}`)
      return undefined
    })
    // What cannot be done for somebody must not stand in the way of everything else.
    if (made === undefined) return this.#without(channel, add, readmit)
    // One that was handed out once is not used again.
    for (const who of add) this.#packages.delete(nameOf(who, signing))
    const own = {
      next: made.next,
      welcome: made.welcome ?? NOTHING,
      invited: [...add, ...readmit.map(({ who }) => who)],
      grants,
      renews: remove.length > 0,
      madeAtMs: this.#parts.clock.nowMs(),
    }
    return { commit: made.commit, own }
  }

  async #without(
    channel: Channel,
    refused: readonly Address[],
    gone: readonly Wish[],
  ): Promise<undefined> {
    if (channel.group === null) return
    for (const who of refused) {
      this.#packages.delete(nameOf(who, signingOf(channel.state)))
      this.#refused.set(who, this.#parts.clock.nowMs())
    }
    const wishes = channel.group.wishes.filter((wish) => !gone.includes(wish))
    const step = new Step()
    const group = toHex(channel.groupId)
    step.channels.set(group, { ...channel, group: { ...channel.group, wishes } })
    await this.#book.commit(step)
    this.kick(group)
  }
}

const nameOf = (who: Address, signing: Signing): string => `${signing} ${who}`
