/**
 * The judge of admission kind 1 (DESIGN §6.1): everything before the pairing is a comparison, a lookup, a hash or one signature check, and
 * the pairing is the verifier thread's. A proof that was checked once lets in the other fragments of its payload for the price of a
 * signature. What a peer may have us check at a time is bounded; what it sends beyond is ignored and comes again by sync.
 */
import { primitives } from "#primitives"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { envelopeId } from "../../crypto/envelope.ts"
import { CodedError } from "../../crypto/errors.ts"
import {
  isSigned,
  keyRootOf,
  type MembershipCode,
  type MembershipFields,
  readMembership,
  statementOf,
} from "../../crypto/membership/admission.ts"
import { payloadScope, type Statement } from "../../crypto/membership/statement.ts"
import { ignore, reject, type Verdict } from "../../crypto/verdict.ts"
import type { Admitted, Mailbox, Origin } from "../mailbox/mailbox.ts"
import type { MembershipRoots } from "./membership-source.ts"
import { NullifierLog, type Use } from "./nullifier-log.ts"
import type { Store } from "../store/store.ts"
import type { ProofVerifier } from "./verify.ts"

/** Proofs of one peer that wait or are being checked. */
export const UNVERIFIED_PER_PEER_MAX = 64
/** Periods whose proofs are taken: the present one and the one before. */
export const PERIODS_TAKEN = 2
/** Own proofs that were checked when they were made. */
const OWN_PROVEN_MAX = 128
/** Scopes worked out already: two periods of 32 slots, and some. */
const SCOPES_MAX = 128
/** Envelopes whose admission is taken out in one batch. */
const STRIP_TOGETHER = 256

export interface MembershipAdmissionParts {
  readonly store: Store
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly roots: MembershipRoots
  readonly verifier: Pick<ProofVerifier, "verify">
  /** Something failed that no peer is to blame for. */
  readonly onFault: (error: unknown) => void
}

/** [IGNORE] too many proofs at once, from this peer or from all; or our own verifier failed. */
type Code = MembershipCode | "OVERLOADED"

export class MembershipAdmission {
  readonly #parts: MembershipAdmissionParts
  readonly #log: NullifierLog
  /** Proofs being checked, by what they claim: fragments that come together wait for one check. */
  readonly #checking = new Map<string, Promise<boolean>>()
  readonly #unverified = new Map<string, number>()
  readonly #ownProven = new Map<string, Bytes>()
  readonly #scopes = new Map<string, Bytes>()
  #oldest = -1
  #tidying: Promise<void> | undefined
  #stopped = false

  private constructor(parts: MembershipAdmissionParts, log: NullifierLog) {
    this.#parts = parts
    this.#log = log
  }

  /** Throws StoreError. */
  static async open(parts: MembershipAdmissionParts): Promise<MembershipAdmission> {
    return new MembershipAdmission(parts, await NullifierLog.open(parts.store))
  }

  /** Whether a nullifier was seen: then whoever else would use it is too late. */
  isUsed(period: number, nullifier: Bytes): boolean {
    return this.#log.has(period, nullifier)
  }

