/**
 * The bytes of commits that lie in blobs: fetched as soon as a member says where they lie, one of each member, and any that counts. While
 * one counts and its bytes are not here the group stands still for us, and the other members are told: those who have them bring them to
 * the keepers again. What nobody brings for long is given up, and the members are asked to let us in anew (returns.ts).
 *
 * Fetching shows our peer's address to those who keep the blob, so for a group that we have not said yes to nothing is fetched.
 */
import { primitives } from "#primitives"
import type { Channel } from "../../chat/channel.ts"
import {
  awaitedIn,
  type FarCommit,
  isFar,
  isLacked,
  NO_COMMIT,
  supply,
} from "../../chat/confirmations.ts"
import { encodeFarStatement } from "../../chat/far-commit.ts"
import type { BlobRef } from "../../crypto/blob.ts"
import { type Bytes, equal, fromHex, toHex } from "../../crypto/bytes.ts"
import { BlobError } from "../blobs/blobs.ts"
import { type ChatBook, Step } from "./book.ts"
import type { EpochPosting } from "./epoch-posting.ts"
import { type ChatParts, farCommitRules } from "./parts.ts"
import { KickedWork } from "../kicked-work.ts"

/** So long a blob is looked for before we say that it is missing, and then each time before we look again. */
const FETCH_TIMEOUT_MS = 10_000
const FIRST_PAUSE_MS = 1_000
const LAST_PAUSE_MS = 60_000
/** That one is missing is said, and a missing one brought again, once in so long. */
const MISSING_EVERY_MS = 60_000
const BRING_TIMEOUT_MS = 60_000
/** Blobs that were brought again, remembered for that. */
const BROUGHT_MAX = 64

export interface FarBringingEvents {
  /** The bytes of a commit are here. */
  supplied(group: string): void
  /** What counts cannot be had: we want to be let in anew. */
  want(group: string): Promise<void>
}

/** How the looking for one goes, while this process runs. */
interface Looking {
  readonly pauseMs: number
  /** Since when the group stands still for it; `undefined`: it does not. */
  readonly awaitedSinceMs: number | undefined
  readonly saidAtMs: number
  readonly isGivenUp: boolean
}

const BEGUN: Looking = {
  pauseMs: FIRST_PAUSE_MS,
  awaitedSinceMs: undefined,
  saidAtMs: Number.NEGATIVE_INFINITY,
  isGivenUp: false,
}

const nameOf = (group: string, commit: Bytes) => `${group} ${toHex(commit)}`
const partsOf = (name: string) => {
  const [group = "", commit = ""] = name.split(" ")
  return { group, commit: fromHex(commit) }
}

export class FarBringing {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #posting: EpochPosting
  readonly #events: FarBringingEvents
  readonly #fetching: KickedWork
  readonly #bringing: KickedWork
  readonly #looking = new Map<string, Looking>()
  readonly #broughtAtMs = new Map<string, number>()

