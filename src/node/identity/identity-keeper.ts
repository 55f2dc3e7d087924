/**
 * Keeps a person's operational keys young (DESIGN §4): replaces them every 30 days or when asked, and destroys private keys whose time is
 * over, those of one-time key packages among them (node/packages/pools.ts makes these). What it makes is stored before anybody is told of it, so
 * a crash at any moment leaves the old keys or the new ones, and never a published card whose keys are lost.
 */
import { EPOCH_SLACK, epochAt } from "../../crypto/directory-record.ts"
import { type Identity, ROTATE_AFTER_MS, withoutExpired } from "../../crypto/identity.ts"
import { KEEP_UNUSED_MS, ONE_TIME_MAX, type OneTimePackage } from "../../crypto/one-time.ts"
import { keyPackageSigning, SIGNINGS } from "../../crypto/session.ts"
import type { IdentityKeys } from "../api/types.ts"
import type { ChatRecords } from "../chat/records.ts"
import type { Clock } from "../clock.ts"
import type { KeyRing } from "./key-ring.ts"
import { rotateIdentity } from "./make-identity.ts"
import type { SealedOp } from "../store/sealed.ts"
import { Turns } from "../turns.ts"

/** How often it looks whether something is due. */
const LOOK_MS = 3_600_000
/** And how often it asks, after a restore, which card the mesh knows, until it has heard. */
const ASK_AGAIN_MS = 60_000
/** One-time packages that nobody used are not destroyed before the mail that waited during an absence was read. */
const READ_FIRST_MS = 10 * 60_000
/** Used keys leave the files together, and not more often: strangers decide how many there are. */
const ERASE_MS = 60_000
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
  /** One-time packages that are out for today and that nobody has used. */
  readonly onOffer: () => number
  readonly onFault: (error: unknown) => void
}

export class IdentityKeeper {
  readonly #parts: IdentityKeeperParts
  readonly #turns = new Turns()
  readonly #stopping = new AbortController()
  readonly #startedMs: number
  readonly #stopListening: () => void
  #cancelLook: () => void = () => undefined
  #cancelErase: (() => void) | undefined
  /** Whether the mesh is still to be asked which card of ours it knows. */
  #isUnsure: boolean

  constructor(parts: IdentityKeeperParts) {
    this.#parts = parts
    this.#startedMs = parts.clock.nowMs()
    this.#isUnsure = parts.isRestored ?? false
    this.#stopListening = parts.ring.onUsed(() => this.#eraseSoon())
  }

  /** Looks at once, and then every hour. Resolves when what was due is done. */
  async start(): Promise<void> {
    await this.#look()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#stopListening()
    this.#cancelLook()
    this.#cancelErase?.()
    await this.#turns.idle()
  }

  /** Resolves when what is under way is done. */
  async idle(): Promise<void> {
    await this.#turns.idle()
  }

  show(): IdentityKeys {
    const { identity } = this.#parts.ring
    return {
      sequence: identity.sequence,
      sinceMs: identity.sinceMs,
      untilMs: identity.sinceMs + ROTATE_AFTER_MS,
      oldUntilMs: identity.old.map(({ untilMs }) => untilMs),
      onOffer: this.#parts.onOffer(),
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
    // One-time packages carry the old leaf key: nobody is given them any more, and who has one already gets through.
    const out = ring.all().filter(({ epoch }) => epoch >= epochAt(nowMs) - EPOCH_SLACK)
    const retired = out.map((each) => ({ ...each, epoch: 0 }))
    const gone = forgetOld ? ring.all() : []
    const kept = forgetOld ? [] : retired
    const ops = [...kept.map(records.putOneTime), ...gone.map(records.delOneTime)]
    await records.write([records.putIdentity(next), ...ops], { sync: true })
    ring.put(kept)
    ring.drop(gone)
    await ring.replace(next)
    if (forgetOld) await records.eraseOldKeys()
    onCard(next)
    return next
  }

  async #destroyExpired(): Promise<void> {
    const { ring, records, clock } = this.#parts
    const nowMs = clock.nowMs()
    const identity = withoutExpired(ring.identity, nowMs)
    await this.#setEnds(nowMs)
    const gone = this.#overdue(nowMs)
    const ops: SealedOp[] = gone.map(records.delOneTime)
    if (identity !== ring.identity) ops.push(records.putIdentity(identity))
    const hasSpent = ring.forgetSpent()
    if (ops.length === 0 && !hasSpent) return
    await records.write(ops, { sync: true })
    ring.drop(gone)
    if (identity !== ring.identity) await ring.replace(identity)
    await records.eraseOldKeys()
  }

  /** An earlier version set no end to what nobody had used yet. */
  async #setEnds(nowMs: number): Promise<void> {
    const { ring, records } = this.#parts
    const endless = ring.all().filter(({ destroyAtMs }) => destroyAtMs === null)
    if (endless.length === 0) return
    const ended = endless.map((each) => ({ ...each, destroyAtMs: nowMs + KEEP_UNUSED_MS }))
    await records.write(ended.map(records.putOneTime), { sync: true })
    ring.put(ended)
  }

  /** One-time packages whose time is over, and the oldest of too many. */
  #overdue(nowMs: number): OneTimePackage[] {
    const hasRead = nowMs - this.#startedMs >= READ_FIRST_MS
    const endOf = ({ destroyAtMs }: OneTimePackage) => destroyAtMs ?? Infinity
    return SIGNINGS.flatMap((signing) => {
      const all = this.#parts.ring
        .all()
        .filter((each) => keyPackageSigning(each.public) === signing)
        .sort((a, b) => endOf(a) - endOf(b))
      const surplus = Math.max(0, all.length - ONE_TIME_MAX[signing])
      return all.filter((each, i) => i < surplus || (hasRead && endOf(each) <= nowMs))
    })
  }

  #eraseSoon(): void {
    this.#cancelErase ??= this.#parts.clock.after(ERASE_MS, () => {
      this.#cancelErase = undefined
      this.#turns
        .run(() => this.#destroyExpired())
        .catch((error: unknown) => {
          if (!this.#stopping.signal.aborted) this.#parts.onFault(error)
        })
    })
  }
}
