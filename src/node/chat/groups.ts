/**
 * Groups as people ask for them: found one, add and remove, name it, run it, leave it. What is asked for becomes a wish that is kept
 * until the group is so (committer.ts); what the ledger has ordered shows here in threads, names and invitations. A group needs a
 * ledger: without one two people could change it at once, and it would fall apart for good.
 */
import { primitives } from "#primitives"
import type { Channel } from "../../chat/channel.ts"
import { isAwaited, type Settled } from "../../chat/commits.ts"
import type { Place } from "../../chat/held.ts"
import type { Content } from "../../chat/content.ts"
import {
  ADMINS_MAX,
  adminsOf,
  type Group,
  GROUP_MEMBERS_MAX,
  groupIn,
  isAdmin,
  isIn,
} from "../../chat/group.ts"
import { type ChatThread, newGroupThread } from "../../chat/thread.ts"
import { type Wish, WISHES_MAX } from "../../chat/wishes.ts"
import { type Address } from "../../crypto/address.ts"
import { toHex } from "../../crypto/bytes.ts"
import { epochOf, isMember, type Signing, signingOf } from "../../crypto/session.ts"
import { ApiError } from "../api/errors.ts"
import type { GroupView } from "../api/types.ts"
import { type ChatBook, Step } from "./book.ts"
import { Committer } from "./committer.ts"
import { FarCommits } from "./far-commits.ts"
import { GroupLeaving } from "./group-leaving.ts"
import {
  adding,
  type Around,
  full,
  isSmall,
  RENEWAL_SPREAD_MS,
  withLeaving,
  withName,
} from "./group-parts.ts"
import { checkedGroupName, foundGroup } from "./group-founding.ts"
import { Invitations } from "./invitations.ts"
import type { Outbox } from "./outbox.ts"
import { newLeafOf } from "./leaf-key.ts"
import type { ChatParts } from "./parts.ts"
import { Readmission } from "./readmission.ts"
import { Returns } from "./returns.ts"
import { groupView } from "./view.ts"
import { Vouching } from "./vouching.ts"