  constructor(parts: ChatParts, book: ChatBook, posting: EpochPosting, events: FarBringingEvents) {
    this.#parts = parts
    this.#book = book
    this.#posting = posting
    this.#events = events
    const { clock } = parts
    this.#fetching = new KickedWork({
      clock,
      run: (name) => this.#look(name),
      onFailed: (name, error) => {
        parts.log(`fetching a commit failed: ${String(error)}`)
        this.#fetching.kickLater(name, LAST_PAUSE_MS)
      },
    })
    this.#bringing = new KickedWork({
      clock,
      run: (name) => this.#bringAgain(name),
      onFailed: (_, error) =>
        parts.log(`bringing a commit again came to nothing: ${String(error)}`),
    })
  }

  async stop(): Promise<void> {
    await Promise.all([this.#fetching.stop(), this.#bringing.stop()])
  }

  /** There may be commits in blobs to fetch in this group. */
  kick(group: string): void {
    const lacked = this.#book.channels.get(group)?.held.filter(isLacked) ?? []
    for (const { envelope } of lacked) this.#fetching.kick(nameOf(group, envelope))
  }

  /** Somebody in this group says that they cannot get the bytes of that commit. */
  missed(group: string, commit: Bytes): void {
    if (this.#refOf(group, commit) === undefined) return
    const name = nameOf(group, commit)
    const broughtAtMs = this.#broughtAtMs.get(name) ?? Number.NEGATIVE_INFINITY
    if (broughtAtMs + MISSING_EVERY_MS > this.#parts.clock.nowMs()) return
    this.#remember(name)
    // Not a secret: it only keeps those who have it from all bringing it at once. Whoever comes later finds it there.
    const share = (primitives.randomBytes(1)[0] ?? 0) / 256
    const members = (this.#book.channels.get(group)?.epochs[0]?.windows.size ?? 0) + 1
    this.#bringing.kickLater(name, share * members * farCommitRules(this.#parts).spreadMs)
  }

  #remember(name: string): void {
    this.#broughtAtMs.delete(name)
    this.#broughtAtMs.set(name, this.#parts.clock.nowMs())
    const [oldest] = this.#broughtAtMs.keys()
    if (this.#broughtAtMs.size > BROUGHT_MAX && oldest !== undefined)
      this.#broughtAtMs.delete(oldest)
  }

  /** Where the bytes lie of a commit that we have, or had when it counted. */
  #refOf(group: string, commit: Bytes): BlobRef | undefined {
    const channel = this.#book.channels.get(group)
    const held = channel?.held.filter(isFar).filter((each) => !isLacked(each)) ?? []
    const here = held.find(({ envelope }) => equal(envelope, commit))?.far.ref
    return here ?? channel?.farPast.find(({ envelope }) => equal(envelope, commit))?.ref
  }

  async #bringAgain(name: string): Promise<void> {
    const { group, commit } = partsOf(name)
    const ref = this.#refOf(group, commit)
    if (ref === undefined) return
    const patience = AbortSignal.timeout(BRING_TIMEOUT_MS)
    const signal = AbortSignal.any([patience, this.#bringing.signal])
    await this.#parts.payloads?.bringAgain(ref, signal)
  }

  /** The commit of this name, while it is to be fetched. */
  #wanted(name: string): { channel: Channel; commit: FarCommit } | undefined {
    const { group, commit: envelope } = partsOf(name)
    const channel = this.#book.channels.get(group)
    const commit = channel?.held.filter(isFar).find((each) => equal(each.envelope, envelope))
    if (channel === undefined || commit === undefined || !isLacked(commit)) return undefined
    const isOpen = this.#book.threadOf(channel).standing === "open"
    if (!channel.trusted || !isOpen) return undefined
    const first = channel.held.find(({ leaf, far }) => leaf === commit.leaf && far !== null)
    const isDue = first === commit || awaitedIn(channel) === commit
    return isDue ? { channel, commit } : undefined
  }

  async #look(name: string): Promise<void> {
    const wanted = this.#wanted(name)
    if (wanted === undefined) {
      this.#looking.delete(name)
      return
    }
    const payload = await this.#fetch(wanted.commit.far.ref)
    if (payload !== undefined) return this.#supply(name, payload)
    const before = this.#looking.get(name) ?? BEGUN
    const { pauseMs } = before
    const now = this.#wanted(name)
    if (now === undefined) {
      this.#looking.delete(name)
      return
    }
    const isAwaited = awaitedIn(now.channel) === now.commit
    const after = isAwaited ? await this.#miss(name, before) : before
    this.#looking.set(name, { ...after, pauseMs: Math.min(2 * pauseMs, LAST_PAUSE_MS) })
    this.#fetching.kickLater(name, isAwaited ? FIRST_PAUSE_MS : pauseMs)
  }

  /** It counts, and we cannot go on without it. */
  async #miss(name: string, looking: Looking): Promise<Looking> {
    const { group, commit } = partsOf(name)
    const nowMs = this.#parts.clock.nowMs()
    const isSaid = looking.saidAtMs + MISSING_EVERY_MS > nowMs
    if (!isSaid)
      await this.#posting.post(group, {
        make: ({ state }) => encodeFarStatement(state, { kind: "missing", commit }),
        keep: (channel) => channel,
      })
    const awaitedSinceMs = looking.awaitedSinceMs ?? nowMs
    const isLost = awaitedSinceMs + farCommitRules(this.#parts).lostMs <= nowMs
    if (isLost && !looking.isGivenUp) {
      this.#parts.log("the bytes of a group's change cannot be had: its members are asked")
      await this.#events.want(group)
    }
    return {
      ...looking,
      awaitedSinceMs,
      saidAtMs: isSaid ? looking.saidAtMs : nowMs,
      isGivenUp: looking.isGivenUp || isLost,
    }
  }

  /** `undefined` when it is not there now. */
  async #fetch(ref: BlobRef): Promise<Bytes | undefined> {
    const patience = AbortSignal.timeout(FETCH_TIMEOUT_MS)
    const signal = AbortSignal.any([patience, this.#fetching.signal])
    try {
      return await this.#parts.payloads?.get(ref, signal)
    } catch (error) {
      this.#fetching.signal.throwIfAborted()
      if (error instanceof BlobError && error.code === "BLOB_DAMAGED") return NO_COMMIT
      if (!patience.aborted) this.#parts.log(`fetching a commit came to nothing: ${String(error)}`)
      return undefined
    }
  }

  async #supply(name: string, payload: Bytes): Promise<void> {
    const { group, commit } = partsOf(name)
    await this.#book.turns.run(async () => {
      const channel = this.#book.channels.get(group)
      if (channel === undefined) return
      const step = new Step()
      step.channels.set(group, supply(channel, commit, payload))
      await this.#book.commit(step)
    })
    this.#looking.delete(name)
    this.#events.supplied(group)
  }
}
