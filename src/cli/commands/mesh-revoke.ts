/** `sotto mesh revoke`: an operator proposes that a member leaves. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { nextFor, printProposal } from "../proposals.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { proposal } = await withRunningNode(context, (api) =>
    api.call("members.revoke", { member: context.arg(0) }, { signal }),
  )
  if (out.json) {
    out.object({ proposal })
    return
  }
  printProposal(out, proposal)
  out.say(nextFor(proposal))
}
