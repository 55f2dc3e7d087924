/**
 * What operators of a mesh do about it: propose changes, look at what others propose, approve it. An operator is whoever holds the keys of
 * a validator in force. Collecting approvals is the work of `ledger-changes`; here are the words that people use for it.
 */
import type { Ledger } from "../consensus/ledger.ts"
import { type Proposal, validatorsChange } from "../consensus/proposals.ts"
import type { ValidatorSet } from "../consensus/quorum.ts"
import { type Bytes, toHex } from "../crypto/bytes.ts"
import { ApiError } from "./api/errors.ts"
import type { Params, ProposalView } from "./api/types.ts"
import type { MeshChanges } from "./ledger-changes.ts"
import { ledgerKeys } from "./ledger-rules.ts"
import { proposalView } from "./ledger-view.ts"
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

  #shown(proposal: Proposal): ProposalView {
    const { ledger, validator } = this.#parts
    return proposalView(proposal, ledger(), validator()?.keys.ed25519)
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
