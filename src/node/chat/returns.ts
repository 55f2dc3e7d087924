/**
 * The way back into groups (src/chat/return.ts): whoever went on from a backup, or cannot follow a group any more, asks its members, a few
 * at a time and ever more seldom, to be let in anew. Those who are asked: readmission.ts; what comes of it: reentry.ts.
 */
import { primitives } from "#primitives"
import {
  type Channel,
  type GroupPart,
  RETURN_PACKAGES_MAX,
  type ReturnPackage,
} from "../../chat/channel.ts"
import { groupIn, memberIn } from "../../chat/group.ts"
import { encodePlea, makeMark, RETURN_EVERY_MS } from "../../chat/return.ts"
import { wishing } from "../../chat/wishes.ts"
import { type Address, addressBytes } from "../../crypto/address.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { INTRO_PLAINTEXT_BYTES, sealIntro } from "../../crypto/envelope.ts"
import { cut, INTRO_FRAGMENTS_MAX } from "../../crypto/fragment.ts"
import { leafSeed } from "../../crypto/identity.ts"
import {
  createKeyPackage,
  isMember,
  keyPackageReference,
  signaturePublicOf,
  signingOf,
} from "../../crypto/session.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Outbox } from "./outbox.ts"
import type { ChatParts } from "./parts.ts"
import { Reentry, type ReentryEvents } from "./reentry.ts"
import { KickedWork } from "../kicked-work.ts"

/** Members asked at a time. */
const ASKED_TOGETHER = 2
const FIRST_PAUSE_MS = 5_000
const LAST_PAUSE_MS = 6 * 60 * 60_000
const PACKAGE_LIFE_SECONDS = 90 * 24 * 3_600

/** How the asking goes in one group, while this process runs. */
interface Asking {
  /** Those still to be asked in this round. */
  readonly left: readonly Address[]
  readonly pauseMs: number
  /** When the next are asked. */
  readonly nextAtMs: number
  /** Nobody could be asked: their cards were not there. */
  readonly inVain: boolean
}

