/** Waits until a message has provably got as far as one wants. Made before the message is sent, so that no event is missed. */
import type { Api, DeliveryState, Message } from "../node/api/types.ts"

const ORDER: Readonly<Record<DeliveryState, number>> = {
  failed: -1,
  queued: 0,
  gossiped: 1,
  ordered: 2,
  delivered: 3,
  read: 4,
}

/** Delivery events of messages whose id is not known yet, kept at most this long a list. */
const EARLY_MAX = 1_024

type Step = Pick<Message, "id" | "state" | "failure">

export class DeliveryWatch {
  readonly #early = new Map<string, Step>()
  readonly #end: () => void
  #watched: { message: Message; tell: () => void } | null = null

  constructor(api: Api) {
    this.#end = api.events((event) => {
      if (event.type !== "delivery") return
      if (this.#watched === null && this.#early.size < EARLY_MAX) this.#early.set(event.id, event)
      else this.#apply(event)
    })
  }

  /** The message once it is at `wanted` or further, or has failed, or as it is when the signal aborts. */
  async reaches(message: Message, wanted: DeliveryState, signal: AbortSignal): Promise<Message> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const settled = () =>
      this.#watched !== null &&
      (this.#watched.message.state === "failed" ||
        ORDER[this.#watched.message.state] >= ORDER[wanted])
    const tell = () => {
      if (settled()) resolve(undefined)
    }
    this.#watched = { message, tell }
    const early = this.#early.get(message.id)
    if (early !== undefined) this.#apply(early)
    tell()
    const stop = () => resolve(undefined)
    signal.addEventListener("abort", stop, { once: true })
    if (signal.aborted) stop()
    await promise
    signal.removeEventListener("abort", stop)
    return this.#watched.message
  }

  end(): void {
    this.#end()
  }

  #apply({ id, state, failure }: Step): void {
    if (this.#watched?.message.id !== id) return
    this.#watched.message = { ...this.#watched.message, state, failure }
    this.#watched.tell()
  }
}

export const gotAsFar = (state: DeliveryState, wanted: DeliveryState): boolean =>
  ORDER[state] >= ORDER[wanted]
