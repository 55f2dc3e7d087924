/** What a schedule submits: envelopes, members, changes of the validators. The same calls make the same items. */
import { primitives } from "#primitives"
import { utf8 } from "../../src/crypto/bytes.ts"
import { subjectOf } from "../../src/consensus/item.ts"
import type { Ledger } from "../../src/consensus/ledger.ts"
import type { EnvelopeItem, Item, ValidatorsItem } from "../../src/consensus/types.ts"
import type { Keyholder } from "./keys.ts"

/** Each item is another one; every second envelope has a membership proof. */
export class ItemMaker {
  #next = 0

  envelope(): EnvelopeItem {
    const id = primitives.sha3_256(utf8(`item ${this.#next}`))
    const spend = primitives.sha3_256(utf8(`spend ${this.#next}`))
    const proof = this.#next++ % 2 === 0
    return proof
      ? { type: "envelope", id, spend, root: spend.slice(0, 16) }
      : { type: "envelope", id, spend }
  }

  member(): Item {
    const n = this.#next++
    const commitment = primitives.sha3_256(utf8(`member ${n}`))
    const voucher = primitives.sha3_256(utf8(`voucher ${n}`))
    return { type: "member-add", commitment, voucher, evidence: new Uint8Array(0) }
  }
}

/** The same envelope, admitted otherwise. */
export const paidAgain = ({ id }: EnvelopeItem): EnvelopeItem => ({
  type: "envelope",
  id,
  spend: primitives.sha3_256(utf8("paid again"), id),
})

/** A change of the set, with the approval of every operator among these. */
export function validatorsItem(change: {
  readonly ledger: Ledger
  readonly added: readonly Keyholder[]
  readonly removed: readonly Keyholder[]
  readonly operators: readonly Keyholder[]
}): ValidatorsItem {
  const { ledger, added, removed, operators } = change
  const { set, rules } = ledger
  const draft: ValidatorsItem = {
    type: "validators",
    add: added.map(({ keys }) => ({ keys, possession: new Uint8Array(0) })),
    remove: removed.map(({ keys }) => keys.ed25519),
    term: ledger.term,
    approvals: [],
  }
  const subject = subjectOf(draft, rules.meshId, set.digest)
  const approvals = set.members.flatMap((member, signer) => {
    const owner = operators.find(({ keys }) => keys.ed25519.join() === member.ed25519.join())
    return owner === undefined ? [] : [{ signer, signature: owner.sign(subject) }]
  })
  const add = added.map(({ keys, sign }) => ({ keys, possession: sign(subject) }))
  return { ...draft, add, approvals }
}
