/** `sotto validators approve`: an operator stands behind what another has proposed. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { nextFor, printProposal } from "../proposals.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { proposal } = await withRunningNode(context, (api) =>
    api.call("proposals.approve", { proposal: context.arg(0) }, { signal }),
  )
  if (out.json) {
    out.object({ proposal })
    return
  }
  printProposal(out, proposal)
  out.say(nextFor(proposal))
}