export class Groups {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #leaving: GroupLeaving
  readonly far: FarCommits
  readonly #committer: Committer
  readonly #invitations: Invitations
  readonly #vouching: Vouching
  readonly #returns: Returns
  readonly #readmission: Readmission
  readonly #timers = new Set<() => void>()

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox, { inbox, order }: Around) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#leaving = new GroupLeaving(book, outbox, inbox)
    this.#committer = new Committer(parts, book, outbox, {
      canLeave: (channel) => this.#leaving.goAway(channel),
    })
    this.far = new FarCommits(parts, book, outbox, {
      supplied: () => order()?.kick(),
      want: (group) => this.#returns.want(group),
    })
    this.#invitations = new Invitations(parts, book, outbox)
    this.#vouching = new Vouching(parts, book)
    this.#readmission = new Readmission(parts, book, (group) => this.#committer.kick(group))
    this.#returns = new Returns(parts, book, outbox, {
      entered: (step, channel) => this.entered(step, channel),
      joined: (channel) => this.join(channel),
      expectNow: (tags) => inbox().expectNow(tags),
      fellBehind: () => order()?.kick(),
      height: () => order()?.height ?? 0,
    })
  }

  load(): Promise<void> {
    return this.#invitations.load()
  }

  start(): void {
    // A command that only looks runs without the ledger.
    if (this.#parts.order !== "ledger") return
    for (const channel of this.#book.channels.values())
      if (channel.group !== null && channel.trusted) this.#takeUp(channel)
    this.#invitations.kick()
    this.#returns.start()
  }

  async stop(): Promise<void> {
    for (const cancel of this.#timers) cancel()
    this.#readmission.stop()
    await this.#returns.stop()
    await this.#vouching.stop()
    await this.#invitations.stop()
    await this.far.stop()
    await this.#committer.stop()
  }

  retryNow(): void {
    this.#committer.retryNow()
    this.#invitations.retryNow()
    this.#vouching.retryNow()
    this.#returns.retryNow()
    this.far.retryNow()
  }

  get returns(): Returns {
    return this.#returns
  }

  get readmission(): Readmission {
    return this.#readmission
  }

  #takeUp(channel: Channel): void {
    const group = toHex(channel.groupId)
    this.#committer.kick(group)
    this.#vouching.kick(group)
    this.far.changed(group)
    const thread = this.#book.threadOf(channel)
    // Once more when nothing left since we joined: a crash may have destroyed the first greeting.
    const [epoch] = channel.epochs
    const isSilent = channel.epochs.length === 1 && epoch?.unsent === 0 && epoch.windows.size > 0
    if (isSilent) this.#outbox.beside.greet(toHex(thread.id))
    this.#outbox.kick(thread)
  }

  async create(
    name: string,
    people: readonly Address[],
    signing: Signing = "ed25519",
  ): Promise<GroupView> {
    if (this.#parts.order !== "ledger")
      throw new ApiError("NO_LEDGER", "a group needs a mesh whose ledger orders its changes")
    const called = checkedGroupName(name)
    const others = [...new Set(people)].filter((who) => who !== this.#book.me)
    if (others.length + 1 > GROUP_MEMBERS_MAX[signing]) throw full(signing)
    const channel = await foundGroup(this.#parts, called, signing)
    const thread = newGroupThread(channel.groupId, called)
    await this.#book.turns.run(async () => {
      const step = new Step()
      this.#committer.wish(step, channel, ...others.map((who) => adding(who, false)))
      if (others.length === 0) step.channels.set(toHex(channel.groupId), channel)
      step.threads.set(toHex(thread.id), thread)
      await this.#book.commit(step, { sync: true })
    })
    this.#takeUp(channel)
    return this.show(thread)
  }

  show(thread: ChatThread): GroupView {
    if (thread.group === null) throw new ApiError("NOT_A_GROUP", "that is a chat of two")
    const now = this.#book.threads.get(toHex(thread.id)) ?? thread
    return groupView(this.#book, now)
  }

  add(thread: ChatThread, people: readonly Address[]): Promise<GroupView> {
    return this.#change(thread, (group, signing) => {
      const coming = people.filter((who) => !isIn(group, who))
      if (group.members.length + coming.length > GROUP_MEMBERS_MAX[signing]) throw full(signing)
      return people
        .filter((who) => who !== this.#book.me)
        .map((who) => adding(who, isIn(group, who)))
    })
  }

  remove(thread: ChatThread, who: Address): Promise<GroupView> {
    if (who === this.#book.me) return this.leave(thread)
    return this.#change(thread, () => [{ kind: "remove", who }])
  }

  rename(thread: ChatThread, name: string): Promise<GroupView> {
    const called = checkedGroupName(name)
    return this.#change(thread, () => [{ kind: "rename", name: called }])
  }

  setAdmin(thread: ChatThread, who: Address, admin: boolean): Promise<GroupView> {
    return this.#change(thread, (group) => {
      if (!isIn(group, who)) throw new ApiError("NOT_A_MEMBER", "they are not in this group")
      const admins = new Set(adminsOf(group))
      if (admin && !admins.has(who) && admins.size >= ADMINS_MAX)
        throw new ApiError("GROUP_FULL", `a group has at most ${ADMINS_MAX} admins`)
      if (!admin && admins.size === 1 && admins.has(who))
        throw new ApiError("LAST_ADMIN", "a group needs somebody who runs it")
      return [{ kind: "admin", who, admin }]
    })
  }

  /** Wishes of somebody who runs this group. */
  async #change(
    thread: ChatThread,
    wishesFor: (group: Group, signing: Signing) => readonly Wish[],
  ): Promise<GroupView> {
    const group = await this.#book.turns.run(async () => {
      const channel = this.#ownChannel(thread)
      const now = groupIn(channel.state)
      if (now === undefined || !isAdmin(now, this.#book.me))
        throw new ApiError("NOT_ADMIN", "only whoever runs the group can do that")
      const wishes = wishesFor(now, signingOf(channel.state))
      if ((channel.group?.wishes.length ?? 0) + wishes.length > WISHES_MAX)
        throw new ApiError("QUEUE_FULL", "too many changes of this group are waiting")
      const step = new Step()
      this.#committer.wish(step, channel, ...wishes)
      await this.#book.commit(step, { sync: true })
      return toHex(channel.groupId)
    })
    this.#committer.kick(group)
    return this.show(thread)
  }

  /** The channel of a group that we are in. Throws NOT_A_GROUP, NOT_A_MEMBER. */
  #ownChannel(thread: ChatThread): Channel {
    if (thread.group === null) throw new ApiError("NOT_A_GROUP", "that is a chat of two")
    const channel = this.#book.groupChannel(thread)
    const { standing } = this.#book.threads.get(toHex(thread.id)) ?? thread
    const isOurs = channel !== undefined && !channel.retired && isMember(channel.state)
    if (!isOurs || standing !== "open")
      throw new ApiError("NOT_A_MEMBER", "you are not in this group")
    return channel
  }

  /** We want to be in a group that a stranger added us to. */
  async accept(thread: ChatThread): Promise<GroupView> {
    const channel = await this.#book.turns.run(async () => {
      const now = this.#book.threads.get(toHex(thread.id)) ?? thread
      const found = this.#book.groupChannel(now)
      if (found === undefined) throw new ApiError("NOT_A_MEMBER", "you are not in this group")
      if (now.standing !== "request") return undefined
      const step = new Step()
      step.threads.set(toHex(now.id), { ...now, standing: "open" })
      await this.#book.commit(step, { sync: true })
      return found
    })
    if (channel !== undefined) this.#settleIn(channel)
    return this.show(thread)
  }

  /** Asks the members to let us in anew, with what we have of the group as good as lost. */
  async rejoin(thread: ChatThread): Promise<GroupView> {
    const now = this.#book.threads.get(toHex(thread.id)) ?? thread
    if (thread.group === null) throw new ApiError("NOT_A_GROUP", "that is a chat of two")
    const channel = this.#book.groupChannel(now)
    if (channel === undefined || now.standing !== "open")
      throw new ApiError("NOT_A_MEMBER", "you are not in this group")
    await this.#returns.want(toHex(channel.groupId))
    return this.show(thread)
  }

  async leave(thread: ChatThread): Promise<GroupView> {
    await this.#leaving.leave(thread, this.#committer)
    return this.show(thread)
  }

  /** A group whose inviter's card was found. Adds to the step what is shown of it. Within a turn. */
  entered(step: Step, channel: Channel): void {
    const before = this.#book.threadOf(channel)
    const inviter = this.#book.contacts.get(channel.peer)
    const isFriend = inviter?.standing === "accepted" && inviter.claims === null
    const standing = isFriend ? "open" : "request"
    const name = groupIn(channel.state)?.about.name ?? before.name
    step.threads.set(toHex(before.id), { ...before, name, standing, hidden: false })
    // What they call themselves came with the invitation.
    const greeting = { kind: "profile" as const, name: channel.theirName }
    step.channels.set(toHex(channel.groupId), this.heard(channel, channel.peer, greeting))
  }

  /** After `entered` was written: says hello, and leaves the key package behind, unless we have to be asked first. */
  join(channel: Channel): void {
    const isOpen = this.#book.threadOf(channel).standing === "open"
    if (channel.retired) this.#returns.kick(toHex(channel.groupId))
    else if (isOpen) this.#settleIn(channel)
    else this.#vouching.kick(toHex(channel.groupId))
  }

  #settleIn(channel: Channel): void {
    const thread = this.#book.threadOf(channel)
    this.#outbox.beside.greet(toHex(thread.id))
    this.#takeUp(channel)
    const members = groupIn(channel.state)?.members.length ?? 1
    // Not a secret: it only keeps newcomers from all committing at once.
    const share = (primitives.randomBytes(1)[0] ?? 0) / 256
    const cancel = this.#parts.clock.after(share * members * RENEWAL_SPREAD_MS, () => {
      this.#timers.delete(cancel)
      void this.renew(toHex(channel.groupId))
    })
    this.#timers.add(cancel)
  }

  /** The own leaf key is another one: every group takes it on. */
  keysChanged(): void {
    for (const channel of this.#book.channels.values())
      if (channel.group !== null && newLeafOf(channel, this.#parts) !== undefined)
        void this.renew(toHex(channel.groupId))
  }

  /** Wishes for new keys of our own. */
  async renew(group: string): Promise<void> {
    try {
      await this.#book.turns.run(async () => {
        const channel = this.#book.channels.get(group)
        if (channel === undefined || channel.group === null || !isMember(channel.state)) return
        const step = new Step()
        this.#committer.wish(step, channel, { kind: "renew" })
        await this.#book.commit(step)
      })
      this.#committer.kick(group)
    } catch (error) {
      this.#parts.log(`key update failed: ${String(error)}`)
    }
  }

  /** A member said something about themselves. Within a turn; returns the channel with it. */
  heard(channel: Channel, from: Address, content: Content): Channel {
    if (channel.group === null || from === this.#book.me) return channel
    if (content.kind === "profile") return withName(channel, from, content.name)
    const now = groupIn(channel.state)
    if (content.kind !== "leave" || now === undefined || !isIn(now, from)) return channel
    const known = withLeaving(channel, from)
    if (!isAdmin(now, this.#book.me)) return known
    this.#committer.kick(toHex(channel.groupId))
    return this.#committer.wish(new Step(), known, { kind: "remove", who: from })
  }

  /** A commit counts: what it means for the thread and for those it added. Within a turn. */
  settled(
    step: Step,
    { channel, change, own }: Extract<Settled, { kind: "entered" }>,
    at: Place | undefined,
  ): void {
    if (channel.group === null) return
    const group = toHex(channel.groupId)
    const before = step.threads.get(toHex(this.#book.threadOf(channel).id))
    const thread = before ?? this.#book.threadOf(channel)
    const name = groupIn(channel.state)?.about.name ?? thread.name
    const isOut = change.ownRemoval && !isAwaited(channel, change)
    const standing = isOut ? "left" : thread.standing
    if (name !== thread.name || standing !== thread.standing)
      step.threads.set(toHex(thread.id), { ...thread, name, standing })
    const people = new Map(channel.group.people)
    for (const who of change.removed) if (!change.added.includes(who)) people.delete(who)
    step.channels.set(group, { ...channel, group: { ...channel.group, people } })
    if (own !== undefined && own.invited.length > 0)
      this.#invitations.add(step, {
        group: channel.groupId,
        epoch: Number(epochOf(channel.state)),
        welcome: own.welcome,
        since: at?.height ?? 0,
        to: own.invited,
      })
    // Whoever is new learns what we call ourselves: soon, or in a crowd with our next envelope.
    if (change.added.length > 0 && !change.ownRemoval) {
      this.#outbox.beside.greet(toHex(thread.id))
      if (own === undefined && isSmall(channel)) this.#outbox.kickSoon(thread)
    }
    // In turns of their own, after this one is written.
    this.#committer.kick(group)
    this.#invitations.kick()
    this.#vouching.kick(group)
    this.#returns.kick(group)
  }

  /** The channel has been taken through what of the order it had missed. */
  caughtUp(group: string): void {
    this.#committer.kick(group)
  }
}
