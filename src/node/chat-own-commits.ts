/** Commits of our own: made from a channel as it is, sealed, admitted, held until they are ordered. At most one of an epoch. */
import { type Channel, leaving, type OwnCommit, sealMessage } from "../chat/channel.ts"
import { hold } from "../chat/commits.ts"
import type { ChatThread } from "../chat/thread.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { epochOf, isMember, ownLeaf, updateSelf } from "../crypto/session.ts"
import { type ChatBook, Step } from "./chat-book.ts"
import { newLeafOf } from "./chat-leaf-key.ts"
import type { ChatParts } from "./chat-parts.ts"
import type { Posting } from "./chat-posting.ts"

export interface MadeCommit {
  readonly commit: Bytes
  readonly own: OwnCommit
}

export class OwnCommits {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #posting: Posting
  /** Groups in which a commit is being made. */
  readonly #committing = new Set<string>()

  constructor(parts: ChatParts, book: ChatBook, posting: Posting) {
    this.#parts = parts
    this.#book = book
    this.#posting = posting
  }

  /** Commits new keys of our own in a channel, if `may` holds of it then; it counts when its last envelope is ordered. */
  update(
    group: string,
    thread: Pick<ChatThread, "id">,
    may: (channel: Channel) => boolean = () => true,
  ): Promise<boolean> {
    return this.commit(group, thread, async (channel) => {
      if (!may(channel)) return undefined
      const { commit, next } = await updateSelf(channel.state, newLeafOf(channel, this.#parts))
      const nobody = { welcome: new Uint8Array(0), invited: [], grants: [] }
      const madeAtMs = this.#parts.clock.nowMs()
      return { commit, own: { ...nobody, next, renews: true, madeAtMs } }
    })
  }

  /**
   * Posts a commit of our own, which then waits to be ordered. `make` makes it from the channel as it is, or has nothing to do; one
   * of ours waiting already is enough for an epoch. Resolves with whether there is one on its way now.
   */
  async commit(
    group: string,
    thread: Pick<ChatThread, "id">,
    make: (channel: Channel) => Promise<MadeCommit | undefined>,
  ): Promise<boolean> {
    // From sealing to holding takes a while (admission), in which the same may be asked for again.
    if (this.#committing.has(group)) return false
    this.#committing.add(group)
    try {
      return await this.#commit(group, thread, make)
    } finally {
      this.#committing.delete(group)
    }
  }

  async #commit(
    group: string,
    thread: Pick<ChatThread, "id">,
    make: (channel: Channel) => Promise<MadeCommit | undefined>,
  ): Promise<boolean> {
    const sealed = await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      const waits = channel?.held.some(({ own }) => own !== null)
      if (channel === undefined || channel.retired || waits === true) return undefined
      const made = isMember(channel.state) ? await make(channel) : undefined
      if (made === undefined) return undefined
      const { commit, own } = made
      const { envelopes, until, channel: moved } = sealMessage(channel, this.#parts.meshId, commit)
      this.#book.channels.set(group, moved)
      return { envelopes, until, own, epoch: epochOf(channel.state) }
    })
    if (sealed === undefined) return false
    const outgoing = this.#posting.outgoingOf(
      thread.id,
      await this.#posting.admitAll(sealed.envelopes),
      [],
    )
    const last = outgoing.at(-1)
    const held = await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      if (channel === undefined || last === undefined) return false
      // Another commit was ordered meanwhile: this one belongs to an epoch that is over, and never leaves.
      if (epochOf(channel.state) !== sealed.epoch || !isMember(channel.state)) return false
      const step = new Step()
      const leaf = ownLeaf(channel.state)
      const waiting = { envelope: last.id, leaf, own: sealed.own, payload: new Uint8Array(0) }
      step.channels.set(group, hold(leaving(channel, sealed.until), waiting))
      step.ops.push(...outgoing.map(this.#book.records.putOutgoing))
      await this.#book.commit(step, { sync: true })
      return true
    })
    if (held) await this.#posting.postAll(outgoing)
    return held
  }
}
