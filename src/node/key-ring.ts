/**
 * The keys that open first contacts, as they are at this moment: intro keys, the last-resort key package of each card that still counts,
 * and the one-time packages. Rotation replaces them (identity-keeper.ts); the inbox asks for them with every foreign envelope.
 */
import { type Bytes, compare, toHex } from "../crypto/bytes.ts"
import type { IntroPrivate } from "../crypto/envelope.ts"
import { type Identity, introPrivate, type StoredKeyPackage } from "../crypto/identity.ts"
import { type OneTimePackage, USED_GRACE_MS } from "../crypto/one-time.ts"
import {
  keyPackageReference,
  keyPackageSigning,
  type Signing,
  welcomeRecipients,
} from "../crypto/session.ts"
import type { ChatRecords } from "./chat-records.ts"
import type { Clock } from "./clock.ts"
import type { SealedOp } from "./sealed.ts"

interface Opener {
  readonly key: IntroPrivate
  /** Infinity for the current card's. */
  readonly untilMs: number
}

interface LastResort {
  readonly pair: StoredKeyPackage
  readonly untilMs: number
}

/** A key package that a Welcome is for. */
export interface Found {
  readonly pair: StoredKeyPackage
  /** What has to be written together with the group that was joined by it. */
  readonly used: () => SealedOp[]
}

export interface KeyRingParts {
  readonly records: ChatRecords
  readonly clock: Clock
}

export class KeyRing {
  readonly #parts: KeyRingParts
  #identity: Identity
  #openers: readonly Opener[] = []
  #lastResorts: ReadonlyMap<string, LastResort> = new Map()
  readonly #oneTime = new Map<string, OneTimePackage>()
  readonly #usedListeners = new Set<() => void>()

  private constructor(parts: KeyRingParts, identity: Identity) {
    this.#parts = parts
    this.#identity = identity
  }

  /** Throws CryptoError when a record was altered. */
  static async open(parts: KeyRingParts, identity: Identity): Promise<KeyRing> {
    const ring = new KeyRing(parts, identity)
    for (const each of await parts.records.oneTimePackages())
      ring.#oneTime.set(toHex(each.reference), each)
    await ring.replace(identity)
    return ring
  }

  get identity(): Identity {
    return this.#identity
  }

  /** These are the keys from now on; they are stored already. */
  async replace(identity: Identity): Promise<void> {
    const all = [{ ...identity, untilMs: Number.POSITIVE_INFINITY }, ...identity.old]
    const lastResorts = new Map<string, LastResort>()
    for (const { lastResort, composite, untilMs } of all)
      for (const pair of [lastResort, ...(composite === null ? [] : [composite.lastResort])])
        lastResorts.set(toHex(await keyPackageReference(pair.public)), { pair, untilMs })
    this.#openers = all.map(({ intro, untilMs }) => ({ key: introPrivate(intro), untilMs }))
    this.#lastResorts = lastResorts
    this.#identity = identity
  }

  /** Intro keys to try on a foreign envelope, newest first: those of earlier cards until their time is over. */
  intro(): readonly IntroPrivate[] {
    const nowMs = this.#parts.clock.nowMs()
    return this.#openers.filter(({ untilMs }) => untilMs > nowMs).map(({ key }) => key)
  }

  /** The key package that a Welcome is for; `undefined` when it is none of ours, or not any more. */
  packageFor(welcome: Bytes): Found | undefined {
    const nowMs = this.#parts.clock.nowMs()
    for (const name of welcomeRecipients(welcome).map(toHex)) {
      const oneTime = this.#oneTime.get(name)
      if (oneTime !== undefined) return { pair: oneTime, used: () => this.#use(oneTime, nowMs) }
      const lastResort = this.#lastResorts.get(name)
      if (lastResort !== undefined && lastResort.untilMs > nowMs)
        return { pair: lastResort.pair, used: () => [] }
    }
    return undefined
  }

  /** Calls `listener` whenever a one-time package was used for the first time. */
  onUsed(listener: () => void): () => void {
    this.#usedListeners.add(listener)
    return () => this.#usedListeners.delete(listener)
  }

  #use(oneTime: OneTimePackage, nowMs: number): SealedOp[] {
    if (oneTime.destroyAtMs !== null) return []
    const used = { ...oneTime, destroyAtMs: nowMs + USED_GRACE_MS }
    this.#oneTime.set(toHex(used.reference), used)
    for (const listener of this.#usedListeners) listener()
    return [this.#parts.records.putOneTime(used)]
  }

  /** One-time packages for groups that sign so which nobody has used yet, in an order that does not tell which came when. */
  offered(signing: Signing): readonly OneTimePackage[] {
    return Array.from(this.#oneTime.values())
      .filter((each) => each.destroyAtMs === null && keyPackageSigning(each.public) === signing)
      .sort((a, b) => compare(a.reference, b.reference))
  }

  all(): readonly OneTimePackage[] {
    return Array.from(this.#oneTime.values())
  }

  /** Stored already, or deleted from the store. */
  put(packages: readonly OneTimePackage[]): void {
    for (const each of packages) this.#oneTime.set(toHex(each.reference), each)
  }
  drop(packages: readonly OneTimePackage[]): void {
    for (const each of packages) this.#oneTime.delete(toHex(each.reference))
  }
}
