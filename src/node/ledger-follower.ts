/**
 * Follows the ledger without a vote (DESIGN §7, Followers): takes blocks from gossip and from peers that are asked, each only when
 * its certificate verifies against the validator set that this peer derived itself from the genesis on. Gossip may lose blocks; a gap,
 * a new connection or the clock makes it ask.
 */
import { claimsOfCertificate } from "../consensus/claims.ts"
import { decodeBlockRecord } from "../consensus/codec.ts"
import { type BlockFault, Follower } from "../consensus/follower.ts"
import type { Scheme } from "../consensus/hybrid.ts"
import type { Ledger } from "../consensus/ledger.ts"
import type { BlockRecord, Item } from "../consensus/types.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { ACCEPT, ignore, reject, type Verdict } from "../crypto/verdict.ts"
import type { LedgerChain } from "./ledger-chain.ts"
import type { SignatureChecks } from "./ledger-checks.ts"
import type { LedgerPart } from "./ledger-part.ts"
import { StreamError } from "./streams.ts"
import { BLOCKS_MAX } from "./sync-messages.ts"
import { SyncError } from "./sync-round.ts"
import { Turns } from "./turns.ts"

/** Between two looks at a random peer while something waits for its place, and while nothing does. */
const LOOK_MIN_MS = 2_000
const LOOK_MAX_MS = 60_000
const SLICE_MS = 8

export interface FollowerParts {
  readonly ledger: Ledger
  readonly chain: LedgerChain
  readonly scheme: Scheme
  readonly checks: Pick<SignatureChecks, "prove">
  readonly peers: () => readonly string[]
  readonly ask: (peer: string, after: number, limit: number) => Promise<readonly Bytes[]>
  /** Whether envelopes are known here that have no place yet. */
  readonly waits: () => boolean
  /** A block is verified and stored. In order of height, each once. */
  readonly onBlock: (record: BlockRecord, applied: readonly Item[]) => void
  readonly note: (line: string) => void
  readonly onFault: (error: unknown) => void
}

export class LedgerFollower implements LedgerPart {
  readonly #parts: FollowerParts
  readonly #follower: Follower
  readonly role = "following"
  readonly linked = null
  readonly pooled = undefined
  readonly #turns = new Turns()
  #announced = 0
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

  get ledger(): Ledger {
    return this.#follower.ledger
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#asking
    await this.#turns.idle()
  }

  /** A block from gossip. */
  async judge(record: BlockRecord, peer: string): Promise<Verdict> {
    const { height } = this.#follower.ledger
    // [IGNORE] it is new
    if (record.height <= height) return ignore("DUPLICATE")
    // [IGNORE] it is the next; what comes later cannot be judged yet
    if (record.height > height + 1) {
      this.#announced = Math.max(this.#announced, Math.min(record.height, height + ANNOUNCED_MAX))
      this.catchUp(peer)
      return ignore("NOT_NEXT")
    }
    // [REJECT] its certificate is one
    const fault = await this.#take(record)
    if (fault === undefined) return ACCEPT
    return fault === "NOT_NEXT" ? ignore(fault) : reject(fault)
  }

  admit(): void {
    // a follower proposes nothing
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
        while (await this.#askOne(peer));
      } catch (error) {
        if (error instanceof StreamError || error instanceof SyncError) continue
        if (!(error instanceof CryptoError)) this.#parts.onFault(error)
      }
    }
  }

  /** True when there may be more. */
  async #askOne(peer: string): Promise<boolean> {
    const { ask, note } = this.#parts
    const answer = await ask(peer, this.#follower.ledger.height, BLOCKS_MAX)
    const blocks = answer.map((bytes) => decodeBlockRecord(bytes))
    await this.#check(blocks)
    let taken = 0
    for (let at = 0; at < blocks.length && !this.#stopped;) {
      const { tried, kept, fault } = await this.#takeSome(blocks.slice(at))
      at += tried
      taken += kept
      if (fault !== undefined) {
        note(`ledger: a peer sent a block that is none: ${fault}`)
        return false
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    return taken > 0
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
  async #take(record: BlockRecord): Promise<string | undefined> {
    const { kept, fault } = await this.#takeSome([record])
    return kept === 0 ? (fault ?? "NOT_NEXT") : undefined
  }

  /** As many as a slice of time allows, stored together; those that are not the next are passed over. */
  #takeSome(
    records: readonly BlockRecord[],
  ): Promise<{ tried: number; kept: number; fault?: BlockFault }> {
    return this.#turns.run(async () => {
      const blocks: { record: BlockRecord; applied: readonly Item[] }[] = []
      let tried = 0
      let fault: BlockFault | undefined
      const began = performance.now()
      for (const record of records) {
        if (this.#stopped || fault !== undefined) break
        tried++
        const taken = this.#follower.take(record)
        if (taken.ok) blocks.push({ record, applied: taken.applied })
        else if (taken.code !== "NOT_NEXT") fault = taken.code
        if (performance.now() - began > SLICE_MS) break
      }
      await this.#parts.chain.keep(blocks, undefined, { sync: false })
      for (const { record, applied } of blocks) this.#parts.onBlock(record, applied)
      return { tried, kept: blocks.length, ...(fault === undefined ? {} : { fault }) }
    })
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

/** A claim of a height is worth this much at most: it is not proven. */
const ANNOUNCED_MAX = 1_000_000
