/**
 * Keeps what shows a message to somebody else, from the moment when it is read or leaves: afterwards its key is gone. Only for words that
 * are kept here as well; a payload without any leaves nothing.
 */
import { isShowable } from "../../chat/authorship.ts"
import type { Evidence } from "../../chat/evidence.ts"
import type { ChatMessage } from "../../chat/message.ts"
import type { Text } from "../../chat/said.ts"
import type { Edit } from "../../chat/act.ts"
import type { Content } from "../../chat/content.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import type { ChatBook, Step } from "./book.ts"
import type { Apply } from "./places.ts"
import type { Transcript } from "./transcript.ts"

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

  /**
   * Adds to the step what is kept of this payload: nothing when it is not known what carried it. `deferred`: of its contents, what takes
   * effect only later. After what it says is in the step; within a turn.
   */
  async keep(
    step: Step,
    { by, contents, ...evidence }: SignedPayload,
    deferred: readonly Content[] = [],
  ): Promise<void> {
    if (evidence.carriers.length === 0) return
    const kept: Bytes[] = []
    for (const content of contents.filter(isShowable)) {
      const { id } = content
      const message = await this.#messageOf(step, by, content)
      if (message === undefined && !deferred.includes(content)) continue
      if (await this.#book.records.evidence.has({ by, id })) {
        // Said again while the first saying has no place: the later one counts.
        if (message?.place !== "none") continue
        step.evidence.dropped.push({ by, id })
      }
      kept.push(id)
    }
    step.evidence.put(by, kept, evidence)
  }

  /** How what was deferred takes effect: what is nowhere said by it then is not kept. */
  sifting(apply: Apply): Apply {
    return async (step, group, by, contents) => {
      await apply(step, group, by, contents)
      for (const content of contents.filter(isShowable))
        if ((await this.#messageOf(step, by, content)) === undefined)
          step.evidence.dropped.push({ by, id: content.id })
    }
  }

  /** The message here that says these words. */
  async #messageOf(
    step: Step,
    by: Address,
    content: Text | Edit,
  ): Promise<ChatMessage | undefined> {
    const isEdit = content.kind === "edit"
    const found = await this.#transcript.find(step, isEdit ? content.target : content.id)
    if (found === undefined || found.message.author !== by || found.message.deleted)
      return undefined
    const { edited } = found.message
    const says = !isEdit || (edited !== null && edited.counts && equal(edited.id, content.id))
    return says ? found.message : undefined
  }
}