export class Returns {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #reentry: Reentry
  readonly #work: KickedWork
  readonly #asking = new Map<string, Asking>()

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox, events: ReentryEvents) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
    this.#reentry = new Reentry(parts, book, outbox, events)
    this.#work = new KickedWork({
      clock: parts.clock,
      run: (group) => this.#return(group),
      onFailed: (group, error) => {
        parts.log(`coming back into a group failed: ${String(error)}`)
        this.#work.kickLater(group, FIRST_PAUSE_MS)
      },
    })
  }

  start(): void {
    for (const [group, channel] of this.#book.channels) if (channel.group !== null) this.kick(group)
  }

  async stop(): Promise<void> {
    this.#reentry.stop()
    await this.#work.stop()
  }

  /** Part of the order is lost: any group may have gone on without us. */
  async wantAll(): Promise<void> {
    try {
      for (const [group, channel] of [...this.#book.channels])
        if (channel.group !== null && isMember(channel.state)) await this.want(group)
    } catch (error) {
      this.#parts.log(`asking to be let in anew failed: ${String(error)}`)
    }
  }

  /** Somebody may have appeared whose card was not there. */
  retryNow(): void {
    for (const [group, asking] of [...this.#asking])
      if (asking.inVain) {
        this.#asking.set(group, { ...asking, nextAtMs: 0 })
        this.kick(group)
      }
  }

  /** The order was followed on: what was put aside may count now. */
  moved(): void {
    for (const [group, { group: part }] of this.#book.channels)
      if ((part?.way.hello.length ?? 0) > 0) this.kick(group)
  }

  /** There may be something to ask for, or to enter. */
  kick(group: string): void {
    this.#work.kick(group)
  }

  async #return(group: string): Promise<void> {
    const enterMs = await this.#reentry.enter(group)
    const askMs = await this.#askIfDue(group)
    // There is one timer for both: entering must not wait as long as asking does by then.
    const waits = [enterMs, askMs].filter((each) => each !== undefined)
    if (waits.length > 0) this.#work.kickLater(group, Math.min(...waits))
  }

  /** Returns after how many ms to look again, if that is worth it. */
  async #askIfDue(group: string): Promise<number | undefined> {
    const channel = this.#wanting(group)
    if (channel === undefined) {
      this.#asking.delete(group)
      return undefined
    }
    const waitMs = (this.#asking.get(group)?.nextAtMs ?? 0) - this.#parts.clock.nowMs()
    if (waitMs > 0) return waitMs
    return (await this.#isOvertaken()) ? FIRST_PAUSE_MS : this.#ask(group, channel)
  }

  /** The channel, if we want to be let into its group anew. */
  #wanting(group: string): (Channel & { readonly group: GroupPart }) | undefined {
    const channel = this.#book.channels.get(group)
    const part = channel?.group ?? null
    if (channel === undefined || part === null || !channel.trusted) return undefined
    const isWanted = channel.retired || part.wishes.some(({ kind }) => kind === "return")
    const isOpen = this.#book.threadOf(channel).standing === "open"
    return isWanted && isOpen ? { ...channel, group: part } : undefined
  }

  /** Whoever lets us in would write to a card of our old self, whose keys we do not have: first the newest card has to be our own. */
  async #isOvertaken(): Promise<boolean> {
    const { me, identity } = this.#parts
    const card = await this.#parts.findCard(me, this.#work.signal, true)
    return card !== undefined && card.sequence > identity.sequence
  }

  /** Asks the next few. Returns after how many ms the ones behind them are asked. */
  async #ask(group: string, channel: Channel): Promise<number | undefined> {
    const now = groupIn(channel.state)
    const others = now?.members.filter(({ address }) => address !== this.#book.me) ?? []
    if (others.length === 0) return undefined
    const before = this.#asking.get(group)
    const isNewRound = before === undefined || before.left.length === 0
    const left = isNewRound ? shuffled(others.map(({ address }) => address)) : before.left
    const keyPackage = await this.#book.turns.run(() => this.#packageNow(group))
    if (keyPackage === undefined) return undefined
    const plea = encodePlea({ group: channel.groupId, keyPackage: keyPackage.public })
    const waiting = [...left]
    let asked = 0
    while (asked < ASKED_TOGETHER && !this.#work.signal.aborted) {
      const who = waiting.shift()
      if (who === undefined) break
      if (await this.#send(channel, who, plea)) asked++
    }
    const pauseMs = before?.pauseMs ?? FIRST_PAUSE_MS
    const nextMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)
    const nextAtMs = this.#parts.clock.nowMs() + pauseMs
    this.#asking.set(group, { left: waiting, pauseMs: nextMs, nextAtMs, inVain: asked === 0 })
    return pauseMs
  }

  async #send(channel: Channel, who: Address, plea: Bytes): Promise<boolean> {
    const card = await this.#parts.findCard(who, this.#work.signal)
    if (card?.address !== who) return false
    const { meshId } = this.#parts
    const plaintexts = cut(plea, INTRO_PLAINTEXT_BYTES, INTRO_FRAGMENTS_MAX)
    const envelopes = plaintexts.map((plaintext) => sealIntro(meshId, card.intro, plaintext))
    await this.#outbox.posting.sendSealed(this.#book.threadOf(channel), envelopes, () => undefined)
    return true
  }

  /**
   * The key package to ask with, stored before it is shown to anybody. A new one when the last has been out so long that a member may
   * have used it. `undefined` while there is none to make. Within a turn.
   */
  async #packageNow(group: string): Promise<ReturnPackage | undefined> {
    const channel = this.#wanting(group)
    const now = channel && groupIn(channel.state)
    if (channel === undefined || now === undefined) return undefined
    const { me, identity, clock } = this.#parts
    const nowMs = clock.nowMs()
    const { way } = channel.group
    const newest = way.packages.at(-1)
    const known = Math.max(way.returned, memberIn(now, me)?.returned ?? 0)
    const least = known === 0 ? 0 : known + RETURN_EVERY_MS
    if (newest !== undefined && newest.number >= least && newest.number + RETURN_EVERY_MS > nowMs)
      return newest
    const number = Math.max(nowMs, least)
    const seed = leafSeed(identity, signingOf(channel.state))
    // There is one from the next rotation on.
    if (seed === undefined) return undefined
    const leaf = signaturePublicOf(seed)
    const made = await createKeyPackage({
      identity: addressBytes(me),
      signatureSeed: seed,
      lastResort: false,
      mark: makeMark(identity.roots.ed25519, channel.groupId, number, leaf),
      ...(signingOf(channel.state) === "composite" ? { proof: identity.card } : {}),
      notAfterSeconds: Math.floor(nowMs / 1000) + PACKAGE_LIFE_SECONDS,
    })
    const fresh = { ...made, number, reference: await keyPackageReference(made.public) }
    const packages = [...way.packages, fresh].slice(-RETURN_PACKAGES_MAX)
    await this.#keep(channel, { ...channel.group, way: { ...way, packages } })
    return fresh
  }

  async #keep(channel: Channel, group: GroupPart): Promise<void> {
    const step = new Step()
    step.channels.set(toHex(channel.groupId), { ...channel, group })
    await this.#book.commit(step, { sync: true })
  }

  /** We want to be let in anew. Durable when it resolves. */
  async want(group: string): Promise<void> {
    await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      if (channel === undefined || channel.group === null) return
      const wishes = wishing(channel.group.wishes, { kind: "return" })
      await this.#keep(channel, { ...channel.group, wishes })
    })
    this.kick(group)
  }
}

function shuffled(people: readonly Address[]): readonly Address[] {
  // Not a secret: it only keeps everybody from asking the same two.
  const drawn = people.map((who) => ({ who, lot: toHex(primitives.randomBytes(8)) }))
  return drawn.sort((a, b) => (a.lot < b.lot ? -1 : 1)).map(({ who }) => who)
}
