/** `sotto validators add`: an operator proposes a new validator, or one in another's place. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { keyFrom } from "../key-argument.ts"
import { nextFor, printProposal } from "../proposals.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const add = await Promise.all(context.args.map(keyFrom))
  const remove = context.texts("replace")
  const { proposal } = await withRunningNode(context, (api) =>
    api.call("validators.propose", { add, remove }, { signal }),
  )
  if (out.json) {
    out.object({ proposal })
    return
  }
  printProposal(out, proposal)
  out.say(nextFor(proposal))
}
