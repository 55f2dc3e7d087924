/**
 * Saying again what somebody cannot read any more. Who goes on from a backup has lost the keys of what was said to their old self after it
 * had made new ones, so in a thread of two they ask for it (chat/content.ts, lack), and we say our own texts again in the group that we
 * share now: with their ids, so that whoever has one knows it, and with the place that the ledger gave them then. Not in groups: others
 * would read it who were not there when it was said. What disappears is not said again: its time runs already.
 */
import { type ChatMessage, positionOf } from "../chat/message.ts"
import type { Text } from "../chat/said.ts"
import type { ChatThread } from "../chat/thread.ts"
import type { Address } from "../crypto/address.ts"
import { toHex } from "../crypto/bytes.ts"
import { type ChatBook, Step } from "./chat-book.ts"
import { sayingOf } from "./chat-line.ts"
import type { Outbox } from "./chat-outbox.ts"
import type { ChatParts } from "./chat-parts.ts"

/** Texts said again to one who asks; the newest. */
export const AGAIN_MAX = 500
/** So often somebody is answered within ANSWER_WINDOW_MS; it costs us as much mail as we had said. */
export const ANSWERS_MAX = 6
const ANSWER_WINDOW_MS = 60 * 60_000
const PAGE = 100

/**
 * Above which height we may lack what this person said, if we go on from a backup: up to there everything was in it (`restoredAt`), and what
 * is of the epochs in it is read as it comes.
 */
export function lackedAbove(
  book: ChatBook,
  peer: Address | null,
  restoredAt: number,
): number | undefined {
  const former = peer === null ? [] : book.channelsWith(peer).filter(({ retired }) => retired)
  if (former.length === 0) return undefined
  return Math.max(restoredAt, ...former.map(({ epochs }) => epochs[0]?.began.height ?? 0))
}

export class Lacks {
  readonly #parts: Pick<ChatParts, "clock" | "log">
  readonly #book: ChatBook
  readonly #outbox: Outbox
  /** When somebody was answered, by thread. */
  readonly #answered = new Map<string, readonly number[]>()

  constructor(parts: Pick<ChatParts, "clock" | "log">, book: ChatBook, outbox: Outbox) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
  }

  /** The other one in this thread of two cannot read what we said above this height. Never throws. */
  answer({ id }: ChatThread, above: number): void {
    this.#answer(toHex(id), above).catch((error: unknown) =>
      this.#parts.log(`saying again failed: ${String(error)}`),
    )
  }

  async #answer(id: string, above: number): Promise<void> {
    const nowMs = this.#parts.clock.nowMs()
    const before = this.#answered.get(id)?.filter((at) => at > nowMs - ANSWER_WINDOW_MS) ?? []
    if (before.length >= ANSWERS_MAX) return
    this.#answered.set(id, [...before, nowMs])
    await this.#book.turns.run(async () => {
      const thread = this.#book.threads.get(id)
      if (thread === undefined) return
      const sayings = (await this.#ownAbove(thread, above)).flatMap((each) => again(each) ?? [])
      if (sayings.length === 0) return
      const step = new Step()
      const after = this.#outbox.sayAgain(step, thread, sayings)
      await this.#book.commit(step, { sync: true })
      after()
    })
  }

  /** Our own messages there that have left, oldest first. */
  async #ownAbove(thread: ChatThread, above: number): Promise<readonly ChatMessage[]> {
    const found: ChatMessage[] = []
    let before: Uint8Array | undefined
    for (;;) {
      const page = await this.#book.records.messages(thread.id, {
        limit: PAGE,
        reverse: true,
        ...(before && { before }),
      })
      for (const message of page) {
        if (isPlacedUpTo(message, above) || found.length >= AGAIN_MAX) return found.reverse()
        if (message.mine && message.delivery !== "queued") found.push(message)
      }
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return found.reverse()
      before = positionOf(last)
    }
  }
}

const isPlacedUpTo = ({ place }: ChatMessage, height: number) =>
  place === "former" || (place !== "none" && place.height <= height)

/** As it reads now. */
function again(message: ChatMessage): Text | undefined {
  const saying = message.lifetime === null ? sayingOf({ ...message, edited: null }) : undefined
  if (saying?.kind !== "text") return undefined
  return typeof message.place === "string" ? saying : { ...saying, again: message.place }
}
