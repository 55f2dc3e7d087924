/**
 * Follows the ledger without a vote (DESIGN §7, Followers): takes blocks from gossip and from peers that are asked, each only when
 * its certificate verifies against the validator set that this peer derived itself from the genesis on. Gossip may lose blocks; a gap,
 * a new connection or the clock makes it ask.
 */
import { blockFault } from "../../consensus/certificate.ts"
import { claimsOfCertificate } from "../../consensus/claims.ts"
import { decodeBlockRecord } from "../../consensus/codec.ts"
import { Follower } from "../../consensus/follower.ts"
import type { Scheme } from "../../consensus/hybrid.ts"
import type { Ledger } from "../../consensus/ledger.ts"
import type { BlockRecord, Item } from "../../consensus/types.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { ACCEPT, ignore, reject, type Verdict } from "../../crypto/verdict.ts"
import type { LedgerProblem } from "../api/types.ts"
import type { LedgerChain } from "./chain.ts"
import type { SignatureChecks } from "./checks.ts"
import type { LedgerPart } from "./part.ts"
import { storeError } from "../store/errors.ts"
import { StreamError } from "../transport/streams.ts"
import { BLOCKS_MAX } from "../mailbox/sync-messages.ts"
import { SyncError } from "../mailbox/sync-round.ts"
import { Turns } from "../turns.ts"

/** Between two looks at a random peer while something waits for its place, and while nothing does. */
const LOOK_MIN_MS = 2_000
const LOOK_MAX_MS = 60_000
const SLICE_MS = 8
/** An answer of so many blocks is hardly the last one: the next is asked for ahead. */
export const AHEAD_BLOCKS_MIN = 16

type Answer = readonly BlockRecord[]

export interface FollowerParts {
  readonly ledger: Ledger
  readonly chain: LedgerChain
  readonly scheme: Scheme
  readonly checks: Pick<SignatureChecks, "prove">
  readonly peers: () => readonly string[]
  readonly ask: (peer: string, after: number, limit: number) => Promise<readonly Bytes[]>
  /** This peer sent what no honest one would have. */
  readonly lied: (peer: string) => void
  /** Whether envelopes are known here that have no place yet. */
  readonly waits: () => boolean
  /** A block is verified and stored. In order of height, each once. */
  readonly onBlock: (record: BlockRecord, applied: readonly Item[]) => void
  /** For the first time somebody who was asked had nothing later. */
  readonly onNewest: () => void
  readonly note: (line: string) => void
  readonly onFault: (error: unknown) => void
}

