/** Proposals of operators for people: what would change, who stands behind it, what is missing. */
import type { ProposalView } from "../node/api/types.ts"
import type { Output } from "./output.ts"

/** Digits of a proposal's id, or of a key, that name it in practice. */
const SHORT = 12

export const short = (hex: string): string => hex.slice(0, SHORT)

export function printProposal(out: Output, proposal: ProposalView): void {
  const { id, kind, add, remove, approvals, needed, own, termsLeft, after, rivals } = proposal
  out.line(`${short(id)}  ${kind === "validators" ? "validators" : "members"}`)
  for (const { key, proved } of add)
    out.line(`  add ${key}${proved ? "" : "  (has not proved yet that its keys are there)"}`)
  for (const key of remove) out.line(`  remove ${key}`)
  const mine = own ? ", this peer's among them" : ""
  out.line(`  approvals: ${approvals.length} of ${needed}${mine}`)
  if (after !== null) out.line(`  afterwards: ${sizeOf(after)}`)
  if (rivals.length > 0)
    out.line(
      `  beside ${rivals.map(short).join(", ")}: one of them comes into force, the others lapse and can be proposed again`,
    )
  if (termsLeft <= 1) out.line("  its approvals count for this term and the next at most")
}

/** What has to happen now. */
export function nextFor({ id, kind, add, approvals, needed }: ProposalView): string {
  const missing = needed - approvals.length
  if (missing > 0)
    return `Another ${missing} ${missing === 1 ? "operator has" : "operators have"} to run \`sotto validators approve ${short(id)}\`.`
  if (add.some(({ proved }) => !proved))
    return "The new validator's node has to run and be connected: it proves then that it holds its keys."
  return kind === "validators"
    ? "It is on its way into the ledger, and comes into force with the next term."
    : "It is on its way into the ledger. What the member posts is taken for two periods more at most, and then costs them work."
}

function sizeOf({ validators, faulty }: NonNullable<ProposalView["after"]>): string {
  const size = validators === 1 ? "1 validator" : `${validators} validators`
  if (faulty > 0) return `${size}, ${faulty} of which may be faulty`
  return `${size}, none of which may be faulty: four are the least that bear one`
}
