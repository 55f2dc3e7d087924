/**
 * How envelopes are admitted at this peer, by the byte they begin with: by work at the price of the day, and by a member's proof where the
 * mesh has members. And the other side of it: the work that this peer's own envelopes are paid with. Members' proofs of its own are made
 * elsewhere (member.ts); what is done with a verdict, too (mailbox.ts).
 */
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { assert } from "../../crypto/errors.ts"
import { MEMBERSHIP_KIND, readMembership } from "../../crypto/membership/admission.ts"
import { anchorOf, POW_KIND, verifyProofOfWork, type WorkPrice } from "../../crypto/pow.ts"
import { reject, type Verdict } from "../../crypto/verdict.ts"
import type { Admission, Origin } from "../mailbox/mailbox.ts"
import { MembershipAdmission } from "../membership/membership-admission.ts"
import { type MineOptions, Miner } from "../membership/mine.ts"
import type { NetworkParts } from "./parts.ts"
import type { Store } from "../store/store.ts"
import { ProofVerifier } from "../membership/verify.ts"

/** Where admissions of something else than envelopes come from: whoever brings them, they share one budget. */
const OF_A_GRANT = { from: "sync", peer: "of a grant" } as const
/** Others may hear of a new period a little later than we: this share of it, own work is still bound to the one before. */
const ANCHOR_SETTLES_SHARE = 1 / 12

export type Prices = () => readonly WorkPrice[]

export interface Judges {
  readonly admissions: ReadonlyMap<number, Admission>
  /** Undefined where there is no membership. */
  readonly membership: MembershipAdmission | undefined
  readonly verifier: ProofVerifier
  readonly prices: Prices
}

/** `meshId`: 32 bytes; `powBits`: what the genesis asks, where `parts` has no prices. Throws StoreError. */
export async function openJudges(
  parts: NetworkParts,
  { meshId, powBits }: { meshId: Bytes; powBits: number },
): Promise<Judges> {
  const verifier = new ProofVerifier()
  const membership = await membershipOf(parts, meshId, verifier)
  const fixed = [{ anchor: meshId, bits: powBits }]
  const prices = parts.prices ?? (() => fixed)
  const admissions = new Map(parts.admissions ?? byWork(meshId, prices))
  if (membership !== undefined)
    admissions.set(MEMBERSHIP_KIND, (envelope, origin) => membership.judge(envelope, origin))
  return { admissions, membership, verifier, prices }
}

async function membershipOf(
  { membership: roots, store, onFault }: NetworkParts,
  meshId: Bytes,
  verifier: ProofVerifier,
): Promise<MembershipAdmission | undefined> {
  if (roots === undefined) return undefined
  return await MembershipAdmission.open({ store, meshId, roots, verifier, onFault })
}

function byWork(meshId: Bytes, prices: Prices) {
  const judge = (envelope: Bytes) => verifyProofOfWork({ meshId, prices: prices() }, envelope)
  return new Map<number, Admission>([[POW_KIND, judge]])
}

/** Whether an envelope's proof or work is of a period that nobody takes any more. */
export function isStale({ prices, membership }: Judges, envelope: Bytes): boolean {
  const anchor = anchorOf(envelope)
  if (anchor !== undefined) return !prices().some((price) => equal(price.anchor, anchor))
  const read = readMembership(envelope)
  return "fields" in read && membership?.isTaken(read.fields.period) === false
}

/** Judges an admission that stands in front of something else than an envelope to keep: 4096 bytes. Throws StoreError. */
export async function judgeGrant(
  { admissions }: Pick<Judges, "admissions">,
  store: Store,
  envelope: Bytes,
  origin: Origin = OF_A_GRANT,
): Promise<Verdict> {
  const admission = admissions.get(envelope[0] ?? 0)
  if (admission === undefined) return reject("UNKNOWN_ADMISSION")
  const verdict = await admission(envelope, origin)
  // what it used up stays used up, though no envelope is kept
  if ("writes" in verdict) await store.batch(verdict.writes)
  return verdict
}

/** The work that this peer does for what it posts, one piece at a time. */
export class OwnWork {
  readonly #meshId: Bytes
  readonly #prices: Prices
  readonly #settlesMs: number
  readonly #miner = new Miner()
  /** What the newest price is bound to, and since when as far as we saw; what was there at the start is not new. */
  #anchor: { readonly hash: Bytes; readonly sinceMs: number }

  /** `meshId`: 32 bytes. `periodMs`: the least that a price holds. */
  constructor(meshId: Bytes, prices: Prices, periodMs: number) {
    this.#meshId = meshId
    this.#prices = prices
    this.#settlesMs = ANCHOR_SETTLES_SHARE * periodMs
    this.#anchor = { hash: prices()[0]?.anchor ?? meshId, sinceMs: -Infinity }
  }

  /** A copy of the envelope with its work. Throws MineError, or the signal's reason. */
  async pay(envelope: Bytes, options?: MineOptions): Promise<Bytes> {
    return await this.#miner.mine(envelope, { meshId: this.#meshId, ...this.price() }, options)
  }

  /** The nonce (8 bytes) for an id of 32 bytes. Throws MineError, or the signal's reason. */
  async nonceFor(id: Bytes, price: WorkPrice, options?: MineOptions): Promise<Bytes> {
    return await this.#miner.nonceFor(id, { meshId: this.#meshId, ...price }, options)
  }

  /** The newest price once it has settled, the one before until then. Notices a new one: to be asked whenever there may be. */
  price(): WorkPrice {
    const [now, before] = this.#prices()
    assert(now !== undefined, "work has a price")
    if (!equal(now.anchor, this.#anchor.hash))
      this.#anchor = { hash: now.anchor, sinceMs: performance.now() }
    const isNew = performance.now() - this.#anchor.sinceMs < this.#settlesMs
    return isNew && before !== undefined ? before : now
  }

  stop(): Promise<void> {
    return this.#miner.stop()
  }
}
