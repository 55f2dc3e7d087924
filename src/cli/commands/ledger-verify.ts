/** `sotto ledger verify`: every block again, from the genesis on. Exit 1 when one is wrong. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { CliError } from "../failure.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { height, fault } = await withRunningNode(context, (api) =>
    api.call("ledger.verify", {}, { signal }),
  )
  if (out.json) out.object({ height, fault })
  else if (fault === null)
    out.line(`${height} blocks, every link, state and signature as it must be`)
  if (fault !== null)
    throw new CliError("BAD_LEDGER", `the block at height ${height} is wrong: ${fault}`)
}
