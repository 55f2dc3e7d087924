/**
 * Changes of the mesh on their way to a quorum of its operators. Whoever holds a validator's key is an operator. One proposes, others
 * approve, a new validator proves that it holds its keys; each of these is a signature over the same subject (item.ts), so what
 * two peers know of a proposal can always be put together, in any order and any number of times. Nobody has to be the place where
 * signatures are collected. What is complete is an item like any other.
 *
 * Pure: says what is wrong with what comes in and remembers the rest. How proposals travel is the node's business.
 */
import { compare, equal } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { assert } from "../crypto/errors.ts"
import { primitives } from "#primitives"
import type { Scheme } from "./hybrid.ts"
import { keyOf, subjectOf } from "./item.ts"
import type { Ledger } from "./ledger.ts"
import { PROPOSALS_MAX, PROPOSALS_PER_OPERATOR_MAX } from "./limits.ts"
import type { MemberRemoveItem, ValidatorKeys, ValidatorsItem, Wrong } from "./types.ts"

/** What needs a quorum of operators. */
export type Change = ValidatorsItem | MemberRemoveItem

/** Stands for a proof of possession that is not there yet. */
export const UNPROVEN: Bytes = new Uint8Array(0)

/** A change as far as it has come. `item` holds all signatures that are known here. */
export interface Proposal {
  /** 32 bytes: hash of the subject, so of everything but the signatures. */
  readonly id: Bytes
  readonly subject: Bytes
  readonly item: Change
}

export type ProposalCode =
  /** [IGNORE] approved for another set than the one in force, or too long ago. */
  | "STALE"
  /** [IGNORE] the state forbids it: another change waits, the member is none, nobody would be left. */
  | "NOT_APPLICABLE"
  /** [IGNORE] known already. */
  | "DUPLICATE"
  /** [IGNORE] too many open proposals, of this operator or in all. */
  | "TOO_MANY"
  /** [REJECT] no operator stands behind it. */
  | "NO_APPROVAL"
  /** [REJECT] */
  | "BAD_SIGNATURE"

type Taken = { readonly proposal: Proposal } | (Wrong & { readonly code: ProposalCode })

const ignore = (code: ProposalCode) => ({ verdict: "ignore", code }) as const
const reject = (code: ProposalCode) => ({ verdict: "reject", code }) as const

/** Where a change stands without its signatures. Two changes with one id are the same change. */
export function proposalOf(item: Change, ledger: Ledger): Proposal {
  const subject = subjectOf(item, ledger.rules.meshId, ledger.set.digest)
  return { id: primitives.sha3_256(subject), subject, item }
}

/** Its new validators that have not proved yet that they hold their keys. */
export const unproven = ({ item }: Proposal): readonly ValidatorKeys[] =>
  item.type === "validators"
    ? item.add.filter(({ possession }) => possession.length === 0).map(({ keys }) => keys)
    : []

export class Proposals {
  readonly #scheme: Scheme
  readonly #ledger: () => Ledger
  readonly #open = new Map<string, Proposal>()

  constructor(scheme: Scheme, ledger: () => Ledger) {
    this.#scheme = scheme
    this.#ledger = ledger
  }

