/**
 * The members of the mesh as the ledger sees them: a set of commitments with a root. The ledger needs only this interface;
 * the proof system brings its own tree. A value is never changed in place, so a block that is only being tried leaves no
 * trace. The list here is for meshes without membership proofs, and for tests.
 */
import { compare, Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { primitives } from "#primitives"
import { keyOf } from "./item.ts"

export interface Membership {
  /** Covered by the state root. */
  readonly root: Bytes
  has(commitment: Bytes): boolean
  /** Whether this may be a new member's commitment. */
  takes(commitment: Bytes): boolean
  /** What `takes` refuses must not be added. */
  add(commitment: Bytes): Membership
  remove(commitment: Bytes): Membership
  /** All commitments, in an order that `restore` takes back. */
  list(): readonly Bytes[]
  /** What leads back from here to an earlier state, for a snapshot. */
  sinceOf(past: Membership): MembershipPast
  /** That earlier state again. */
  before(past: MembershipPast): Membership
}

/** An earlier state of a membership, as seen from a later one. */
export interface MembershipPast {
  /** How many of the places (or of the members) were there then. */
  readonly size: number
  /** Members who have left since, with their places. */
  readonly gone: readonly (readonly [number, Bytes])[]
}

/** Where a membership begins, and how it comes back from `list()`. */
export interface MembershipKind {
  empty(): Membership
  restore(commitments: readonly Bytes[]): Membership
}

/** Commitments under one hash, in no tree. Sorted before hashing: a Map keeps the order of arrival, and that differs after a restore. */
export class MemberList implements Membership {
  readonly #members: ReadonlyMap<string, Bytes>
  #root: Bytes | undefined

  constructor(members: Iterable<Bytes> = []) {
    this.#members = new Map([...members].map((member) => [keyOf(member), member]))
  }

  get root(): Bytes {
    if (this.#root === undefined) {
      const writer = new Writer().text("sotto/members/1", 1).u32(this.#members.size)
      for (const member of [...this.#members.values()].sort(compare)) writer.raw(member)
      this.#root = primitives.sha3_256(writer.finish())
    }
    return this.#root
  }

  has(commitment: Bytes): boolean {
    return this.#members.has(keyOf(commitment))
  }

  takes(commitment: Bytes): boolean {
    return !this.has(commitment)
  }

  add(commitment: Bytes): MemberList {
    return new MemberList([...this.#members.values(), commitment])
  }

  remove(commitment: Bytes): MemberList {
    const gone = keyOf(commitment)
    return new MemberList([...this.#members].filter(([key]) => key !== gone).map(([, m]) => m))
  }

  list(): readonly Bytes[] {
    return [...this.#members.values()].sort(compare)
  }

  /** Without places, an earlier state is simply listed. */
  sinceOf(past: Membership): MembershipPast {
    return { size: 0, gone: past.list().map((member, place) => [place, member]) }
  }

  before({ gone }: MembershipPast): MemberList {
    return new MemberList(gone.map(([, member]) => member))
  }
}

export const LISTED: MembershipKind = {
  empty: () => new MemberList(),
  restore: (commitments) => new MemberList(commitments),
}
