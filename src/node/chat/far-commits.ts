/**
 * Commits in blobs, ours and others' (chat/confirmations.ts). Of the others' we confirm the first in the order that we have and find
 * sound, unless enough others do: each waits a moment of its own length. Our own, when it is not confirmed in time, is sent in envelopes as
 * well: the same bytes, because a second commit in one epoch would use a key twice; what is complete first in the order counts.
 * Everything that must outlive a restart stands in the channel's record.
 */
import { primitives } from "#primitives"
import type { Channel } from "../../chat/channel.ts"
import { hold, isSound } from "../../chat/commits.ts"
import {
  type FarCommit,
  farInOrder,
  holdConfirmation,
  isConfirmed,
  isFar,
  isLacked,
} from "../../chat/confirmations.ts"
import { encodeFarStatement } from "../../chat/far-commit.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { epochOf, ownLeaf } from "../../crypto/session.ts"
import type { ChatBook } from "./book.ts"
import type { EpochPosting } from "./epoch-posting.ts"
import { FarBringing, type FarBringingEvents } from "./far-bringing.ts"
import type { Outbox } from "./outbox.ts"
import type { OwnCommits } from "./own-commits.ts"
import { type ChatParts, farCommitRules } from "./parts.ts"
import { KickedWork } from "../kicked-work.ts"

const RETRY_MS = 5_000
const NOTHING = new Uint8Array(0)

/** What is remembered of a group while its epoch goes on. */
interface Waiting {
  readonly epoch: bigint
  /** From when on we confirm a commit, by its hexadecimal envelope. */
  readonly confirmAtMs: Map<string, number>
  /** Commits that are none. */
  readonly refused: Set<string>
  /** When our own goes out in envelopes; `undefined` before it was ordered. */
  fallBackAtMs: number | undefined
}

export class FarCommits {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #posting: EpochPosting
  readonly #commits: OwnCommits
  readonly #bringing: FarBringing
  readonly #confirming: KickedWork
  readonly #falling: KickedWork
  readonly #waiting = new Map<string, Waiting>()