  /** Oldest first. */
  list(): readonly Proposal[] {
    return [...this.#open.values()]
  }

  /** Adds what is new in `item` to what is known of it, or says why there is nothing to add. Checks no signature twice. */
  take(item: Change): Taken {
    const ledger = this.#ledger()
    // [IGNORE] its approvals name seats of the set in force
    if (!ledger.approvalCounts(item.term)) return ignore("STALE")
    // [IGNORE] the state lets it come next
    if (!ledger.permits(item)) return ignore("NOT_APPLICABLE")
    const given = proposalOf(item, ledger)
    const known = this.#open.get(keyOf(given.id))
    const news = newIn(given.item, known?.item)
    // [IGNORE] it says something new
    if (news.approvals.length + news.possessions.length === 0)
      return known === undefined ? reject("NO_APPROVAL") : ignore("DUPLICATE")
    // [REJECT] an operator stands behind it: whoever is none proposes nothing
    if (known === undefined && item.approvals.length === 0) return reject("NO_APPROVAL")
    // [IGNORE] there is room
    if (known === undefined && !this.#hasRoom(item)) return ignore("TOO_MANY")
    // [REJECT] every signature that it brings is good
    if (!this.#verifies(given.subject, news)) return reject("BAD_SIGNATURE")
    const proposal =
      known === undefined ? given : { ...given, item: merged(given.item, known.item) }
    this.#open.set(keyOf(given.id), proposal)
    return { proposal }
  }

  /** The item, once a quorum has approved and all new validators have proved themselves. */
  complete({ item }: Proposal): Change | undefined {
    const isProven =
      item.type !== "validators" || item.add.every(({ possession }) => possession.length > 0)
    return isProven && item.approvals.length >= this.#ledger().set.quorum ? item : undefined
  }

  /** By its id, 32 bytes. */
  get(id: Bytes): Proposal | undefined {
    return this.#open.get(keyOf(id))
  }

  /** Lets go of what was ordered or can no longer be. Returns the ids of what went. */
  prune(): readonly Bytes[] {
    const ledger = this.#ledger()
    const gone: Bytes[] = []
    for (const [key, { id, item }] of this.#open) {
      if (ledger.approvalCounts(item.term) && ledger.permits(item)) continue
      this.#open.delete(key)
      gone.push(id)
    }
    return gone
  }

  #hasRoom({ approvals }: Change): boolean {
    if (this.#open.size >= PROPOSALS_MAX) return false
    const all = this.list()
    return approvals.some(({ signer }) => {
      const own = all.filter(({ item }) => item.approvals[0]?.signer === signer)
      return own.length < PROPOSALS_PER_OPERATOR_MAX
    })
  }

  #verifies(subject: Bytes, { approvals, possessions }: News): boolean {
    const { members } = this.#ledger().set
    const isGood = (keys: ValidatorKeys | undefined, signature: Bytes) =>
      keys !== undefined && this.#scheme.verify(keys, subject, signature)
    return (
      approvals.every(({ signer, signature }) => isGood(members[signer], signature)) &&
      possessions.every(({ keys, possession }) => isGood(keys, possession))
    )
  }
}

interface News {
  readonly approvals: Change["approvals"]
  readonly possessions: ValidatorsItem["add"]
}

/** Signatures of seats and keys that the known part lacks: of two for one place, the first stays. */
function newIn(given: Change, known: Change | undefined): News {
  const seats = new Set(known?.approvals.map(({ signer }) => signer))
  const approvals = given.approvals.filter(({ signer }) => !seats.has(signer))
  if (given.type !== "validators") return { approvals, possessions: [] }
  const proven = known?.type === "validators" ? known.add : []
  const possessions = given.add.filter(
    ({ possession }, i) => possession.length > 0 && (proven[i]?.possession.length ?? 0) === 0,
  )
  return { approvals, possessions }
}

function merged(given: Change, known: Change): Change {
  const approvals = [...known.approvals, ...newIn(given, known).approvals].sort(
    (a, b) => a.signer - b.signer,
  )
  if (given.type !== "validators" || known.type !== "validators") return { ...known, approvals }
  const add = known.add.map((one, i) => {
    const other = given.add[i]
    assert(other !== undefined && equal(other.keys.ed25519, one.keys.ed25519), "the same subject")
    return one.possession.length > 0 ? one : other
  })
  return { ...known, add, approvals }
}

/** For showing: operators who have approved, by seat. */
export const approvers = ({ item }: Proposal): readonly number[] =>
  item.approvals.map(({ signer }) => signer)

/** A change of the validators in its one order: whoever proposes the same change signs the same subject. */
export function validatorsChange(
  term: number,
  add: readonly ValidatorKeys[],
  remove: readonly Bytes[],
): ValidatorsItem {
  const sorted = [...add].sort((a, b) => compare(a.ed25519, b.ed25519))
  return {
    type: "validators",
    add: sorted.map((keys) => ({ keys, possession: UNPROVEN })),
    remove: [...remove].sort(compare),
    term,
    approvals: [],
  }
}
