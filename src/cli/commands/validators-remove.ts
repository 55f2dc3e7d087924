/** `sotto validators remove`: an operator proposes that a validator leaves the set. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { nextFor, printProposal } from "../proposals.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal, args } = context
  const { proposal } = await withRunningNode(context, (api) =>
    api.call("validators.propose", { add: [], remove: args }, { signal }),
  )
  if (out.json) {
    out.object({ proposal })
    return
  }
  printProposal(out, proposal)
  out.say(nextFor(proposal))
}
