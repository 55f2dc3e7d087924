/**
 * Proofs made ahead, so that sending does not wait for one (DESIGN §6.1). How many lie ready follows use: as many as the last two periods
 * took, a few at most; whoever sends nothing has none made. A proof that is ready has its slot used up on the disk already, so taking
 * it costs nothing. What is not taken when its period has gone is lost, and its slot with it: slots end with their period anyway.
 */
import { primitives } from "#primitives"
import type { Bytes } from "../../crypto/bytes.ts"
import { CodedError } from "../../crypto/errors.ts"
import {
  newOneTimeKeys,
  rootOverKeys,
  signalOfKeys,
} from "../../crypto/membership/one-time-keys.ts"
import { payloadScope } from "../../crypto/membership/statement.ts"
import type { TreePath } from "../../crypto/membership/tree-path.ts"
import type { Clock } from "../clock.ts"
import type { MemberSecret } from "./member-records.ts"
import type { MembershipAdmission } from "./membership-admission.ts"
import type { MembershipPath, MembershipRoots } from "./membership-source.ts"
import type { Prover } from "./prove.ts"
import type { Slots } from "./slots.ts"
import type { ProofVerifier } from "./verify.ts"

/** Proofs that lie ready, at most. */
export const READY_MAX = 8
/** Payloads that wait for a proof of their own when none is ready; others are told to pay otherwise, which is faster. */
export const COLD_WAITING_MAX = 1
/** A proof of the last period is good for this share of the one after it: longer, and it might arrive when it is not taken any more. */
const LAST_PERIOD_SHARE = 1 / 2

/** A proof that nobody has used yet, and the keys that it vouches for. */
export interface ReadyProof {
  readonly period: number
  readonly slot: number
  /** 32 bytes. */
  readonly nullifier: Bytes
  /** 128 bytes. */
  readonly proof: Bytes
  /** Ed25519 seeds of the eight one-time keys, 32 bytes each, and the keys themselves. */
  readonly seeds: readonly Bytes[]
  readonly keys: readonly Bytes[]
}

export interface ProofPoolParts {
  /** 32 bytes. */
  readonly meshId: Bytes
  /** The least that a period lasts. */
  readonly periodMs: number
  readonly member: MemberSecret
  readonly slots: Slots
  readonly roots: Pick<MembershipRoots, "period">
  readonly path: MembershipPath
  readonly prover: Pick<Prover, "prove">
  readonly verifier: Pick<ProofVerifier, "verify">
  readonly admission: Pick<MembershipAdmission, "isUsed" | "proven">
  readonly clock: Clock
  /** One line for the log; never holds a secret. */
  readonly log: (line: string) => void
}

interface Waiter {
  readonly resolve: (proof: ReadyProof | undefined) => void
}

export class ProofPool {
  readonly #parts: ProofPoolParts
  #ready: ReadyProof[] = []
  /** Slots for which a proof is being made. */
  readonly #making = new Set<number>()
  readonly #waiters: Waiter[] = []
  #period: number
  #beganMs: number
  /** Payloads of this period and of the last. */
  #taken = 0
  #takenBefore = 0
  #expected = false
  readonly #stop = new AbortController()
  #work: Promise<void> = Promise.resolve()

  constructor(parts: ProofPoolParts) {
    this.#parts = parts
    this.#period = parts.roots.period()
    this.#beganMs = parts.clock.nowMs()
  }

  /** Proofs that lie ready. */
  get ready(): number {
    return this.#ready.length
  }

  /** Whether this installation is in the tree that this period's proofs are made under. */
  get isMember(): boolean {
    return this.#pathNow() !== undefined
  }

  /** Payloads that may still be posted by proof in this period. */
  get left(): number {
    const ready = this.#ready.filter(({ period }) => period === this.#period).length
    return ready + this.#parts.slots.free(this.#period).length
  }

  /** Somebody is about to write: one proof is made ahead in this period. */
  expect(): void {
    this.#expected = true
    this.#fill()
  }