  constructor(
    parts: ChatParts,
    book: ChatBook,
    { inEpoch: posting, commits }: Pick<Outbox, "inEpoch" | "commits">,
    events: FarBringingEvents,
  ) {
    this.#parts = parts
    this.#book = book
    this.#posting = posting
    this.#commits = commits
    this.#bringing = new FarBringing(parts, book, posting, {
      supplied: (group) => {
        this.#confirming.kick(group)
        events.supplied(group)
      },
      want: (group) => events.want(group),
    })
    this.#confirming = this.#work((group) => this.#confirm(group))
    this.#falling = this.#work((group) => this.#fallBack(group))
  }

  #work(run: (group: string) => Promise<void>): KickedWork {
    const work: KickedWork = new KickedWork({
      clock: this.#parts.clock,
      run,
      onFailed: (group, error) => {
        this.#parts.log(`a commit in a blob: ${String(error)}`)
        work.kickLater(group, RETRY_MS)
      },
    })
    return work
  }

  async stop(): Promise<void> {
    await Promise.all([this.#bringing.stop(), this.#confirming.stop(), this.#falling.stop()])
  }

  /** Something was heard of commits in blobs in this group, or the order has placed some of it. */
  changed(group: string): void {
    const isFree = this.#book.channels.get(group)?.held.every((each) => !isFar(each)) ?? true
    if (isFree) return
    this.#bringing.kick(group)
    this.#confirming.kick(group)
    this.#falling.kick(group)
  }

  /** Who keeps a blob may be among the peers now. */
  retryNow(): void {
    for (const group of this.#book.channels.keys()) this.changed(group)
  }

  /** Somebody says that they cannot get the bytes of a commit. */
  missed(group: string, commit: Bytes): void {
    this.#bringing.missed(group, commit)
  }

  /** The channel, with what is remembered of this epoch; `undefined` when there is nothing for us to do in it. */
  #now(group: string): { channel: Channel; waiting: Waiting } | undefined {
    const channel = this.#posting.channel(group)
    if (channel?.held.some(isFar) !== true) {
      this.#waiting.delete(group)
      return undefined
    }
    const epoch = epochOf(channel.state)
    const known = this.#waiting.get(group)
    if (known?.epoch === epoch) return { channel, waiting: known }
    const none = { confirmAtMs: new Map<string, number>(), refused: new Set<string>() }
    const waiting = { epoch, ...none, fallBackAtMs: undefined }
    this.#waiting.set(group, waiting)
    return { channel, waiting }
  }

  async #confirm(group: string): Promise<void> {
    const now = this.#now(group)
    const isOpen = now && this.#book.threadOf(now.channel).standing === "open"
    if (now === undefined || isOpen !== true) return
    const { channel, waiting } = now
    if (!channel.trusted || channel.behindFrom !== null) return
    const commit = farInOrder(channel).find(
      (each) => !isLacked(each) && !waiting.refused.has(toHex(each.envelope)),
    )
    const own = ownLeaf(channel.state)
    if (commit === undefined || commit.own !== null || isConfirmed(channel, commit)) return
    const isDone = channel.confirmations.some(
      (each) => each.leaf === own && equal(each.commit, commit.envelope),
    )
    if (isDone) return
    const waitMs = this.#confirmAt(waiting, channel, commit) - this.#parts.clock.nowMs()
    if (waitMs > 0) this.#confirming.kickLater(group, waitMs)
    else await this.#state(group, waiting, commit)
  }

  /** When our turn to confirm it comes. */
  #confirmAt({ confirmAtMs }: Waiting, { epochs }: Channel, { envelope }: FarCommit): number {
    const name = toHex(envelope)
    // Not a secret: it only keeps all from confirming at once.
    const share = (primitives.randomBytes(1)[0] ?? 0) / 256
    const members = (epochs[0]?.windows.size ?? 0) + 1
    const afterMs = share * members * farCommitRules(this.#parts).spreadMs
    const atMs = confirmAtMs.get(name) ?? this.#parts.clock.nowMs() + afterMs
    confirmAtMs.set(name, atMs)
    return atMs
  }

  /** States that we have it and find it sound, if it is. */
  async #state(group: string, { epoch, refused }: Waiting, commit: FarCommit): Promise<void> {
    await this.#posting.post(group, {
      epoch,
      make: async (channel) => {
        if (await isSound(channel, commit))
          return encodeFarStatement(channel.state, {
            kind: "confirmation",
            commit: commit.envelope,
          })
        refused.add(toHex(commit.envelope))
        return undefined
      },
      keep: (channel, envelope) =>
        holdConfirmation(channel, {
          envelope,
          leaf: ownLeaf(channel.state),
          commit: commit.envelope,
        }),
    })
    // Of a commit that is none the next may be one.
    if (refused.has(toHex(commit.envelope))) this.#confirming.kick(group)
  }

  async #fallBack(group: string): Promise<void> {
    const now = this.#now(group)
    const own = now?.channel.held.filter((each) => each.own !== null) ?? []
    const commit = own.find(isFar)
    if (now === undefined || commit === undefined || own.length > 1) return
    const { waiting } = now
    // While the ledger stands still more envelopes help nobody.
    if (commit.far.ordered === null) return
    const nowMs = this.#parts.clock.nowMs()
    waiting.fallBackAtMs ??= nowMs + farCommitRules(this.#parts).fallbackMs
    if (nowMs < waiting.fallBackAtMs) {
      this.#falling.kickLater(group, waiting.fallBackAtMs - nowMs)
      return
    }
    this.#parts.log("a commit was not confirmed in time and goes out in envelopes")
    this.#commits.wentUnheard(group)
    const { leaf, payload } = commit
    await this.#posting.post(group, {
      epoch: waiting.epoch,
      make: () => payload,
      keep: (channel, envelope) =>
        hold(channel, { envelope, leaf, own: commit.own, payload: NOTHING, far: null }),
    })
  }
}
