/**
 * Which texts to forget where there is room for so many only (a peer that keeps everything in memory): the ones that were written
 * here first. Remembers places, not texts. Without a limit it remembers nothing.
 */
import type { ChatMessage } from "../../chat/message.ts"
import type { Bytes } from "../../crypto/bytes.ts"

export interface TextPlace {
  readonly thread: Bytes
  readonly message: Pick<ChatMessage, "lamport" | "id">
}

export class TextLimit {
  readonly #max: number | undefined
  #places: TextPlace[] = []
  /** Places before this one were given out already. */
  #from = 0

  constructor(max: number | undefined) {
    this.#max = max
  }

  get isSet(): boolean {
    return this.#max !== undefined
  }

  add(thread: Bytes, { lamport, id }: TextPlace["message"]): void {
    if (this.#max !== undefined) this.#places.push({ thread, message: { lamport, id } })
  }

  /** What is beyond the limit, each once. */
  surplus(): readonly TextPlace[] {
    const max = this.#max ?? Number.POSITIVE_INFINITY
    const until = Math.max(this.#from, this.#places.length - max)
    const gone = this.#places.slice(this.#from, until)
    this.#from = until
    // moved together now and then, not for every text
    if (this.#from > max) {
      this.#places = this.#places.slice(this.#from)
      this.#from = 0
    }
    return gone
  }
}