  /** An own proof was checked when it was made; posting it need not check it again. */
  proven(nullifier: Bytes, keyRoot: Bytes): void {
    this.#ownProven.set(toHex(nullifier), keyRoot)
    if (this.#ownProven.size > OWN_PROVEN_MAX) forgetFirst(this.#ownProven)
  }

  /** Judges an envelope of 4096 bytes. */
  async judge(envelope: Bytes, origin: Origin): Promise<Verdict | Admitted> {
    const { roots, meshId } = this.#parts
    // [REJECT] the field is one, in its one spelling, with a slot below the limit
    const read = readMembership(envelope)
    if ("wrong" in read) return read.wrong
    const { fields } = read
    // [IGNORE] the period is this one or the one before
    if (!this.isTaken(fields.period)) return say("MEMBER_PERIOD")
    // [IGNORE] the tree that its proofs are made under is known here
    const treeRoot = roots.rootFor(fields.period)
    if (treeRoot === undefined) return say("MEMBER_ROOT")
    const keyRoot = keyRootOf(fields)
    const use = { ...fields, keyRoot, id: envelopeId(envelope) }
    const standing = this.#log.standing(use)
    // [IGNORE] neither nullifier nor key were used otherwise: an honest neighbour may have seen the other first
    if (standing === "spent" && origin.from !== "fetch") return say("MEMBER_SPENT")
    // [IGNORE] there is room to remember it
    if (standing === "full") return ignore("OVERLOADED")
    const isProven = standing === "proven" || standing === "own"
    // [IGNORE] this peer has not too much waiting already
    if (!isProven && !this.#hasRoom(origin)) return ignore("OVERLOADED")
    // [REJECT] the key it names signed it
    if (!isSigned(meshId, envelope, fields)) return reject("MEMBER_SIGNATURE")
    if (!isProven) {
      const statement = this.#statement(treeRoot, fields, keyRoot)
      const wrong = await this.#prove(statement, fields, keyRoot, origin)
      if (wrong !== undefined) return wrong
    }
    return this.#admit(use, origin)
  }

  /** Whether proofs of this period are taken at present. */
  isTaken(period: number): boolean {
    const now = this.#parts.roots.period()
    return period <= now && period > now - PERIODS_TAKEN
  }

  #admit(use: Use, origin: Origin): Verdict | Admitted {
    // another one may have come first while this proof was being checked
    if (this.#log.standing(use) === "spent" && origin.from !== "fetch") return say("MEMBER_SPENT")
    return { verdict: "accept", writes: [this.#log.enter(use)] }
  }

  #statement(treeRoot: Bytes, fields: MembershipFields, keyRoot: Bytes): Statement {
    const { period, slot } = fields
    const name = `${period}/${slot}`
    let scope = this.#scopes.get(name)
    if (scope === undefined) {
      scope = payloadScope(this.#parts.meshId, period, slot)
      this.#scopes.set(name, scope)
      if (this.#scopes.size > SCOPES_MAX) forgetFirst(this.#scopes)
    }
    return statementOf(treeRoot, scope, fields.nullifier, keyRoot)
  }

  /** Why the proof lets nobody in, if it does not. */
  async #prove(
    statement: Statement,
    { nullifier, proof }: MembershipFields,
    keyRoot: Bytes,
    origin: Origin,
  ): Promise<Verdict<Code> | undefined> {
    const own = origin.from === "local" ? this.#ownProven.get(toHex(nullifier)) : undefined
    if (own !== undefined && equal(own, keyRoot)) return undefined
    const name = toHex(primitives.sha256(statement.root, nullifier, keyRoot, proof))
    const running = this.#checking.get(name)
    const peer = origin.from === "local" ? undefined : origin.peer
    const checking = running ?? this.#check(name, { statement, proof }, peer)
    try {
      // [REJECT] the proof holds
      return (await checking) ? undefined : reject("MEMBER_PROOF")
    } catch (error) {
      // full, stopping or broken: no fault of the peer's
      const busy = error instanceof CodedError && error.code !== "VERIFIER_LOST"
      if (!busy && running === undefined) this.#parts.onFault(error)
      return ignore("OVERLOADED")
    }
  }

  #check(
    name: string,
    claim: { statement: Statement; proof: Bytes },
    peer: string | undefined,
  ): Promise<boolean> {
    this.#enter(peer)
    const checking = this.#parts.verifier.verify(claim, peer).finally(() => {
      this.#checking.delete(name)
      this.#leave(peer)
    })
    this.#checking.set(name, checking)
    return checking
  }

  #hasRoom(origin: Origin): boolean {
    if (origin.from === "local") return true
    return (this.#unverified.get(origin.peer) ?? 0) < UNVERIFIED_PER_PEER_MAX
  }

  #enter(peer: string | undefined): void {
    if (peer !== undefined) this.#unverified.set(peer, (this.#unverified.get(peer) ?? 0) + 1)
  }

  #leave(peer: string | undefined): void {
    if (peer === undefined) return
    const waiting = (this.#unverified.get(peer) ?? 1) - 1
    if (waiting === 0) this.#unverified.delete(peer)
    else this.#unverified.set(peer, waiting)
  }

  /**
   * The ledger's period may have moved on: forgets what the window has left, and has the admission parts of those envelopes taken out,
   * so that what is kept links no fragments. What a crash leaves over is done at the next call.
   */
  tidy(mailbox: Pick<Mailbox, "strip">): void {
    const oldest = this.#parts.roots.period() - PERIODS_TAKEN + 1
    if (oldest <= this.#oldest || this.#stopped) return
    this.#oldest = oldest
    this.#log.forgetBefore(oldest)
    this.#tidying = (this.#tidying ?? Promise.resolve())
      .then(() => this.#strip(mailbox, oldest))
      .catch(this.#parts.onFault)
  }

  async #strip(mailbox: Pick<Mailbox, "strip">, oldest: number): Promise<void> {
    while (!this.#stopped) {
      const rows = await this.#log.rowsBefore(oldest, STRIP_TOGETHER)
      if (rows.length === 0) return
      await mailbox.strip(
        rows.map(({ id }) => id),
        rows.map(({ gone }) => gone),
      )
    }
  }

  /** Lets what is being written settle. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#tidying
  }
}

const say = (code: MembershipCode): Verdict<Code> => ignore(code)

function forgetFirst(map: Map<string, unknown>): void {
  for (const first of map.keys()) {
    map.delete(first)
    return
  }
}
