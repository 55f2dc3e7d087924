/**
 * Keeps an owner's pools of one-time key packages filled: every day new packages to the keepers nearest to the day's key, each keeper its
 * own, and new ones in place of those that were handed out. A keeper is asked how many it has left; one that lies spoils its own handful,
 * because what it may be given on a day is bounded, and so is the day. Private parts are stored before anything is given away.
 *
 * Holds the Ed25519 root seed while it signs.
 */
import { setImmediate } from "node:timers/promises"
import type { Bytes } from "../../crypto/bytes.ts"
import { EPOCH_MS, epochAt } from "../../crypto/directory-record.ts"
import { type Identity, leafSeed } from "../../crypto/identity.ts"
import type { OneTimePackage } from "../../crypto/one-time.ts"
import {
  makeHandful,
  type Pool,
  poolOf,
  poolSigner,
  sealPackage,
} from "../../crypto/package-pool.ts"
import { type Signing, SIGNINGS } from "../../crypto/session.ts"
import type { BlindedSigner } from "../../crypto/blinding.ts"
import type { ChatRecords } from "../chat/records.ts"
import type { Clock } from "../clock.ts"
import type { KeyRing } from "../identity/key-ring.ts"
import { makeOneTime } from "../identity/make-identity.ts"
import { bookFor, givenIn, noted, type PackageBook } from "./book.ts"
import type { PackageKeepers } from "./keepers.ts"
import { StreamError } from "../transport/streams.ts"
import { Turns } from "../turns.ts"

interface PoolSize {
  /** Packages that lie with keepers at a time, all together. */
  readonly total: number
  readonly keepers: number
  /** Packages of one day: then the last-resort one serves until the next. */
  readonly dayMax: number
}

export const POOL_SIZE: Readonly<Record<Signing, PoolSize>> = {
  ed25519: { total: 16, keepers: 8, dayMax: 64 },
  composite: { total: 4, keepers: 4, dayMax: 16 },
}
/** A keeper is given so many times its share on a day: one that says that it has none takes no more from the day than this. */
export const KEEPER_SHARES_MAX = 4
/** A connected peer that did not answer, because it had just started, is asked again; each time after twice as long. */
const ASK_AGAIN_MS = 15_000
/** Peers that are asked in place of those nearer ones that did not answer. */
const CANDIDATES_MAX = 20
const LOOK_MS = 3_600_000
const JITTER = 0.1
const MIDNIGHT_SPREAD_MS = 1_200_000
/** Uses are answered together, and not more often: strangers decide how many there are. */
const REPLENISH_MS = 60_000
const FIRST_PEER_MS = 1_000
const NEW_PEER_MS = 10_000

export interface PackagePoolsParts {
  readonly ring: KeyRing
  readonly records: ChatRecords
  /** Raw, 64 bytes. */
  readonly address: Bytes
  readonly keepers: Pick<PackageKeepers, "self" | "meshId" | "connected" | "nearest" | "give">
  readonly clock: Clock
  /** In [0, 1); only for jitter. */
  readonly random: () => number
  /** A disk that fails. What peers do is none. */
  readonly onFault: (error: unknown) => void
}

/** What goes on during one round, which ends when the day or the card does. */
interface Round {
  readonly identity: Identity
  readonly epoch: number
  readonly signal: AbortSignal
}

export class PackagePools {
  readonly #parts: PackagePoolsParts
  readonly #turns = new Turns()
  readonly #stopping = new AbortController()
  readonly #stopListening: () => void
  #cancelNext: () => void = () => undefined
  #nextAtMs = Infinity
  #last = { epoch: 0, sequence: 0 }
  /** Keepers besides this peer that answered the last time. */
  #keepers: ReadonlySet<string> = new Set()
  #failures = 0

  constructor(parts: PackagePoolsParts) {
    this.#parts = parts
    this.#stopListening = parts.ring.onUsed(() => this.#soon(REPLENISH_MS))
  }

  /** One round now; the next ones follow by themselves. Never rejects. */
  async refill(): Promise<void> {
    this.#cancelNext()
    this.#nextAtMs = Infinity
    try {
      await this.#turns.run(() => this.#round())
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#parts.onFault(error)
    }
    this.#failures = this.#lacking() === 0 ? 0 : this.#failures + 1
    this.#soon(this.#pauseMs())
  }

  /** Somebody may have come who keeps packages. */
  peersChanged(): void {
    if (this.#lacking() === 0) return
    this.#soon(this.#keepers.size === 0 ? FIRST_PEER_MS : NEW_PEER_MS)
  }

  /** Connected peers that might keep some and do not, while there are fewer keepers than there should be. */
  #lacking(): number {
    if (this.#keepers.size >= POOL_SIZE.ed25519.keepers) return 0
    return this.#parts.keepers.connected().filter((peer) => !this.#keepers.has(peer)).length
  }

  /** Packages that are out for today and that nobody has used. */
  onOffer(signing: Signing): number {
    const { ring, clock } = this.#parts
    return ring.offered(signing, epochAt(clock.nowMs())).length
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#stopListening()
    this.#cancelNext()
    await this.#turns.idle()
  }

  #soon(pauseMs: number): void {
    const { clock } = this.#parts
    const atMs = clock.nowMs() + pauseMs
    if (this.#stopping.signal.aborted || atMs >= this.#nextAtMs) return
    this.#cancelNext()
    this.#nextAtMs = atMs
    this.#cancelNext = clock.after(pauseMs, () => void this.refill())
  }

  #pauseMs(): number {
    const { clock, random } = this.#parts
    const midnightMs = EPOCH_MS - (clock.nowMs() % EPOCH_MS)
    const lookMs = this.#failures === 0 ? LOOK_MS : ASK_AGAIN_MS * 2 ** (this.#failures - 1)
    const hourMs = Math.min(LOOK_MS, lookMs) * (1 - JITTER * random())
    return midnightMs < hourMs ? midnightMs + MIDNIGHT_SPREAD_MS * random() : hourMs
  }

