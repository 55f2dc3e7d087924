/**
 * Whether the members of a group are who they are said to be. Whoever adds somebody has compared their key with their card; we do not
 * take an admin's word for it, and look the cards up ourselves, in the background, one after the other. Until a member's card is found
 * and names the key they write with, they are shown as not vouched for.
 */
import { groupIn, type GroupMember } from "../../chat/group.ts"
import type { Channel } from "../../chat/channel.ts"
import { equal } from "../../crypto/bytes.ts"
import { vouchesFor } from "../../crypto/card.ts"
import { type ChatBook, Step } from "./book.ts"
import type { ChatParts } from "./parts.ts"

const FIRST_RETRY_MS = 5_000
const LAST_RETRY_MS = 60 * 60_000

export class Vouching {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #stopping = new AbortController()
  readonly #waiting = new Set<string>()
  readonly #pauses = new Map<string, number>()
  readonly #timers = new Map<string, () => void>()
  #looking: Promise<void> | undefined

  constructor(parts: ChatParts, book: ChatBook) {
    this.#parts = parts
    this.#book = book
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const cancel of this.#timers.values()) cancel()
    await this.#looking
  }

  retryNow(): void {
    this.#pauses.clear()
    for (const group of [...this.#timers.keys()]) this.kick(group)
  }

  /** Members of this group may be new. */
  kick(group: string): void {
    if (this.#stopping.signal.aborted) return
    this.#timers.get(group)?.()
    this.#timers.delete(group)
    this.#waiting.add(group)
    this.#looking ??= this.#lookAll().finally(() => {
      this.#looking = undefined
      // One that came after the last look and before this.
      const [late] = this.#waiting
      if (late !== undefined) this.kick(late)
    })
  }

  async #lookAll(): Promise<void> {
    for (;;) {
      const [group] = this.#waiting
      if (group === undefined || this.#stopping.signal.aborted) return
      this.#waiting.delete(group)
      if (!(await this.#lookSafely(group))) this.#lookLater(group)
    }
  }

  /** A disk that fails now may take it later. */
  async #lookSafely(group: string): Promise<boolean> {
    try {
      return await this.#look(group)
    } catch (error) {
      if (this.#stopping.signal.aborted) return true
      this.#parts.log(`vouching in a group failed: ${String(error)}`)
      return false
    }
  }

  #lookLater(group: string): void {
    if (this.#stopping.signal.aborted) return
    const pauseMs = this.#pauses.get(group) ?? FIRST_RETRY_MS
    this.#pauses.set(group, Math.min(2 * pauseMs, LAST_RETRY_MS))
    this.#timers.get(group)?.()
    this.#timers.set(
      group,
      this.#parts.clock.after(pauseMs, () => this.kick(group)),
    )
  }

  /** Whether all members are vouched for by now. */
  async #look(group: string): Promise<boolean> {
    let isWhole = true
    // In a turn: whoever kicks may be in the middle of the one that brings the new members.
    const members = await this.#book.turns.run(() => Promise.resolve(this.#unvouched(group)))
    for (const member of members) {
      if (this.#stopping.signal.aborted) return true
      isWhole = (await this.#vouch(group, member)) && isWhole
    }
    return isWhole
  }

  #unvouched(group: string): readonly GroupMember[] {
    const channel = this.#book.channels.get(group)
    const now = channel?.trusted === true ? groupIn(channel.state) : undefined
    return (now?.members ?? []).filter(
      ({ address, key }) => address !== this.#book.me && !isVouched(channel, { address, key }),
    )
  }

  async #vouch(group: string, { address, key }: GroupMember): Promise<boolean> {
    const card = await this.#parts.findCard(address, this.#stopping.signal).catch(() => undefined)
    if (card?.address !== address || !vouchesFor(card, key)) return false
    await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      if (channel === undefined || channel.group === null) return
      const people = new Map(channel.group.people)
      people.set(address, { name: people.get(address)?.name ?? "", key })
      const step = new Step()
      step.channels.set(group, { ...channel, group: { ...channel.group, people } })
      await this.#book.commit(step)
    })
    return true
  }
}

function isVouched(
  channel: Channel | undefined,
  { address, key }: Pick<GroupMember, "address" | "key">,
): boolean {
  const known = channel?.group?.people.get(address)
  return known !== undefined && equal(known.key, key)
}
