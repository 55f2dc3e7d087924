/**
 * Keeps a person's operational keys young (DESIGN §4): replaces them every 30 days or when asked, makes one-time key packages when some
 * were used, and destroys private keys whose time is over. What it makes is stored before anybody is told of it, so a crash at any
 * moment leaves the old keys or the new ones, and never a published card whose keys are lost.
 */
import type { RecordKind } from "../crypto/blinding.ts"
import {
  KEEP_OLD_MS,
  type Identity,
  leafSeed,
  ROTATE_AFTER_MS,
  withoutExpired,
} from "../crypto/identity.ts"
import {
  COMPOSITE_OFFER_SIZE,
  encodeOffer,
  OFFER_SIZE,
  type OneTimePackage,
} from "../crypto/one-time.ts"
import { type Signing, SIGNINGS } from "../crypto/session.ts"
import type { IdentityKeys } from "./api/types.ts"
import type { ChatRecords } from "./chat-records.ts"
import type { Clock } from "./clock.ts"
import type { KeyRing } from "./key-ring.ts"
import { makeOneTime, rotateIdentity } from "./make-identity.ts"
import type { SealedOp } from "./sealed.ts"
import { Turns } from "./turns.ts"

/** How often it looks whether something is due. */
const LOOK_MS = 3_600_000
/** And how often it asks, after a restore, which card the mesh knows, until it has heard. */
const ASK_AGAIN_MS = 60_000
/** Used one-time packages are not destroyed before the mail that waited during an absence was read. */
const READ_FIRST_MS = 10 * 60_000
/** Uses are answered by a new offer together, and not more often: strangers decide how many there are. */
const REPLENISH_MS = 60_000
/** A card that was published from a copy of this profile has a higher number than ours: asked for so long before a new one is signed. */
const ASK_MS = 5_000

export interface IdentityKeeperParts {
  readonly ring: KeyRing
  readonly records: ChatRecords
  readonly clock: Clock
  /** This profile came out of a backup: a newer card may have been published since, and readers take no older one. */
  readonly isRestored?: boolean
  /** The sequence number of the newest card of ours that the mesh knows; 0 when it knows none or cannot be asked. */
  readonly published: (signal: AbortSignal) => Promise<number>
  /** The card changed: it is to be published, and threads take on the new leaf key. */
  readonly onCard: (identity: Identity) => void
  /** An offer of one-time packages changed. */
  readonly onOffer: (offer: PublishedOffer) => void
  readonly onFault: (error: unknown) => void
}

export interface PublishedOffer {
  readonly kind: Exclude<RecordKind, "card">
  readonly sequence: number
  /** Encoded. */
  readonly offer: Uint8Array
}

const OFFERS: Readonly<Record<Signing, Pick<PublishedOffer, "kind"> & { readonly size: number }>> =
  {
    ed25519: { kind: "offer", size: OFFER_SIZE },
    composite: { kind: "composite-offer", size: COMPOSITE_OFFER_SIZE },
  }

export class IdentityKeeper {
  readonly #parts: IdentityKeeperParts
  readonly #turns = new Turns()
  readonly #stopping = new AbortController()
  readonly #startedMs: number
  readonly #stopListening: () => void
  #cancelLook: () => void = () => undefined
  #cancelReplenish: (() => void) | undefined
  readonly #offers = new Map<Signing, PublishedOffer>()
  /** Whether the mesh is still to be asked which card of ours it knows. */
  #isUnsure: boolean

  constructor(parts: IdentityKeeperParts) {
    this.#parts = parts
    this.#startedMs = parts.clock.nowMs()
    this.#isUnsure = parts.isRestored ?? false
    this.#stopListening = parts.ring.onUsed(() => this.#replenishSoon())
  }

  /** Looks at once, and then every hour. Resolves when what was due is done. */
  async start(): Promise<void> {
    await this.#look()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#stopListening()
    this.#cancelLook()
    this.#cancelReplenish?.()
    await this.#turns.idle()
  }

  /** Resolves when what is under way is done. */
  async idle(): Promise<void> {
    await this.#turns.idle()
  }

  /** What is on offer for groups that sign so; `undefined` before `start`. */
  offer(signing: Signing): PublishedOffer | undefined {
    return this.#offers.get(signing)
  }

  show(): IdentityKeys {
    const { identity } = this.#parts.ring
    return {
      sequence: identity.sequence,
      sinceMs: identity.sinceMs,
      untilMs: identity.sinceMs + ROTATE_AFTER_MS,
      oldUntilMs: identity.old.map(({ untilMs }) => untilMs),
      onOffer: this.#parts.ring.offered("ed25519").length,
    }
  }

  /** New operational keys, now. Stored when it resolves; published from then on. */
  rotate({ forgetOld = false } = {}): Promise<Identity> {
    return this.#turns.run(() => this.#rotate(forgetOld))
  }