  /** The ledger has moved; perhaps another period has begun. */
  ledgerMoved(): void {
    const period = this.#parts.roots.period()
    if (period === this.#period) return
    this.#takenBefore = period === this.#period + 1 ? this.#taken : 0
    this.#taken = 0
    this.#expected = false
    this.#period = period
    this.#beganMs = this.#parts.clock.nowMs()
    this.#ready = this.#ready.filter((each) => each.period === period - 1)
    this.#fill()
  }

  /** A proof for one payload; undefined where there is none to be had soon: no member, no slot, or others wait already. */
  async take(signal: AbortSignal): Promise<ReadyProof | undefined> {
    signal.throwIfAborted()
    if (this.#stop.signal.aborted) return undefined
    const ready = this.#takeReady()
    if (ready !== undefined) {
      this.#count()
      return ready
    }
    if (this.#waiters.length >= COLD_WAITING_MAX || this.#pathNow() === undefined) return undefined
    if (this.#making.size === 0 && !this.#make(true)) return undefined
    const { promise, resolve } = Promise.withResolvers<ReadyProof | undefined>()
    const waiter = { resolve }
    this.#waiters.push(waiter)
    const onAbort = () => {
      this.#forget(waiter)
      resolve(undefined)
    }
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      const proof = await promise
      signal.throwIfAborted()
      if (proof !== undefined) this.#count()
      return proof
    } finally {
      signal.removeEventListener("abort", onAbort)
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    for (const { resolve } of this.#waiters.splice(0)) resolve(undefined)
    await this.#work
  }

  #takeReady(): ReadyProof | undefined {
    const now = this.#ready.findIndex(({ period }) => period === this.#period)
    const { clock, periodMs } = this.#parts
    const isFresh = clock.nowMs() - this.#beganMs < LAST_PERIOD_SHARE * periodMs
    const at = now === -1 && isFresh ? this.#ready.length - 1 : now
    return at === -1 ? undefined : this.#ready.splice(at, 1)[0]
  }

  #count(): void {
    this.#taken += 1
    this.#fill()
  }

  #pathNow(): TreePath | undefined {
    return this.#parts.path(this.#parts.member.commitment, this.#period)
  }

  /** As many as were used lately; none for who uses none. */
  get #target(): number {
    return Math.min(READY_MAX, Math.max(this.#taken, this.#takenBefore, this.#expected ? 1 : 0))
  }

  #fill(): void {
    const now = this.#ready.filter(({ period }) => period === this.#period).length
    for (let missing = this.#target - now - this.#making.size; missing > 0; missing--)
      if (!this.#make(false)) return
  }

  /** Begins to make one; false when there is nothing to make it of. */
  #make(urgent: boolean): boolean {
    const path = this.#pathNow()
    const slot = this.#parts.slots.pick(this.#period, this.#making)
    if (path === undefined || slot === undefined || this.#stop.signal.aborted) return false
    this.#making.add(slot)
    const making = this.#prove(this.#period, slot, path, urgent)
      .then((proof) => this.#made(slot, proof))
      .catch((error: unknown) => this.#failed(slot, error))
    this.#work = Promise.all([this.#work, making]).then(() => undefined)
    return true
  }

  async #prove(
    period: number,
    slot: number,
    path: TreePath,
    urgent: boolean,
  ): Promise<ReadyProof | undefined> {
    const { meshId, member, slots, prover, verifier, admission } = this.#parts
    const { seeds, keys } = newOneTimeKeys()
    const keyRoot = rootOverKeys(keys)
    const signal = signalOfKeys(keyRoot)
    const scope = payloadScope(meshId, period, slot)
    const task = { secret: member.secret, path, signal, scope }
    const made = await prover.prove(task, { urgent, signal: this.#stop.signal })
    const { nullifier, proof } = made
    // used up before anybody can see it
    await slots.use(period, slot)
    // used by another copy of this installation: then this slot is not ours any more
    if (admission.isUsed(period, nullifier)) return undefined
    const statement = { root: path.root, nullifier, signal, scope }
    if (!(await verifier.verify({ statement, proof }))) {
      this.#parts.log("membership: a proof of our own does not hold")
      return undefined
    }
    admission.proven(nullifier, keyRoot)
    return { period, slot, nullifier, proof, seeds, keys }
  }

  #made(slot: number, proof: ReadyProof | undefined): void {
    this.#making.delete(slot)
    if (this.#stop.signal.aborted) return
    const waiter = this.#waiters.shift()
    const isCurrent = proof?.period === this.#period
    if (proof !== undefined && isCurrent && waiter === undefined) this.#ready.push(proof)
    if (waiter !== undefined) {
      if (proof !== undefined && isCurrent) waiter.resolve(proof)
      else this.#retry(waiter)
    }
    this.#fill()
  }

  /** What was being made is of no use: another is begun for who waits. */
  #retry(waiter: Waiter): void {
    if (this.#making.size > 0 || this.#make(true)) this.#waiters.unshift(waiter)
    else waiter.resolve(undefined)
  }

  #failed(slot: number, error: unknown): void {
    this.#making.delete(slot)
    const waiter = this.#waiters.shift()
    waiter?.resolve(undefined)
    if (this.#stop.signal.aborted) return
    const code = error instanceof CodedError ? String(error.code) : String(error)
    this.#parts.log(`membership: no proof was made (${code})`)
  }

  #forget(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter)
    if (at !== -1) this.#waiters.splice(at, 1)
  }
}

/** The eight places of the key tree in a random order, so that a key's place does not tell a fragment's. */
export function shuffledKeys(): number[] {
  const order = [0, 1, 2, 3, 4, 5, 6, 7]
  for (let at = order.length - 1; at > 0; at--) {
    const other = (primitives.randomBytes(4).reduce((sum, byte) => sum * 256 + byte, 0)) % (at + 1) // prettier-ignore
    const [a = 0, b = 0] = [order[at], order[other]]
    order[at] = b
    order[other] = a
  }
  return order
}
