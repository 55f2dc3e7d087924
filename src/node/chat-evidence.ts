/**
 * Keeps what shows a message to somebody else, from the moment when it is read or leaves: afterwards its key is gone. Only for words that
 * are kept here as well; a payload without any leaves nothing.
 */
import { isShowable } from "../chat/authorship.ts"
import type { Evidence } from "../chat/evidence.ts"
import type { Content } from "../chat/content.ts"
import type { Address } from "../crypto/address.ts"
import { type Bytes, equal } from "../crypto/bytes.ts"
import type { ChatBook, Step } from "./chat-book.ts"
import type { Transcript } from "./chat-transcript.ts"

/** A payload that was read here, or leaves from here. */
export interface SignedPayload extends Evidence {
  readonly by: Address
  readonly contents: readonly Content[]
}

export class EvidenceKeeper {
  readonly #book: Pick<ChatBook, "records">
  readonly #transcript: Pick<Transcript, "find">

  constructor(book: Pick<ChatBook, "records">, transcript: Pick<Transcript, "find">) {
    this.#book = book
    this.#transcript = transcript
  }

  /** Adds to the step what is kept of this payload: nothing when it is not known what carried it. After what it says is in the step; within a turn. */
  async keep(step: Step, { by, contents, ...evidence }: SignedPayload): Promise<void> {
    if (evidence.carriers.length === 0) return
    const kept: Bytes[] = []
    for (const content of contents)
      if (await this.#isKept(step, by, content)) kept.push((content as { id: Bytes }).id)
    step.evidence.put(kept, evidence)
  }

  /** Its words are a message's here. Said again while the first saying has no place, the later one counts. */
  async #isKept(step: Step, by: Address, content: Content): Promise<boolean> {
    if (!isShowable(content)) return false
    const isEdit = content.kind === "edit"
    const found = await this.#transcript.find(step, isEdit ? content.target : content.id)
    if (found === undefined) return false
    const { author, deleted, edited, place } = found.message
    if (author !== by || deleted) return false
    if (isEdit) return edited !== null && edited.counts && equal(edited.id, content.id)
    const isReplaced = await this.#book.records.evidence.has(content.id)
    if (isReplaced && place === "none") step.evidence.replaced.push(content.id)
    return !isReplaced || place === "none"
  }
}
