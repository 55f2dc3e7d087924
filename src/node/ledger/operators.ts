/**
 * What operators of a mesh do about it: propose changes, look at what others propose, approve it. An operator is whoever holds the keys of
 * a validator in force. Collecting approvals is the work of `ledger-changes`; here are the words that people use for it.
 */
import type { Ledger } from "../../consensus/ledger.ts"
import { type Proposal, validatorsChange } from "../../consensus/proposals.ts"
import { bytesOfKey } from "../../consensus/item.ts"
import { encodeVoucher, newVoucher, spendOfVoucher } from "../../consensus/join.ts"
import { ED25519_SIGNATURE_BYTES } from "../../consensus/limits.ts"
import { MemberTree } from "../../consensus/member-tree.ts"
import { seatOf, type ValidatorSet } from "../../consensus/quorum.ts"
import { type Bytes, equal, fromHex, toHex } from "../../crypto/bytes.ts"
import { ApiError } from "../api/errors.ts"
import type { MemberView, Params, ProposalView } from "../api/types.ts"
import type { MeshChanges } from "./changes.ts"
import { ledgerKeys } from "./rules.ts"
import { proposalView } from "./view.ts"
import { parsePublicKey, type Validator } from "./validator-keys.ts"

/** Digits of a key that are enough to name it, where no other begins alike. */
const KEY_PREFIX_MIN = 8

export interface OperatorsParts {
  readonly ledger: () => Ledger
  readonly changes: MeshChanges
  readonly validator: () => Validator | undefined
}

export class LedgerOperators {
  readonly #parts: OperatorsParts

  constructor(parts: OperatorsParts) {
    this.#parts = parts
  }

  /** Oldest first. */
  proposals(): readonly ProposalView[] {
    return this.#parts.changes.open().map((each) => this.#shown(each))
  }

  /** Throws ApiError BAD_PARAMS, UNKNOWN_VALIDATOR, NOT_OPERATOR, CHANGE_REFUSED. */
  proposeValidators({ add, remove }: Params<"validators.propose">): ProposalView {
    const { term, set } = this.#parts.ledger()
    const keys = add.map((text) => ledgerKeys(parsePublicKey(text)))
    const gone = remove.map((prefix) => validatorNamed(set, prefix))
    if (keys.some(({ ed25519 }) => gone.some((key) => equal(key, ed25519))))
      throw new ApiError("BAD_PARAMS", "a validator cannot join and leave by one change")
    return this.#shown(this.#parts.changes.approve(validatorsChange(term, keys, gone)))
  }

  /** By the beginning of a proposal's id. Throws ApiError UNKNOWN_PROPOSAL, NOT_OPERATOR, CHANGE_REFUSED. */
  approve(idPrefix: string): ProposalView {
    const wanted = idPrefix.trim().toLowerCase()
    const [found, another] = this.#parts.changes
      .open()
      .filter(({ id }) => toHex(id).startsWith(wanted))
    if (found === undefined)
      throw new ApiError("UNKNOWN_PROPOSAL", "no open proposal has an id that begins like this")
    if (another !== undefined)
      throw new ApiError("UNKNOWN_PROPOSAL", "more than one open proposal begins like this")
    return this.#shown(this.#parts.changes.approve(found.item))
  }

  /** Whether this peer is one. */
  get isOperator(): boolean {
    const own = this.#parts.validator()
    return own !== undefined && seatOf(this.#parts.ledger().set, own.keys.ed25519) >= 0
  }

  /**
   * New vouchers, each good for one member. Any one operator may invite, as it changes nothing for those who are there; whoever
   * is not wanted after all is removed by a quorum. Throws ApiError NOT_OPERATOR.
   */
  invite(count: number): readonly { readonly voucher: Bytes; readonly spend: string }[] {
    const { ledger, validator } = this.#parts
    const own = validator()
    const { rules } = ledger()
    if (own === undefined || !this.isOperator)
      throw new ApiError("NOT_OPERATOR", "this peer is no validator of the mesh")
    const sign = (message: Bytes) => own.sign(message).slice(0, ED25519_SIGNATURE_BYTES)
    return Array.from({ length: count }, () => {
      const voucher = newVoucher(rules.meshId, own.keys.ed25519, sign)
      return {
        voucher: encodeVoucher(voucher),
        spend: toHex(spendOfVoucher(rules.meshId, voucher)),
      }
    })
  }

  /** Members now, in the order in which they joined. `own`: this installation's commitment, if it has one. */
  members(own: Bytes | undefined): readonly MemberView[] {
    const { fields, vouchers } = this.#parts.ledger()
    const { members } = fields
    return [...vouchers].flatMap(([spend, commitment]) => {
      const place = members instanceof MemberTree ? members.placeOf(commitment) : undefined
      if (place === undefined) return []
      return {
        commitment: toHex(commitment),
        place,
        joinedBy: toHex(bytesOfKey(spend)),
        own: own !== undefined && equal(own, commitment),
      }
    })
  }

  /** Proposes that a member leaves. Throws ApiError UNKNOWN_MEMBER, NOT_OPERATOR, CHANGE_REFUSED. */
  revoke(prefix: string): ProposalView {
    const wanted = prefix.trim().toLowerCase()
    const [found, another] = this.members(undefined).filter(
      ({ commitment, joinedBy }) => commitment.startsWith(wanted) || joinedBy.startsWith(wanted),
    )
    if (found === undefined || wanted.length < KEY_PREFIX_MIN)
      throw new ApiError("UNKNOWN_MEMBER", "no member's commitment or voucher begins like this")
    if (another !== undefined)
      throw new ApiError("UNKNOWN_MEMBER", "more than one member's begins like this")
    const { term } = this.#parts.ledger()
    const commitment = fromHex(found.commitment)
    const change = { type: "member-remove", commitment, term, approvals: [] } as const
    return this.#shown(this.#parts.changes.approve(change))
  }

  #shown(proposal: Proposal): ProposalView {
    const { ledger, validator } = this.#parts
    return proposalView(proposal, ledger(), validator()?.keys.ed25519, this.#parts.changes.open())
  }
}

/** By the beginning of its Ed25519 key in hexadecimal, as `validators` shows it. */
function validatorNamed({ members }: ValidatorSet, prefix: string): Bytes {
  const wanted = prefix.trim().toLowerCase()
  const [found, another] = members.filter(({ ed25519 }) => toHex(ed25519).startsWith(wanted))
  if (found === undefined || wanted.length < KEY_PREFIX_MIN)
    throw new ApiError("UNKNOWN_VALIDATOR", "no validator has a key that begins like this")
  if (another !== undefined)
    throw new ApiError("UNKNOWN_VALIDATOR", "more than one validator's key begins like this")
  return found.ed25519
}
