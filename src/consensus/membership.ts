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
  add(commitment: Bytes): Membership
  remove(commitment: Bytes): Membership
  /** All commitments, in an order that `restore` takes back. */
  list(): readonly Bytes[]
}

/** Rebuilds a membership from `list()`. */
export type RestoreMembership = (commitments: readonly Bytes[]) => Membership

/** Commitments under one hash. Sorted before hashing: a Map keeps the order of arrival, and that differs after a restore. */
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
}

export const restoreMemberList: RestoreMembership = (commitments) => new MemberList(commitments)
