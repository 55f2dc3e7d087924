/**
 * Posts what is worth something in its epoch only: commits, and what is stated about them. Sealed from the channel as it is, admitted, and
 * written together with what it stands for there before it leaves. When the epoch is over by then it never does.
 */
import { type Channel, leaving, sealMessage } from "../../chat/channel.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { epochOf, isMember } from "../../crypto/session.ts"
import { type ChatBook, Step } from "./book.ts"
import type { ChatParts } from "./parts.ts"
import type { Posting } from "./posting.ts"

export interface EpochPayload {
  /** The epoch that it is of; in another one it is not posted. */
  readonly epoch?: bigint
  /** What to post, made from the channel as it is; `undefined` for nothing. Within a turn. */
  readonly make: (channel: Channel) => Promise<Bytes | undefined> | Bytes | undefined
  /** The channel with what was posted; `last` is the envelope that completes it. */
  readonly keep: (channel: Channel, last: Bytes) => Channel
}

export class EpochPosting {
  readonly #parts: Pick<ChatParts, "meshId">
  readonly #book: ChatBook
  readonly #posting: Posting

  constructor(parts: Pick<ChatParts, "meshId">, book: ChatBook, posting: Posting) {
    this.#parts = parts
    this.#book = book
    this.#posting = posting
  }

  /** The channel of this group, if we can write into it now, in this epoch where one is given. */
  channel(group: string, epoch?: bigint): Channel | undefined {
    const channel = this.#book.channels.get(group)
    if (channel === undefined || channel.retired || !isMember(channel.state)) return undefined
    return epoch === undefined || epochOf(channel.state) === epoch ? channel : undefined
  }

  /** Resolves with whether it is on its way. */
  async post(group: string, { epoch, make, keep }: EpochPayload): Promise<boolean> {
    const sealed = await this.#book.turns.run(async () => {
      const channel = this.channel(group, epoch)
      const payload = channel && (await make(channel))
      if (channel === undefined || payload === undefined) return undefined
      const { envelopes, until, channel: moved } = sealMessage(channel, this.#parts.meshId, payload)
      this.#book.channels.set(group, moved)
      const { id: thread } = this.#book.threadOf(channel)
      return { envelopes, until, thread, epoch: epochOf(channel.state) }
    })
    if (sealed === undefined) return false
    const admitted = await this.#posting.admitAll(sealed.envelopes)
    const outgoing = this.#posting.outgoingOf(sealed.thread, admitted, [])
    const last = outgoing.at(-1)
    const isKept = await this.#book.turns.run(async () => {
      // Another commit was ordered meanwhile: this belongs to an epoch that is over, and never leaves.
      const channel = this.channel(group, sealed.epoch)
      if (channel === undefined || last === undefined) return false
      const step = new Step()
      step.channels.set(group, keep(leaving(channel, sealed.until), last.id))
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      await this.#book.commit(step, { sync: true })
      return true
    })
    if (isKept) await this.#posting.postAll(outgoing)
    return isKept
  }
}
