/**
 * The keys that open first contacts, as they are at this moment: intro keys, the last-resort key package of each card that still counts,
 * and the one-time packages. Rotation replaces them (identity-keeper.ts); the inbox asks for them with every foreign envelope.
 */
import { primitives } from "#primitives"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import type { IntroPrivate } from "../../crypto/envelope.ts"
import { type Identity, introPrivate, type StoredKeyPackage } from "../../crypto/identity.ts"
import type { OneTimePackage } from "../../crypto/one-time.ts"
import {
  keyPackageReference,
  keyPackageSigning,
  type Signing,
  welcomeRecipients,
} from "../../crypto/session.ts"
import type { ChatRecords } from "../chat/records.ts"
import type { Clock } from "../clock.ts"
import type { SealedOp } from "../store/sealed.ts"

interface Opener {
  readonly key: IntroPrivate
  /** Infinity for the current card's. */
  readonly untilMs: number
}

interface LastResort {
  readonly pair: StoredKeyPackage
  readonly untilMs: number
}

/** A one-time package that a Welcome has used up, for as long as that may have to be written once more. */
interface Spent {
  readonly pair: OneTimePackage
  /** SHA3-256 of the Welcome. */
  readonly by: Bytes
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
  readonly #spent = new Map<string, Spent>()
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
      const oneTime = this.#oneTimeFor(name, welcome)
      if (oneTime !== undefined) return oneTime
      const lastResort = this.#lastResorts.get(name)
      if (lastResort !== undefined && lastResort.untilMs > nowMs)
        return { pair: lastResort.pair, used: () => [] }
    }
    return undefined
  }

  /** Calls `listener` whenever a one-time package was used. */
  onUsed(listener: () => void): () => void {
    this.#usedListeners.add(listener)
    return () => this.#usedListeners.delete(listener)
  }

  /** Once: the same Welcome again, when it could not be written the first time; another one never. */
  #oneTimeFor(name: string, welcome: Bytes): Found | undefined {
    const fresh = this.#oneTime.get(name)
    if (fresh !== undefined) return { pair: fresh, used: () => this.#use(name, fresh, welcome) }
    const spent = this.#spent.get(name)
    if (spent === undefined || !equal(spent.by, primitives.sha3_256(welcome))) return undefined
    return { pair: spent.pair, used: () => [this.#parts.records.delOneTime(spent.pair)] }
  }

  #use(name: string, pair: OneTimePackage, welcome: Bytes): SealedOp[] {
    this.#oneTime.delete(name)
    this.#spent.set(name, { pair, by: primitives.sha3_256(welcome) })
    for (const listener of this.#usedListeners) listener()
    return [this.#parts.records.delOneTime(pair)]
  }

  /** Lets go of private parts that were used. Whether there were any. */
  forgetSpent(): boolean {
    const there = this.#spent.size > 0
    this.#spent.clear()
    return there
  }

  /** One-time packages for groups that sign so which are given out for a day and which nobody has used yet. */
  offered(signing: Signing, epoch: number): readonly OneTimePackage[] {
    return this.all().filter(
      (each) => each.epoch === epoch && keyPackageSigning(each.public) === signing,
    )
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
