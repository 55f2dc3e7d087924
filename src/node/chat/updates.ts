/**
 * Keeps to the times at which we make new keys (chat/updates.ts): looks after each message of ours whether they are due, and has them
 * made a moment later. They count when the ledger has ordered them. At most one update of a thread is on its way; one that lost its epoch
 * to another commit is given up in a thread of two, and made again after one of our next messages, because it is still due. In a group
 * it stays a wish, which the committer sees to (committer.ts).
 */
import { primitives } from "#primitives"
import type { Channel } from "../../chat/channel.ts"
import { isOurTurn, isUpdateDue } from "../../chat/updates.ts"
import type { ChatBook } from "./book.ts"
import type { ChatParts } from "./parts.ts"

/** Many may say something at the same moment: each waits at random, so long for every other member. */
const SPREAD_MS = 250

export interface UpdateMakers {
  /** Makes new keys in a thread of two, if `may` still holds of its channel then. */
  inPair(group: string, may: (channel: Channel) => boolean): Promise<void>
  inGroup(group: string): Promise<void>
}

export class Updates {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #makers: UpdateMakers
  /** Groups in which an update is due in a moment, with how to call it off. */
  readonly #soon = new Map<string, () => void>()
  #stopped = false

  constructor(parts: ChatParts, book: ChatBook, makers: UpdateMakers) {
    this.#parts = parts
    this.#book = book
    this.#makers = makers
  }

  stop(): void {
    this.#stopped = true
    for (const cancel of this.#soon.values()) cancel()
    this.#soon.clear()
  }

  /** Something of ours has left in this group or thread of two. */
  spoke(group: string): void {
    const channel = this.#book.channels.get(group)
    if (this.#stopped || channel === undefined || this.#soon.has(group)) return
    const { clock } = this.#parts
    if (!this.#may(channel) || !isUpdateDue(channel, clock.nowMs(), random())) return
    const others = channel.epochs[0]?.windows.size ?? 1
    const { renewedAtMs } = channel
    const cancel = clock.after(random() * others * SPREAD_MS, () => {
      this.#soon.delete(group)
      // Another reason may have come first: a rotation, a removal.
      void this.#make(group, (now) => now.renewedAtMs === renewedAtMs && this.#may(now))
    })
    this.#soon.set(group, cancel)
  }

  async #make(group: string, may: (channel: Channel) => boolean): Promise<void> {
    const channel = this.#book.channels.get(group)
    if (channel === undefined || !may(channel)) return
    if (channel.group === null) await this.#makers.inPair(group, may)
    else await this.#makers.inGroup(group)
  }

  /** Whether a commit of ours could go out now, and none is on its way. */
  #may(channel: Channel): boolean {
    if (!channel.trusted || channel.retired || channel.behindFrom !== null) return false
    if (channel.held.some(({ own }) => own !== null)) return false
    if (channel.group !== null) return channel.group.wishes.every(({ kind }) => kind !== "renew")
    return this.#parts.order === "ledger" || isOurTurn(channel)
  }
}

/** From 0 up to 1. Not a secret: it only keeps people apart. */
const random = (): number => {
  const [high = 0, low = 0] = primitives.randomBytes(2)
  return (high * 256 + low) / 65_536
}
