/** One's own membership, in a sentence. */
import type { MembershipView } from "../node/api/types.ts"
import { nextStep } from "./sentences.ts"

const STATES: Readonly<Record<MembershipView["state"], string>> = {
  none: "This installation is no member: every message costs some work.",
  joining: "This installation is becoming a member: the ledger has not taken it yet.",
  joined:
    "This installation is a member. It counts after two periods of the ledger, which go by while somebody writes; until then its messages cost some work.",
  member: "This installation is a member.",
}

/** Of 32 in a period. */
function spokenLeft(left: number | null): string {
  if (left === null) return ""
  return left === 0
    ? " It has posted all that this period allows, or came from a backup in it: messages cost some work until the next one begins."
    : ` It may post ${left} more ${left === 1 ? "time" : "times"} in this period without work.`
}

export function spokenMembership({ state, refusal, left }: MembershipView): string {
  if (refusal === null) return `${STATES[state]}${spokenLeft(left)}`
  const why =
    refusal === "VOUCHER_USED"
      ? "the invitation has made a member already"
      : "no operator of this mesh vouches for the invitation"
  return `${STATES[state]} The last try came to nothing: ${why}; ${nextStep(refusal) ?? ""}.`
}
