/** `sotto validators proposals`: what operators want to change, and how far each has come. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { printProposal } from "../proposals.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { proposals } = await withRunningNode(context, (api) =>
    api.call("proposals.list", {}, { signal }),
  )
  if (out.json) {
    out.object({ proposals })
    return
  }
  for (const proposal of proposals) printProposal(out, proposal)
  if (proposals.length === 0) out.say("Nothing is proposed.")
}