  async #round(): Promise<void> {
    const { ring, clock } = this.#parts
    const { signal } = this.#stopping
    if (signal.aborted) return
    const round = { identity: ring.identity, epoch: epochAt(clock.nowMs()), signal }
    for (const signing of SIGNINGS) await this.#fill(signing, round)
  }

  async #fill(signing: Signing, round: Round): Promise<void> {
    const { address, keepers } = this.#parts
    const { identity, epoch, signal } = round
    const seed = leafSeed(identity, signing)
    if (seed === undefined) return
    const pool = poolOf(address, epoch, signing)
    const nearest = await orNobody(keepers.nearest(pool.blinded, signal))
    // Nobody could ask this peer for what it alone keeps.
    if (nearest.every((peer) => peer === keepers.self)) return
    // Blinding takes some milliseconds each time.
    await setImmediate()
    const signer = poolSigner(identity.roots.ed25519, address, pool)
    const left = await this.#ask(pool, signer, nearest, round)
    const others = Array.from(left.keys()).filter((peer) => peer !== keepers.self)
    if (signing === "ed25519") this.#keepers = new Set(others)
    if (others.length === 0) return
    const share = Math.ceil(POOL_SIZE[signing].total / left.size)
    for (const [peer, count] of left) {
      if (!this.#goesOn(round)) return
      const handful = { pool, signer, peer, count: share - count, share }
      await this.#give(handful, seed, round)
    }
  }

  /** How many packages each of the nearest keepers that answer has of this pool. */
  async #ask(
    pool: Pool,
    signer: BlindedSigner,
    nearest: readonly string[],
    round: Round,
  ): Promise<ReadonlyMap<string, number>> {
    const { keepers } = POOL_SIZE[pool.signing]
    const left = new Map<string, number>()
    const candidates = nearest.slice(0, CANDIDATES_MAX)
    const book = await this.#book(round)
    while (left.size < keepers && candidates.length > 0 && this.#goesOn(round)) {
      const some = candidates.splice(0, keepers - left.size)
      const answers: (number | undefined)[] = []
      await Promise.all(
        some.map(async (peer, i) => {
          const begins = book.given[pool.signing].get(peer)?.holds !== true
          answers[i] = await this.#hand(pool, signer, peer, { begins, packages: [] }, round)
        }),
      )
      for (const [i, peer] of some.entries()) {
        const answer = answers[i]
        if (answer !== undefined) left.set(peer, answer)
      }
    }
    return left
  }

  /** New packages, at most `count` and as many as the day and the keeper may still have. */
  async #give(
    to: { pool: Pool; signer: BlindedSigner; peer: string; count: number; share: number },
    seed: Bytes,
    round: Round,
  ): Promise<void> {
    const { ring, records, clock } = this.#parts
    const { pool, signer, peer, share } = to
    const { signing } = pool
    const book = await this.#book(round)
    const given = book.given[signing].get(peer)?.count ?? 0
    const ofDay = POOL_SIZE[signing].dayMax - givenIn(book, signing)
    const count = Math.min(to.count, ofDay, KEEPER_SHARES_MAX * share - given)
    const fresh: OneTimePackage[] = []
    while (fresh.length < count && this.#goesOn(round)) {
      const when = { nowMs: clock.nowMs(), epoch: round.epoch }
      fresh.push(await makeOneTime(round.identity, seed, when))
    }
    if (fresh.length === 0 || !this.#goesOn(round)) return
    const after = noted(book, signing, peer, fresh.length)
    // Whether the keeper takes them or not, and says so or not: they are not given to anybody else.
    const ops = [...fresh.map(records.putOneTime), records.putPackageBook(after)]
    await records.write(ops, { sync: true })
    ring.put(fresh)
    const packages = fresh.map((each) => sealPackage(pool, each.public))
    await this.#hand(pool, signer, peer, { begins: false, packages }, round)
  }

  async #hand(
    pool: Pool,
    signer: BlindedSigner,
    keeper: string,
    what: { readonly begins: boolean; readonly packages: readonly Bytes[] },
    { signal }: Round,
  ): Promise<number | undefined> {
    const { keepers } = this.#parts
    const sequence = this.#nextSequence(pool.epoch)
    const parts = { pool, signer, meshId: keepers.meshId, keeper, sequence, ...what }
    await setImmediate()
    try {
      const answer = await keepers.give(keeper, pool.signing, makeHandful(parts), signal)
      return typeof answer === "number" ? answer : undefined
    } catch (error) {
      if (error instanceof StreamError || signal.aborted) return undefined
      throw error
    }
  }

  /** Counted from the day before, in milliseconds: a restart goes on above, with nothing written. What carriers see is blinded. */
  #nextSequence(epoch: number): number {
    const sinceMs = Math.floor(this.#parts.clock.nowMs() - (epoch - 1) * EPOCH_MS)
    const above = this.#last.epoch === epoch ? this.#last.sequence + 1 : 0
    this.#last = { epoch, sequence: Math.max(above, sinceMs) }
    return this.#last.sequence
  }

  async #book({ identity, epoch }: Round): Promise<PackageBook> {
    const before = await this.#parts.records.packageBook()
    return bookFor(before, { epoch, sequence: identity.sequence })
  }

  #goesOn({ identity, signal }: Round): boolean {
    return !signal.aborted && this.#parts.ring.identity === identity
  }
}

async function orNobody(nearest: Promise<string[]>): Promise<string[]> {
  try {
    return await nearest
  } catch {
    return []
  }
}
