/**
 * Letting people into a group anew who ask for it (src/chat/return.ts), without asking a human: the plea is signed by the root key of an
 * address that is in the group already, and gives nobody anything they did not have. It becomes a wish, which the committer makes a
 * commit of. How often is bounded by the numbers of the pleas, which grow by RETURN_EVERY_MS and are never far ahead of our own clock.
 */
import { primitives } from "#primitives"
import type { Channel } from "../../chat/channel.ts"
import { type Group, groupIn, memberIn } from "../../chat/group.ts"
import { isReturn, numberOf, type Plea, RETURN_AHEAD_MS } from "../../chat/return.ts"
import { WISHES_MAX, wishing } from "../../chat/wishes.ts"
import { type Address, addressFromBytes } from "../../crypto/address.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { inspectKeyPackage, isMember } from "../../crypto/session.ts"
import type { ChatBook, Step } from "./book.ts"
import type { ChatParts } from "./parts.ts"

/** Several who are asked do not all commit at once. */
const SPREAD_MS = 500

export class Readmission {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #asked: (group: string) => void
  readonly #timers = new Set<() => void>()

  /** `asked`: a wish of somebody else's for this group is kept now. */
  constructor(parts: ChatParts, book: ChatBook, asked: (group: string) => void) {
    this.#parts = parts
    this.#book = book
    this.#asked = asked
  }

  stop(): void {
    for (const cancel of this.#timers) cancel()
  }

  /** Somebody asks to be let anew into a group of ours: adds the wish to the step, and returns what to do once it is written. */
  async heard(step: Step, { group: id, keyPackage }: Plea): Promise<() => void> {
    const group = toHex(id)
    const channel = step.channels.get(group) ?? this.#book.channels.get(group)
    const part = channel?.group ?? null
    if (channel === undefined || part === null || !this.#canHelp(channel)) return () => undefined
    if (part.wishes.length >= WISHES_MAX) return () => undefined
    const now = groupIn(channel.state)
    const asks = now && (await this.#whoAsks(now, keyPackage))
    if (asks === undefined) {
      this.#parts.log("a plea to be let into a group anew was not granted")
      return () => undefined
    }
    const wishes = wishing(part.wishes, { kind: "readmit", ...asks, keyPackage })
    step.channels.set(group, { ...channel, group: { ...part, wishes } })
    return () => this.#soon(() => this.#asked(group))
  }

  #canHelp(channel: Channel): boolean {
    const isOpen = this.#book.threadOf(channel).standing === "open"
    return isOpen && channel.trusted && !channel.retired && isMember(channel.state)
  }

  async #whoAsks(
    group: Group,
    keyPackage: Bytes,
  ): Promise<{ who: Address; number: number } | undefined> {
    const nowMs = this.#parts.clock.nowMs()
    const verdict = await inspectKeyPackage(keyPackage, Math.floor(nowMs / 1000))
    if (verdict.verdict !== "accept" || verdict.identity.length !== 64) return undefined
    const who = addressFromBytes(verdict.identity)
    const old = memberIn(group, who)
    const number = numberOf(verdict.mark)
    const isBlocked = this.#book.contacts.get(who)?.standing === "blocked"
    if (old === undefined || who === this.#book.me || isBlocked) return undefined
    if (number > nowMs + RETURN_AHEAD_MS) return undefined
    const said = { mark: verdict.mark, proof: verdict.proof, before: old.returned }
    return isReturn(group.id, who, verdict.signatureKey, said) ? { who, number } : undefined
  }

  /** After a moment of its own length for everybody. */
  #soon(act: () => void): void {
    // Not a secret: it only keeps them from all doing the same at once.
    const share = (primitives.randomBytes(1)[0] ?? 0) / 256
    const cancel = this.#parts.clock.after(share * SPREAD_MS, () => {
      this.#timers.delete(cancel)
      act()
    })
    this.#timers.add(cancel)
  }
}
