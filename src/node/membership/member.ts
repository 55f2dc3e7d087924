/**
 * This installation as a member of its mesh: its secret, its proof of knowledge for joining, and the admission of what it posts (DESIGN
 * §6.1). One secret an installation, made when somebody first asks for its commitment, never shown, and never the same on two machines.
 */
import type { Bytes } from "../../crypto/bytes.ts"
import { envelopeId } from "../../crypto/envelope.ts"
import { writeMembership } from "../../crypto/membership/admission.ts"
import { encodeJoinProof } from "../../crypto/membership/join.ts"
import { ONE_TIME_KEYS, pathToKey, signEnvelope } from "../../crypto/membership/one-time-keys.ts"
import { joinScope, joinSignal } from "../../crypto/membership/statement.ts"
import { loneLeaf } from "../../crypto/membership/tree-path.ts"
import { assert, CodedError } from "../../crypto/errors.ts"
import { heavy } from "../heavy.ts"
import type { MemberRecords, MemberSecret } from "./member-records.ts"
import { ProofPool, type ProofPoolParts, type ReadyProof, shuffledKeys } from "./proof-pool.ts"
import { Prover } from "./prove.ts"
import { Slots } from "./slots.ts"
import { Turns } from "../turns.ts"

export interface MemberParts extends Omit<ProofPoolParts, "member" | "slots" | "prover"> {
  readonly records: MemberRecords
  /** Of the store that the records lie in, 16 bytes. */
  readonly storeId: Bytes
  /** Whether somebody else, asked for later blocks than ours, had none. */
  readonly isNewest: () => boolean
}

export class Member {
  readonly #parts: MemberParts
  readonly #prover = new Prover()
  readonly #turns = new Turns()
  readonly #stop = new AbortController()
  #secret: MemberSecret | undefined
  #pool: ProofPool | undefined
  #slots: Slots | undefined

  private constructor(parts: MemberParts) {
    this.#parts = parts
  }

  /** Throws StoreError, CryptoError when what is kept does not open. */
  static async open(parts: MemberParts): Promise<Member> {
    const member = new Member(parts)
    const secret = await parts.records.secret()
    if (secret !== undefined) await member.#begin(secret, false)
    return member
  }

  /** Whether it may post by proof in this period: it has joined, and the tree of this period holds it. */
  get isMember(): boolean {
    return this.#pool?.isMember === true
  }

  /** Payloads that it may still post by proof in this period; undefined where it is no member in it. */
  get left(): number | undefined {
    return this.isMember ? this.#pool?.left : undefined
  }

  /** The commitment, 32 bytes, if there is a secret already. */
  get known(): Bytes | undefined {
    return this.#secret?.commitment
  }

  /** The commitment, 32 bytes; makes the secret when there is none. Throws StoreError. */
  commitment(): Promise<Bytes> {
    return this.#turns.run(async () => (await this.#mustHave()).commitment)
  }

  /** Proof of knowledge for joining, 160 bytes: bound to `item`, all that asks for membership but this proof. About 2 s. Throws ProveError. */
  async joinProof(item: Bytes): Promise<Bytes> {
    const { secret, commitment } = await this.#turns.run(() => this.#mustHave())
    const { nullifier, proof } = await this.#prover.prove(
      {
        secret,
        path: loneLeaf(commitment),
        signal: joinSignal(item),
        scope: joinScope(this.#parts.meshId),
      },
      { urgent: true, signal: this.#stop.signal },
    )
    return encodeJoinProof(nullifier, proof)
  }

  /** Somebody is about to write. */
  expect(): void {
    this.#pool?.expect()
  }

  /** A block came, or it is known now that there is no later one. */
  ledgerMoved(): void {
    this.#pool?.ledgerMoved()
    this.#watch().catch((error: unknown) => {
      const code = error instanceof CodedError ? String(error.code) : String(error)
      this.#parts.log(`membership: what is free was not written (${code})`)
    })
  }

  async #watch(): Promise<void> {
    const { roots, isNewest, clock, periodMs } = this.#parts
    const shown = { period: roots.period(), isNewest: isNewest() }
    await this.#slots?.watch(shown, { nowMs: clock.nowMs(), periodMs })
  }

  /**
   * The envelopes of one payload, at most 8, admitted by one proof; undefined when there is none to be had soon, and they have to be
   * paid for otherwise. Throws the signal's reason.
   */
  async admit(
    envelopes: readonly Bytes[],
    signal: AbortSignal,
  ): Promise<readonly Bytes[] | undefined> {
    assert(
      envelopes.length <= ONE_TIME_KEYS,
      "a payload has no more envelopes than a proof has keys",
    )
    const ready = await this.#pool?.take(signal)
    if (ready === undefined) return undefined
    const order = shuffledKeys()
    return envelopes.map((each, i) => this.#admitOne(each, ready, order[i] ?? 0))
  }

  #admitOne(envelope: Bytes, ready: ReadyProof, keyIndex: number): Bytes {
    const { period, slot, nullifier, proof, seeds, keys } = ready
    const [seed, key] = [seeds[keyIndex], keys[keyIndex]]
    assert(seed !== undefined && key !== undefined, "a proof has eight keys")
    const signature = signEnvelope(seed, this.#parts.meshId, envelopeId(envelope))
    const path = pathToKey(keys, keyIndex)
    const fields = { period, slot, nullifier, proof, keyIndex, key, path, signature }
    return writeMembership(envelope, fields)
  }

  async #mustHave(): Promise<MemberSecret> {
    if (this.#secret !== undefined) return this.#secret
    const made = await heavy({ job: "member-secret" }, this.#stop.signal)
    await this.#parts.records.putSecret(made)
    await this.#begin(made, true)
    return made
  }

  async #begin(secret: MemberSecret, isNew: boolean): Promise<void> {
    const { records, storeId } = this.#parts
    const slots = await Slots.open(records, storeId, { isNew })
    this.#slots = slots
    await this.#watch()
    this.#secret = secret
    this.#pool = new ProofPool({ ...this.#parts, member: secret, slots, prover: this.#prover })
  }

  /** Ends the threads; what is being made is lost. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the node is stopping"))
    await this.#prover.stop()
    await this.#pool?.stop()
    await this.#turns.idle()
  }
}
