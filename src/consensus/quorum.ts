/**
 * Who counts, and how many are enough. Castro and Liskov, OSDI '99, section 3: the algorithm is safe and live when at most
 * f = ⌊(n-1)/3⌋ replicas are faulty. Quorums are sets of signer indices, never of messages: a signer counts once, whatever
 * it sent and however often. For n = 3f+1 the quorum is the paper's 2f+1; for the n between, it is the smallest number for
 * which any two quorums share f+1 members.
 */
import { compare, equal, Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { assert } from "../crypto/errors.ts"
import { primitives } from "#primitives"
import { ED25519_PUBLIC_BYTES, ML_DSA_65_PUBLIC_BYTES, SLH_DSA_PUBLIC_BYTES } from "./limits.ts"
import type { ValidatorKeys } from "./types.ts"

/** The most faulty validators that n of them tolerate. */
export const faulty = (n: number): number => Math.floor((n - 1) / 3)

/** The smallest number of distinct signers of which any two groups share a correct one, and which the correct can reach. */
export const quorumOf = (n: number): number => Math.ceil((n + faulty(n) + 1) / 2)

/** Section 2: the primary is view mod n; here the term shifts it too, so that it rotates without a view change. */
export const primaryOf = (term: number, view: number, n: number): number => (term + view) % n

/** The validators of one term, in canonical order. A signer is an index into `members`. */
export interface ValidatorSet {
  readonly members: readonly ValidatorKeys[]
  /** SHA3-256 over the canonical encoding: what the state root covers. */
  readonly digest: Bytes
  readonly size: number
  /** The most faulty members that are tolerated. */
  readonly faulty: number
  readonly quorum: number
}

/** Canonical bytes of one validator's public keys: 32 + 1952 + 32. */
export function writeKeys(writer: Writer, keys: ValidatorKeys): Writer {
  assert(keys.ed25519.length === ED25519_PUBLIC_BYTES, "an Ed25519 public key has 32 bytes")
  assert(keys.mlDsa65.length === ML_DSA_65_PUBLIC_BYTES, "an ML-DSA-65 public key has 1952 bytes")
  assert(keys.slhDsa.length === SLH_DSA_PUBLIC_BYTES, "an SLH-DSA public key has 32 bytes")
  return writer.raw(keys.ed25519).raw(keys.mlDsa65).raw(keys.slhDsa)
}

/** True when no key, of any kind, belongs to two members: one key in two seats would vote twice. */
export function keysAreDistinct(members: readonly ValidatorKeys[]): boolean {
  for (const kind of ["ed25519", "mlDsa65", "slhDsa"] as const) {
    const keys = members.map((member) => member[kind]).sort(compare)
    for (let i = 1; i < keys.length; i++) {
      const [before, here] = [keys[i - 1], keys[i]]
      if (before !== undefined && here !== undefined && equal(before, here)) return false
    }
  }
  return true
}

/** Puts members into canonical order (by Ed25519 key), so that everyone numbers them alike. */
export function validatorSet(keys: readonly ValidatorKeys[]): ValidatorSet {
  const members = [...keys].sort((a, b) => compare(a.ed25519, b.ed25519))
  assert(keysAreDistinct(members), "validators have distinct keys")
  const writer = new Writer().text("sotto/validators/1", 1).u16(members.length)
  for (const member of members) writeKeys(writer, member)
  return {
    members,
    digest: primitives.sha3_256(writer.finish()),
    size: members.length,
    faulty: faulty(members.length),
    quorum: quorumOf(members.length),
  }
}

/** Index of a validator by its Ed25519 key, or -1. */
export const seatOf = (set: ValidatorSet, ed25519: Bytes): number =>
  set.members.findIndex((member) => equal(member.ed25519, ed25519))

/**
 * Votes of one kind in one slot and view, by signer. First wins: a second, different vote of a signer is evidence and
 * never a replacement.
 */
export class Tally<Vote> {
  readonly votes: (Vote | undefined)[]
  #count = 0

  constructor(size: number) {
    this.votes = Array.from<Vote | undefined>({ length: size })
  }

  get count(): number {
    return this.#count
  }

  /** The vote that was there before, or undefined when this one was taken. */
  add(signer: number, vote: Vote): Vote | undefined {
    assert(signer >= 0 && signer < this.votes.length, "a signer has a seat")
    const before = this.votes[signer]
    if (before !== undefined) return before
    this.votes[signer] = vote
    this.#count++
    return undefined
  }

  get(signer: number): Vote | undefined {
    return this.votes[signer]
  }

  /** The votes that match, in the order of the signers. */
  matching(holds: (vote: Vote) => boolean): Vote[] {
    const found: Vote[] = []
    for (const vote of this.votes) if (vote !== undefined && holds(vote)) found.push(vote)
    return found
  }

  clear(): void {
    this.votes.fill(undefined)
    this.#count = 0
  }
}

/** One bit for each seat, lowest seat in the lowest bit of the first byte. */
export function bitmap(size: number, has: (seat: number) => boolean): Bytes {
  const out = new Uint8Array(Math.ceil(size / 8))
  for (let seat = 0; seat < size; seat++)
    if (has(seat)) out[seat >> 3] = (out[seat >> 3] ?? 0) | (1 << (seat & 7))
  return out
}

export const bitOf = (map: Bytes, seat: number): boolean =>
  (((map[seat >> 3] ?? 0) >> (seat & 7)) & 1) === 1