export class LedgerFollower implements LedgerPart {
  readonly #parts: FollowerParts
  readonly #follower: Follower
  readonly linked = null
  readonly proposers = []
  readonly pooled = undefined
  readonly #turns = new Turns()
  #hadNothing = false
  #announced = 0
  #announcedBy: string | undefined
  /** Taken, and not in the store: its disk failed. Nothing is taken on top of it. */
  #unstored: { readonly record: BlockRecord; readonly applied: readonly Item[] } | undefined
  #problem: LedgerProblem | null = null
  #asking: Promise<void> | undefined
  #askNext: string | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(parts: FollowerParts) {
    this.#parts = parts
    this.#follower = new Follower(parts.ledger, parts.scheme)
  }

  start(): void {
    this.#schedule()
  }

  /** Highest height that somebody has shown a block of. */
  get announced(): number {
    return Math.max(this.#announced, this.#parts.chain.height)
  }

  get isNewest(): boolean {
    return this.#hadNothing && this.announced === this.#parts.chain.height
  }

  get ledger(): Ledger {
    return this.#follower.ledger
  }

  get role(): "following" | "halted" {
    return this.#problem?.code === "FORKED" ? "halted" : "following"
  }

  get problem(): LedgerProblem | null {
    return this.#problem
  }

  resume(): Promise<"no"> {
    return Promise.resolve("no")
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#asking
    await this.#turns.idle()
  }

  async heard(bytes: Bytes, peer: string): Promise<Verdict> {
    return await this.judge(decodeBlockRecord(bytes), peer)
  }

  /** A block from gossip. */
  async judge(record: BlockRecord, peer: string): Promise<Verdict> {
    const { height } = this.#follower.ledger
    // [IGNORE] it is new
    if (record.height <= height) return ignore("DUPLICATE")
    if (record.height > height + 1) {
      // [REJECT] its certificate is one; of another term that cannot be judged yet
      const verdict = this.#judgeLater(record)
      if (verdict.verdict === "reject") return verdict
      if (record.height > this.#announced) {
        this.#announced = Math.min(record.height, height + ANNOUNCED_MAX)
        this.#announcedBy = peer
      }
      this.catchUp(peer)
      return verdict
    }
    // [REJECT] its certificate is one
    const fault = await this.#take(record).catch((error: unknown) => {
      this.#parts.onFault(error)
      return "NOT_STORED" as const
    })
    if (fault === undefined) return ACCEPT
    return OWN_FAULTS.has(fault) ? ignore(fault) : reject(fault)
  }

  /** Blocks between are missing here, but whoever has them shall hear of this one: a quorum of the open term vouches for it. */
  #judgeLater({ batch, ...record }: BlockRecord): Verdict {
    const { term, set, rules } = this.#follower.ledger
    if (record.certificate.term !== term) return ignore("OTHER_TERM")
    const claim = { ...record, digest: batch.digest }
    const fault = blockFault(claim, rules.meshId, set, this.#parts.scheme)
    return fault === undefined ? ACCEPT : reject(fault)
  }

  admit(): void {
    // a follower proposes nothing
  }

  admitSoon(): void {
    // nor later
  }

  connected(peer: string): void {
    this.catchUp(peer)
  }

  disconnected(): void {
    // asking it fails, and another is asked
  }

  /** The next look comes soon. */
  awaits(): void {
    this.#schedule()
  }

  /** Asks this peer for what it has above our height; one peer at a time. */
  catchUp(peer: string): void {
    if (this.#stopped) return
    this.#askNext = peer
    this.#asking ??= this.#askAll().finally(() => (this.#asking = undefined))
  }

  async #askAll(): Promise<void> {
    for (let peer = this.#askNext; peer !== undefined && !this.#stopped; peer = this.#askNext) {
      this.#askNext = undefined
      try {
        await this.#readFrom(peer)
      } catch (error) {
        if (isLie(error)) this.#parts.lied(peer)
        else if (!(error instanceof StreamError || error instanceof SyncError))
          this.#parts.onFault(error)
      }
      // Whoever spoke of a height had its chance to show it.
      if (this.#announcedBy === peer) this.#announced = 0
    }
  }

  /** All that it has. While an answer is taken, the next one is fetched and its signatures are checked, where there will be one. */
  async #readFrom(peer: string): Promise<void> {
    let ahead: { readonly after: number; readonly answer: Promise<Answer> } | undefined
    try {
      for (let mayHaveMore = true; mayHaveMore;) {
        const { height } = this.#follower.ledger
        // of use only where it was asked for: blocks may have come another way, or not all were taken
        if (ahead !== undefined && ahead.after !== height) {
          await ahead.answer.catch(() => undefined)
          ahead = undefined
        }
        const blocks = await (ahead?.answer ?? this.#ask(peer, height))
        ahead = undefined
        if (blocks.length === 0) this.#sawNothing()
        const last = blocks.at(-1)
        if (last !== undefined && blocks.length >= AHEAD_BLOCKS_MIN) {
          ahead = { after: last.height, answer: this.#ask(peer, last.height) }
          // looked at when its turn comes, or never
          ahead.answer.catch(() => undefined)
        }
        mayHaveMore = await this.#takeAll(blocks, peer)
      }
    } finally {
      await ahead?.answer.catch(() => undefined)
    }
  }

  /** Blocks above a height, their signatures looked at. */
  async #ask(peer: string, after: number): Promise<Answer> {
    const answer = await this.#parts.ask(peer, after, BLOCKS_MAX)
    const blocks = answer.map((bytes) => decodeBlockRecord(bytes))
    await this.#check(blocks)
    return blocks
  }

  /** True when there may be more. */
  async #takeAll(blocks: Answer, peer: string): Promise<boolean> {
    const { note, lied } = this.#parts
    let taken = 0
    let began = performance.now()
    for (const block of blocks) {
      if (this.#stopped) return false
      const fault = await this.#take(block)
      if (fault === "NOT_NEXT") continue
      if (fault !== undefined) {
        if (OWN_FAULTS.has(fault)) return false
        note(`ledger: a peer sent a block that is none: ${fault}`)
        lied(peer)
        return false
      }
      taken++
      if (performance.now() - began < SLICE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      began = performance.now()
    }
    return taken > 0
  }

  #sawNothing(): void {
    if (this.#hadNothing) return
    this.#hadNothing = true
    this.#parts.onNewest()
  }

  /** All their signatures together, in threads: what is found good there, `take` need not check again. */
  async #check(blocks: readonly BlockRecord[]): Promise<void> {
    const { set, fields, rules, term } = this.#follower.ledger
    const setOf = (wanted: number) => (wanted === term ? set : fields.nextSet)
    const court = { meshId: rules.meshId, setOf }
    await this.#parts.checks.prove(
      blocks.flatMap(({ certificate }) => claimsOfCertificate(certificate, court)),
    )
  }

  /** What is wrong with the block, or undefined when it is stored. */
  #take(record: BlockRecord): Promise<string | undefined> {
    return this.#turns.run(async () => {
      if (this.#stopped) return "NOT_NEXT"
      await this.#store()
      const taken = this.#follower.take(record)
      if (!taken.ok) {
        if (taken.code === "TWO_CERTIFICATES") this.#forked(record.height)
        return taken.code
      }
      this.#unstored = { record, applied: taken.applied }
      await this.#store()
      return undefined
    })
  }

  /** The chain never has a hole: what could not be written is written before anything else. */
  async #store(): Promise<void> {
    if (this.#unstored === undefined) return
    const { record, applied } = this.#unstored
    try {
      await this.#parts.chain.keep([{ record, applied }], undefined, { sync: false })
    } catch (error) {
      this.#problem = { code: "STOPPED", detail: storeError(error).code }
      throw error
    }
    this.#unstored = undefined
    this.#problem = null
    this.#parts.onBlock(record, applied)
  }

  /** Not this peer's fault, nor ours: the validators of this mesh have signed two orders. */
  #forked(height: number): void {
    if (this.#problem?.code === "FORKED") return
    this.#problem = { code: "FORKED", detail: `at height ${height - 1}` }
    this.#parts.note(`ledger: TWO_CERTIFICATES at height ${height - 1}: the mesh has two orders`)
  }

  #schedule(): void {
    if (this.#stopped) return
    const { waits, peers, chain } = this.#parts
    const soon = waits() || this.announced > chain.height
    const delayMs = (soon ? LOOK_MIN_MS : LOOK_MAX_MS) * (0.75 + Math.random() / 2)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      const all = peers()
      const peer = all[Math.floor(Math.random() * all.length)]
      if (peer !== undefined) this.catchUp(peer)
      this.#schedule()
    }, delayMs)
    this.#timer.unref()
  }
}

/** Faults that say nothing about who sent the block. */
const OWN_FAULTS: ReadonlySet<string> = new Set(["NOT_NEXT", "NOT_STORED", "TWO_CERTIFICATES"])

const isLie = (error: unknown): boolean =>
  error instanceof CryptoError || (error instanceof SyncError && error.code === "SYNC_LIED")

/** A claim of a height is worth this much at most: it is not proven. */
const ANNOUNCED_MAX = 1_000_000
