/**
 * What we said and nobody may have read is said again, with the same message ids: whoever has read it knows it by them. Three ways lead
 * here: an epoch is forgotten before the order placed what was sealed in it, something was sealed under keys that had ended by then, and two
 * people go over to a channel with stronger signatures, while what was on its way in another one may not be taken any more.
 */
import type { Channel } from "../../chat/channel.ts"
import type { ChatMessage } from "../../chat/message.ts"
import type { ChatThread } from "../../chat/thread.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Deliveries } from "./delivery.ts"
import { type Line, sayingOf } from "./line.ts"

/** The newest messages of a thread that are looked through for unconfirmed ones of ours. */
const UNCONFIRMED_MAX = 100

export class SayingAgain {
  readonly #book: ChatBook
  readonly #deliveries: Deliveries
  readonly #line: Line
  readonly #kick: (thread: Pick<ChatThread, "id">) => void

  constructor(
    book: ChatBook,
    deliveries: Deliveries,
    line: Line,
    kick: (thread: Pick<ChatThread, "id">) => void,
  ) {
    this.#book = book
    this.#deliveries = deliveries
    this.#line = line
    this.#kick = kick
  }

  /**
   * A channel has forgotten epochs of before `oldest`: texts of ours from there that had no place in the order by `height` are said
   * again, because nobody may be able to read them. Returns what to do once the step is written.
   */
  async epochsForgotten(
    step: Step,
    channel: Channel,
    oldest: number,
    height: number,
  ): Promise<() => void> {
    const { sayings, done } = await this.#deliveries.lost(step, channel, oldest, height)
    const thread = this.#book.threadOf(channel)
    const lineUp = this.#line.again(step, thread.id, sayings)
    return () => {
      done()
      lineUp()
      if (sayings.length > 0) this.#kick(thread)
    }
  }

  /** The order has got to this height: what was sealed under keys that had ended by then is said again. */
  async late(height: number): Promise<void> {
    for (const channel of this.#deliveries.overdue(height))
      await this.#book.turns.run(async () => {
        const step = new Step()
        const { sayings, done } = await this.#deliveries.late(step, channel, height)
        const thread = this.#book.threadOf(channel)
        const lineUp = this.#line.again(step, thread.id, sayings)
        await this.#book.commit(step)
        done()
        lineUp()
        this.#kick(thread)
      })
  }

  /** This thread has gone over to another channel: what was not confirmed in the one before is said in it. */
  async unconfirmed(thread: ChatThread): Promise<void> {
    await this.#book.turns.run(async () => {
      const newest = { reverse: true, limit: UNCONFIRMED_MAX }
      const messages = await this.#book.records.messages(thread.id, newest)
      const sayings = messages
        .filter(isUnconfirmed)
        .reverse()
        .flatMap((message) => sayingOf(message) ?? [])
      const step = new Step()
      const lineUp = this.#line.again(step, thread.id, sayings)
      await this.#book.commit(step)
      lineUp()
    })
    this.#kick(thread)
  }
}

const isUnconfirmed = ({ mine, delivery }: ChatMessage): boolean =>
  mine && delivery !== "delivered" && delivery !== "read"
