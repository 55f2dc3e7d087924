/**
 * Commits of our own: made from a channel as it is, posted, held until they are ordered. At most one of an epoch. One that takes many
 * envelopes is brought to where the others can fetch it, and a statement says where that is (chat/far-commit.ts); what nobody keeps for
 * us travels in envelopes after all.
 */
import type { Channel } from "../../chat/channel.ts"
import { hold } from "../../chat/commits.ts"
import { encodeFarStatement, FAR_COMMIT_BYTES_MAX } from "../../chat/far-commit.ts"
import type { OwnCommit } from "../../chat/held.ts"
import type { BlobRef } from "../../crypto/blob.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { THREAD_PLAINTEXT_BYTES } from "../../crypto/envelope.ts"
import { payloadBytesMax } from "../../crypto/fragment.ts"
import { epochOf, ownLeaf, updateSelf } from "../../crypto/session.ts"
import type { EpochPosting } from "./epoch-posting.ts"
import { newLeafOf } from "./leaf-key.ts"
import { type ChatParts, farCommitRules } from "./parts.ts"

const NOTHING = new Uint8Array(0)
/** A commit that no keeper has taken by then travels in envelopes, and so do those of some time after it. */
const BRING_TIMEOUT_MS = 10_000
const NO_KEEPERS_MS = 600_000
/** A commit was not confirmed in time: further ones of that group travel in envelopes for so long. */
const UNHEARD_MS = 600_000

export interface MadeCommit {
  readonly commit: Bytes
  readonly own: OwnCommit
}

/** A commit that has to be brought somewhere before it is posted. */
interface Far extends MadeCommit {
  readonly epoch: bigint
}

export class OwnCommits {
  readonly #parts: ChatParts
  readonly #posting: EpochPosting
  readonly #stopping: AbortSignal
  /** Groups in which a commit is being made; resolves when the last that was asked for has left, or came to nothing. */
  readonly #committing = new Map<string, Promise<void>>()
  /** Until then nobody is asked to keep a commit. */
  #keeperlessUntilMs = 0
  /** Groups in which too few are there to confirm one, and until when that is believed. */
  readonly #unheard = new Map<string, number>()

  constructor(parts: ChatParts, posting: EpochPosting, stopping: AbortSignal) {
    this.#parts = parts
    this.#posting = posting
    this.#stopping = stopping
  }

  /** Commits new keys of our own in a channel, if `may` holds of it then; it counts when the order says so. */
  update(group: string, may: (channel: Channel) => boolean = () => true): Promise<boolean> {
    return this.commit(group, async (channel) => {
      if (!may(channel)) return undefined
      const { commit, next } = await updateSelf(channel.state, newLeafOf(channel, this.#parts))
      const nobody = { welcome: NOTHING, invited: [], grants: [] }
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
    make: (channel: Channel) => Promise<MadeCommit | undefined>,
  ): Promise<boolean> {
    // From sealing to posting takes a while, in which the epoch may end and the same be asked for again: that is looked at afterwards.
    const before = this.#committing.get(group) ?? Promise.resolve()
    const committing = before.then(() => this.#commit(group, make))
    const done = committing.then(nothing, nothing)
    this.#committing.set(group, done)
    try {
      return await committing
    } finally {
      if (this.#committing.get(group) === done) this.#committing.delete(group)
    }
  }

  async #commit(
    group: string,
    make: (channel: Channel) => Promise<MadeCommit | undefined>,
  ): Promise<boolean> {
    const made: { own?: OwnCommit; far?: Far } = {}
    const isPosted = await this.#posting.post(group, {
      make: async (channel) => {
        if (channel.held.some((each) => each.own !== null)) return undefined
        const commit = await make(channel)
        if (commit === undefined) return undefined
        made.own = commit.own
        if (!this.#isFar(group, channel, commit.commit)) return commit.commit
        made.far = { ...commit, epoch: epochOf(channel.state) }
        return undefined
      },
      keep: (channel, last) => held(channel, last, made.own),
    })
    return made.far === undefined ? isPosted : this.#postFar(group, made.far)
  }

  /** Too few were there to confirm a commit of this group. */
  wentUnheard(group: string): void {
    const nowMs = this.#parts.clock.nowMs()
    for (const [name, untilMs] of this.#unheard) if (untilMs <= nowMs) this.#unheard.delete(name)
    this.#unheard.set(group, nowMs + UNHEARD_MS)
  }

  #isFar(name: string, { group, epochs }: Channel, { length }: Bytes): boolean {
    const { payloads, order, clock } = this.#parts
    const { aboveEnvelopes } = farCommitRules(this.#parts)
    const isLong = length > payloadBytesMax(THREAD_PLAINTEXT_BYTES, aboveEnvelopes)
    const others = epochs[0]?.windows.size ?? 0
    const canBe = isLong && length <= FAR_COMMIT_BYTES_MAX && group !== null && others > 0
    if (!canBe || payloads === undefined || order !== "ledger") return false
    const nowMs = clock.nowMs()
    return nowMs >= this.#keeperlessUntilMs && nowMs >= (this.#unheard.get(name) ?? 0)
  }

  /** By its blob; the same bytes in envelopes when nobody keeps that: no second commit is made in an epoch. */
  async #postFar(group: string, { commit, own, epoch }: Far): Promise<boolean> {
    const ref = await this.#bring(commit)
    if (ref === undefined)
      return this.#posting.post(group, {
        epoch,
        make: () => commit,
        keep: (channel, last) => held(channel, last, own),
      })
    return this.#posting.post(group, {
      epoch,
      make: ({ state }) => encodeFarStatement(state, { kind: "commit", ref }),
      keep: (channel, last) => held(channel, last, own, { payload: commit, ref }),
    })
  }

  /** Where others can fetch it; `undefined` when nobody takes it now. */
  async #bring(commit: Bytes): Promise<BlobRef | undefined> {
    const { payloads, clock, log } = this.#parts
    const patience = AbortSignal.timeout(BRING_TIMEOUT_MS)
    try {
      return await payloads?.put(commit, AbortSignal.any([patience, this.#stopping]))
    } catch (error) {
      this.#stopping.throwIfAborted()
      this.#keeperlessUntilMs = clock.nowMs() + NO_KEEPERS_MS
      log(`a commit travels in envelopes, because nobody took its blob: ${String(error)}`)
      return undefined
    }
  }
}

const nothing = () => undefined

const held = (
  channel: Channel,
  envelope: Bytes,
  own: OwnCommit | undefined,
  lies?: { readonly payload: Bytes; readonly ref: BlobRef },
): Channel => {
  if (own === undefined) return channel
  const far = lies === undefined ? null : { ref: lies.ref, ordered: null }
  const payload = lies?.payload ?? NOTHING
  return hold(channel, { envelope, leaf: ownLeaf(channel.state), own, payload, far })
}