  async #look(): Promise<void> {
    this.#cancelLook()
    try {
      await this.#turns.run(() => this.#tidy())
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#parts.onFault(error)
    }
    if (this.#stopping.signal.aborted) return
    const pauseMs = this.#isUnsure ? ASK_AGAIN_MS : LOOK_MS
    this.#cancelLook = this.#parts.clock.after(pauseMs, () => void this.#look())
  }

  async #tidy(): Promise<void> {
    const { clock, ring } = this.#parts
    await this.#destroyExpired()
    const isOld = clock.nowMs() - ring.identity.sinceMs >= ROTATE_AFTER_MS
    // An identity from before there were composite leaf keys gets its own now.
    const lacksKeys = ring.identity.composite === null
    if (isOld || lacksKeys || (await this.#isOvertaken())) await this.#rotate(false)
    else await this.#replenish()
  }

  /** Whether the mesh knows a newer card than ours, after a restore. */
  async #isOvertaken(): Promise<boolean> {
    if (!this.#isUnsure) return false
    const known = await this.#published()
    this.#isUnsure = known === 0
    return known > this.#parts.ring.identity.sequence
  }

  #published(): Promise<number> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(ASK_MS)])
    return this.#parts.published(signal).catch(() => 0)
  }

  async #rotate(forgetOld: boolean): Promise<Identity> {
    const { ring, records, clock, onCard } = this.#parts
    const before = ring.identity
    const known = await this.#published()
    const nowMs = clock.nowMs()
    const next = await rotateIdentity(before, {
      nowMs,
      sequence: Math.max(before.sequence, known) + 1,
      forgetOld,
      signal: this.#stopping.signal,
    })
    // One-time packages carry the old leaf key: nobody is offered them any more, and who has picked one already gets through.
    const offered = SIGNINGS.flatMap((signing) => ring.offered(signing))
    const retired = offered.map((each) => ({ ...each, destroyAtMs: nowMs + KEEP_OLD_MS }))
    const gone = forgetOld ? ring.all() : []
    const kept = forgetOld ? [] : retired
    const ops = [...kept.map(records.putOneTime), ...gone.map(records.delOneTime)]
    await records.write([records.putIdentity(next), ...ops], { sync: true })
    ring.put(kept)
    ring.drop(gone)
    await ring.replace(next)
    if (forgetOld) await records.eraseOldKeys()
    onCard(next)
    await this.#replenish()
    return next
  }

  async #destroyExpired(): Promise<void> {
    const { ring, records, clock } = this.#parts
    const nowMs = clock.nowMs()
    const identity = withoutExpired(ring.identity, nowMs)
    const hasRead = nowMs - this.#startedMs >= READ_FIRST_MS
    const gone = ring
      .all()
      .filter(({ destroyAtMs }) => hasRead && destroyAtMs !== null && destroyAtMs <= nowMs)
    const ops: SealedOp[] = gone.map(records.delOneTime)
    if (identity !== ring.identity) ops.push(records.putIdentity(identity))
    if (ops.length === 0) return
    await records.write(ops, { sync: true })
    ring.drop(gone)
    if (identity !== ring.identity) await ring.replace(identity)
    await records.eraseOldKeys()
  }

  #replenishSoon(): void {
    this.#cancelReplenish ??= this.#parts.clock.after(REPLENISH_MS, () => {
      this.#cancelReplenish = undefined
      this.#turns
        .run(() => this.#replenish())
        .catch((error: unknown) => {
          if (!this.#stopping.signal.aborted) this.#parts.onFault(error)
        })
    })
  }

  /** Fills the offers up, and tells of those that are others than before. */
  async #replenish(): Promise<void> {
    for (const signing of SIGNINGS) await this.#fill(signing)
  }

  async #fill(signing: Signing): Promise<void> {
    const { ring, records, clock, onOffer } = this.#parts
    const { kind, size } = OFFERS[signing]
    const seed = leafSeed(ring.identity, signing)
    if (seed === undefined) return
    const there = ring.offered(signing)
    const fresh: OneTimePackage[] = []
    while (there.length + fresh.length < size && !this.#stopping.signal.aborted)
      fresh.push(await makeOneTime(ring.identity, seed, clock.nowMs()))
    if (this.#stopping.signal.aborted) return
    const before = await records.offerSequence(signing)
    const isNew = fresh.length > 0 || before === 0
    // Minutes since 1970: above whatever a copy of this profile has offered before, and no more than those who store it see anyway.
    const sequence = isNew ? Math.max(before + 1, Math.floor(clock.nowMs() / 60_000)) : before
    if (isNew) {
      const ops = [...fresh.map(records.putOneTime), records.putOfferSequence(signing, sequence)]
      await records.write(ops, { sync: true })
      ring.put(fresh)
    }
    if (!isNew && this.#offers.has(signing)) return
    const packages = ring.offered(signing).map((each) => each.public)
    // The card has no room for it.
    const { composite } = ring.identity
    if (signing === "composite" && composite !== null) packages.push(composite.lastResort.public)
    const offer = { kind, sequence, offer: encodeOffer({ sequence, packages }) }
    this.#offers.set(signing, offer)
    onOffer(offer)
  }
}
