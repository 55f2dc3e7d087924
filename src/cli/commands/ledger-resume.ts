/** `sotto ledger resume`: the operator's word that this validator may vote again. Exit 9 when nothing waits for it. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { CliError } from "../failure.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { resumed } = await withRunningNode(context, (api) =>
    api.call("ledger.resume", {}, { signal }),
  )
  if (resumed === "no")
    throw new CliError(
      "REFUSED",
      "nothing here waits for that: a validator among others votes again by itself, from a later term on",
      "`sotto ledger` says how this peer stands",
    )
  if (out.json) out.object({ resumed })
  else if (resumed === "now") out.line("this validator votes again")
  else out.line("this validator may vote again from its next start on: stop the node and start it")
}
